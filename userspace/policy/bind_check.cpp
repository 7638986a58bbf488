// SPDX-License-Identifier: Apache-2.0
// What is wrong with files that are good one by one: ids, names that nobody uses. And how it is told.
#include "policy/binder.h"
#include "policy/dns_name.h"
#include "policy/host_services.h"
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

std::string Binder::add_cgroup(const std::string &component) const
{
	return "add to [cgroups] in " + site_name() + ": " + toml_key(component) + " = \"/sys/fs/cgroup/...\"";
}

const Matrix &Binder::matrix_of(const Row &row) const
{
	const auto has_it = [&](const Matrix &matrix) { return matrix.place.file == row.place.file; };
	for (const auto *list : {&matrices_.scenarios, &matrices_.windows}) {
		if (const auto matrix = std::ranges::find_if(*list, has_it); matrix != list->end()) {
			return *matrix;
		}
	}
	return matrices_.host_services;
}

std::unexpected<Error> Binder::row_error(const Row &row, std::string_view key, std::string_view what,
					 std::string_view hint) const
{
	const Matrix &matrix = matrix_of(row);
	return error_at(matrix.text, place_of_row_key(matrix, row, key),
			"row " + in_quotes(row.id) + ": " + std::string(what), hint);
}

const Row *Binder::row_of_id(std::string_view id) const
{
	for (const auto *list : {&matrices_.scenarios, &matrices_.windows}) {
		for (const Matrix &matrix : *list) {
			if (const auto row = std::ranges::find(matrix.rows, id, &Row::id); row != matrix.rows.end()) {
				return &*row;
			}
		}
	}
	return nullptr;
}

Result<> Binder::scenarios() const
{
	for (std::size_t index = 0; index < matrices_.scenarios.size(); index++) {
		const std::string &wanted = index == 0 ? site_.scenario : site_.more_scenarios.at(index - 1);
		const std::string &given = matrices_.scenarios[index].scenario;
		if (given != wanted) {
			return error_at(site_.text, place_of_scenario(site_, index),
					"the site is for scenario " + in_quotes(wanted) + ", the matrix is " +
						in_quotes(given),
					"give the matrix of the site's scenario");
		}
	}
	for (std::size_t index = 0; index < site_.windows.size(); index++) {
		const std::string &wanted = site_.windows[index].name;
		const std::string &given = matrices_.windows[index].scenario;
		if (given != wanted) {
			return error_at(site_.text, place_of_window(site_, wanted),
					"the window is of scenario " + in_quotes(wanted) + ", the matrix is " +
						in_quotes(given),
					"give the matrix of the window's scenario");
		}
	}
	return check_host_services(matrices_.host_services);
}

// Of one id a status line, an event and an answer of `explain` must mean one row.
Result<> Binder::ids() const
{
	std::map<std::string_view, const Matrix *> seen;
	for (const auto *list : {&matrices_.scenarios, &matrices_.windows}) {
		for (const Matrix &matrix : *list) {
			for (const Row &row : matrix.rows) {
				const auto [first, fresh] = seen.emplace(row.id, &matrix);
				if (!fresh && first->second != &matrix) {
					return row_error(row, "id",
							 "a row of " + in_quotes(first->second->scenario) +
								 " has this id, too",
							 "give the row another one");
				}
			}
		}
	}
	if (!site_.edge.present) {
		return {};
	}
	for (const Row &service : matrices_.host_services.rows) {
		if (const auto own = seen.find(service.id); own != seen.end()) {
			return row_error(*row_of_id(service.id), "id", "a host service has this id",
					 "give the row another one");
		}
	}
	return {};
}

Result<> Binder::optional_ids() const
{
	for (std::size_t index = 0; index < site_.optional.size(); index++) {
		const std::string &id = site_.optional[index];
		const std::vector<Row> &services = matrices_.host_services.rows;
		const auto service = std::ranges::find(services, id, &Row::id);
		if (service != services.end()) {
			return error_at(site_.text, place_of_element(site_, "optional", index),
					"row " + in_quotes(id) + " is a host service: it is on when " +
						in_quotes(switch_of(*service)) + " is bound",
					"take it out of the list, and bind the name in [names]");
		}
		const Row *row = row_of_id(id);
		if (row == nullptr) {
			std::vector<std::string> ids;
			for (const auto *list : {&matrices_.scenarios, &matrices_.windows}) {
				for (const Matrix &matrix : *list) {
					for (const Row &candidate : matrix.rows) {
						if (candidate.status == Status::optional) {
							ids.push_back(candidate.id);
						}
					}
				}
			}
			return error_at(site_.text, place_of_element(site_, "optional", index),
					"the matrix has no row " + in_quotes(id),
					or_else(did_you_mean(id, ids), "list ids of its optional rows"));
		}
		if (row->status == Status::mandatory) {
			return error_at(site_.text, place_of_element(site_, "optional", index),
					"row " + in_quotes(id) + " is mandatory: it is always on",
					"take it out of the list");
		}
	}
	return {};
}

Result<> Binder::unused_cgroup(const std::string &component) const
{
	const bool active = std::ranges::any_of(policy_.scopes, [&](const Scope &scope) {
		return !scope.is_edge() && std::ranges::binary_search(scope.components, component);
	});
	if (active) {
		return {};
	}
	std::string_view table = "cgroups";
	const std::string &cgroup = site_.cgroups.at(component);
	for (const auto &[start, other] : {std::pair{"unit:", "units"}, std::pair{"container:", "containers"}}) {
		table = cgroup.starts_with(start) ? other : table;
	}
	const std::string take_it_out = "take it out of [" + std::string(table) + ']';
	const Place place = place_of_site_key(site_, table, component);
	const std::string what = "no row that is on is of component " + in_quotes(component);
	const auto off = std::ranges::find(policy_.off, component, &Row::component);
	if (off != policy_.off.end()) {
		return error_at(site_.text, place, what,
				take_it_out + ", or turn a row on: optional = [" + in_quotes(off->id) + "]");
	}
	std::vector<std::string> components;
	for (const Matrix &matrix : matrices_.scenarios) {
		for (const Row &row : matrix.rows) {
			components.push_back(row.component());
		}
	}
	return error_at(site_.text, place, what, or_else(did_you_mean(component, components), take_it_out));
}

// A binding that nothing uses is most likely a typing error: of the name that then stays without its own.
Result<> Binder::unused() const
{
	std::vector<std::string> names = keys_of(site_.names);
	std::ranges::copy(keys_of(site_.hosts), std::back_inserter(names));
	for (const std::string &name : names) {
		if (!used_.contains(name)) {
			return error_at(
				site_.text, place_of_site_key(site_, "names", name),
				"no row has the peer " + in_quotes(name),
				or_else(did_you_mean(name, {used_.begin(), used_.end()}), "take it out of [names]"));
		}
	}
	for (const auto &[user, uid] : site_.users) {
		if (!used_users_.contains(user)) {
			return error_at(site_.text, place_of_site_key(site_, "users", user),
					"no row has the user " + in_quotes(user),
					or_else(did_you_mean(user, {used_users_.begin(), used_users_.end()}),
						"take it out of [users]"));
		}
	}
	for (const auto &[component, cgroup] : site_.cgroups) {
		if (const Result<> good = unused_cgroup(component); !good) {
			return good;
		}
	}
	return {};
}

// The names are followed from this host: what its edge refuses would stay unanswered from the first look-up on.
Result<> Binder::resolvers() const
{
	if (!site_.edge.present || site_.hosts.empty()) {
		return {};
	}
	const auto edge = static_cast<std::uint8_t>(policy_.scopes.size() - 1);
	for (std::size_t index = 0; index < site_.resolvers.size(); index++) {
		const Result<Resolver> resolver = parse_resolver(site_.resolvers[index]);
		if (!resolver || is_loopback({resolver->address, 128})) {
			continue; // one on this host asks others itself
		}
		const auto admits = [&](const BoundRow &row) {
			const Service &port = row.row.port;
			return row.scope == edge && row.row.dir == Direction::out && port.protocol == IPPROTO_UDP &&
			       port.first <= resolver->port && resolver->port <= port.last &&
			       std::ranges::any_of(
				       row.peers, [&](const Prefix &peer) { return peer.contains(resolver->address); });
		};
		if (std::ranges::none_of(policy_.rows, admits)) {
			return error_at(site_.text, place_of_element(site_, "resolvers", index),
					"no row at the edge lets this host ask " + in_quotes(site_.resolvers[index]),
					"add to [names]: dns-servers = " + in_quotes(resolver->address.text()));
		}
	}
	return {};
}

// Ids of rows that weir makes end in what a matrix can't write, "@" and more; but for neighbour discovery where the
// policy is of one scope.
Result<> Binder::twice() const
{
	std::vector<const BoundRow *> rows;
	rows.reserve(policy_.rows.size());
	for (const BoundRow &bound : policy_.rows) {
		rows.push_back(&bound);
	}
	for (const Window &window : policy_.windows) {
		for (const BoundRow &bound : window.rows) {
			rows.push_back(&bound);
		}
	}
	std::set<std::string_view> ids;
	for (const BoundRow *bound : rows) {
		if (ids.insert(bound->row.id).second) {
			continue;
		}
		const Row *own = row_of_id(bound->row.id);
		if (own == nullptr) {
			const std::vector<Row> &services = matrices_.host_services.rows;
			const auto service = std::ranges::find(services, bound->row.id, &Row::id);
			own = service == services.end() ? nullptr : &*service;
		}
		if (own != nullptr) {
			return row_error(*own, "id", "a row that ships with weir has this id",
					 "give the row another one");
		}
		return error_at({}, site_.place, "two rows would have the id " + in_quotes(bound->row.id),
				"call the component " + in_quotes(bound->row.component()) + " otherwise");
	}
	return {};
}

} // namespace weir::policy
