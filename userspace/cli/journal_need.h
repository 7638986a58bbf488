// SPDX-License-Identifier: Apache-2.0
// Rows that hold only while the journal is written: which there are, whether they are open, why not, and what to do.
#pragma once

#include "cli/cli.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

/// Ids, in their order; none: the policy needs no journal. Of windows that are closed, too.
std::vector<std::string> rows_with_need(const BoundPolicy &);

struct JournalNeed {
	std::size_t rows = 0; ///< in force; 0: all below is empty
	bool open = true;
	std::string why;      ///< they are closed
	std::string remedy;
	std::uint64_t closed_for = 0; ///< seconds; 0: they never were open, or it is less
};

/// Of what is in force, by the clock of now. `has_reader`: a `weir run` is there.
JournalNeed need_of(const BoundPolicy &, const weir_lease &, bool has_reader, std::uint64_t boot_ns,
		    const std::string &instance);
/// The same, asked of the kernel, with patience for who writes the journal to notice a policy that was just applied.
JournalNeed wait_for_journal(const BoundPolicy &, const Context &);

std::string text_of(const JournalNeed &); ///< one line or two, without the last newline
nlohmann::ordered_json as_json(const JournalNeed &);

/// Of a policy that is not in force yet: a row by which an admin may come in, which would be closed when he is needed
/// most; and no journal where `weir run` would write it.
std::vector<std::string> need_warnings(const BoundPolicy &, const Context &);

} // namespace weir::cli
