// SPDX-License-Identifier: Apache-2.0
#include "top/table.h"

#include "top/text.h"

#include <algorithm>

namespace weir::top {
namespace {

constexpr std::size_t gap = 2; ///< cells between columns

struct Place {
	std::size_t column;
	std::size_t width;
};

std::size_t total(const std::vector<Place> &places)
{
	std::size_t cells = places.empty() ? 0 : (places.size() - 1) * gap;
	for (const auto &each : places)
		cells += each.width;
	return cells;
}

/// Takes from the widest that can give until all fit; false: they can't. Columns of rank 0 give only if `all`.
bool shrink(std::vector<Place> &places, const std::vector<Column> &columns, std::size_t width, bool all)
{
	while (total(places) > width) {
		Place *widest = nullptr;
		for (auto &each : places) {
			const auto &column = columns[each.column];
			if ((all || column.rank != 0) && each.width > column.least &&
			    (widest == nullptr || each.width > widest->width))
				widest = &each;
		}
		if (widest == nullptr)
			return false;
		widest->width--;
	}
	return true;
}

/// The cells of a column that says the same in each line, or nothing, are worth no room.
bool is_idle(const Column &column, const std::vector<Cells> &rows, std::size_t number)
{
	return column.may_idle && std::ranges::all_of(rows, [&](const Cells &row) {
		       return row[number].empty() || row[number] == rows.front()[number];
	       });
}

std::vector<Place> places_of(const std::vector<Column> &columns, const std::vector<Cells> &rows, std::size_t width)
{
	std::vector<Place> all;
	all.reserve(columns.size());
	for (std::size_t column = 0; column < columns.size(); column++) {
		if (is_idle(columns[column], rows, column))
			continue;
		auto widest = std::max(width_of(columns[column].title), columns[column].usual);
		for (const auto &row : rows)
			widest = std::max(widest, width_of(row[column]));
		all.push_back({column, widest});
	}
	const auto rank = [&](const Place &each) { return columns[each.column].rank; };
	for (;;) {
		auto places = all;
		if (shrink(places, columns, width, false))
			return places;
		const auto last = std::ranges::max_element(all, {}, rank);
		// What names a line is shrunk only when there is little else to leave out.
		if (rank(*last) <= 1 && (shrink(places, columns, width, true) || rank(*last) == 0))
			return places;
		all.erase(last);
	}
}

} // namespace

std::vector<std::string> table_text(const std::vector<Column> &columns, const std::vector<Cells> &rows,
				    std::size_t width)
{
	const auto places = places_of(columns, rows, width);
	const auto line = [&](const auto &text_at) {
		std::string text;
		for (const auto &each : places) {
			if (!text.empty())
				text.append(gap, ' ');
			text += fit(text_at(each.column), each.width, columns[each.column].right);
		}
		return fit(text, width);
	};
	std::vector<std::string> lines;
	lines.reserve(rows.size() + 1);
	lines.push_back(line([&](std::size_t column) -> const std::string & { return columns[column].title; }));
	for (const auto &row : rows)
		lines.push_back(line([&](std::size_t column) -> const std::string & { return row[column]; }));
	return lines;
}

} // namespace weir::top
