// SPDX-License-Identifier: Apache-2.0
#include "audit/sight.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

namespace weir::audit {
namespace {

constexpr std::size_t longest_name = 1024; ///< bytes kept of a path

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t walk_pause = second;

std::uint64_t boot_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string link_target(const char *path)
{
	char text[longest_name];
	const auto size = ::readlink(path, text, sizeof(text));
	return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::uint64_t inode(const char *path)
{
	struct stat status{};
	return ::stat(path, &status) == 0 ? status.st_ino : 0;
}

/// Start of a process, boot clock, ns, rounded down to a clock tick: field 22 of /proc/PID/stat, proc(5). 0 when
/// there is no such process. The fields are counted from the last ')', because a task's name may hold any.
std::uint64_t start_of(const char *stat_path)
{
	const Fd file(::open(stat_path, O_RDONLY | O_CLOEXEC));
	char buffer[1024];
	const auto size = file ? ::read(file.get(), buffer, sizeof(buffer)) : -1;
	if (size <= 0)
		return 0;
	std::string_view text(buffer, static_cast<std::size_t>(size));
	const auto name_end = text.rfind(')');
	if (name_end == std::string_view::npos)
		return 0;
	text.remove_prefix(name_end);
	for (int field = 2; field < 22; field++) {
		const auto space = text.find(' ');
		if (space == std::string_view::npos)
			return 0;
		text.remove_prefix(space + 1);
	}
	static const auto tick = second / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
	std::uint64_t ticks = 0;
	std::from_chars(text.data(), text.data() + text.size(), ticks);
	return ticks * tick;
}

/// "\040" and its like, as the kernel writes blanks in /proc/self/mounts.
std::string unescape_mount(std::string_view text)
{
	std::string plain;
	for (std::size_t i = 0; i < text.size(); i++) {
		unsigned code = 0;
		if (text[i] == '\\' && i + 3 < text.size() &&
		    std::from_chars(&text[i + 1], &text[i + 4], code, 8).ptr == &text[i + 4]) {
			plain.push_back(static_cast<char>(code));
			i += 3;
		} else {
			plain.push_back(text[i]);
		}
	}
	return plain;
}

std::string find_cgroup2()
{
	std::ifstream mounts("/proc/self/mounts");
	std::string line;
	while (std::getline(mounts, line)) {
		std::istringstream fields(line);
		std::string device, where, type;
		if (fields >> device >> where >> type && type == "cgroup2")
			return unescape_mount(where);
	}
	return "";
}

} // namespace

Process process_of(std::uint32_t pid, std::uint64_t event_time)
{
	static const auto own_netns = inode("/proc/self/ns/net");
	char path[64];
	auto name = [&](const char *file) {
		*fmt::format_to_n(path, sizeof(path) - 1, "/proc/{}/{}", pid, file).out = '\0';
		return path;
	};
	Process process;
	process.started = start_of(name("stat"));
	process.known = process.started != 0 && process.started <= event_time;
	if (!process.known)
		return process;
	process.executable = link_target(name("exe"));
	process.same_netns = own_netns != 0 && inode(name("ns/net")) == own_netns;
	if (start_of(name("stat")) != process.started) { // it went between the looks
		process.known = process.same_netns = false;
		process.executable.clear();
	}
	return process;
}

Cgroups::Cgroups() : root_(find_cgroup2())
{
	if (!root_.empty())
		mount_ = Fd(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// A cgroup's id is its inode number, and the whole of a file handle's content (FILEID_KERNFS, fs/kernfs/mount.c):
/// the kernel opens it without a search. That takes CAP_DAC_READ_SEARCH; without it, a walk.
std::string Cgroups::path_of(std::uint64_t id)
{
	if (!mount_)
		return "";
	constexpr int fileid_kernfs = 0xfe;
	union {
		file_handle head;
		char bytes[sizeof(file_handle) + sizeof(id)];
	} handle{};
	handle.head.handle_bytes = sizeof(id);
	handle.head.handle_type = fileid_kernfs;
	std::memcpy(handle.bytes + sizeof(file_handle), &id, sizeof(id));

	const Fd directory(::open_by_handle_at(mount_.get(), &handle.head, O_PATH | O_CLOEXEC));
	if (!directory)
		return errno == ESTALE ? "" : walk_for(id);
	char link[32];
	*fmt::format_to_n(link, sizeof(link) - 1, "/proc/self/fd/{}", directory.get()).out = '\0';
	std::string path = link_target(link);
	if (!path.starts_with(root_))
		return "";
	path.erase(0, root_.size());
	return path.empty() ? "/" : path;
}

std::string Cgroups::walk_for(std::uint64_t id)
{
	const auto now = boot_clock();
	if (now < walked_at_ + walk_pause) // a flood from a cgroup that is gone must not become a flood of walks
		return "";
	walked_at_ = now;
	namespace fs = std::filesystem;
	if (inode(root_.c_str()) == id)
		return "/";
	std::error_code ignored;
	for (fs::recursive_directory_iterator it(root_, fs::directory_options::skip_permission_denied, ignored), end;
	     !ignored && it != end; it.increment(ignored)) {
		std::error_code unreadable;
		if (it->is_directory(unreadable) && inode(it->path().c_str()) == id)
			return it->path().string().substr(root_.size(), longest_name);
	}
	return "";
}

Sight own_sight()
{
	auto cgroups = std::make_shared<Cgroups>();
	return {.process = process_of, .cgroup = [cgroups](std::uint64_t id) { return cgroups->path_of(id); }};
}

} // namespace weir::audit
