// SPDX-License-Identifier: Apache-2.0
// Rows that need the journal hold while it is written. This says so to the kernel, again and again, each time for a few
// seconds: when this process is killed or stopped, or waits for its disk, they close by themselves.
#pragma once

#include "daemon/broker.h"
#include "daemon/clock.h"
#include "daemon/records.h"

#include <cstdint>
#include <string>
#include <utility>

namespace weir::daemon {

class Lease {
public:
	static constexpr std::int64_t pause = 900 * ms; ///< between two looks
	static constexpr std::int64_t length = 5 * second; ///< of a lease

	explicit Lease(Broker &broker) : broker_(broker) {}

	/// To be called when what there was has been given to the journal. Does something once in a `pause`, and only where
	/// the policy in force has such rows: proves that the journal can be written, and renews; else withdraws.
	void look(Records &);

private:
	void renew(Records &);
	void withdraw(Records &, const std::string &problem);
	void note(Records &, const char *action, const std::string &text, std::uint64_t closed_for);

	Broker &broker_;
	std::int64_t next_ = 0; ///< monotonic
	std::string said_; ///< the problem that was said last
};

} // namespace weir::daemon
