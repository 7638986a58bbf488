// SPDX-License-Identifier: Apache-2.0
// Follows the components' cgroups: one that appears is brought under its gates at once, one that went is forgotten.
// Between the two moments, and without this process, what a component does outside of a cgroup that is held already is
// judged by the edge only.
#pragma once

#include "audit/event.h"
#include "daemon/clock.h"
#include "daemon/records.h"
#include "kernel/instance.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

class Components {
public:
	explicit Components(kernel::Where where) : where_(std::move(where)) {}

	/// Becomes readable when look() has something to do; -1: nobody tells, so each tick() looks.
	[[nodiscard]] int fd() const { return watch_ ? watch_->fd() : -1; }
	/// Looks if cgroups came or went. What changed is said, and written when there is room.
	void look(Records &);
	/// Once a second, and at the start: looks in any case.
	void tick(Records &);
	/// All records are written: they are not told again by the next run.
	void written();

private:
	void follow(Records &);
	void tell_left(Records &, const kernel::Followed &);
	void tell(Records &, const audit::ComponentRecord &);
	void keep(const std::string &line);
	void put_kept(Records &);
	void note() const;

	kernel::Where where_;
	struct Kept {
		std::string line;
		bool is_put = false; ///< else there was no room yet
	};
	std::vector<Kept> kept_; ///< records that are not written yet, as the note has them
	bool is_left_ =
		true; ///< the note may have something that was not told: by a run that was killed, to begin with
	std::optional<kernel::ComponentWatch> watch_;
	Complaint complaint_;
	Complaint deaf_;
};

} // namespace weir::daemon
