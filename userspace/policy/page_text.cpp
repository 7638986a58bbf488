// SPDX-License-Identifier: Apache-2.0
#include "policy/page_text.h"

#include "policy/diagnostic.h"
#include "policy/text.h"

#include <algorithm>

namespace weir::policy {
namespace {

constexpr std::string_view component_phrase = "On the ";

/// The cells of a line: split at bars that no backslash protects; one bar at each end belongs to no cell.
std::vector<std::string> raw_cells(std::string_view line)
{
	std::vector<std::string> cells(1);
	bool escaped = false;
	for (const char c : line) {
		if (c == '|' && !escaped) {
			cells.emplace_back();
			continue;
		}
		cells.back() += c;
		escaped = c == '\\' && !escaped;
	}
	if (cells.size() > 1 && squeezed(cells.front()).empty()) {
		cells.erase(cells.begin());
	}
	if (cells.size() > 1 && squeezed(cells.back()).empty()) {
		cells.pop_back();
	}
	return cells;
}

std::string plain(std::string_view cell)
{
	std::string out;
	for (std::size_t at = 0; at < cell.size(); at++) {
		const bool escape = cell[at] == '\\' && at + 1 < cell.size() &&
				    std::string_view("|*`\\_").contains(cell[at + 1]);
		if (escape) {
			out += cell[++at];
		} else if (cell[at] != '*' && cell[at] != '`') {
			out += cell[at];
		}
	}
	return squeezed(out);
}

bool is_separator(std::string_view line)
{
	if (!line.contains('|') || !line.contains('-')) {
		return false;
	}
	return line.find_first_not_of("|-: \t\r") == std::string_view::npos;
}

class PageReader {
public:
	PageReader(std::string_view text, const std::string &file, const std::vector<std::string> &known)
		: text_(text), file_(file), known_(known)
	{}

	Result<std::vector<Table>> read();

private:
	void prose(const std::string &line);
	Result<std::size_t> table(std::size_t index);
	[[nodiscard]] std::unexpected<Error> error(std::size_t index, std::string_view what,
						   std::string_view hint) const
	{
		return error_at(text_, {file_, static_cast<unsigned>(index + 1), 0}, what, hint);
	}

	std::string_view text_;
	const std::string &file_;
	const std::vector<std::string> &known_;
	std::vector<std::string_view> lines_;
	std::vector<Table> tables_;
	std::string heading_;
	std::string component_;
};

void PageReader::prose(const std::string &line)
{
	std::string title = line;
	const std::size_t hashes = std::min(line.find_first_not_of('#'), line.size());
	const bool marked = hashes > 0 && hashes <= 6 && hashes < line.size() && line[hashes] == ' ';
	if (marked) {
		title = plain(line.substr(hashes));
	}
	if (marked || std::ranges::find(known_, title) != known_.end()) {
		heading_ = title;
		component_.clear();
		return;
	}
	// "On the node component (`node` + `gui`):", of which the text of the page breaks the line after "(node".
	const std::string words = plain(line);
	const std::size_t end = words.find(" component");
	if (words.starts_with(component_phrase) && end != std::string::npos && end > component_phrase.size()) {
		component_ = words.substr(component_phrase.size(), end - component_phrase.size());
	}
}

Result<std::size_t> PageReader::table(std::size_t index)
{
	Table table{heading_, component_, {static_cast<unsigned>(index + 1), {}}, {}};
	for (const std::string &cell : raw_cells(lines_[index])) {
		table.header.cells.push_back(plain(cell));
	}
	const std::size_t width = table.header.cells.size();
	if (raw_cells(lines_[index + 1]).size() != width) {
		return error(index + 1, "the line under the header has another number of columns",
			     "the header has " + std::to_string(width));
	}
	std::size_t at = index + 2;
	for (; at < lines_.size() && lines_[at].contains('|'); at++) {
		TableRow row{static_cast<unsigned>(at + 1), {}};
		const std::string_view line = lines_[at];
		// An empty last cell looks like the end of the line: "a | b | |" and "| a | b | |" end in two bars.
		for (const std::string &cell : raw_cells(line)) {
			row.cells.push_back(plain(cell));
		}
		table.rows.push_back(std::move(row));
	}
	if (table.rows.empty()) {
		return error(index, "this table has no rows", "add them, or take the table out");
	}
	tables_.push_back(std::move(table));
	return at;
}

Result<std::vector<Table>> PageReader::read()
{
	for (std::size_t from = 0; from <= text_.size();) {
		const std::size_t end = std::min(text_.find('\n', from), text_.size());
		lines_.push_back(text_.substr(from, end - from));
		from = end + 1;
	}
	for (std::size_t index = 0; index < lines_.size();) {
		const std::string line = squeezed(lines_[index]);
		if (line.contains('|') && index + 1 < lines_.size() && is_separator(lines_[index + 1])) {
			const Result<std::size_t> next = table(index);
			if (!next) {
				return std::unexpected(next.error());
			}
			index = *next;
			continue;
		}
		if (line.starts_with('|') || line.ends_with('|')) {
			return error(index, "this looks like a row of a table, but it stands in none",
				     "a table is a header, a line of dashes, and rows without a gap");
		}
		prose(line);
		index++;
	}
	return std::move(tables_);
}

} // namespace

Result<std::vector<Table>> tables_of(std::string_view text, const std::string &file,
				     const std::vector<std::string> &known_headings)
{
	return PageReader(text, file, known_headings).read();
}

} // namespace weir::policy
