// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_tree.h"

#include "base/fd.h"

#include <fcntl.h>
#include <mntent.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace weir::kernel {

namespace {

namespace fs = std::filesystem;

fs::path cgroup2_mount()
{
	const std::unique_ptr<std::FILE, int (*)(std::FILE *)> mounts(::setmntent("/proc/self/mounts", "re"),
								      ::endmntent);
	while (const mntent *mount = mounts ? ::getmntent(mounts.get()) : nullptr)
		if (std::string_view(mount->mnt_type) == "cgroup2")
			return mount->mnt_dir;
	return {};
}

/// A cgroup's id is the whole content of its file handle (FILEID_KERNFS, fs/kernfs/mount.c). That takes
/// CAP_DAC_READ_SEARCH.
Fd open_by_id(const fs::path &mount, std::uint64_t id)
{
	constexpr int fileid_kernfs = 0xfe;
	union {
		file_handle head;
		char bytes[sizeof(file_handle) + sizeof(id)];
	} handle{};
	handle.head.handle_bytes = sizeof(id);
	handle.head.handle_type = fileid_kernfs;
	std::memcpy(handle.bytes + sizeof(file_handle), &id, sizeof(id));
	const Fd root(::open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return root ? Fd(::open_by_handle_at(root.get(), &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : Fd();
}

std::uint64_t id_of(const fs::path &directory)
{
	struct stat status{};
	return ::stat(directory.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// Without that capability: a search. "" when there is none.
fs::path find(const fs::path &mount, std::uint64_t id)
{
	if (id_of(mount) == id)
		return mount;
	std::error_code gone;
	for (fs::recursive_directory_iterator at(mount, fs::directory_options::skip_permission_denied, gone), end;
	     !gone && at != end; at.increment(gone)) {
		std::error_code error;
		if (at->is_directory(error) && !at->is_symlink(error) && id_of(at->path()) == id)
			return at->path();
	}
	return {};
}

void gather(const fs::path &directory, CgroupTree &tree)
{
	const auto id = id_of(directory);
	if (id == 0)
		return;
	tree.ids.push_back(id);
	std::ifstream processes(directory / "cgroup.procs");
	for (pid_t pid = 0; processes >> pid;)
		tree.processes.push_back(pid);
	std::error_code gone;
	for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
		std::error_code error;
		if (at->is_directory(error) && !at->is_symlink(error))
			gather(at->path(), tree);
	}
}

} // namespace

CgroupTree cgroup_tree(std::uint64_t id)
{
	CgroupTree tree;
	const auto mount = cgroup2_mount();
	if (const Fd directory = open_by_id(mount, id))
		gather("/proc/self/fd/" + std::to_string(directory.get()), tree);
	else if (const auto path = find(mount, id); !path.empty())
		gather(path, tree);
	return tree;
}

} // namespace weir::kernel
