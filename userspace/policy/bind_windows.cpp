// SPDX-License-Identifier: Apache-2.0
// Rows of windows: bound as others are, for when a window is opened.
#include "policy/binder.h"
#include "policy/host_services.h"
#include "policy/row_rules.h"
#include "policy/site_parts.h"
#include "policy/text.h"
#include "policy/toml_file.h"

#include <algorithm>

namespace weir::policy {
namespace {

/// Whose rows are those of the installation: "component is the node or researcher", says the page.
constexpr std::string_view any_component = "component";

std::string &component_of(Row &row)
{
	return row.dir == Direction::out ? row.source : row.destination;
}

std::string &peer_of(Row &row)
{
	return row.dir == Direction::out ? row.destination : row.source;
}

bool has_row_of_any_component(const Matrix &matrix)
{
	return std::ranges::find(matrix.rows, any_component, &Row::component) != matrix.rows.end();
}

} // namespace

// Before the edge becomes the last scope: a component that has no rows but a window's needs a place, too.
Result<> Binder::window_scopes(const WindowRule &rule, const Matrix &matrix)
{
	for (std::size_t index = 0; index < rule.components.size(); index++) {
		const std::string &component = rule.components[index];
		if (site_.cgroups.contains(component)) {
			if (const Result<> good = cgroup_of(component); !good) {
				return good;
			}
			continue;
		}
		const auto is_its = [&](const Matrix &each) {
			return std::ranges::find(each.rows, component, &Row::component) != each.rows.end();
		};
		if (site_.edge.present && std::ranges::any_of(matrices_.scenarios, is_its)) {
			continue; // one that the edge alone holds
		}
		const std::string near = did_you_mean(component, keys_of(site_.cgroups));
		return error_at(site_.text, place_of_window(site_, rule.name, "components", index),
				"component " + in_quotes(component) + " is not on this host",
				or_else(near, add_cgroup(component)));
	}
	if (!rule.through.empty()) {
		return {};
	}
	for (const Row &row : matrix.rows) {
		if (is_on(row) && row.component() != any_component) {
			if (const Result<> good = scope_of(row); !good) {
				return good;
			}
		}
	}
	return {};
}

// One for each cgroup: those who share it can't be told apart.
std::vector<Binder::Holder> Binder::holders_of(const WindowRule &rule) const
{
	std::vector<Holder> holders;
	if (rule.components.empty()) {
		for (std::size_t scope = 0; scope < policy_.cgroups(); scope++) {
			holders.push_back({policy_.scopes[scope].components.front(), static_cast<std::uint8_t>(scope)});
		}
		return holders;
	}
	for (const std::string &component : rule.components) {
		const std::optional<std::uint8_t> scope = held_by(component);
		if (scope && std::ranges::find(holders, *scope, &Holder::scope) == holders.end()) {
			holders.push_back({component, *scope});
		}
	}
	return holders;
}

std::vector<Binder::Holder> Binder::holders_of(const WindowRule &rule, const Row &row) const
{
	if (row.component() == any_component) {
		return holders_of(rule);
	}
	const std::optional<std::uint8_t> scope = held_by(row.component());
	return scope ? std::vector{Holder{row.component(), *scope}} : std::vector<Holder>{};
}

Result<> Binder::window_row(const Row &row, const std::vector<Holder> &holders, bool at_edge, Window &window)
{
	Result<BoundRow> one = is_host_service(row) ? bound_service(row) : bound(row);
	if (!one) {
		return std::unexpected(one.error());
	}
	if (holders.empty() && one->user) {
		return row_error(row, "user", "the edge does not know whose a packet is, and no cgroup has the row",
				 add_cgroup("node"));
	}
	for (const Holder &holder : holders) {
		BoundRow &own = window.rows.emplace_back(*one);
		own.row.id += '@' + holder.component;
		component_of(own.row) = holder.component;
		own.scope = holder.scope;
	}
	if (!at_edge) {
		return {};
	}
	if (std::optional<BoundRow> copy = as_at_edge(*one)) {
		copy->row.id += "@edge";
		if (!holders.empty()) {
			component_of(copy->row) = holders.front().component;
		}
		copy->scope = static_cast<std::uint8_t>(policy_.scopes.size() - 1);
		window.rows.push_back(std::move(*copy));
	}
	return {};
}

// "Direct communications between the components": who may ask may be asked, and nobody else is a party.
Result<> Binder::is_symmetric(const Matrix &matrix) const
{
	for (const Row &row : matrix.rows) {
		if (is_builtin_name(row.peer())) {
			return row_error(row, row.dir == Direction::out ? "destination" : "source",
					 in_quotes(row.peer()) + " is no party of a key negotiation",
					 "name the peer \"party\": the window says who it is");
		}
		const bool both = std::ranges::any_of(matrix.rows, [&](const Row &other) {
			return other.dir != row.dir && other.port == row.port && is_on(other) == is_on(row);
		});
		if (!both) {
			return row_error(row, "dir", "a key negotiation goes both ways, and no other row has this port",
					 std::string("add the row with dir = \"") +
						 (row.dir == Direction::out ? "in" : "out") + '"');
		}
	}
	return {};
}

Result<> Binder::window_of_matrix(const WindowRule &rule, const Matrix &matrix, Window &window)
{
	if (rule.name == negotiation_scenario) {
		if (const Result<> good = is_symmetric(matrix); !good) {
			return good;
		}
	}
	if (!rule.components.empty() && !has_row_of_any_component(matrix)) {
		return error_at(site_.text, place_of_window(site_, rule.name, "components"),
				"the rows of " + in_quotes(rule.name) + " say themselves whose they are",
				"take it out");
	}
	bool named = false;
	for (const Row &row : matrix.rows) {
		std::vector<Row> rows = {row};
		if (!rule.peers.empty() && !is_builtin_name(row.peer())) {
			rows.clear();
			for (const std::string &peer : rule.peers) {
				peer_of(rows.emplace_back(row)) = peer;
				rows.back().id += ':' + peer;
			}
			named = true;
		}
		for (const Row &each : rows) {
			used_.insert(each.peer());
			if (!is_on(row)) {
				continue;
			}
			if (const Result<> good = window_row(each, holders_of(rule, row), site_.edge.present, window);
			    !good) {
				return good;
			}
		}
	}
	if (!rule.peers.empty() && !named) {
		return error_at(site_.text, place_of_window(site_, rule.name, "peers"),
				"no row of " + in_quotes(rule.name) + " has a peer that a site could name",
				"take it out");
	}
	return {};
}

// What the host's own row lets through the edge in any case is opened in the cgroups.
Result<> Binder::window_through(const WindowRule &rule, Window &window)
{
	const Place place = place_of_window(site_, rule.name, "through");
	const Result<const Row *> found = service(rule.through, place);
	if (!found) {
		return std::unexpected(found.error());
	}
	if ((*found)->dir != Direction::out) {
		return error_at(site_.text, place, "host service " + in_quotes(rule.through) + " leads in, not out",
				"such as: through = \"http-proxy\"");
	}
	used_.emplace(switch_of(**found));
	Row row = **found;
	row.id = rule.name + '-' + row.id;
	row.needs_journal = row.needs_journal || site_.needs_journal;
	return window_row(row, holders_of(rule), false, window);
}

Result<> Binder::window(const WindowRule &rule, const Matrix &matrix)
{
	Window window{rule.name, rule.longest};
	const Result<> good = rule.through.empty() ? window_of_matrix(rule, matrix, window)
						   : window_through(rule, window);
	if (!good) {
		return good;
	}
	if (window.rows.empty()) {
		return error_at(site_.text, place_of_window(site_, rule.name), "the window would open nothing",
				rule.through.empty() ? "turn on one of its rows: optional = [\"ROW-ID\"]"
						     : "no component of it has a cgroup, and the edge has the host's "
						       "own row: take it out");
	}
	policy_.windows.push_back(std::move(window));
	return {};
}

} // namespace weir::policy
