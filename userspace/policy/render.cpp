// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include "policy/row_rules.h"
#include "policy/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>

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

} // namespace

std::string as_table(const BoundPolicy &policy)
{
	std::string out = policy.scenario + ": " + policy.title + "\n\n";
	std::vector<Cells> scopes;
	for (const Scope &scope : policy.scopes) {
		std::string components;
		for (const std::string &component : scope.components) {
			components += (components.empty() ? "" : ", ") + component;
		}
		scopes.push_back({components, scope.cgroup,
				  scope.open_loopback ? "loopback is open" : "loopback keeps to the rows"});
	}
	out += aligned(scopes, "  ") + '\n';

	std::vector<Cells> rows = {
		{"#", "id", "dir", "source", "destination", "port", "service", "type", "status", "comment"}};
	for (std::size_t index = 0; index < policy.rows.size(); index++) {
		rows.push_back(cells_of(std::to_string(index), policy.rows[index].row));
	}
	for (const Row &row : policy.off) {
		rows.push_back(cells_of("off", row));
	}
	out += aligned(rows, "  ") + '\n';

	std::vector<Cells> names;
	std::map<std::string, std::size_t> seen;
	for (const BoundRow &row : policy.rows) {
		if (!row.kernel_only && seen.emplace(row.row.peer(), names.size()).second) {
			names.push_back({row.row.peer(), peers_text(row)});
		}
	}
	out += aligned(names, "  ");
	if (!policy.off.empty()) {
		out += "\n  off: optional rows that the site has not turned on\n";
	}
	return out;
}

std::string as_markdown(const BoundPolicy &policy)
{
	const Cells header = {"dir",    "source machine", "destination machine", "destination port", "service", "type",
			      "status", "comment"};
	std::vector<Cells> lines = {header, Cells(header.size())};
	for (const BoundRow &row : policy.rows) {
		Cells cells;
		std::ranges::transform(columns_of(row.row), std::back_inserter(cells), markdown_cell);
		lines.push_back(std::move(cells));
	}
	std::array<std::size_t, 8> widths{};
	for (const Cells &line : lines) {
		for (std::size_t column = 0; column < line.size(); column++) {
			widths[column] = std::max(widths[column], width(line[column]));
		}
	}
	lines[1].clear();
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

std::string as_json(const BoundPolicy &policy)
{
	using nlohmann::ordered_json;
	ordered_json root = {{"scenario", policy.scenario}, {"title", policy.title}};
	root["scopes"] = ordered_json::array();
	for (const Scope &scope : policy.scopes) {
		root["scopes"].push_back({{"cgroup", scope.cgroup},
					  {"components", scope.components},
					  {"loopback", scope.open_loopback ? "open" : "matrix"}});
	}
	root["rows"] = ordered_json::array();
	for (const BoundRow &row : policy.rows) {
		ordered_json object = json_of(row.row);
		object["scope"] = row.scope;
		object["zones"] = ordered_json::array();
		if ((row.zones & zone_loopback) != 0) {
			object["zones"].push_back("loopback");
		}
		if ((row.zones & zone_network) != 0) {
			object["zones"].push_back("network");
		}
		object["kernel_only"] = row.kernel_only;
		object["peers"] = ordered_json::array();
		for (const Prefix &prefix : row.peers) {
			object["peers"].push_back(prefix.text());
		}
		root["rows"].push_back(std::move(object));
	}
	root["off"] = ordered_json::array();
	for (const Row &row : policy.off) {
		root["off"].push_back(json_of(row));
	}
	return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

} // namespace weir::policy
