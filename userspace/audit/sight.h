// SPDX-License-Identifier: Apache-2.0
// What only who may look into other users' processes can tell of an event: CAP_SYS_PTRACE, for executables and network
// namespaces; CAP_DAC_READ_SEARCH, for cgroups without a search.
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <functional>
#include <string>

namespace weir::audit {

struct Process {
	bool known = false;        ///< /proc has it, and it began before the event
	bool same_netns = false;   ///< its network namespace is weir's
	std::uint64_t started = 0; ///< boot clock, ns, rounded down to a clock tick
	std::string executable;    ///< "" where it can't be read
};

/// As /proc shows it now. `event_time`: boot clock, ns.
Process process_of(std::uint32_t pid, std::uint64_t event_time);

class Cgroups {
public:
	/// Finds the cgroup2 mount in /proc/self/mounts; without one, cgroups stay without a path.
	Cgroups();
	/// Below the mount; "" when it is gone.
	std::string path_of(std::uint64_t id);

private:
	std::string walk_for(std::uint64_t id);

	Fd mount_;
	std::string root_; ///< where it is mounted
	std::uint64_t walked_at_ = 0;
};

/// How an event is looked up: by this process, or by another one.
struct Sight {
	std::function<Process(std::uint32_t pid, std::uint64_t event_time)> process;
	std::function<std::string(std::uint64_t id)> cgroup;
};
Sight own_sight();

} // namespace weir::audit
