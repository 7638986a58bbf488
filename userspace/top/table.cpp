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

/// Takes from the widest that can give until all fit; false: they can't.
bool shrink(std::vector<Place> &places, const std::vector<Column> &columns, std::size_t width)
{
	while (total(places) > width) {
		Place *widest = nullptr;
		for (auto &each : places)
			if (each.width > columns[each.column].least &&
			    (widest == nullptr || each.width > widest->width))
				widest = &each;
		if (widest == nullptr)
			return false;
		widest->width--;
	}
	return true;
}

std::vector<Place> places_of(const std::vector<Column> &columns, const std::vector<Cells> &rows, std::size_t width)
{
	std::vector<Place> all;
	all.reserve(columns.size());
	for (std::size_t column = 0; column < columns.size(); column++) {
		auto widest = std::max(width_of(columns[column].title), columns[column].usual);
		for (const auto &row : rows)
			widest = std::max(widest, width_of(row[column]));
		all.push_back({column, widest});
	}
	for (;;) {
		auto places = all;
		if (shrink(places, columns, width))
			return places;
		const auto least =
			std::ranges::max_element(all, {}, [&](const Place &each) { return columns[each.column].rank; });
		if (columns[least->column].rank == 0)
			return places; // the line is cut
		all.erase(least);
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
