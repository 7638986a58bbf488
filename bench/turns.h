// SPDX-License-Identifier: Apache-2.0
// Comparison by turns: a worker at each place, each asked for a few milliseconds of work, round after round. What is
// compared runs within milliseconds of each other, so a machine that is busy for a second is busy for all alike.
#pragma once

#include "tests/support/process.h"

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {

/// One turn of work; gives nanoseconds for each operation. Throws when the work can't be done.
using Turn = std::function<double()>;

/// Register a benchmark of which each iteration is a round, and whose counters are the medians, in nanoseconds, of
/// each of `places` (World::spot). `prepare` runs once at each place and gives the turn to take there.
void register_turns(const std::string &name, const std::vector<std::string> &places, std::function<Turn()> prepare,
		    unsigned rounds);

/// The same of turns that are all taken by this process, in threads' namespaces and on processors of their own choice.
/// `prepare` runs once for each repetition.
using Turns = std::vector<std::pair<std::string, Turn>>;
void register_turns(const std::string &name, std::function<Turns()> prepare, unsigned rounds);

/// The same in other places than World's: where they are is told by `spot`; `prepare` is told the place.
void register_turns(const std::string &name, const std::vector<std::string> &places,
		    std::function<test::Spot(const std::string &)> spot,
		    std::function<Turn(const std::string &)> prepare, unsigned rounds);

/// Everything that is compared, and without the row counts in between.
std::vector<std::string> all_places();
std::vector<std::string> main_places();

/// Of the steady clock, in nanoseconds.
double now_ns();

} // namespace weir::bench
