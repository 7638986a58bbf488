// SPDX-License-Identifier: Apache-2.0
// Matrix and site become a policy without names.
#include "bpf/abi.h"
#include "policy/builtin.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/toml_file.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace weir::policy {
namespace {

template <typename Map>
std::vector<std::string> keys_of(const Map &map)
{
	std::vector<std::string> keys;
	keys.reserve(map.size());
	for (const auto &[key, value] : map) {
		keys.push_back(key);
	}
	return keys;
}

std::string or_else(std::string suggestion, std::string otherwise)
{
	return suggestion.empty() ? std::move(otherwise) : std::move(suggestion);
}

// A key of TOML: bare when it can be.
std::string toml_key(const std::string &name)
{
	return id_complaint(name).empty() && !name.contains('.') ? name : in_quotes(name);
}

class Binder {
public:
	Binder(const Matrix &matrix, const Site &site) : matrix_(matrix), site_(site) {}

	Result<BoundPolicy> bind();

private:
	Result<> scenario() const;
	Result<> optional_ids() const;
	Result<> row(const Row &);
	Result<std::uint8_t> scope_of(const Row &);
	Result<std::vector<Prefix>> peers_of(const Row &) const;
	[[nodiscard]] std::uint8_t zones_of(const Row &, const std::vector<Prefix> &) const;
	Result<> family(const Row &, const std::vector<Prefix> &) const;
	Result<> unused() const;
	[[nodiscard]] bool is_on(const Row &) const;
	[[nodiscard]] std::string site_name() const;
	[[nodiscard]] std::string mistyped(std::string_view table, std::string_view key) const;
	[[nodiscard]] std::unexpected<Error> row_error(const Row &, std::string_view key, std::string_view what,
						       std::string_view hint) const;

	const Matrix &matrix_;
	const Site &site_;
	BoundPolicy policy_;
	std::unordered_map<std::string, std::uint8_t> scopes_; ///< by cgroup
	std::set<std::string, std::less<>> used_;              ///< names of rows, on or off
};

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
	return error_at(matrix_.text, place_of_row_key(matrix_, row, key),
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

Result<std::uint8_t> Binder::scope_of(const Row &row)
{
	const bool out = row.dir == Direction::out;
	const std::string_view key = out ? "source" : "destination";
	const std::string &component = row.component();
	const auto cgroup = site_.cgroups.find(component);
	if (cgroup == site_.cgroups.end()) {
		if (site_.cgroups.contains(row.peer())) {
			return row_error(row, key,
					 in_quotes(component) + " is not a component of this host, but its peer is",
					 std::string("is dir = \"") + (out ? "in" : "out") + "\" meant?");
		}
		const std::string near = nearest(component, keys_of(site_.cgroups));
		return row_error(row, key, "component " + in_quotes(component) + " has no cgroup",
				 !near.empty() ? mistyped("cgroups", near)
					       : "add to [cgroups] in " + site_name() + ": " + toml_key(component) +
							 " = \"/sys/fs/cgroup/...\"");
	}
	const auto next = static_cast<std::uint8_t>(policy_.scopes.size());
	const auto [found, fresh] = scopes_.emplace(cgroup->second, next);
	if (fresh) {
		if (next == WEIR_SCOPES) {
			return error_at(site_.text, place_of_site_key(site_, "cgroups", component),
					"more than " + std::to_string(WEIR_SCOPES) + " cgroups",
					"let components share a cgroup, or use a second instance");
		}
		policy_.scopes.push_back({cgroup->second, {}, site_.open_loopback});
	}
	std::vector<std::string> &components = policy_.scopes[found->second].components;
	if (const auto at = std::ranges::lower_bound(components, component);
	    at == components.end() || *at != component) {
		components.insert(at, component);
	}
	return found->second;
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

// "From localhost" is what came in by the loopback interface. A name's addresses are looked for on the network;
// and on loopback, too, where it keeps to the rows: there an address of this very host travels.
std::uint8_t Binder::zones_of(const Row &row, const std::vector<Prefix> &peers) const
{
	if (row.peer() == localhost_name) {
		return zone_loopback;
	}
	if (row.peer() == internet_name) {
		return zone_network;
	}
	const Prefix loopback4 = *Prefix::parse("127.0.0.0/8");
	const Prefix loopback6 = *Prefix::parse("::1");
	const auto is_loopback = [&](const Prefix &prefix) {
		return loopback4.contains(prefix) || loopback6.contains(prefix);
	};
	if (std::ranges::all_of(peers, is_loopback)) {
		return zone_loopback;
	}
	const bool both = !site_.open_loopback || std::ranges::any_of(peers, is_loopback);
	return both ? zone_loopback | zone_network : zone_network;
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

Result<> Binder::row(const Row &row)
{
	used_.insert(row.peer());
	if (!is_on(row)) {
		policy_.off.push_back(row);
		return {};
	}
	const Result<std::uint8_t> scope = scope_of(row);
	if (!scope) {
		return std::unexpected(scope.error());
	}
	Result<std::vector<Prefix>> peers = peers_of(row);
	if (!peers) {
		return std::unexpected(peers.error());
	}
	std::ranges::sort(*peers);
	if (const Result<> good = family(row, *peers); !good) {
		return good;
	}
	BoundRow bound;
	bound.row = row;
	bound.scope = *scope;
	bound.zones = zones_of(row, *peers);
	bound.peers = std::move(*peers);
	policy_.rows.push_back(std::move(bound));
	return {};
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

Result<BoundPolicy> Binder::bind()
{
	policy_.scenario = matrix_.scenario;
	policy_.title = matrix_.title;
	if (const Result<> good = scenario(); !good) {
		return std::unexpected(good.error());
	}
	if (const Result<> good = optional_ids(); !good) {
		return std::unexpected(good.error());
	}
	for (const Row &one : matrix_.rows) {
		if (const Result<> good = row(one); !good) {
			return std::unexpected(good.error());
		}
	}
	if (policy_.rows.empty()) {
		return error_at({}, site_.place, "no row is on: there is nothing to hold anyone to",
				"turn on an optional row: optional = [\"ROW-ID\"]");
	}
	if (const Result<> good = unused(); !good) {
		return std::unexpected(good.error());
	}
	for (std::size_t scope = 0; scope < policy_.scopes.size(); scope++) {
		append_builtin_rows(policy_, static_cast<std::uint8_t>(scope));
	}
	std::set<std::string_view> ids;
	for (const BoundRow &bound : policy_.rows) {
		if (!ids.insert(bound.row.id).second) {
			const auto own = std::ranges::find(matrix_.rows, bound.row.id, &Row::id);
			return row_error(*own, "id", "a row that ships with weir has this id",
					 "give the row another one");
		}
	}
	return std::move(policy_);
}

} // namespace

Result<BoundPolicy> bind(const Matrix &matrix, const Site &site)
{
	return Binder(matrix, site).bind();
}

} // namespace weir::policy
