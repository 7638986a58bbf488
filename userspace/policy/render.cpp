// SPDX-License-Identifier: Apache-2.0
// For a terminal.
#include "policy/render.h"

#include "policy/duration.h"
#include "policy/host_services.h"
#include "policy/render_parts.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace weir::policy {
namespace {

const Cells shown_columns = {"dir", "source", "destination", "port", "service", "type", "status", "comment"};

std::string aligned(const std::vector<Cells> &lines, std::string_view before)
{
	std::vector<std::size_t> widths;
	for (const Cells &line : lines) {
		widths.resize(std::max(widths.size(), line.size()));
		for (std::size_t column = 0; column < line.size(); column++) {
			widths[column] = std::max(widths[column], width(line[column]));
		}
	}
	std::string out;
	for (const Cells &line : lines) {
		std::string text(before);
		for (std::size_t column = 0; column < line.size(); column++) {
			text += line[column];
			text.append(widths[column] - width(line[column]) + 2, ' ');
		}
		text.erase(text.find_last_not_of(' ') + 1);
		out += text + '\n';
	}
	return out;
}

std::string edge_text(const Edge &edge)
{
	std::string out = edge.interfaces.empty() ? "every interface that leads off the host" : joined(edge.interfaces);
	out += edge.tunnels.empty() ? "" : "; tunnels: " + joined(edge.tunnels);
	out += edge.ethertypes.empty() ? "" : "; passes unjudged: " + joined(ethertype_texts(edge));
	out += edge.ingress == "auto" ? "" : "; ingress by " + edge.ingress;
	return out + "; up to " + std::to_string(edge.flows) + " flows each way";
}

std::string peers_text(const BoundRow &row, const BoundPolicy &policy)
{
	if (row.zones == zone_loopback && row.row.peer() == localhost_name) {
		return "the loopback interface";
	}
	std::string out = row.peers.empty() ? "no address yet" : prefixes_text(row.peers);
	if (const auto host = policy.hosts.find(row.row.peer()); host != policy.hosts.end()) {
		out += " (" + host->second.host + ", within " + prefixes_text(host->second.within) + ')';
	}
	if (row.zones == zone_loopback) {
		out += " (loopback)";
	}
	return out;
}

class Tables {
public:
	explicit Tables(const BoundPolicy &policy) : policy_(policy), more_(policy) {}

	[[nodiscard]] std::string one() const;
	[[nodiscard]] std::string of_scopes() const;
	[[nodiscard]] std::string of_windows() const;

private:
	/// The columns before those of the page.
	[[nodiscard]] Cells header(Cells cells) const
	{
		std::ranges::copy(shown_columns, std::back_inserter(cells));
		more_.append_header(cells);
		return cells;
	}
	template <typename AnyRow>
	[[nodiscard]] Cells line(Cells cells, const AnyRow &any, const Row &row) const
	{
		std::ranges::move(columns_of(row), std::back_inserter(cells));
		more_.append(cells, any);
		return cells;
	}

	const BoundPolicy &policy_;
	MoreColumns more_;
};

/// A policy without an edge: the rows say by their component which cgroup they are of.
std::string Tables::one() const
{
	std::vector<Cells> lines = {header({"#", "id"})};
	for (std::size_t index = 0; index < policy_.rows.size(); index++) {
		const BoundRow &row = policy_.rows[index];
		lines.push_back(line({std::to_string(index), row.row.id}, row, row.row));
	}
	for (const Row &row : policy_.off) {
		lines.push_back(line({"off", row.id}, row, row));
	}
	return aligned(lines, "  ") + '\n';
}

/// One for each cgroup and one for the edge, which has copies of the cgroups' rows; then what is off.
std::string Tables::of_scopes() const
{
	std::string out;
	for (std::size_t scope = 0; scope < policy_.scopes.size(); scope++) {
		std::vector<Cells> lines = {header({"#", "id", "zone"})};
		for (std::size_t index = 0; index < policy_.rows.size(); index++) {
			const BoundRow &row = policy_.rows[index];
			if (row.scope == scope) {
				lines.push_back(
					line({std::to_string(index), row.row.id, zones_text(row.zones)}, row, row.row));
			}
		}
		out += where_of(policy_.scopes[scope]) + "\n" + aligned(lines, "  ") + '\n';
	}
	if (policy_.off.empty()) {
		return out;
	}
	std::vector<Cells> lines = {header({"#", "id", "zone"})};
	for (const Row &row : policy_.off) {
		lines.push_back(line({"off", row.id, row.zone.empty() ? "-" : row.zone}, row, row));
	}
	return out + "off\n" + aligned(lines, "  ") + '\n';
}

/// What a window would open.
std::string Tables::of_windows() const
{
	std::string out;
	for (const Window &window : policy_.windows) {
		std::vector<Cells> lines = {header({"where", "id", "zone"})};
		for (const BoundRow &row : window.rows) {
			lines.push_back(line({where_of(policy_.scopes[row.scope]), row.row.id, zones_text(row.zones)},
					     row, row.row));
		}
		out += "window " + window.name + ", open for at most " + duration_text(window.longest) +
		       " at a time\n" + aligned(lines, "  ") + '\n';
	}
	return out;
}

/// Each peer once: a name has the same addresses in all its rows.
std::string names_text(const BoundPolicy &policy)
{
	std::vector<Cells> names;
	std::set<std::string> seen;
	const auto add = [&](const std::vector<BoundRow> &rows) {
		for (const BoundRow &row : rows) {
			if (!row.kernel_only && seen.insert(row.row.peer()).second) {
				names.push_back({row.row.peer(), peers_text(row, policy)});
			}
		}
	};
	add(policy.rows);
	for (const Window &window : policy.windows) {
		add(window.rows);
	}
	return aligned(names, "  ");
}

} // namespace

std::string as_table(const BoundPolicy &policy)
{
	std::string out = policy.scenario + ": " + policy.title + "\n\n";
	std::vector<Cells> scopes;
	scopes.reserve(policy.scopes.size());
	for (const Scope &scope : policy.scopes) {
		scopes.push_back({joined(scope.components), where_of(scope),
				  scope.is_edge()       ? edge_text(policy.edge)
				  : scope.open_loopback ? "loopback is open"
							: "loopback keeps to the rows"});
	}
	out += aligned(scopes, "  ") + '\n';
	const Tables tables(policy);
	out += policy.edge.present ? tables.of_scopes() : tables.one();
	out += tables.of_windows();
	out += names_text(policy);
	if (!policy.resolvers.empty()) {
		out += "\n  names are looked up at: " + joined(policy.resolvers) + '\n';
	}
	std::set<std::string> switches;
	std::size_t services = 0;
	for (const Row &row : policy.off) {
		if (policy.edge.present && is_host_service(row)) {
			services++;
			switches.emplace(switch_of(row));
		}
	}
	if (services < policy.off.size()) {
		out += "\n  off: optional rows that the site has not turned on\n";
	}
	if (services > 0) {
		out += "\n  off: host services; [names] turns them on: " + joined({switches.begin(), switches.end()}) +
		       '\n';
	}
	return out;
}

} // namespace weir::policy
