// SPDX-License-Identifier: Apache-2.0
// Keeps the journal: signs it at intervals, with the sums of what the kernel counted; makes room; and records what
// happened to the recording itself. docs/journal.md. Without a journal it does nothing.
#pragma once

#include "daemon/clock.h"
#include "daemon/merged.h"
#include "daemon/records.h"
#include "kernel/instance.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace weir::daemon {

class Keeper {
public:
	using Clock = std::int64_t (*)(clockid_t);
	explicit Keeper(std::string instance, Clock clock = clock_ns) : instance_(std::move(instance)), clock_(clock) {}

	/// The ring is read from now on.
	void begin(Records &, const kernel::Ring &, Merged &);
	/// It was read to its end: its instance is gone. turn_to(): and another one came by its name.
	void leave(Records &, const kernel::Ring &);
	void turn_to(Records &, const kernel::Ring &, const Merged &);
	/// Among other work: signs what is due. Cheap when nothing is.
	void look(Records &, const kernel::Ring &, const Merged &);
	/// Once a second, when the counters' records are put.
	void tick(Records &, const kernel::Ring &, const Merged &);
	/// The journal, or the output without one, took nothing for a while.
	void was_stuck(const std::string &problem) { stuck_ = problem.empty() ? "no room" : problem; }
	/// The last record and the last checkpoint. `is_removed`: and with the instance went what waited in it. Error: it is
	/// not on the disk.
	Result<> end(Records &, const kernel::Ring *, const Merged &, bool is_removed);

private:
	void note(Records &, const std::string &action, const std::string &text, const std::string &facts,
		  const char *outcome = "success");
	void note_begin(Records &, bool same_counters, std::uint64_t unrecorded);
	void notice_time(Records &);
	void notice_quiet(Records &, const kernel::Ring &, const Merged &);
	Result<> sign(Records &, const kernel::Ring *, const Merged &);
	[[nodiscard]] bool wants_to_sign(Records &) const;
	static void count(Records &, const kernel::Ring &);
	void tidy(Records &);

	std::string instance_;
	Clock clock_;
	std::string ring_; ///< the last one
	std::uint64_t next_ = 0; ///< and what would have been read next
	std::int64_t next_try_ = 0; ///< monotonic: of a checkpoint that could not be written
	std::int64_t signed_at_ = 0; ///< monotonic
	std::int64_t ticked_at_ = 0; ///< boot clock
	std::int64_t to_wall_ = 0;
	std::uint64_t judged_ = 0; ///< by the counters of the last tick
	std::uint64_t admitted_ = 0; ///< the same of packets that windows admitted
	std::string stuck_;
	Complaint complaint_;
	Complaint untidy_;
};

} // namespace weir::daemon
