// SPDX-License-Identifier: Apache-2.0
// Columns that fit: shrunk, then left out, from the least important one on.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weir::top {

struct Column {
	std::string title;
	bool right = false;     ///< numbers
	std::size_t least = 4;  ///< cells that it can be shrunk to
	std::size_t usual = 0;  ///< as wide as this even when it need not be, so that numbers do not make it jump
	unsigned rank = 0;      ///< that with the highest goes first where there is no room; 0: stays
	bool may_idle = false;  ///< it is left out when it says the same in each line, or nothing
};

using Cells = std::vector<std::string>; ///< one for each column

/// The heading, then a line for each row; all of them `width` cells wide.
std::vector<std::string> table_text(const std::vector<Column> &, const std::vector<Cells> &rows, std::size_t width);

} // namespace weir::top
