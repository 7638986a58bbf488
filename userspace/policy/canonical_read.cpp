// SPDX-License-Identifier: Apache-2.0
// From the canonical text back to the policy: the text is weir's own, but it may have been damaged.
#include "bpf/abi.h"
#include "policy/edge_file.h"
#include "policy/json_text.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/windows.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace weir::policy {
namespace {

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
	row.user = object.value("user", "");
	row.on_page = object.value("page", true);
	if (object.contains("journal")) {
		row.needs_journal = true;
		if (object.at("journal") != required) {
			not_a_policy("row " + row.id + ": unknown need of the journal");
		}
	}
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

using Lists = std::vector<std::vector<Prefix>>;

std::vector<Prefix> prefixes_of(const json &texts)
{
	std::vector<Prefix> list;
	for (const json &text : texts.get_ref<const json::array_t &>()) {
		const std::optional<Prefix> prefix = Prefix::parse(text.get_ref<const std::string &>());
		if (!prefix) {
			not_a_policy(text.dump() + " is not an address");
		}
		list.push_back(*prefix);
	}
	return list;
}

/// Empty where it is not there.
const json::array_t &optional_list(const json &object, const char *key)
{
	static const json::array_t none;
	return object.contains(key) ? object.at(key).get_ref<const json::array_t &>() : none;
}

/// 0 where it is not there.
std::int64_t time_of(const json &object, const char *key)
{
	if (!object.contains(key)) {
		return 0;
	}
	if (!object.at(key).is_number_integer()) {
		not_a_policy(std::string(key) + " is not a time");
	}
	return object.at(key).get<std::int64_t>();
}

void read_scopes(const json &root, BoundPolicy &policy)
{
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
}

BoundRow bound_row_of(const json &object, const BoundPolicy &policy, const Lists &lists)
{
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
	if (object.contains("uid")) {
		row.user = number_of<std::uint32_t>(object, "uid");
	}
	if (object.contains("deadline")) {
		row.deadline = number_of<std::uint64_t>(object, "deadline");
	}
	row.window = object.value("window", "");
	if (row.window.empty() != (row.deadline == 0)) {
		not_a_policy("row " + row.row.id + " has a window or a deadline, but not both");
	}
	return row;
}

void read_rows(const json &root, BoundPolicy &policy)
{
	Lists lists;
	std::ranges::transform(root.at("peers").get_ref<const json::array_t &>(), std::back_inserter(lists),
			       prefixes_of);
	for (const json &object : root.at("rows").get_ref<const json::array_t &>()) {
		policy.rows.push_back(bound_row_of(object, policy, lists));
	}
	for (const json &object : root.at("off").get_ref<const json::array_t &>()) {
		policy.off.push_back(row_of(object));
	}
	for (const json &object : optional_list(root, "windows")) {
		Window window{object.at("name").get<std::string>(), number_of<std::uint32_t>(object, "longest")};
		for (const json &row : object.at("rows").get_ref<const json::array_t &>()) {
			window.rows.push_back(bound_row_of(row, policy, lists));
			if (window.rows.back().deadline != 0) {
				not_a_policy("the window " + window.name + " has a row that is open");
			}
		}
		policy.windows.push_back(std::move(window));
	}
}

void read_openings(const json &root, BoundPolicy &policy)
{
	for (const json &object : optional_list(root, "openings")) {
		Opening opening;
		opening.window = object.at("window").get<std::string>();
		opening.opened = time_of(object, "opened");
		opening.ends = time_of(object, "ends");
		opening.deadline = number_of<std::uint64_t>(object, "deadline");
		opening.by = object.at("by").get<std::string>();
		opening.reason = object.at("reason").get<std::string>();
		opening.closed = time_of(object, "closed");
		opening.closed_by = object.value("closed_by", "");
		opening.closed_reason = object.value("closed_reason", "");
		policy.openings.push_back(std::move(opening));
	}
	if (policy.openings.size() > most_openings || policy.windows.size() > most_openings) {
		not_a_policy("more windows than " + std::to_string(most_openings));
	}
}

void read_hosts(const json &root, BoundPolicy &policy)
{
	for (const json &object : optional_list(root, "hosts")) {
		HostName host{object.at("host").get<std::string>(), prefixes_of(object.at("within")),
			      prefixes_of(object.at("addresses"))};
		policy.hosts.emplace(object.at("name").get<std::string>(), std::move(host));
	}
	policy.resolvers = root.value("resolvers", std::vector<std::string>());
}

BoundPolicy policy_of(const json &root)
{
	if (number_of<unsigned>(root, "format") != canonical_format) {
		not_a_policy("format " + root.at("format").dump() + " is not the one that this weir knows");
	}
	BoundPolicy policy;
	policy.scenario = root.at("scenario").get<std::string>();
	policy.title = root.at("title").get<std::string>();
	for (const auto part : {read_scopes, read_rows, read_openings, read_hosts}) {
		part(root, policy);
	}
	return policy;
}

} // namespace

Result<BoundPolicy> from_canonical(std::string_view text)
{
	try {
		return policy_of(json::parse(text));
	} catch (const std::exception &problem) {
		return fail(Exit::policy, std::string("this is not the canonical text of a policy: ") + problem.what());
	}
}

} // namespace weir::policy
