// SPDX-License-Identifier: Apache-2.0
// Windows, as the daemon sees them: the record says who opened which and how it ended, and what was opened under one is
// cut at its end. That nothing passes any more is the kernel's doing, by its own clock, and doesn't wait for this.
#pragma once

#include "audit/event.h"
#include "base/fd.h"
#include "daemon/clock.h"
#include "daemon/records.h"
#include "kernel/instance.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace weir::daemon {

class Windows {
public:
	explicit Windows(kernel::Where where);

	/// Becomes readable when the time of a window is over.
	[[nodiscard]] int fd() const { return timer_ ? timer_.get() : -1; }
	/// Cuts and takes away what ended by now. Cheap when nothing did.
	void look(Records &);
	/// Once a second, and at the start: also what others did. What happened is said, and written if there is room;
	/// else the next tick tries.
	void tick(Records &);
	/// All records are written: it is not told again by the next run.
	void written();
	/// Another instance has taken the name.
	void look_again() { generation_ = 0; }

private:
	/// An opening has one end: its window and its deadline (boot clock, ns) name it. What extends it is another one.
	using Key = std::pair<std::string, std::uint64_t>;
	struct Told {
		std::int64_t opened = 0; ///< UNIX time, ns
		bool ended = false;
		std::string by{}, reason{}; ///< of who opened it
	};

	void read();
	void end(Records &);
	void tell(Records &);
	bool tell(Records &, const Opening &);
	bool tell_end(Records &, const Opening &, audit::WindowChange);
	bool tell_gone(Records &, const Key &, const Told &);
	[[nodiscard]] bool remembers(const Key &) const;
	bool put(Records &, const audit::WindowChange &);
	[[nodiscard]] std::string beginning(const Opening &) const;
	void set_timer();
	void recall();

	kernel::Where where_;
	Fd timer_;
	std::uint32_t generation_ = 0; ///< of openings_; 0: they are to be read
	std::uint64_t next_ = 0; ///< boot clock, ns: the first row that ends; 0: none
	bool is_read_ = false; ///< openings_ is what the policy in force remembers, or none is in force
	std::vector<Opening> openings_;
	std::map<Key, Told> told_;
	struct Ended {
		std::uint64_t cut = 0; ///< connections
		std::uint64_t decided = 0; ///< by its rows
	};
	std::map<Key, Ended> cut_; ///< of what ended just now
	bool unwritten_ = false; ///< told_ is not noted yet
	std::uint64_t retry_ = 0; ///< boot clock, ns: when end() is tried again
	Complaint complaint_;
};

} // namespace weir::daemon
