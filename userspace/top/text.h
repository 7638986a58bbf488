// SPDX-License-Identifier: Apache-2.0
// Text in cells of a terminal: how wide it is, how it is cut, how numbers are said. By LC_CTYPE: what the terminal's
// character set does not have is a question mark, one cell wide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::top {

/// Cells that the text takes once it went through fit().
std::size_t width_of(std::string_view text);

/// The text in just so many cells: blanks are added, on its left if `right`; what is too long ends in "~". A wide
/// character that would stand half outside is a blank.
std::string fit(std::string_view text, std::size_t width, bool right = false);

/// At most 6 characters: "0", "0.5", "12", "4711", "12.3k", "1.2M".
std::string rate_text(double per_second);
/// All digits up to a million, then at most 6 characters: "1.23M", "45.6G".
std::string count_text(std::uint64_t);
/// "59s", "12m05s", "3h04m", "12d"
std::string span_text(std::int64_t seconds);

/// Lines of at most so many cells, broken at blanks where there are any; at most `most` of them, the last one cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::size_t most);

} // namespace weir::top
