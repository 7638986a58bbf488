// SPDX-License-Identifier: Apache-2.0
// The tables of the published page become matrices. The page has a table for each component's host under a
// heading for each scenario; the one for the installation has neither component, type, status nor comment.
#include "policy/diagnostic.h"
#include "policy/page.h"
#include "policy/page_text.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <algorithm>
#include <array>
#include <set>

namespace weir::policy {
namespace {

struct Scenario {
	std::string_view heading;
	std::string_view suffix; ///< "" = installation
};

constexpr std::array<Scenario, 4> scenarios = {{
	{"Software installation", ""},
	{"Running without VPN/containers", "native"},
	{"Running with VPN/containers", "vpn"},
	{"Running with Docker containers (without VPN)", "docker"},
}};

constexpr std::array<std::string_view, 8> page_columns = {
	"dir", "source machine", "destination machine", "destination port", "service", "type", "status", "comment"};
constexpr std::size_t installation_columns = 5;

class PageImport {
public:
	PageImport(std::string_view text, const std::string &file) : text_(text), file_(file) {}

	Result<std::vector<Matrix>> read();

private:
	Result<Matrix> matrix(const Table &) const;
	Result<> header(const Table &, bool installation) const;
	Result<Row> row(const TableRow &, bool installation) const;
	[[nodiscard]] std::unexpected<Error> error(unsigned line, std::string_view what, std::string_view hint) const
	{
		return error_at(text_, {file_, line, 0}, what, hint);
	}
	[[nodiscard]] std::unexpected<Error> phrase_error(unsigned line, const Error &phrase) const
	{
		return error_at(text_, {file_, line, 0}, phrase);
	}

	std::string_view text_;
	std::string file_;
};

std::string joined_headings()
{
	std::string out = "the known ones are ";
	for (const Scenario &scenario : scenarios) {
		out += (scenario.suffix.empty() ? "" : ", ") + in_quotes(scenario.heading);
	}
	return out;
}

// Of the page only what the row itself says, so that the id stays when rows are added: "in-localhost-tcp-8888".
std::string id_for(const Row &row, std::set<std::string> &taken)
{
	std::string id;
	for (const char c : std::string(text_of(row.dir)) + '-' + row.peer() + '-' + row.port.text()) {
		const bool upper = c >= 'A' && c <= 'Z';
		const bool plain = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (plain) {
			id += upper ? static_cast<char>(c - 'A' + 'a') : c;
		} else if (!id.ends_with('-')) {
			id += '-';
		}
	}
	id.resize(std::min<std::size_t>(id.size(), 56)); // of 64: leaves room for the number
	const std::string base = id;
	for (unsigned number = 2; !taken.insert(id).second; number++) {
		id = base + '-' + std::to_string(number);
	}
	return id;
}

Result<> PageImport::header(const Table &table, bool installation) const
{
	const std::vector<std::string> &cells = table.header.cells;
	const std::size_t wanted = installation ? installation_columns : page_columns.size();
	for (std::size_t index = 0; index < std::min(cells.size(), wanted); index++) {
		const std::string_view name = page_columns[index];
		const bool shorter = (index == 1 && cells[index] == "source") ||
				     (index == 2 && cells[index] == "destination");
		if (cells[index] != name && !shorter) {
			return error(table.header.line,
				     "column " + std::to_string(index + 1) + " is " + in_quotes(cells[index]),
				     in_quotes(name) + " is expected there");
		}
	}
	if (cells.size() > wanted) {
		return error(table.header.line, "unknown column " + in_quotes(cells[wanted]),
			     "the table has " + std::to_string(wanted) + " columns, the last one is " +
				     in_quotes(page_columns[wanted - 1]));
	}
	if (cells.size() < wanted) {
		return error(table.header.line, "column " + in_quotes(page_columns[cells.size()]) + " is missing",
			     "the table has " + std::to_string(wanted) + " columns");
	}
	return {};
}

Result<Row> PageImport::row(const TableRow &line, bool installation) const
{
	const std::vector<std::string> &cells = line.cells;
	const std::size_t comment = page_columns.size() - 1;
	const std::size_t wanted = installation ? installation_columns : page_columns.size();
	if (cells.size() != wanted) {
		return error(line.line,
			     "this row has " + std::to_string(cells.size()) + " cells, the header has " +
				     std::to_string(wanted),
			     cells.size() < wanted ? "give every column a cell, if need be an empty one"
						   : "write a bar that belongs to a cell as \\|");
	}
	for (std::size_t index = 0; index < cells.size(); index++) {
		if (const std::string complaint = text_complaint(cells[index], index == comment); !complaint.empty()) {
			return phrase_error(line.line,
					    {Exit::policy, in_quotes(page_columns[index]) + ' ' + complaint});
		}
	}
	Row row;
	row.place = {file_, line.line, 1};
	const std::optional<Direction> dir = direction_from(cells[0]);
	if (!dir) {
		return error(line.line, in_quotes(cells[0]) + " is not a direction", "use \"out\" or \"in\"");
	}
	row.dir = *dir;
	row.source = cells[1];
	row.destination = cells[2];
	const Result<Service> port = parse_service(cells[3]);
	if (!port) {
		return phrase_error(line.line, port.error());
	}
	row.port = *port;
	row.service = cells[4];
	if (installation) {
		// The page says neither: what an installation needs is between machines, and it fails without.
		row.type = "backend";
		row.status = Status::mandatory;
	} else {
		if (!is_type(cells[5])) {
			return error(line.line, in_quotes(cells[5]) + " is not a type",
				     "use \"backend\", \"user\" or \"host\"");
		}
		const std::optional<Status> status = status_from(cells[6]);
		if (!status) {
			return error(line.line, in_quotes(cells[6]) + " is not a status",
				     "use \"mandatory\" or \"optional\"");
		}
		row.type = cells[5];
		row.status = *status;
		row.comment = cells[7];
	}
	if (const Result<> good = check_sides(row); !good) {
		return phrase_error(line.line, good.error());
	}
	return row;
}

Result<Matrix> PageImport::matrix(const Table &table) const
{
	const auto scenario = std::ranges::find(scenarios, table.heading, &Scenario::heading);
	if (scenario == scenarios.end()) {
		const std::string where = table.heading.empty()
						  ? "before any heading of a scenario"
						  : "under the unknown heading " + in_quotes(table.heading);
		return error(table.header.line, "this table stands " + where, joined_headings());
	}
	const bool installation = scenario->suffix.empty();
	if (!installation && table.component.empty()) {
		return error(table.header.line, "it isn't said of which component this table is",
			     "a line such as \"On the node component\" is expected before it");
	}
	Matrix matrix;
	matrix.component = installation ? "component" : table.component;
	matrix.scenario = installation ? "installation" : matrix.component + '-' + std::string(scenario->suffix);
	matrix.title = table.heading;
	matrix.place = {file_, table.header.line, 1};
	if (const std::string complaint = id_complaint(matrix.scenario); !complaint.empty()) {
		return phrase_error(table.header.line,
				    {Exit::policy, "the component " + in_quotes(table.component) + ' ' + complaint});
	}
	if (const Result<> good = header(table, installation); !good) {
		return std::unexpected(good.error());
	}
	std::set<std::string> ids;
	for (const TableRow &line : table.rows) {
		Result<Row> one = row(line, installation);
		if (!one) {
			return std::unexpected(one.error());
		}
		one->id = id_for(*one, ids);
		matrix.rows.push_back(std::move(*one));
	}
	return matrix;
}

Result<std::vector<Matrix>> PageImport::read()
{
	const Result<std::string_view> checked = checked_text(text_, file_, "the page of the network matrix");
	if (!checked) {
		return std::unexpected(checked.error());
	}
	text_ = *checked;
	std::vector<std::string> known;
	known.reserve(scenarios.size());
	for (const Scenario &scenario : scenarios) {
		known.emplace_back(scenario.heading);
	}
	const Result<std::vector<Table>> tables = tables_of(text_, file_, known);
	if (!tables) {
		return std::unexpected(tables.error());
	}
	if (tables->empty()) {
		return error_at({}, {file_, 0, 0}, "the page has no tables", "give the page's Markdown, or its text");
	}
	std::vector<Matrix> matrices;
	for (const Table &table : *tables) {
		Result<Matrix> one = matrix(table);
		if (!one) {
			return std::unexpected(one.error());
		}
		const auto twin = std::ranges::find(matrices, one->scenario, &Matrix::scenario);
		if (twin != matrices.end()) {
			return error(table.header.line, "a second table for " + in_quotes(one->scenario),
				     "the first one is at line " + std::to_string(twin->place.line));
		}
		matrices.push_back(std::move(*one));
	}
	return matrices;
}

} // namespace

Result<std::vector<Matrix>> import_page(std::string_view text, const std::string &file)
{
	return PageImport(text, file).read();
}

} // namespace weir::policy
