// SPDX-License-Identifier: Apache-2.0
// The parts of the screen, each a table: chosen by the filter, sorted, as text.
#pragma once

#include "top/ui.h"
#include "top/view.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::top {

/// One part: its table's heading and lines, all as wide as they were asked to be.
struct Section {
	std::string heading;
	std::vector<std::string> lines;
	std::size_t all = 0; ///< lines that there are; `lines` may be fewer
};

/// What of a section is wanted.
struct Cut {
	std::size_t width = 80;
	std::size_t first = 0; ///< lines to leave out at its start
	std::size_t most = 20; ///< lines
	bool in_full = false;  ///< it is alone on the screen: texts are broken into lines where they are long
};

/// How many lines it has, whatever is cut.
std::size_t count_of(Pane, const View &, const Ui &);
/// Of each pane but `all`. `boot_ns` is now: windows count down.
Section section_of(Pane, const View &, const Ui &, const Cut &, std::uint64_t boot_ns);

} // namespace weir::top
