// SPDX-License-Identifier: Apache-2.0
// Follows the host's interfaces: what appears is brought under the edge gate at once. Until then, and without this
// process, the packet gate refuses what passes by it.
#pragma once

#include "audit/event.h"
#include "base/fd.h"
#include "daemon/clock.h"
#include "daemon/records.h"
#include "kernel/instance.h"

#include <utility>

namespace weir::daemon {

class Interfaces {
public:
	explicit Interfaces(kernel::Where where) : where_(std::move(where)) {}

	/// Becomes readable when look() has something to do; -1: nobody tells, so each tick() looks.
	[[nodiscard]] int fd() const { return watch_ ? watch_.get() : -1; }
	/// Looks if something changed. What changed is said, and written if there is room. True when it looked
	/// and the edge is of this network namespace.
	bool look(Records &);
	/// Once a second, and at the start: looks also when the last look found a problem.
	bool tick(Records &);
	/// Another instance has taken the name.
	void look_again() { wanted_ = true; }

private:
	bool cover(Records &);
	void tell(Records &, const audit::InterfaceChange &);

	kernel::Where where_;
	Fd watch_;
	bool wanted_ = true; ///< the next tick looks, whatever is heard
	Complaint complaint_;
	Complaint deaf_;
};

} // namespace weir::daemon
