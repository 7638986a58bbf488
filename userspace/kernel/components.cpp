// SPDX-License-Identifier: Apache-2.0
#include "kernel/components.h"

#include "kernel/containers.h"

#include <fnmatch.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace weir::kernel {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view unit_prefix = "unit:";
constexpr std::string_view container_prefix = "container:";
constexpr unsigned deepest = 32; ///< below the mount; systemd and the runtimes need ten

std::string name_in(const std::string &cgroup)
{
	return cgroup.substr(cgroup.find(':') + 1);
}

bool is_directory(const std::string &path)
{
	struct stat status{};
	return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// systemd.slice(5): the dashes of a name are its way from the root. a-b.slice is a.slice/a-b.slice.
std::string path_of_slice(const std::string &name)
{
	std::string path;
	if (name == "-.slice")
		return path;
	for (auto dash = name.find('-'); dash != std::string::npos; dash = name.find('-', dash + 1))
		path += "/" + name.substr(0, dash) + ".slice";
	return path + "/" + name;
}

std::vector<std::string> of_unit(const std::string &name, const ComponentRoots &roots)
{
	const auto &root = roots.cgroups;
	std::vector<std::string> found;
	if (name.ends_with(".slice")) {
		if (auto path = root + path_of_slice(name); is_directory(path))
			found.push_back(std::move(path));
		return found;
	}
	// A unit of the system stands below slices only; what a service has made inside of its own cgroup is none.
	const auto visit = [&](const std::string &directory, const std::string &each) {
		if (each == name)
			found.push_back(directory);
		return each.ends_with(".slice");
	};
	walk_cgroups(root, visit, roots.owner);
	return found;
}

std::vector<std::string> of_container(const std::string &pattern, const ComponentRoots &roots)
{
	ContainerNames names(roots);
	auto found = names.cgroups_by_state(pattern);
	const auto visit = [&](const std::string &directory, const std::string &each) {
		const bool matches = std::ranges::any_of(names.of(each), [&](const std::string &name) {
			return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
		});
		if (matches)
			found.push_back(directory);
		return !matches && !is_of_container(each); // what is in a container is not the host's
	};
	walk_cgroups(roots.cgroups, visit, roots.owner);
	return found;
}

void walk(const std::string &directory, unsigned depth,
	  const std::function<bool(const std::string &, const std::string &)> &visit, std::uint32_t owner)
{
	struct stat status{};
	if (depth > deepest || ::lstat(directory.c_str(), &status) != 0 || status.st_uid != owner)
		return;
	std::error_code gone;
	for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
		std::error_code error;
		if (!at->is_directory(error) || at->is_symlink(error))
			continue;
		if (const auto path = at->path().string(); visit(path, at->path().filename()))
			walk(path, depth + 1, visit, owner);
	}
}

/// data-root of /etc/docker/daemon.json; "" when it is not said.
std::string docker_data_root()
{
	std::ifstream file("/etc/docker/daemon.json");
	const auto configuration = file ? nlohmann::json::parse(file, nullptr, false) : nlohmann::json();
	const auto root = configuration.is_object() ? configuration.value("data-root", nlohmann::json())
						    : nlohmann::json();
	return root.is_string() ? root.get<std::string>() : "";
}

} // namespace

Result<ComponentRoots> ComponentRoots::of_host()
{
	ComponentRoots roots;
	std::ifstream mounts("/proc/mounts");
	std::string device, where, type, rest;
	while (roots.cgroups.empty() && mounts >> device >> where >> type && std::getline(mounts, rest))
		if (type == "cgroup2") // on a hybrid host it is not at /sys/fs/cgroup itself
			roots.cgroups = where;
	if (roots.cgroups.empty())
		return fail("cgroup2 is not mounted, so no component can be found\n  mount it: mount -t cgroup2 none "
			    "/sys/fs/cgroup");
	if (auto docker = docker_data_root(); !docker.empty())
		roots.docker = {std::move(docker)};
	return roots;
}

ComponentKind kind_of(std::string_view cgroup)
{
	if (cgroup.starts_with(unit_prefix))
		return ComponentKind::unit;
	return cgroup.starts_with(container_prefix) ? ComponentKind::container : ComponentKind::directory;
}

std::vector<std::string> cgroups_of(const std::string &cgroup, const ComponentRoots &roots)
{
	std::vector<std::string> found;
	switch (kind_of(cgroup)) {
	case ComponentKind::directory:
		if (is_directory(cgroup))
			found.push_back(cgroup);
		break;
	case ComponentKind::unit:
		found = of_unit(name_in(cgroup), roots);
		break;
	case ComponentKind::container:
		found = of_container(name_in(cgroup), roots);
		break;
	}
	std::ranges::sort(found);
	const auto [first, last] = std::ranges::unique(found);
	found.erase(first, last);
	return found;
}

Result<std::vector<std::string>> cgroups_of(const std::string &cgroup)
{
	const auto roots = kind_of(cgroup) == ComponentKind::directory ? ComponentRoots() : ComponentRoots::of_host();
	if (!roots)
		return std::unexpected(roots.error());
	return cgroups_of(cgroup, *roots);
}

std::string absence_of(const std::string &cgroup)
{
	switch (kind_of(cgroup)) {
	case ComponentKind::unit:
		return "unit " + name_in(cgroup) + " is not running: it has no cgroup";
	case ComponentKind::container:
		return "no container that runs is called " + name_in(cgroup);
	case ComponentKind::directory:
		break;
	}
	return "cgroup " + cgroup + " is not there";
}

void walk_cgroups(const std::string &root, const std::function<bool(const std::string &, const std::string &)> &visit,
		  std::uint32_t owner)
{
	walk(root, 0, visit, owner);
}

} // namespace weir::kernel
