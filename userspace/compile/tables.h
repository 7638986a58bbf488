// SPDX-License-Identifier: Apache-2.0
// The two hash tables of an image and the search trees of prefix lengths. Internal to the compiler.
#pragma once

#include "compile/classes.h"
#include "bpf/abi.h"

#include <array>
#include <cstdint>
#include <vector>

namespace weir::compiler {

/// A table of buckets of one line; every key stands in one of its two buckets. Same items, same bytes.
struct Table {
	std::vector<weir_line> lines;
	[[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(lines.size() - 1); }
};

Table address_table(const std::vector<weir_address> &);
Table cell_table(const std::vector<weir_cell> &);

/// A family's prefixes as a verdict searches them.
struct Search {
	std::array<std::uint8_t, 256> tree{};  ///< see WEIR_LENGTH_STEPS
	std::uint32_t default_class = 0;       ///< of the family's whole space
	std::vector<weir_address> entries;     ///< prefixes and markers, sorted
};

Search search_of(const std::vector<ClassedPrefix> &, bool v4);

} // namespace weir::compiler
