// SPDX-License-Identifier: Apache-2.0
// Rows of the scenarios: whose they are, who the peers are, where they hold.
#include "bpf/abi.h"
#include "policy/binder.h"
#include "policy/host_services.h"
#include "policy/hosts.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/toml_file.h"
#include "policy/users.h"
#include "policy/zones.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir::policy {

bool Binder::is_on(const Row &row) const
{
	return row.status == Status::mandatory || std::ranges::find(site_.optional, row.id) != site_.optional.end();
}

bool Binder::is_bound(const std::string &name) const
{
	return site_.names.contains(name) || site_.hosts.contains(name);
}

// Of a name of DNS what it may become: so which rows are on does not change with its answers.
const std::vector<Prefix> &Binder::families_of(const std::string &name) const
{
	const auto host = site_.hosts.find(name);
	return host == site_.hosts.end() ? site_.names.at(name) : host->second.within;
}

std::optional<std::uint8_t> Binder::held_by(const std::string &component) const
{
	const auto cgroup = site_.cgroups.find(component);
	return cgroup == site_.cgroups.end() ? std::nullopt : std::optional(scopes_.at(cgroup->second));
}

// The component has a cgroup; now that cgroup has a scope, and the component is one of it.
Result<> Binder::cgroup_of(const std::string &component)
{
	const std::string &cgroup = site_.cgroups.at(component);
	const auto next = static_cast<std::uint8_t>(policy_.scopes.size());
	const auto [found, fresh] = scopes_.emplace(cgroup, next);
	if (fresh) {
		const unsigned most = WEIR_SCOPES - (site_.edge.present ? 1 : 0);
		if (next == most) {
			return error_at(site_.text, place_of_site_key(site_, "cgroups", component),
					"more than " + std::to_string(most) + " cgroups" +
						(site_.edge.present ? " beside the edge" : ""),
					"let components share a cgroup, or use a second instance");
		}
		policy_.scopes.push_back({cgroup, {}, site_.open_loopback});
	}
	std::vector<std::string> &components = policy_.scopes[found->second].components;
	if (const auto at = std::ranges::lower_bound(components, component);
	    at == components.end() || *at != component) {
		components.insert(at, component);
	}
	return {};
}

// With an edge a component needs no cgroup: then it is one of all that the edge alone holds.
Result<> Binder::scope_of(const Row &row)
{
	const bool out = row.dir == Direction::out;
	const std::string_view key = out ? "source" : "destination";
	const std::string &component = row.component();
	if (site_.cgroups.contains(component)) {
		return cgroup_of(component);
	}
	if (site_.cgroups.contains(row.peer())) {
		return row_error(row, key, in_quotes(component) + " is not a component of this host, but its peer is",
				 std::string("is dir = \"") + (out ? "in" : "out") + "\" meant?");
	}
	if (site_.edge.present) {
		return {};
	}
	const std::string near = nearest(component, keys_of(site_.cgroups));
	return row_error(row, key, "component " + in_quotes(component) + " has no cgroup",
			 near.empty() ? add_cgroup(component) : mistyped("cgroups", near));
}

Result<std::vector<Prefix>> Binder::addresses_of(const Row &row, const HostName &host) const
{
	const std::string_view key = row.dir == Direction::out ? "destination" : "source";
	if (host.addresses.empty() && !host.later) {
		return row_error(row, key, in_quotes(host.host) + " has no address: it was not looked up",
				 "bind " + in_quotes(row.peer()) + " to its address, where DNS is not asked");
	}
	for (const Prefix &address : host.addresses) {
		// A whole range of `within` stands for what wasn't asked for.
		const bool is_range = std::ranges::find(host.within, address) != host.within.end();
		const std::string complaint = is_range ? "" : answer_complaint(host, address.address);
		if (!complaint.empty()) {
			return row_error(row, key, in_quotes(host.host) + ": " + address.text() + ' ' + complaint,
					 "if it is right, add it to \"within\" of " + in_quotes(row.peer()) + " in " +
						 site_name());
		}
	}
	return host.addresses;
}

Result<std::vector<Prefix>> Binder::peers_of(const Row &row) const
{
	const std::string &peer = row.peer();
	if (is_builtin_name(peer)) {
		return std::vector<Prefix>{*Prefix::parse("::/0"), *Prefix::parse("0.0.0.0/0")};
	}
	if (const auto host = site_.hosts.find(peer); host != site_.hosts.end()) {
		return addresses_of(row, host->second);
	}
	const auto bound = site_.names.find(peer);
	if (bound == site_.names.end() || bound->second.empty()) {
		const std::string builtin =
			did_you_mean(peer, {std::string(localhost_name), std::string(internet_name)});
		const std::string near = nearest(peer, keys_of(site_.names));
		return row_error(row, row.dir == Direction::out ? "destination" : "source",
				 in_quotes(peer) + " is not bound",
				 !near.empty() ? mistyped("names", near)
					       : or_else(builtin, "add to [names] in " + site_name() + ": " +
									  toml_key(peer) + " = \"ADDRESS\""));
	}
	return bound->second;
}

Result<> Binder::family(const Row &row, const std::vector<Prefix> &peers) const
{
	if (peers.empty()) {
		return {}; // a DNS name that has no address yet
	}
	const bool icmp4 = row.port.protocol == IPPROTO_ICMP;
	const bool icmp6 = row.port.protocol == IPPROTO_ICMPV6;
	const bool any4 = std::ranges::any_of(peers, &Prefix::is_v4);
	const bool any6 = !std::ranges::all_of(peers, &Prefix::is_v4);
	if (icmp4 && !any4) {
		return row_error(row, "port",
				 "can never match: ICMP is of IPv4, and " + in_quotes(row.peer()) +
					 " has IPv6 addresses only",
				 "use ICMPv6, or bind an IPv4 address");
	}
	if (icmp6 && !any6) {
		return row_error(row, "port",
				 "can never match: ICMPv6 is of IPv6, and " + in_quotes(row.peer()) +
					 " has IPv4 addresses only",
				 "use ICMP, or bind an IPv6 address");
	}
	return {};
}

Result<std::optional<std::uint32_t>> Binder::user_of(const Row &row)
{
	if (row.user.empty()) {
		return std::nullopt;
	}
	if (const std::optional<std::uint32_t> uid = uid_from(row.user)) {
		return uid;
	}
	used_users_.insert(row.user);
	const auto user = site_.users.find(row.user);
	if (user == site_.users.end()) {
		const std::string near = nearest(row.user, keys_of(site_.users));
		return row_error(row, "user", "the user " + in_quotes(row.user) + " is not bound",
				 !near.empty() ? mistyped("users", near)
					       : "add to [users] in " + site_name() + " the number that id -u tells: " +
							 toml_key(row.user) + " = 1000");
	}
	return user->second;
}

Result<BoundRow> Binder::bound_to(const Row &row, std::vector<Prefix> peers)
{
	const Result<std::optional<std::uint32_t>> user = user_of(row);
	if (!user) {
		return std::unexpected(user.error());
	}
	BoundRow bound;
	bound.row = row;
	// Not of what the host itself lives by, and is repaired by: such a row has to say it of itself.
	bound.row.needs_journal = row.needs_journal || (site_.needs_journal && !is_host_service(row));
	bound.user = *user;
	bound.peers = std::move(peers);
	std::ranges::sort(bound.peers);
	bound.zones = zones_of(row, bound.peers, site_.open_loopback);
	if (bound.zones == 0) {
		return row_error(row, "zone",
				 "can never match: " + in_quotes(row.peer()) + " has loopback addresses only",
				 "take the zone out, or bind an address inside the tunnel");
	}
	return bound;
}

Result<BoundRow> Binder::bound(const Row &row)
{
	if (!row.zone.empty() && !site_.edge.present) {
		return row_error(row, "zone", "a row inside a tunnel needs [edge]: no cgroup knows the interface",
				 "add to " + site_name() + ": [edge]");
	}
	Result<std::vector<Prefix>> peers = peers_of(row);
	if (!peers) {
		return std::unexpected(peers.error());
	}
	const std::vector<Prefix> &families = is_builtin_name(row.peer()) ? *peers : families_of(row.peer());
	if (const Result<> good = family(row, families); !good) {
		return std::unexpected(good.error());
	}
	return bound_to(row, std::move(*peers));
}

// Puts a row that is on into its component's cgroup, and into the edge's table where the edge sees what it admits.
Result<> Binder::hold(const BoundRow &bound)
{
	const Row &row = bound.row;
	const std::optional<std::uint8_t> scope = held_by(row.component());
	if (!scope && bound.user) {
		return row_error(row, "user",
				 "the edge does not know whose a packet is, and component " +
					 in_quotes(row.component()) + " has no cgroup",
				 add_cgroup(row.component()));
	}
	const bool at_edge = edge_.add(bound, scope.has_value());
	if (scope) {
		policy_.rows.push_back(bound);
		policy_.rows.back().scope = *scope;
	} else if (!at_edge && !is_used_by_a_component(row)) {
		return row_error(row, row.dir == Direction::out ? "destination" : "source",
				 "by loopback nothing passes the edge, and component " + in_quotes(row.component()) +
					 " has no cgroup",
				 add_cgroup(row.component()));
	}
	return {};
}

Result<> Binder::row(const Row &row)
{
	used_.insert(row.peer());
	if (!is_on(row)) {
		if (!row.user.empty() && !is_number(row.user)) {
			used_users_.insert(row.user);
		}
		policy_.off.push_back(row);
		return {};
	}
	if (const Result<> good = scope_of(row); !good) {
		return good;
	}
	const Result<BoundRow> one = bound(row);
	if (!one) {
		return std::unexpected(one.error());
	}
	return hold(*one);
}

} // namespace weir::policy
