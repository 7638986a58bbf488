// SPDX-License-Identifier: Apache-2.0
// The policy as canonical JSON: members in a fixed order, no white space, numbers as integers. Lists of addresses
// are written once, in the order of their first row: a name with a thousand addresses may have many rows.
#include "bpf/abi.h"
#include "policy/edge_file.h"
#include "policy/json_text.h"
#include "policy/policy.h"
#include "policy/row_rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace weir::policy {
namespace {

constexpr int format = 1;

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

void append_number(std::string &out, std::string_view key, std::size_t number)
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
	if (!row.zone.empty()) { // so that a policy without an edge has the text that it always had
		append_member(out, "zone", row.zone);
	}
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

using nlohmann::json;

// What nlohmann throws, and this, stops at from_canonical().
[[noreturn]] void not_a_policy(const std::string &what)
{
	throw std::invalid_argument(what);
}

template <typename Number>
Number number_of(const json &object, const char *key)
{
	const json &value = object.at(key);
	if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<Number>::max()) {
		not_a_policy(std::string(key) + " is not a number in its range");
	}
	return value.get<Number>();
}

Row row_of(const json &object)
{
	Row row;
	row.id = object.at("id").get<std::string>();
	const std::optional<Direction> dir = direction_from(object.at("dir").get_ref<const std::string &>());
	const std::optional<Status> status = status_from(object.at("status").get_ref<const std::string &>());
	if (!dir || !status) {
		not_a_policy("row " + row.id + ": unknown direction or status");
	}
	row.dir = *dir;
	row.status = *status;
	row.source = object.at("source").get<std::string>();
	row.destination = object.at("destination").get<std::string>();
	row.port.protocol = number_of<std::uint8_t>(object, "protocol");
	row.port.first = number_of<std::uint16_t>(object, "first");
	row.port.last = number_of<std::uint16_t>(object, "last");
	row.service = object.at("service").get<std::string>();
	row.type = object.at("type").get<std::string>();
	row.comment = object.at("comment").get<std::string>();
	if (object.contains("zone")) {
		row.zone = object.at("zone").get<std::string>();
		if (row.zone != tunnel_zone) {
			not_a_policy("row " + row.id + ": unknown zone");
		}
	}
	return row;
}

Edge edge_of(const json &object)
{
	Edge edge;
	edge.present = true;
	edge.interfaces = object.at("interfaces").get<std::vector<std::string>>();
	edge.tunnels = object.at("tunnels").get<std::vector<std::string>>();
	edge.ingress = object.at("ingress").get<std::string>();
	for (const json &type : object.at("ethertypes").get_ref<const json::array_t &>()) {
		if (!type.is_number_unsigned() || type.get<std::uint64_t>() > 0xffff ||
		    (!edge.ethertypes.empty() && type.get<std::uint64_t>() <= edge.ethertypes.back())) {
			not_a_policy("ethertypes are not EtherTypes in their order");
		}
		edge.ethertypes.push_back(type.get<std::uint16_t>());
	}
	edge.flows = number_of<std::uint32_t>(object, "flows");
	const auto &modes = ingress_modes();
	if (edge.ethertypes.size() > WEIR_ETHERTYPES || edge.flows < least_flows || edge.flows > most_flows ||
	    std::ranges::find(modes, edge.ingress) == modes.end()) {
		not_a_policy("the edge is none that a site can have");
	}
	return edge;
}

std::vector<std::vector<Prefix>> lists_of(const json &array)
{
	std::vector<std::vector<Prefix>> lists;
	for (const json &texts : array.get_ref<const json::array_t &>()) {
		std::vector<Prefix> &list = lists.emplace_back();
		for (const json &text : texts.get_ref<const json::array_t &>()) {
			const std::optional<Prefix> prefix = Prefix::parse(text.get_ref<const std::string &>());
			if (!prefix) {
				not_a_policy(text.dump() + " is not an address");
			}
			list.push_back(*prefix);
		}
	}
	return lists;
}

BoundPolicy policy_of(const json &root)
{
	if (number_of<unsigned>(root, "format") != format) {
		not_a_policy("format " + root.at("format").dump() + " is not the one that this weir knows");
	}
	BoundPolicy policy;
	policy.scenario = root.at("scenario").get<std::string>();
	policy.title = root.at("title").get<std::string>();
	for (const json &object : root.at("scopes").get_ref<const json::array_t &>()) {
		policy.scopes.push_back({object.at("cgroup").get<std::string>(),
					 object.at("components").get<std::vector<std::string>>(),
					 object.at("open_loopback").get<bool>()});
	}
	if (policy.scopes.size() > WEIR_SCOPES) {
		not_a_policy("more cgroups than " + std::to_string(WEIR_SCOPES));
	}
	if (root.contains("edge")) {
		policy.edge = edge_of(root.at("edge"));
	}
	for (const Scope &scope : policy.scopes) {
		if (scope.is_edge() != (policy.edge.present && &scope == &policy.scopes.back())) {
			not_a_policy("the last scope, and no other, is the edge of a policy that has one");
		}
	}
	if (policy.edge.present && policy.scopes.empty()) {
		not_a_policy("the edge has no scope");
	}
	const std::vector<std::vector<Prefix>> lists = lists_of(root.at("peers"));
	for (const json &object : root.at("rows").get_ref<const json::array_t &>()) {
		BoundRow row;
		row.row = row_of(object);
		row.scope = number_of<std::uint8_t>(object, "scope");
		row.zones = number_of<std::uint8_t>(object, "zones");
		row.kernel_only = object.at("kernel_only").get<bool>();
		const auto list = number_of<std::size_t>(object, "peers");
		if (row.scope >= policy.scopes.size() || list >= lists.size()) {
			not_a_policy("row " + row.row.id + " refers to what is not there");
		}
		row.peers = lists[list];
		policy.rows.push_back(std::move(row));
	}
	for (const json &object : root.at("off").get_ref<const json::array_t &>()) {
		policy.off.push_back(row_of(object));
	}
	return policy;
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
	std::vector<const std::vector<Prefix> *> order;
	for (const BoundRow &row : policy.rows) {
		if (lists.emplace(&row.peers, order.size()).second) {
			order.push_back(&row.peers);
		}
	}
	std::string out;
	out.reserve(512 + policy.rows.size() * 256);
	out += "{\"format\":" + std::to_string(format);
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
	append_list(out, "peers", order, [&](const std::vector<Prefix> *list) {
		out += '[';
		for (const Prefix &prefix : *list) {
			out += (&prefix == list->data() ? "\"" : ",\"") + prefix.text() + '"';
		}
		out += ']';
	});
	append_list(out, "rows", policy.rows, [&](const BoundRow &row) {
		append_row(out, row.row);
		append_number(out, "scope", row.scope);
		append_number(out, "zones", row.zones);
		append_bool(out, "kernel_only", row.kernel_only);
		append_number(out, "peers", lists.find(&row.peers)->second);
		out += '}';
	});
	append_list(out, "off", policy.off, [&](const Row &row) {
		append_row(out, row);
		out += '}';
	});
	if (policy.edge.present) {
		append_edge(out, policy.edge);
	}
	out += '}';
	return out;
}

Result<BoundPolicy> from_canonical(std::string_view text)
{
	try {
		return policy_of(json::parse(text));
	} catch (const std::exception &problem) {
		return fail(Exit::policy, std::string("this is not the canonical text of a policy: ") + problem.what());
	}
}

} // namespace weir::policy
