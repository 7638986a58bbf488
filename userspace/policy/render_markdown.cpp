// SPDX-License-Identifier: Apache-2.0
// In the page's form.
#include "policy/duration.h"
#include "policy/render.h"
#include "policy/render_parts.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <algorithm>
#include <iterator>

namespace weir::policy {
namespace {

const Cells markdown_columns = {
	"dir", "source machine", "destination machine", "destination port", "service", "type", "status", "comment"};

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

/// The first line is the header.
std::string table_of(std::vector<Cells> lines)
{
	std::vector<std::size_t> widths(lines[0].size());
	for (const Cells &line : lines) {
		for (std::size_t column = 0; column < line.size(); column++) {
			widths[column] = std::max(widths[column], width(line[column]));
		}
	}
	Cells rule;
	for (const std::size_t size : widths) {
		rule.emplace_back(size, '-');
	}
	lines.insert(std::next(lines.begin()), std::move(rule));
	std::string out;
	for (const Cells &line : lines) {
		for (std::size_t column = 0; column < line.size(); column++) {
			out += "| " + line[column] + std::string(widths[column] - width(line[column]) + 1, ' ');
		}
		out += "|\n";
	}
	return out;
}

Cells escaped(Cells cells)
{
	std::ranges::transform(cells, cells.begin(), markdown_cell);
	return cells;
}

template <typename Rows>
std::string bound_table(const Rows &rows, bool zones, const MoreColumns &more)
{
	std::vector<Cells> lines = {markdown_columns};
	if (zones) {
		lines[0].emplace_back("zone");
	}
	more.append_header(lines[0]);
	for (const BoundRow &row : rows) {
		Cells cells = columns_of(row.row);
		if (zones) {
			cells.push_back(zones_text(row.zones));
		}
		more.append(cells, row);
		lines.push_back(escaped(std::move(cells)));
	}
	return table_of(std::move(lines));
}

std::string windows_text(const BoundPolicy &policy, const MoreColumns &more)
{
	std::string out;
	for (const Window &window : policy.windows) {
		out += "\n## window " + window.name + " (at most " + duration_text(window.longest) + ")\n\n" +
		       bound_table(window.rows, policy.edge.present, more);
	}
	return out;
}

} // namespace

std::string as_markdown(const BoundPolicy &policy)
{
	const MoreColumns more(policy);
	if (!policy.edge.present) {
		return bound_table(policy.rows, false, more) + windows_text(policy, more);
	}
	// One table for each that is held, with the zone as a column that the page has not.
	std::string out;
	for (std::size_t scope = 0; scope < policy.scopes.size(); scope++) {
		std::vector<BoundRow> rows;
		std::ranges::copy_if(policy.rows, std::back_inserter(rows),
				     [&](const BoundRow &row) { return row.scope == scope; });
		const Scope &held = policy.scopes[scope];
		out += "## " + where_of(held) + " (" + joined(held.components) + ")\n\n" +
		       bound_table(rows, true, more) + '\n';
	}
	std::vector<Cells> off = {markdown_columns};
	more.append_header(off[0]);
	for (const Row &row : policy.off) {
		Cells cells = columns_of(row);
		more.append(cells, row);
		off.push_back(escaped(std::move(cells)));
	}
	return out + "## off\n\n" + table_of(std::move(off)) + windows_text(policy, more);
}

} // namespace weir::policy
