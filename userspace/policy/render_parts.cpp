// SPDX-License-Identifier: Apache-2.0
#include "policy/render_parts.h"

#include "policy/edge_file.h"
#include "policy/row_rules.h"
#include "policy/users.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::policy {
namespace {

std::string user_text(const Row &row, std::optional<std::uint32_t> uid)
{
	return uid && !is_number(row.user) ? row.user + " (" + std::to_string(*uid) + ')' : row.user;
}

} // namespace

MoreColumns::MoreColumns(const BoundPolicy &policy)
{
	const auto look = [&](const Row &row) {
		user = user || !row.user.empty();
		page = page || !row.on_page;
		journal = journal || row.needs_journal;
	};
	for (const BoundRow &bound : policy.rows) {
		look(bound.row);
		window = window || !bound.window.empty();
	}
	for (const Window &each : policy.windows) {
		for (const BoundRow &bound : each.rows) {
			look(bound.row);
		}
	}
	std::ranges::for_each(policy.off, look);
}

void MoreColumns::append_header(Cells &cells) const
{
	for (const auto &[is_used, name] : {std::pair{user, "user"}, std::pair{journal, "journal"},
					    std::pair{page, "page"}, std::pair{window, "window"}}) {
		if (is_used) {
			cells.emplace_back(name);
		}
	}
}

void MoreColumns::append(Cells &cells, const BoundRow &bound) const
{
	for (auto [is_used, text] :
	     {std::pair{user, user_text(bound.row, bound.user)},
	      std::pair{journal, std::string(bound.row.needs_journal ? required : "")},
	      std::pair{page, std::string(bound.row.on_page ? "" : "no")}, std::pair{window, bound.window}}) {
		if (is_used) {
			cells.push_back(std::move(text));
		}
	}
}

void MoreColumns::append(Cells &cells, const Row &row) const
{
	BoundRow bound;
	bound.row = row;
	append(cells, bound);
}

std::string joined(const std::vector<std::string> &words)
{
	std::string out;
	for (const std::string &word : words) {
		out += (out.empty() ? "" : ", ") + word;
	}
	return out;
}

std::string where_of(const Scope &scope)
{
	return scope.is_edge() ? "edge" : scope.cgroup;
}

std::vector<std::string> zone_names(std::uint8_t zones)
{
	std::vector<std::string> names;
	for (const auto &[zone, name] : {std::pair{zone_loopback, "loopback"}, std::pair{zone_network, "network"},
					 std::pair{zone_tunnel, "tunnel"}}) {
		if ((zones & zone) != 0) {
			names.emplace_back(name);
		}
	}
	return names;
}

std::string zones_text(std::uint8_t zones)
{
	return joined(zone_names(zones));
}

std::vector<std::string> ethertype_texts(const Edge &edge)
{
	std::vector<std::string> texts;
	std::ranges::transform(edge.ethertypes, std::back_inserter(texts), ethertype_text);
	return texts;
}

std::string prefixes_text(const std::vector<Prefix> &prefixes)
{
	std::string out;
	constexpr std::size_t most = 8;
	for (std::size_t index = 0; index < std::min(prefixes.size(), most); index++) {
		out += (index == 0 ? "" : ", ") + prefixes[index].text();
	}
	if (prefixes.size() > most) {
		out += ", and " + std::to_string(prefixes.size() - most) + " more";
	}
	return out;
}

} // namespace weir::policy
