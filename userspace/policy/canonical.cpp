// SPDX-License-Identifier: Apache-2.0
// The policy as canonical JSON: members in a fixed order, no white space, numbers as integers. Lists of addresses
// are written once, in the order of their first row: a name with a thousand addresses may have many rows. What was
// added to the format later stands only where a policy has it, so that others keep the text that was approved.
#include "policy/json_text.h"
#include "policy/policy.h"
#include "policy/row_rules.h"

#include <map>

namespace weir::policy {
namespace {

struct ByValue {
	bool operator()(const std::vector<Prefix> *a, const std::vector<Prefix> *b) const { return *a < *b; }
};
using Lists = std::map<const std::vector<Prefix> *, std::size_t, ByValue>;

void append_member(std::string &out, std::string_view key, std::string_view text)
{
	out += ",\"";
	out += key;
	out += "\":";
	append_json(out, text);
}

template <typename Number>
void append_number(std::string &out, std::string_view key, Number number)
{
	out += ",\"";
	out += key;
	out += "\":";
	out += std::to_string(number);
}

void append_bool(std::string &out, std::string_view key, bool value)
{
	out += ",\"";
	out += key;
	out += value ? "\":true" : "\":false";
}

void append_row(std::string &out, const Row &row)
{
	out += "{\"id\":";
	append_json(out, row.id);
	append_member(out, "dir", text_of(row.dir));
	append_member(out, "source", row.source);
	append_member(out, "destination", row.destination);
	append_number(out, "protocol", row.port.protocol);
	append_number(out, "first", row.port.first);
	append_number(out, "last", row.port.last);
	append_member(out, "service", row.service);
	append_member(out, "type", row.type);
	append_member(out, "status", text_of(row.status));
	append_member(out, "comment", row.comment);
	if (!row.zone.empty()) {
		append_member(out, "zone", row.zone);
	}
	if (!row.user.empty()) {
		append_member(out, "user", row.user);
	}
	if (row.needs_journal) {
		append_member(out, "journal", required);
	}
	if (!row.on_page) {
		append_bool(out, "page", false);
	}
}

void append_prefixes(std::string &out, const std::vector<Prefix> &prefixes)
{
	out += '[';
	for (const Prefix &prefix : prefixes) {
		out += (&prefix == prefixes.data() ? "\"" : ",\"") + prefix.text() + '"';
	}
	out += ']';
}

void append_bound_row(std::string &out, const BoundRow &row, const Lists &lists)
{
	append_row(out, row.row);
	append_number(out, "scope", row.scope);
	append_number(out, "zones", row.zones);
	append_bool(out, "kernel_only", row.kernel_only);
	append_number(out, "peers", lists.find(&row.peers)->second);
	if (row.user) {
		append_number(out, "uid", *row.user);
	}
	if (row.deadline != 0) {
		append_number(out, "deadline", row.deadline);
	}
	if (!row.window.empty()) {
		append_member(out, "window", row.window);
	}
	out += '}';
}

template <typename Range, typename Append>
void append_list(std::string &out, std::string_view key, const Range &range, Append append)
{
	out += ",\"";
	out += key;
	out += "\":[";
	bool first = true;
	for (const auto &element : range) {
		if (!first) {
			out += ',';
		}
		first = false;
		append(element);
	}
	out += ']';
}

void append_edge(std::string &out, const Edge &edge)
{
	const auto append_name = [&](const std::string &name) { append_json(out, name); };
	out += ",\"edge\":{\"ingress\":";
	append_json(out, edge.ingress);
	append_list(out, "interfaces", edge.interfaces, append_name);
	append_list(out, "tunnels", edge.tunnels, append_name);
	append_list(out, "ethertypes", edge.ethertypes, [&](std::uint16_t type) { out += std::to_string(type); });
	append_number(out, "flows", edge.flows);
	out += '}';
}

void append_opening(std::string &out, const Opening &opening)
{
	out += "{\"window\":";
	append_json(out, opening.window);
	append_number(out, "opened", opening.opened);
	append_number(out, "ends", opening.ends);
	append_number(out, "deadline", opening.deadline);
	append_member(out, "by", opening.by);
	append_member(out, "reason", opening.reason);
	if (opening.closed != 0) {
		append_number(out, "closed", opening.closed);
		append_member(out, "closed_by", opening.closed_by);
		append_member(out, "closed_reason", opening.closed_reason);
	}
	out += '}';
}

void append_windows(std::string &out, const BoundPolicy &policy, const Lists &lists)
{
	if (!policy.windows.empty()) {
		append_list(out, "windows", policy.windows, [&](const Window &window) {
			out += "{\"name\":";
			append_json(out, window.name);
			append_number(out, "longest", window.longest);
			append_list(out, "rows", window.rows,
				    [&](const BoundRow &row) { append_bound_row(out, row, lists); });
			out += '}';
		});
	}
	if (!policy.openings.empty()) {
		append_list(out, "openings", policy.openings,
			    [&](const Opening &opening) { append_opening(out, opening); });
	}
}

void append_hosts(std::string &out, const BoundPolicy &policy)
{
	if (!policy.hosts.empty()) {
		append_list(out, "hosts", policy.hosts, [&](const auto &entry) {
			out += "{\"name\":";
			append_json(out, entry.first);
			append_member(out, "host", entry.second.host);
			out += ",\"within\":";
			append_prefixes(out, entry.second.within);
			out += ",\"addresses\":";
			append_prefixes(out, entry.second.addresses);
			out += '}';
		});
	}
	if (!policy.resolvers.empty()) {
		append_list(out, "resolvers", policy.resolvers,
			    [&](const std::string &resolver) { append_json(out, resolver); });
	}
}

/// Every list of addresses, once, in the order of the first row that has it.
std::vector<const std::vector<Prefix> *> lists_of(const BoundPolicy &policy, Lists &lists)
{
	std::vector<const std::vector<Prefix> *> order;
	const auto add = [&](const std::vector<BoundRow> &rows) {
		for (const BoundRow &row : rows) {
			if (lists.emplace(&row.peers, order.size()).second) {
				order.push_back(&row.peers);
			}
		}
	};
	add(policy.rows);
	for (const Window &window : policy.windows) {
		add(window.rows);
	}
	return order;
}

} // namespace

void append_json(std::string &out, std::string_view text)
{
	constexpr std::string_view digits = "0123456789abcdef";
	out += '"';
	for (const char c : text) {
		const auto byte = static_cast<unsigned char>(c);
		if (c == '"' || c == '\\') {
			out += '\\';
			out += c;
		} else if (byte < 0x20) {
			out += "\\u00";
			out += digits[byte >> 4];
			out += digits[byte & 15];
		} else {
			out += c;
		}
	}
	out += '"';
}

std::string canonical(const BoundPolicy &policy)
{
	Lists lists;
	const std::vector<const std::vector<Prefix> *> order = lists_of(policy, lists);
	std::string out;
	out.reserve(512 + policy.rows.size() * 256);
	out += "{\"format\":" + std::to_string(canonical_format);
	append_member(out, "scenario", policy.scenario);
	append_member(out, "title", policy.title);
	append_list(out, "scopes", policy.scopes, [&](const Scope &scope) {
		out += "{\"cgroup\":";
		append_json(out, scope.cgroup);
		append_list(out, "components", scope.components,
			    [&](const std::string &name) { append_json(out, name); });
		append_bool(out, "open_loopback", scope.open_loopback);
		out += '}';
	});
	append_list(out, "peers", order, [&](const std::vector<Prefix> *list) { append_prefixes(out, *list); });
	append_list(out, "rows", policy.rows, [&](const BoundRow &row) { append_bound_row(out, row, lists); });
	append_list(out, "off", policy.off, [&](const Row &row) {
		append_row(out, row);
		out += '}';
	});
	if (policy.edge.present) {
		append_edge(out, policy.edge);
	}
	append_windows(out, policy, lists);
	append_hosts(out, policy);
	out += '}';
	return out;
}

} // namespace weir::policy
