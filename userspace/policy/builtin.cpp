// SPDX-License-Identifier: Apache-2.0
#include "policy/builtin.h"

#include "policy/host_services.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace weir::policy {
namespace {

struct Builtin {
	std::string_view id;
	Direction dir;
	std::uint8_t type; ///< of the ICMPv6 message
	std::string_view peer;
	std::array<std::string_view, 2> prefixes;
	std::string_view comment;
};

constexpr std::string_view service_nd = "NDP";
constexpr std::string_view service_mld = "MLD";

// A host solicits routers, it isn't asked for one: there is no `in` row for type 133.
constexpr std::array<Builtin, 10> builtins = {{
	{"nd-router-solicit-out", Direction::out, 133, "routers", {"ff02::/16", "fe80::/10"}, "router solicitation"},
	{"nd-solicit-out", Direction::out, 135, "neighbours", {"::/0", ""}, "neighbour solicitation"},
	{"nd-advert-out", Direction::out, 136, "neighbours", {"::/0", ""}, "neighbour advertisement"},
	{"nd-router-advert-in", Direction::in, 134, "routers", {"fe80::/10", ""}, "router advertisement"},
	{"nd-solicit-in", Direction::in, 135, "neighbours", {"::/0", ""}, "neighbour solicitation"},
	{"nd-advert-in", Direction::in, 136, "neighbours", {"::/0", ""}, "neighbour advertisement"},
	{"mld-report-out", Direction::out, 131, "multicast", {"ff02::/16", ""}, "multicast listener report"},
	{"mld-done-out", Direction::out, 132, "multicast", {"ff02::/16", ""}, "multicast listener done"},
	{"mld2-report-out",
	 Direction::out,
	 143,
	 "multicast",
	 {"ff02::/16", ""},
	 "multicast listener report, version 2"},
	{"mld-query-in", Direction::in, 130, "routers", {"fe80::/10", ""}, "multicast listener query"},
}};

std::string owner_of(const Scope &scope)
{
	std::string out;
	for (const std::string &component : scope.components) {
		out += (out.empty() ? "" : "+") + component;
	}
	return out;
}

} // namespace

void append_builtin_rows(BoundPolicy &policy, std::uint8_t scope)
{
	const bool edge = policy.scopes[scope].is_edge();
	const std::string owner = edge ? std::string(host_component) : owner_of(policy.scopes[scope]);
	const std::string suffix = edge                   ? (scope > 0 ? "@edge" : "")
				   : policy.cgroups() > 1 ? '@' + std::to_string(scope)
							  : "";
	for (const Builtin &builtin : builtins) {
		const bool out = builtin.dir == Direction::out;
		BoundRow bound;
		bound.row.id = std::string(builtin.id) + suffix;
		bound.row.dir = builtin.dir;
		bound.row.source = out ? owner : std::string(builtin.peer);
		bound.row.destination = out ? std::string(builtin.peer) : owner;
		bound.row.port = {IPPROTO_ICMPV6, builtin.type, builtin.type};
		bound.row.service = builtin.id.starts_with("nd") ? service_nd : service_mld;
		bound.row.type = "host";
		bound.row.comment = builtin.comment;
		bound.scope = scope;
		// Tunnels that have neighbours have their discovery inside; without an edge nobody knows them.
		bound.zones = policy.edge.present ? zone_network | zone_tunnel : zone_network;
		bound.kernel_only = true;
		for (const std::string_view text : builtin.prefixes) {
			if (const std::optional<Prefix> prefix = Prefix::parse(text); prefix) {
				bound.peers.push_back(*prefix);
			}
		}
		std::ranges::sort(bound.peers);
		policy.rows.push_back(std::move(bound));
	}
}

} // namespace weir::policy
