// SPDX-License-Identifier: Apache-2.0
// With the addresses that the names stand for.
#include "policy/host_services.h"
#include "policy/render.h"
#include "policy/render_parts.h"
#include "policy/row_rules.h"

#include <nlohmann/json.hpp>

namespace weir::policy {
namespace {

nlohmann::ordered_json json_of(const Row &row)
{
	nlohmann::ordered_json object = {{"id", row.id},
					 {"dir", text_of(row.dir)},
					 {"source", row.source},
					 {"destination", row.destination},
					 {"port", row.port.text()},
					 {"service", row.service},
					 {"type", row.type},
					 {"status", text_of(row.status)},
					 {"comment", row.comment}};
	if (!row.user.empty()) {
		object["user"] = row.user;
	}
	if (row.needs_journal) {
		object["journal"] = required;
	}
	if (!row.on_page) {
		object["page"] = false;
	}
	return object;
}

nlohmann::ordered_json json_of(const Edge &edge)
{
	nlohmann::ordered_json object = {{"interfaces", "auto"}};
	if (!edge.interfaces.empty()) {
		object["interfaces"] = edge.interfaces;
	}
	object["tunnels"] = edge.tunnels;
	object["ingress"] = edge.ingress;
	object["ethertypes"] = ethertype_texts(edge);
	object["flows"] = edge.flows;
	return object;
}

nlohmann::ordered_json texts_of(const std::vector<Prefix> &prefixes)
{
	auto texts = nlohmann::ordered_json::array();
	for (const Prefix &prefix : prefixes) {
		texts.push_back(prefix.text());
	}
	return texts;
}

nlohmann::ordered_json json_of(const BoundRow &row, const BoundPolicy &policy)
{
	nlohmann::ordered_json object = json_of(row.row);
	object["scope"] = row.scope;
	object["where"] = where_of(policy.scopes.at(row.scope));
	object["zones"] = zone_names(row.zones);
	object["kernel_only"] = row.kernel_only;
	object["peers"] = texts_of(row.peers);
	if (row.user) {
		object["uid"] = *row.user;
	}
	if (!row.window.empty()) {
		object["window"] = row.window;
		object["deadline"] = row.deadline;
	}
	return object;
}

/// Times as they are kept: nanoseconds of CLOCK_REALTIME, and of CLOCK_BOOTTIME for the deadline.
nlohmann::ordered_json json_of(const Opening &opening)
{
	nlohmann::ordered_json object = {{"window", opening.window}, {"opened", opening.opened},
					 {"ends", opening.ends},     {"deadline", opening.deadline},
					 {"by", opening.by},         {"reason", opening.reason}};
	if (opening.closed != 0) {
		object["closed"] = opening.closed;
		object["closed_by"] = opening.closed_by;
		object["closed_reason"] = opening.closed_reason;
	}
	return object;
}

void append_windows(nlohmann::ordered_json &root, const BoundPolicy &policy)
{
	for (const Window &window : policy.windows) {
		auto rows = nlohmann::ordered_json::array();
		for (const BoundRow &row : window.rows) {
			rows.push_back(json_of(row, policy));
		}
		root["windows"].push_back({{"name", window.name}, {"longest", window.longest}, {"rows", rows}});
	}
	for (const Opening &opening : policy.openings) {
		root["openings"].push_back(json_of(opening));
	}
}

void append_hosts(nlohmann::ordered_json &root, const BoundPolicy &policy)
{
	for (const auto &[name, host] : policy.hosts) {
		root["hosts"].push_back({{"name", name},
					 {"host", host.host},
					 {"within", texts_of(host.within)},
					 {"addresses", texts_of(host.addresses)}});
	}
	if (!policy.resolvers.empty()) {
		root["resolvers"] = policy.resolvers;
	}
}

} // namespace

std::string as_json(const BoundPolicy &policy)
{
	using nlohmann::ordered_json;
	ordered_json root = {{"scenario", policy.scenario}, {"title", policy.title}};
	root["scopes"] = ordered_json::array();
	for (const Scope &scope : policy.scopes) {
		ordered_json object = {{"cgroup", scope.cgroup}, {"components", scope.components}};
		if (scope.is_edge()) {
			object["edge"] = true;
		} else {
			object["loopback"] = scope.open_loopback ? "open" : "matrix";
		}
		root["scopes"].push_back(std::move(object));
	}
	if (policy.edge.present) {
		root["edge"] = json_of(policy.edge);
	}
	root["rows"] = ordered_json::array();
	for (const BoundRow &row : policy.rows) {
		root["rows"].push_back(json_of(row, policy));
	}
	root["off"] = ordered_json::array();
	for (const Row &row : policy.off) {
		ordered_json object = json_of(row);
		if (policy.edge.present && is_host_service(row)) {
			object["on_when_bound"] = switch_of(row);
		}
		root["off"].push_back(std::move(object));
	}
	append_windows(root, policy);
	append_hosts(root, policy);
	return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

} // namespace weir::policy
