// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include "policy/edge_file.h"
#include "policy/host_services.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace weir::policy {
namespace {

using Cells = std::vector<std::string>;

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

Cells cells_of(const std::string &number, const Row &row)
{
	Cells cells = {number, row.id};
	std::ranges::move(columns_of(row), std::back_inserter(cells));
	return cells;
}

std::string joined(const std::vector<std::string> &words)
{
	std::string out;
	for (const std::string &word : words) {
		out += (out.empty() ? "" : ", ") + word;
	}
	return out;
}

std::string where_of(const Scope &scope)
{
	return scope.is_edge() ? "edge" : scope.cgroup;
}

std::vector<std::string> zone_names(std::uint8_t zones)
{
	std::vector<std::string> names;
	for (const auto &[zone, name] : {std::pair{zone_loopback, "loopback"}, std::pair{zone_network, "network"},
					 std::pair{zone_tunnel, "tunnel"}}) {
		if ((zones & zone) != 0) {
			names.emplace_back(name);
		}
	}
	return names;
}

std::string zones_text(std::uint8_t zones)
{
	return joined(zone_names(zones));
}

std::vector<std::string> ethertype_texts(const Edge &edge)
{
	std::vector<std::string> texts;
	std::ranges::transform(edge.ethertypes, std::back_inserter(texts), ethertype_text);
	return texts;
}

std::string edge_text(const Edge &edge)
{
	std::string out = edge.interfaces.empty() ? "every interface that leads off the host" : joined(edge.interfaces);
	out += edge.tunnels.empty() ? "" : "; tunnels: " + joined(edge.tunnels);
	out += edge.ethertypes.empty() ? "" : "; passes unjudged: " + joined(ethertype_texts(edge));
	out += edge.ingress == "auto" ? "" : "; ingress by " + edge.ingress;
	return out + "; up to " + std::to_string(edge.flows) + " flows each way";
}

std::string peers_text(const BoundRow &row)
{
	if (row.zones == zone_loopback && row.row.peer() == localhost_name) {
		return "the loopback interface";
	}
	std::string out;
	constexpr std::size_t most = 8;
	for (std::size_t index = 0; index < std::min(row.peers.size(), most); index++) {
		out += (index == 0 ? "" : ", ") + row.peers[index].text();
	}
	if (row.peers.size() > most) {
		out += ", and " + std::to_string(row.peers.size() - most) + " more";
	}
	if (row.zones == zone_loopback) {
		out += " (loopback)";
	}
	return out;
}

std::string markdown_cell(const std::string &text)
{
	std::string out;
	for (const char c : text) {
		if (c == '|' || c == '*' || c == '`' || c == '\\') {
			out += '\\';
		}
		out += c;
	}
	return out;
}

/// `cells` makes the columns of the page of a row, and perhaps the zone.
template <typename Rows, typename CellsOf>
std::string markdown_table(const Rows &rows, CellsOf cells_of_row)
{
	Cells header = {"dir",    "source machine", "destination machine", "destination port", "service", "type",
			"status", "comment"};
	std::vector<Cells> lines = {{}, {}};
	for (const auto &row : rows) {
		Cells cells;
		std::ranges::transform(cells_of_row(row), std::back_inserter(cells), markdown_cell);
		lines.push_back(std::move(cells));
	}
	if (lines.size() > 2 && lines[2].size() > header.size()) {
		header.emplace_back("zone");
	}
	lines[0] = std::move(header);
	std::vector<std::size_t> widths(lines[0].size());
	for (const Cells &line : lines) {
		for (std::size_t column = 0; column < line.size(); column++) {
			widths[column] = std::max(widths[column], width(line[column]));
		}
	}
	for (const std::size_t size : widths) {
		lines[1].emplace_back(size, '-');
	}
	std::string out;
	for (const Cells &line : lines) {
		for (std::size_t column = 0; column < line.size(); column++) {
			out += "| " + line[column] + std::string(widths[column] - width(line[column]) + 1, ' ');
		}
		out += "|\n";
	}
	return out;
}

/// A policy without an edge: the rows say by their component which cgroup they are of.
std::string one_table(const BoundPolicy &policy)
{
	std::vector<Cells> rows = {
		{"#", "id", "dir", "source", "destination", "port", "service", "type", "status", "comment"}};
	for (std::size_t index = 0; index < policy.rows.size(); index++) {
		rows.push_back(cells_of(std::to_string(index), policy.rows[index].row));
	}
	for (const Row &row : policy.off) {
		rows.push_back(cells_of("off", row));
	}
	return aligned(rows, "  ") + '\n';
}

/// One for each cgroup and one for the edge, which has copies of the cgroups' rows; then what is off.
std::string tables_of_scopes(const BoundPolicy &policy)
{
	std::string out;
	const Cells columns = {"id",   "zone",    "dir",  "source", "destination",
			       "port", "service", "type", "status", "comment"};
	const auto header_of = [&](std::string first) {
		Cells header = {std::move(first)};
		header.insert(header.end(), columns.begin(), columns.end());
		return header;
	};
	for (std::size_t scope = 0; scope < policy.scopes.size(); scope++) {
		std::vector<Cells> lines = {header_of("#")};
		for (std::size_t index = 0; index < policy.rows.size(); index++) {
			const BoundRow &row = policy.rows[index];
			if (row.scope == scope) {
				Cells cells = cells_of(std::to_string(index), row.row);
				cells.insert(cells.begin() + 2, zones_text(row.zones));
				lines.push_back(std::move(cells));
			}
		}
		out += where_of(policy.scopes[scope]) + "\n" + aligned(lines, "  ") + '\n';
	}
	if (policy.off.empty()) {
		return out;
	}
	std::vector<Cells> lines = {header_of("#")};
	for (const Row &row : policy.off) {
		Cells cells = cells_of("off", row);
		cells.insert(cells.begin() + 2, row.zone.empty() ? "-" : row.zone);
		lines.push_back(std::move(cells));
	}
	return out + "off\n" + aligned(lines, "  ") + '\n';
}

nlohmann::ordered_json json_of(const Row &row)
{
	return {{"id", row.id},
		{"dir", text_of(row.dir)},
		{"source", row.source},
		{"destination", row.destination},
		{"port", row.port.text()},
		{"service", row.service},
		{"type", row.type},
		{"status", text_of(row.status)},
		{"comment", row.comment}};
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
	out += policy.edge.present ? tables_of_scopes(policy) : one_table(policy);

	std::vector<Cells> names;
	std::map<std::string, std::size_t> seen;
	for (const BoundRow &row : policy.rows) {
		if (!row.kernel_only && seen.emplace(row.row.peer(), names.size()).second) {
			names.push_back({row.row.peer(), peers_text(row)});
		}
	}
	out += aligned(names, "  ");
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

std::string as_markdown(const BoundPolicy &policy)
{
	if (!policy.edge.present) {
		return markdown_table(policy.rows, [](const BoundRow &row) { return columns_of(row.row); });
	}
	// One table for each that is held, with the zone as a column that the page has not.
	std::string out;
	for (std::size_t scope = 0; scope < policy.scopes.size(); scope++) {
		std::vector<BoundRow> rows;
		std::ranges::copy_if(policy.rows, std::back_inserter(rows),
				     [&](const BoundRow &row) { return row.scope == scope; });
		const Scope &held = policy.scopes[scope];
		out += "## " + where_of(held) + " (" + joined(held.components) + ")\n\n" +
		       markdown_table(rows,
				      [](const BoundRow &row) {
					      Cells cells = columns_of(row.row);
					      cells.push_back(zones_text(row.zones));
					      return cells;
				      }) +
		       '\n';
	}
	return out + "## off\n\n" + markdown_table(policy.off, [](const Row &row) { return columns_of(row); });
}

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
		ordered_json object = json_of(row.row);
		object["scope"] = row.scope;
		object["where"] = where_of(policy.scopes.at(row.scope));
		object["zones"] = zone_names(row.zones);
		object["kernel_only"] = row.kernel_only;
		object["peers"] = ordered_json::array();
		for (const Prefix &prefix : row.peers) {
			object["peers"].push_back(prefix.text());
		}
		root["rows"].push_back(std::move(object));
	}
	root["off"] = ordered_json::array();
	for (const Row &row : policy.off) {
		ordered_json object = json_of(row);
		if (policy.edge.present && is_host_service(row)) {
			object["on_when_bound"] = switch_of(row);
		}
		root["off"].push_back(std::move(object));
	}
	return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

} // namespace weir::policy
