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

Fd open_cgroup2()
{
	const std::unique_ptr<std::FILE, int (*)(std::FILE *)> mounts(::setmntent("/proc/self/mounts", "re"),
								      ::endmntent);
	while (const mntent *mount = mounts ? ::getmntent(mounts.get()) : nullptr)
		if (std::string_view(mount->mnt_type) == "cgroup2")
			return Fd(::open(mount->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return {};
}

/// A cgroup's id is the whole content of its file handle (FILEID_KERNFS, fs/kernfs/mount.c).
Fd open_by_id(std::uint64_t id)
{
	constexpr int fileid_kernfs = 0xfe;
	union {
		file_handle head;
		char bytes[sizeof(file_handle) + sizeof(id)];
	} handle{};
	handle.head.handle_bytes = sizeof(id);
	handle.head.handle_type = fileid_kernfs;
	std::memcpy(handle.bytes + sizeof(file_handle), &id, sizeof(id));
	const Fd mount = open_cgroup2();
	return mount ? Fd(::open_by_handle_at(mount.get(), &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : Fd();
}

void gather(const fs::path &directory, CgroupTree &tree)
{
	struct stat status{};
	if (::stat(directory.c_str(), &status) != 0)
		return;
	tree.ids.push_back(status.st_ino);
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
	if (const Fd directory = open_by_id(id))
		gather("/proc/self/fd/" + std::to_string(directory.get()), tree);
	return tree;
}

} // namespace weir::kernel
