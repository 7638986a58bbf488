// SPDX-License-Identifier: Apache-2.0
// Matrix and site become a policy without names.
#include "bpf/abi.h"
#include "policy/binder.h"
#include "policy/builtin.h"
#include "policy/host_services.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/toml_file.h"
#include "policy/zones.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir::policy {

std::string toml_key(const std::string &name)
{
	return id_complaint(name).empty() && !name.contains('.') ? name : in_quotes(name);
}

std::string Binder::site_name() const
{
	return site_.place.file.empty() ? "the site file" : site_.place.file;
}

// Of the two files the matrix is the one that was approved: the site is more likely wrong.
std::string Binder::mistyped(std::string_view table, std::string_view key) const
{
	return '[' + std::string(table) + "] in " + site_name() + " has " + in_quotes(key) +
	       ": is that a typing error?";
}

std::unexpected<Error> Binder::row_error(const Row &row, std::string_view key, std::string_view what,
					 std::string_view hint) const
{
	const auto is_it = [&](const Row &other) { return &other == &row; };
	const Matrix &matrix = std::ranges::any_of(services_.rows, is_it) ? services_ : matrix_;
	return error_at(matrix.text, place_of_row_key(matrix, row, key),
			"row " + in_quotes(row.id) + ": " + std::string(what), hint);
}

bool Binder::is_on(const Row &row) const
{
	return row.status == Status::mandatory || std::ranges::find(site_.optional, row.id) != site_.optional.end();
}

Result<> Binder::scenario() const
{
	if (matrix_.scenario == site_.scenario) {
		return {};
	}
	return error_at(site_.text, place_of_site_key(site_, "", "scenario"),
			"the site is for scenario " + in_quotes(site_.scenario) + ", the matrix is " +
				in_quotes(matrix_.scenario),
			"give the matrix of the site's scenario");
}

Result<> Binder::optional_ids() const
{
	for (std::size_t index = 0; index < site_.optional.size(); index++) {
		const std::string &id = site_.optional[index];
		const auto service = std::ranges::find(services_.rows, id, &Row::id);
		if (service != services_.rows.end()) {
			return error_at(site_.text, place_of_optional(site_, index),
					"row " + in_quotes(id) + " is a host service: it is on when " +
						in_quotes(switch_of(*service)) + " is bound",
					"take it out of the list, and bind the name in [names]");
		}
		const auto row = std::ranges::find(matrix_.rows, id, &Row::id);
		if (row == matrix_.rows.end()) {
			std::vector<std::string> ids;
			for (const Row &candidate : matrix_.rows) {
				if (candidate.status == Status::optional) {
					ids.push_back(candidate.id);
				}
			}
			return error_at(site_.text, place_of_optional(site_, index),
					"the matrix has no row " + in_quotes(id),
					or_else(did_you_mean(id, ids), "list ids of its optional rows"));
		}
		if (row->status == Status::mandatory) {
			return error_at(site_.text, place_of_optional(site_, index),
					"row " + in_quotes(id) + " is mandatory: it is always on",
					"take it out of the list");
		}
	}
	return {};
}

std::string Binder::add_cgroup(const std::string &component) const
{
	return "add to [cgroups] in " + site_name() + ": " + toml_key(component) + " = \"/sys/fs/cgroup/...\"";
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

Result<std::vector<Prefix>> Binder::peers_of(const Row &row) const
{
	const std::string &peer = row.peer();
	if (is_builtin_name(peer)) {
		return std::vector<Prefix>{*Prefix::parse("::/0"), *Prefix::parse("0.0.0.0/0")};
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

// Puts a row that is on into its component's cgroup, and into the edge's table where the edge sees what it admits.
Result<> Binder::hold(const Row &row, std::vector<Prefix> peers)
{
	BoundRow bound;
	bound.row = row;
	bound.zones = zones_of(row, peers, site_.open_loopback);
	bound.peers = std::move(peers);
	if (bound.zones == 0) {
		return row_error(row, "zone",
				 "can never match: " + in_quotes(row.peer()) + " has loopback addresses only",
				 "take the zone out, or bind an address inside the tunnel");
	}
	const std::optional<std::uint8_t> scope = held_by(row.component());
	const bool at_edge = edge_.add(bound, scope.has_value());
	if (scope) {
		bound.scope = *scope;
		policy_.rows.push_back(std::move(bound));
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
		policy_.off.push_back(row);
		return {};
	}
	if (const Result<> good = scope_of(row); !good) {
		return good;
	}
	if (!row.zone.empty() && !site_.edge.present) {
		return row_error(row, "zone", "a row inside a tunnel needs [edge]: no cgroup knows the interface",
				 "add to " + site_name() + ": [edge]");
	}
	Result<std::vector<Prefix>> peers = peers_of(row);
	if (!peers) {
		return std::unexpected(peers.error());
	}
	std::ranges::sort(*peers);
	if (const Result<> good = family(row, *peers); !good) {
		return good;
	}
	return hold(row, std::move(*peers));
}

// A binding that nothing uses is most likely a typing error: of the name that then stays without its own.
Result<> Binder::unused() const
{
	for (const auto &[name, addresses] : site_.names) {
		if (!used_.contains(name)) {
			return error_at(
				site_.text, place_of_site_key(site_, "names", name),
				"no row has the peer " + in_quotes(name),
				or_else(did_you_mean(name, {used_.begin(), used_.end()}), "take it out of [names]"));
		}
	}
	for (const auto &[component, cgroup] : site_.cgroups) {
		const bool active = std::ranges::any_of(policy_.scopes, [&](const Scope &scope) {
			return std::ranges::binary_search(scope.components, component);
		});
		if (active) {
			continue;
		}
		const Place place = place_of_site_key(site_, "cgroups", component);
		const std::string what = "no row that is on is of component " + in_quotes(component);
		const auto off = std::ranges::find(policy_.off, component, &Row::component);
		if (off != policy_.off.end()) {
			return error_at(site_.text, place, what,
					"take it out of [cgroups], or turn a row on: optional = [" +
						in_quotes(off->id) + "]");
		}
		std::vector<std::string> components;
		components.reserve(matrix_.rows.size());
		for (const Row &row : matrix_.rows) {
			components.push_back(row.component());
		}
		return error_at(site_.text, place, what,
				or_else(did_you_mean(component, components), "take it out of [cgroups]"));
	}
	return {};
}

// Ids of rows that weir makes end in what a matrix can't write, "@" and more; but for neighbour discovery where the
// policy is of one scope.
Result<> Binder::twice() const
{
	std::set<std::string_view> ids;
	for (const BoundRow &bound : policy_.rows) {
		if (ids.insert(bound.row.id).second) {
			continue;
		}
		for (const Matrix *matrix : {&matrix_, &services_}) {
			const auto own = std::ranges::find(matrix->rows, bound.row.id, &Row::id);
			if (own != matrix->rows.end()) {
				return row_error(*own, "id", "a row that ships with weir has this id",
						 "give the row another one");
			}
		}
		return error_at({}, site_.place, "two rows would have the id " + in_quotes(bound.row.id),
				"call the component " + in_quotes(bound.row.component()) + " otherwise");
	}
	return {};
}

Result<BoundPolicy> Binder::bind()
{
	policy_.scenario = matrix_.scenario;
	policy_.title = matrix_.title;
	for (const Result<> &good : {scenario(), check_host_services(services_), ids_of_services(), optional_ids()}) {
		if (!good) {
			return std::unexpected(good.error());
		}
	}
	for (const Row &one : matrix_.rows) {
		if (const Result<> good = row(one); !good) {
			return std::unexpected(good.error());
		}
	}
	for (const Row &one : services_.rows) {
		if (const Result<> good = host_service(one); !good) {
			return std::unexpected(good.error());
		}
	}
	for (const auto &[component, ids] : site_.services) {
		if (const Result<> good = services_of(component, ids); !good) {
			return std::unexpected(good.error());
		}
	}
	if (policy_.rows.empty() && edge_.empty()) {
		return error_at({}, site_.place, "no row is on: there is nothing to hold anyone to",
				std::string("turn on an optional row: optional = [\"ROW-ID\"]") +
					(site_.edge.present ? ", or bind the peer of a host service" : ""));
	}
	if (const Result<> good = unused(); !good) {
		return std::unexpected(good.error());
	}
	edge_.append_to(policy_);
	policy_.off.insert(policy_.off.end(), services_off_.begin(), services_off_.end());
	for (std::size_t scope = 0; scope < policy_.scopes.size(); scope++) {
		append_builtin_rows(policy_, static_cast<std::uint8_t>(scope));
	}
	if (const Result<> good = twice(); !good) {
		return std::unexpected(good.error());
	}
	return std::move(policy_);
}

Result<BoundPolicy> bind(const Matrix &matrix, const Site &site, const Matrix &host_services)
{
	static const Matrix none;
	return Binder(matrix, site, site.edge.present ? host_services : none).bind();
}

} // namespace weir::policy
