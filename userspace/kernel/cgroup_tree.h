// SPDX-License-Identifier: Apache-2.0
// A cgroup and what is below it. Internal.
#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace weir::kernel {

struct CgroupTree {
	std::vector<std::uint64_t> ids; ///< of the cgroup and of all below it
	std::vector<pid_t> processes;   ///< that are in one of them
};

/// Of the cgroup with this id, wherever cgroup2 is mounted. Nothing when it is gone.
CgroupTree cgroup_tree(std::uint64_t id);

} // namespace weir::kernel
