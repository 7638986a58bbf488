// SPDX-License-Identifier: Apache-2.0
// The whole screen, as text with styles. Pure: no terminal, no clock.
#pragma once

#include "top/ui.h"
#include "top/view.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::top {

enum class Style : std::uint8_t { normal, heading, good, warning, alarm };

struct Span {
	std::string text;
	Style style = Style::normal;
};
using Line = std::vector<Span>;

struct Size {
	std::size_t lines = 24;
	std::size_t columns = 80;
	bool operator==(const Size &) const = default;
};

struct Page {
	std::vector<Line> lines; ///< as many as the screen has, none wider than it
	std::size_t most_scroll = 0;
	std::size_t page = 1; ///< lines that scroll by
};

/// `live` is the last interval, of which mode and problems are shown whatever is held; `held` is what the panes show:
/// the same, or what was when it was paused. `boot_ns` is now.
Page page_of(const View &live, const View &held, const Ui &, const Size &, std::uint64_t boot_ns);

/// One screen for a pipe or a file: each part with its busiest lines, nothing cut to the width of a terminal unless
/// `columns` is one. Newlines included.
std::string plain_text(const View &, std::size_t columns, std::uint64_t boot_ns);

} // namespace weir::top
