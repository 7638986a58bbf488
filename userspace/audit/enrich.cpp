// SPDX-License-Identifier: Apache-2.0
#include "audit/enrich.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace weir::audit {
namespace {

constexpr std::size_t process_slots = 512, user_slots = 256, cgroup_slots = 256, interface_slots = 64;
constexpr std::size_t longest_name = 1024; ///< bytes kept of a path: the caches' bound in bytes

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t process_lifetime = second;
constexpr std::uint64_t user_lifetime = 300 * second; ///< the name service may be a server far away
constexpr std::uint64_t missing_lifetime = 2 * second;
constexpr std::uint64_t interface_lifetime = 5 * second;
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

Enricher::Enricher()
	: processes_(process_slots), users_(user_slots), cgroups_(cgroup_slots), interfaces_(interface_slots),
	  cgroup_root_(find_cgroup2()), own_netns_(inode("/proc/self/ns/net")), passwd_(1024)
{
	if (!cgroup_root_.empty())
		cgroup_mount_ = Fd(::open(cgroup_root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

const Enrichment &Enricher::enrich(const weir_event &event)
{
	const auto now = boot_clock();
	result_.executable.clear();
	result_.user.clear();
	result_.cgroup.clear();
	result_.interface.clear();

	bool same_netns = false;
	if (event.pid != 0) {
		const auto &found = process(event, now);
		result_.executable = found.executable;
		same_netns = found.known && found.same_netns;
	}
	// Without an owner the uid is 0 because nobody wrote it, not because it was root.
	if (event.pid != 0 || event.uid != 0 || event.comm[0] != '\0')
		result_.user = user(event.uid, now);
	if (event.cgroup != 0)
		result_.cgroup = cgroup(event.cgroup, now);
	// An index means something in one network namespace only. Index 1 is the loopback in each
	// (net/core/net_namespace.c registers it first).
	if (event.ifindex == 1)
		result_.interface = "lo";
	else if (event.ifindex != 0 && (event.gate == WEIR_GATE_EDGE ? edge_is_here_ : same_netns))
		result_.interface = interface(event.ifindex, now);
	return result_;
}

void Enricher::edge_is_here(bool yes)
{
	edge_is_here_ = yes;
	for (auto &slot : interfaces_)
		slot.read_at = 0;
}

/*
 * A pid is used again some time after its process is gone, so the number alone proves nothing. What /proc shows is
 * taken only if that process began before the event did: whoever got the number later began later. What the cache
 * holds is taken for events between the process's start and the moment it was seen alive, and for one second more,
 * in which the whole range of pids would have to be used up for a mistake; the name of the task must be the same,
 * too, which an execve() changes. The executable is the one that the process runs when weir looks, so of a process
 * that executes another program right after the refusal, it may be the next one.
 */
const Enricher::Process &Enricher::process(const weir_event &event, std::uint64_t now)
{
	auto &slot = processes_[event.pid % process_slots];
	const bool same = slot.pid == event.pid && std::memcmp(slot.comm.data(), event.comm, WEIR_COMM_SIZE) == 0;
	if (same && slot.known && event.time >= slot.started && event.time <= slot.read_at + process_lifetime)
		return slot;
	if (same && !slot.known && now <= slot.read_at + process_lifetime && event.time <= slot.read_at)
		return slot; // gone already: a flood of the dead's events shall not become a flood of look-ups

	slot.pid = event.pid;
	slot.read_at = now;
	slot.executable.clear();
	slot.same_netns = false;
	std::memcpy(slot.comm.data(), event.comm, WEIR_COMM_SIZE);

	char path[64];
	auto name = [&](const char *file) {
		*fmt::format_to_n(path, sizeof(path) - 1, "/proc/{}/{}", event.pid, file).out = '\0';
		return path;
	};
	slot.started = start_of(name("stat"));
	slot.known = slot.started != 0 && slot.started <= event.time;
	if (slot.known) {
		slot.executable = link_target(name("exe"));
		slot.same_netns = own_netns_ != 0 && inode(name("ns/net")) == own_netns_;
		if (start_of(name("stat")) != slot.started) { // it went between the looks
			slot.known = slot.same_netns = false;
			slot.executable.clear();
		}
	}
	return slot;
}

const std::string &Enricher::user(std::uint32_t uid, std::uint64_t now)
{
	auto &slot = users_[uid % user_slots];
	if (slot.read_at != 0 && slot.uid == uid && now <= slot.read_at + user_lifetime)
		return slot.name;
	slot.uid = uid;
	slot.name.clear();

	passwd entry{};
	passwd *found = nullptr;
	int error;
	while ((error = ::getpwuid_r(uid, &entry, passwd_.data(), passwd_.size(), &found)) == ERANGE &&
	       passwd_.size() < (64u << 10))
		passwd_.resize(passwd_.size() * 2);
	if (error == 0 && found != nullptr)
		slot.name.assign(found->pw_name, ::strnlen(found->pw_name, longest_name));
	slot.read_at = now;
	return slot.name;
}

const std::string &Enricher::cgroup(std::uint64_t id, std::uint64_t now)
{
	auto &slot = cgroups_[id % cgroup_slots];
	// Ids are not given twice, and a cgroup2 directory can't be renamed: what was once true stays so.
	if (slot.read_at != 0 && slot.id == id && (!slot.path.empty() || now <= slot.read_at + missing_lifetime))
		return slot.path;
	slot.id = id;
	slot.path = path_of_cgroup(id, now);
	slot.read_at = now;
	return slot.path;
}

/// A cgroup's id is its inode number, and the whole of a file handle's content (FILEID_KERNFS, fs/kernfs/mount.c):
/// the kernel opens it without a search. That takes CAP_DAC_READ_SEARCH; without it, a walk.
std::string Enricher::path_of_cgroup(std::uint64_t id, std::uint64_t now)
{
	if (!cgroup_mount_)
		return "";
	constexpr int fileid_kernfs = 0xfe;
	union {
		file_handle head;
		char bytes[sizeof(file_handle) + sizeof(id)];
	} handle{};
	handle.head.handle_bytes = sizeof(id);
	handle.head.handle_type = fileid_kernfs;
	std::memcpy(handle.bytes + sizeof(file_handle), &id, sizeof(id));

	const Fd directory(::open_by_handle_at(cgroup_mount_.get(), &handle.head, O_PATH | O_CLOEXEC));
	if (!directory)
		return errno == ESTALE ? "" : walk_for_cgroup(id, now);
	char link[32];
	*fmt::format_to_n(link, sizeof(link) - 1, "/proc/self/fd/{}", directory.get()).out = '\0';
	std::string path = link_target(link);
	if (!path.starts_with(cgroup_root_))
		return "";
	path.erase(0, cgroup_root_.size());
	return path.empty() ? "/" : path;
}

std::string Enricher::walk_for_cgroup(std::uint64_t id, std::uint64_t now)
{
	if (now < walked_at_ + walk_pause) // a flood from a cgroup that is gone must not become a flood of walks
		return "";
	walked_at_ = now;
	namespace fs = std::filesystem;
	if (inode(cgroup_root_.c_str()) == id)
		return "/";
	std::error_code ignored;
	for (fs::recursive_directory_iterator it(cgroup_root_, fs::directory_options::skip_permission_denied, ignored),
	     end;
	     !ignored && it != end; it.increment(ignored)) {
		std::error_code unreadable;
		if (it->is_directory(unreadable) && inode(it->path().c_str()) == id)
			return it->path().string().substr(cgroup_root_.size(), longest_name);
	}
	return "";
}

const std::string &Enricher::interface(std::uint32_t index, std::uint64_t now)
{
	auto &slot = interfaces_[index % interface_slots];
	if (slot.read_at != 0 && slot.index == index && now <= slot.read_at + interface_lifetime)
		return slot.name;
	char name[IF_NAMESIZE] = {};
	slot.index = index;
	slot.name = ::if_indextoname(index, name) != nullptr ? name : "";
	slot.read_at = now;
	return slot.name;
}

} // namespace weir::audit
