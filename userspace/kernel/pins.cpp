// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.h"

#include "kernel/edge.h"
#include "kernel/restore.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace weir::kernel {

Result<std::vector<std::string>> names_in(const std::string &directory)
{
	std::vector<std::string> names;
	const std::unique_ptr<DIR, int (*)(DIR *)> open(::opendir(directory.c_str()), ::closedir);
	if (!open) {
		if (errno == ENOENT)
			return names;
		return system_error(directory, errno);
	}
	while (const dirent *entry = ::readdir(open.get()))
		if (const std::string name = entry->d_name; name != "." && name != "..")
			names.push_back(name);
	std::ranges::sort(names);
	return names;
}

std::uint32_t images_of(const std::string &directory)
{
	const auto images = directory.empty() ? Result<Fd>(Fd()) : open_pin(directory + "/maps/images");
	return images ? id_of_map(images->get()) : 0;
}

Result<> unpin(const std::string &path)
{
	if (::unlink(path.c_str()) != 0 && errno != ENOENT)
		return system_error("unpinning " + path, errno);
	return {};
}

std::string new_directory(const Where &where)
{
	return where.directory() + "@new";
}

std::string old_directory(const Where &where)
{
	return where.directory() + "@old";
}

Result<bool> tidy(const Where &where)
{
	bool found = false;
	// Killed between the two renames of replace(): the new one is complete, and attached.
	if (!exists(where.directory()) && exists(old_directory(where)) && exists(new_directory(where))) {
		if (::rename(new_directory(where).c_str(), where.directory().c_str()) != 0)
			return system_error("renaming " + new_directory(where), errno);
		found = true;
	}
	for (const auto &left : {new_directory(where), old_directory(where)}) {
		if (!exists(left))
			continue;
		if (auto restored = restore(where.directory(), left); !restored)
			return std::unexpected(std::move(restored).error());
		if (auto dropped = drop(left, where.directory()); !dropped)
			return std::unexpected(std::move(dropped).error());
		found = true;
	}
	return found;
}

Result<> make_directory(const std::string &directory, bool edge)
{
	std::vector<std::string> all{directory, directory + "/maps", directory + "/links", directory + "/programs"};
	if (edge)
		all.push_back(directory + "/marks");
	for (const auto &each : all)
		if (::mkdir(each.c_str(), 0700) != 0)
			return system_error("making " + each, errno);
	return {};
}

Result<> replace(const Where &where)
{
	const auto now = where.directory();
	const auto fresh = new_directory(where);
	auto old = old_directory(where);
	// In one step where bpffs can (from 5.17 on): at no moment is there no directory of the instance.
	if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, now.c_str(), RENAME_EXCHANGE) == 0) {
		old = fresh;
	} else {
		if (exists(now) && ::rename(now.c_str(), old.c_str()) != 0)
			return system_error("renaming " + now, errno);
		if (::rename(fresh.c_str(), now.c_str()) != 0)
			return system_error("renaming " + fresh, errno);
	}
	if (exists(old))
		if (auto dropped = drop(old, now); !dropped)
			return std::unexpected(std::move(dropped).error());
	return {};
}

Result<> must_exist(const Where &where)
{
	struct stat status{};
	if (::lstat(where.directory().c_str(), &status) == 0)
		return {};
	if (errno != ENOENT && errno != ENOTDIR)
		return system_error(where.directory(), errno);
	if (exists(new_directory(where)) || exists(old_directory(where)))
		return fail(Exit::degraded,
			    fmt::format("instance {} is half loaded: weir apply is at work, or was interrupted\n  weir "
					"apply makes it whole, weir remove takes it away",
					where.instance));
	return fail(Exit::absent,
		    fmt::format("instance {} is not loaded: nothing is enforced by it\n  weir apply loads it",
				where.instance));
}

std::vector<std::string> instances(const std::string &bpffs)
{
	auto names = names_in(bpffs + "/weir");
	if (!names)
		return {};
	std::erase_if(*names, [](const std::string &name) { return name.contains('@'); });
	return *names;
}

} // namespace weir::kernel
