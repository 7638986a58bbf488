// SPDX-License-Identifier: Apache-2.0
// The page as tables: which heading they stand under, whose component they are of. Internal.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

struct TableRow {
	unsigned line = 0;
	std::vector<std::string> cells; ///< without emphasis, back quotes and superfluous white space
};

struct Table {
	std::string heading;   ///< "Running without VPN/containers", "" = none
	std::string component; ///< of "On the X component", "" = none since the heading
	TableRow header;
	std::vector<TableRow> rows; ///< may have more or fewer cells than the header
};

/// Every table of the page, in Markdown (`| a | b |`, headings with #) or in the text of the page (`a | b |`,
/// headings that are lines like any other: those of `known_headings`).
Result<std::vector<Table>> tables_of(std::string_view text, const std::string &file,
				     const std::vector<std::string> &known_headings);

} // namespace weir::policy
