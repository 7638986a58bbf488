// SPDX-License-Identifier: Apache-2.0
// Comparison by turns: a worker at each place, each asked for a few milliseconds of work, round after round. What is
// compared runs within milliseconds of each other, so a machine that is busy for a second is busy for all alike.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace weir::bench {

/// One turn of work; gives nanoseconds for each operation. Throws when the work can't be done.
using Turn = std::function<double()>;

/// Register a benchmark of which each iteration is a round, and whose counters are the medians, in nanoseconds, of
/// each of `places` (World::spot). `prepare` runs once at each place and gives the turn to take there.
void register_turns(const std::string &name, const std::vector<std::string> &places, std::function<Turn()> prepare,
		    unsigned rounds);

/// Everything that is compared, and without the row counts in between.
std::vector<std::string> all_places();
std::vector<std::string> main_places();

/// Of the steady clock, in nanoseconds.
double now_ns();

} // namespace weir::bench
