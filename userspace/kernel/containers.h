// SPDX-License-Identifier: Apache-2.0
// Names of containers, as their runtimes keep them. Internal.
#pragma once

#include "kernel/components.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::kernel {

/// One search: what it has read it does not read again.
class ContainerNames {
public:
	explicit ContainerNames(const ComponentRoots &roots) : roots_(roots) {}

	/// Of the container that a cgroup of that name was made for; none: it is none, or nobody knows it.
	std::vector<std::string> of(const std::string &directory_name);
	/// Cgroups that crun and runc say they made for containers by that pattern, wherever those are.
	[[nodiscard]] std::vector<std::string> cgroups_by_state(const std::string &pattern) const;

private:
	std::optional<std::string> in_docker(const std::string &id) const;
	std::vector<std::string> in_podman(const std::string &id);

	const ComponentRoots &roots_;
	std::optional<std::map<std::string, std::vector<std::string>>> podman_; ///< id -> names
};

} // namespace weir::kernel
