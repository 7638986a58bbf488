// SPDX-License-Identifier: Apache-2.0
// Where the components of a policy run: a cgroup by its directory, by a systemd unit, by a container's name. It only
// reads directories and the files of container runtimes.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kernel {

/// Where cgroup2 is, and where container runtimes of the host (those that root runs) keep what they know.
struct ComponentRoots {
	std::string cgroups; ///< the mount of cgroup2
	std::vector<std::string> docker{"/var/lib/docker"};
	std::vector<std::string> podman{"/var/lib/containers/storage", "/run/containers/storage"};
	std::vector<std::string> oci{"/run/crun", "/run/runc"}; ///< state of crun and runc: a directory for each id
	std::uint32_t owner = 0; ///< uid of whose directories are the system's

	/// Of this host: /proc/mounts, and data-root of Docker's configuration. Error: cgroup2 is not mounted.
	static Result<ComponentRoots> of_host();
};

/// How a scope says where it is.
enum class ComponentKind : std::uint8_t { directory, unit, container };
ComponentKind kind_of(std::string_view cgroup);

/// The cgroups that are meant by a scope's `cgroup`, as directories, sorted; none: it does not run.
///   unit:NAME          a slice's path follows from its name; a service or scope is looked for below slices
///   container:PATTERN  of Docker, Podman, crun or runc, by its name (fnmatch); a cgroup that is called like it, too
/// Below a directory that is not root's nothing is looked for: what its user makes there has any name they like.
std::vector<std::string> cgroups_of(const std::string &cgroup, const ComponentRoots &);
Result<std::vector<std::string>> cgroups_of(const std::string &cgroup);

/// "no container is called fedbiomed-node-*": what it means that none matches.
std::string absence_of(const std::string &cgroup);

/// Goes through the cgroups below `root`, parents first; `visit` gets each directory and its name, and says whether
/// those below it are of interest. They are not where the directory is not `owner`'s.
void walk_cgroups(const std::string &root, const std::function<bool(const std::string &, const std::string &)> &visit,
		  std::uint32_t owner = 0);

/// Is a cgroup of that name one that a runtime made for a container?
bool is_of_container(std::string_view name);

} // namespace weir::kernel
