// SPDX-License-Identifier: Apache-2.0
#include "policy/difference.h"

#include "policy/render_parts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>

namespace weir::policy {
namespace {

/// One peer and one service of one row.
struct Reach {
	std::string scope;
	Direction dir = Direction::out;
	Service service;
	Prefix peer;
	std::uint8_t zones = 0;
	std::optional<std::uint32_t> user;
	std::uint64_t deadline = 0;
	bool kernel_only = false;
	bool needs_journal = false;
	std::string row;
	std::string window;

	/// What decides; not how it is called.
	[[nodiscard]] auto key() const
	{
		return std::tie(scope, dir, service, peer, zones, user, deadline, kernel_only, needs_journal);
	}
	bool operator<(const Reach &other) const { return key() < other.key(); }
};

std::string scope_text(const Scope &scope)
{
	return scope.is_edge() ? "edge" : scope.components.empty() ? scope.cgroup : joined(scope.components);
}

std::set<Reach> reach_of(const BoundPolicy &policy)
{
	std::set<Reach> all;
	for (const auto &each : policy.rows)
		for (const auto &peer : each.peers)
			all.insert({.scope = scope_text(policy.scopes.at(each.scope)),
				    .dir = each.row.dir,
				    .service = each.row.port,
				    .peer = peer,
				    .zones = each.zones,
				    .user = each.user,
				    .deadline = each.deadline,
				    .kernel_only = each.kernel_only,
				    .needs_journal = each.row.needs_journal,
				    .row = each.row.id,
				    .window = each.window});
	return all;
}

bool covers(const Reach &wide, const Reach &narrow)
{
	const bool ports = !wide.service.has_ports() ||
			   (wide.service.first <= narrow.service.first && narrow.service.last <= wide.service.last);
	const bool time = wide.deadline == 0 || (narrow.deadline != 0 && narrow.deadline <= wide.deadline);
	return wide.scope == narrow.scope && wide.dir == narrow.dir &&
	       wide.service.protocol == narrow.service.protocol && ports && wide.peer.contains(narrow.peer) &&
	       (wide.zones & narrow.zones) == narrow.zones && (!wide.user || wide.user == narrow.user) && time &&
	       (!wide.kernel_only || narrow.kernel_only) && (!wide.needs_journal || narrow.needs_journal);
}

std::string text_of(const Reach &reach)
{
	const bool out = reach.dir == Direction::out;
	auto text = std::string(out ? "out " : "in ") + reach.scope + (out ? " to " : " from ") + reach.peer.text() +
		    " " + reach.service.text();
	if (reach.zones != zone_network)
		text += ", by " + zones_text(reach.zones);
	if (reach.user)
		text += ", user " + std::to_string(*reach.user);
	if (reach.kernel_only)
		text += ", the kernel's own";
	if (reach.needs_journal)
		text += ", while the journal is written";
	if (!reach.window.empty())
		text += ", window " + reach.window;
	return text + ", row " + reach.row;
}

/// Finds what covers something without going through all: by the prefixes that hold its peer.
class Cover {
public:
	explicit Cover(const std::set<Reach> &all)
	{
		for (const auto &each : all) {
			by_peer_[each.peer].push_back(&each);
			lengths_.insert(each.peer.length);
		}
	}
	[[nodiscard]] bool covers(const Reach &narrow) const
	{
		for (const auto length : lengths_) {
			if (length > narrow.peer.length)
				break;
			const auto at = by_peer_.find(shortened(narrow.peer, length));
			if (at != by_peer_.end() && std::ranges::any_of(at->second, [&](const Reach *wide) {
				    return policy::covers(*wide, narrow);
			    }))
				return true;
		}
		return false;
	}

private:
	static Prefix shortened(Prefix prefix, std::uint8_t length)
	{
		for (std::size_t bit = length; bit < prefix.length; ++bit)
			prefix.address.bytes.at(bit / 8) &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
		prefix.length = length;
		return prefix;
	}

	std::map<Prefix, std::vector<const Reach *>> by_peer_;
	std::set<std::uint8_t> lengths_;
};

std::vector<std::string> without(const std::set<Reach> &some, const std::set<Reach> &others)
{
	const Cover cover(others);
	std::vector<std::string> lines;
	for (const auto &each : some)
		if (!others.contains(each) && !cover.covers(each))
			lines.push_back(text_of(each));
	std::ranges::sort(lines);
	return lines;
}

} // namespace

Difference difference(const BoundPolicy *before, const BoundPolicy *after)
{
	const auto old = before != nullptr ? reach_of(*before) : std::set<Reach>();
	const auto now = after != nullptr ? reach_of(*after) : std::set<Reach>();
	return {.opened = without(now, old), .closed = without(old, now)};
}

std::string used_for_record(const BoundPolicy *policy, const std::vector<std::uint64_t> &used)
{
	constexpr std::size_t most = 5000; // so that a line of the journal stays one
	auto json = nlohmann::ordered_json::array();
	for (std::size_t row = 0; policy != nullptr && row < std::min(used.size(), policy->rows.size()); ++row) {
		if (used[row] == 0 || json.size() == most)
			continue;
		json.push_back({{"row", policy->rows[row].row.id}, {"count", used[row]}});
		if (!policy->rows[row].window.empty())
			json.back()["window"] = policy->rows[row].window;
	}
	return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<std::string> for_record(std::vector<std::string> lines)
{
	constexpr std::size_t most = 500;
	if (lines.size() > most) {
		const auto more = lines.size() - most;
		lines.resize(most);
		lines.push_back("and " + std::to_string(more) + " more");
	}
	return lines;
}

} // namespace weir::policy
