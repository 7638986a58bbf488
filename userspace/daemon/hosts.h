// SPDX-License-Identifier: Apache-2.0
// Follows the DNS names of the policy in force: each is looked up anew when its answer's lifetime is over, and what
// changed is published by one swap. Never waits, neither for a resolver nor for a lock. Without this process the
// addresses stay as they are.
#pragma once

#include "audit/name_change.h"
#include "base/fd.h"
#include "daemon/clock.h"
#include "daemon/kept_addresses.h"
#include "daemon/records.h"
#include "kernel/instance.h"
#include "names/lookup.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::daemon {

/// How often, in ns. An answer's lifetime is taken as one from `least` to `most`.
struct Pace {
	std::int64_t least = 5 * second;
	std::int64_t most = 3600 * second;
	std::int64_t retry = 5 * second;        ///< after the first failure; twice as long after each further one
	std::int64_t longest_retry = 300 * second;
	std::int64_t say_again = 3600 * second; ///< of what goes on being wrong, a record
	std::int64_t keep = 600 * second;       ///< KeptAddresses
	std::int64_t look_up = 6 * second;      ///< how long a look-up may take
};

class Hosts {
public:
	explicit Hosts(kernel::Where, Pace = {});

	/// Becomes readable when look() has something to do.
	[[nodiscard]] int fd() const { return epoll_.get(); }
	/// Takes answers that are there.
	void look(Records &);
	/// Once a second, and at the start: reads the policy if it is another one, begins what is due.
	void tick(Records &);
	/// Another instance has taken the name.
	void look_again() { generation_ = 0; }

private:
	/// One name of the policy in force.
	struct Followed {
		Followed(HostName, std::int64_t keep);
		HostName host;
		KeptAddresses kept;
		std::int64_t due = 0; ///< boot clock
		std::optional<names::Lookup> lookup;
		std::vector<Prefix> wanted; ///< not published yet: somebody else was changing the policy
		names::Answer answer;       ///< that led to it
		unsigned failures = 0;
		unsigned tries = 0; ///< to publish
		names::Problem problem{};
		std::int64_t said = 0; ///< when the failure was last recorded
		std::set<Address> refused; ///< that have a record
		std::int64_t refused_said = 0;
	};
	using Each = std::pair<const std::string, Followed>;

	void read_policy();
	void start(Records &, Each &);
	void step(Records &, Each &);
	void take(Records &, Each &, const names::Answer &);
	void tell_refused(Records &, Each &, const std::vector<std::pair<Address, std::string>> &, bool all);
	void fail(Records &, Each &, const names::Failure &);
	void publish(Records &, Each &);
	[[nodiscard]] std::string cut(const BoundPolicy &before) const;
	void tell(Records &, const audit::NameChange &);

	kernel::Where where_;
	Pace pace_;
	Fd epoll_; ///< of all look-ups under way
	std::uint32_t generation_ = 0; ///< of what followed_ was read from
	std::map<std::string, Followed> followed_; ///< by the rows' name
	std::vector<std::string> resolvers_;
	Complaint complaint_;
};

} // namespace weir::daemon
