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
#include <utility>

namespace weir::daemon {

class Components {
public:
	explicit Components(kernel::Where where) : where_(std::move(where)) {}

	/// Becomes readable when look() has something to do; -1: nobody tells, so each tick() looks.
	[[nodiscard]] int fd() const { return watch_ ? watch_->fd() : -1; }
	/// Looks if cgroups came or went. What changed is said, and written if there is room.
	void look(Records &);
	/// Once a second, and at the start: looks in any case.
	void tick(Records &);

private:
	void follow(Records &);
	void tell(Records &, const audit::ComponentRecord &);

	kernel::Where where_;
	std::optional<kernel::ComponentWatch> watch_;
	Complaint complaint_;
	Complaint deaf_;
};

} // namespace weir::daemon
