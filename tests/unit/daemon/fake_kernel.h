// SPDX-License-Identifier: Apache-2.0
// A kernel for the daemon's tests: polls are scripted, so signals and floods come at the moment that is wanted.
#pragma once

#include "kernel/instance.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::kernel {

using Handle = std::function<void(const weir_event &)>;

struct FakeKernel {
	/// One for each poll; when there is none left, SIGTERM is sent.
	std::deque<std::function<void(const Handle &)>> polls;
	weir_counter counter{};
	std::map<std::uint32_t, weir_counter> counters; ///< besides, by weir_counter_index() of 1 and up
	std::vector<std::pair<weir_merge_key, weir_merge>> merges; ///< until they are taken
	int merges_taken = 0;
	bool merges_fail = false;
	/// What the next looks at the interfaces come to; none left: no change.
	std::deque<Result<std::vector<std::string>>> covers;
	int covered = 0;
	int watch = -1; ///< write end of what watch_interfaces() gives
	bool deaf = false; ///< watch_interfaces() fails
	/// What the next looks at the components come to; none left: no change.
	std::deque<Result<Followed>> follows;
	int followed = 0;
	bool no_component_watch = false; ///< ComponentWatch::open() fails
	BoundPolicy policy;
	std::uint32_t generation = 1;
	bool journal_needed = false; ///< by rows of the policy
	weir_lease lease{};
	bool locked = false; ///< change() finds that another process holds the policy
	bool loaded = true;
	Cut cut; ///< what cut_ended() ends
	std::vector<std::uint64_t> tallies; ///< by row
	std::vector<BoundPolicy> cut_after; ///< what it was given
	std::string notes; ///< directory of notes
	std::uint64_t made = 0; ///< events that were put into the ring
	std::uint64_t taken = 0; ///< and read from it
	std::string ring = "ring", counters_id = "counters"; ///< which they are
	std::string digest = "0123"; ///< of the policy
	std::vector<std::string> problems; ///< that inspect() finds
	int inspected = 0;
	int opened = 0;
	int images_read = 0;
};
FakeKernel &fake();

} // namespace weir::kernel
