// SPDX-License-Identifier: Apache-2.0
#include "kernel/system.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

namespace weir::kernel {

namespace {

std::string said; ///< by libbpf, since the last error

int keep(libbpf_print_level level, const char *format, va_list arguments)
{
	constexpr std::size_t most = 4000; // the end of a verifier's log is what tells
	if (level == LIBBPF_DEBUG)
		return 0;
	char text[2000];
	const int size = std::vsnprintf(text, sizeof(text), format, arguments);
	if (size > 0)
		said += text;
	if (said.size() > most)
		said.erase(0, said.size() - most);
	return 0;
}

sigset_t ending_signals()
{
	sigset_t set;
	sigemptyset(&set);
	for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
		sigaddset(&set, signal);
	return set;
}

std::int64_t clock_ns(clockid_t clock)
{
	timespec now{};
	::clock_gettime(clock, &now);
	return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

} // namespace

std::uint64_t boot_clock()
{
	return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
}

std::int64_t wall_clock()
{
	return clock_ns(CLOCK_REALTIME);
}

Result<> check_clock()
{
	std::ifstream offsets("/proc/self/timens_offsets"); // none: the kernel has no such namespaces
	std::string clock;
	std::int64_t seconds = 0;
	std::int64_t ns = 0;
	while (offsets >> clock >> seconds >> ns)
		if (clock == "boottime" && (seconds != 0 || ns != 0))
			return fail(
				fmt::format("the boot clock of this time namespace is {} s off the host's, which "
					    "windows end by\n  run weir on the host (nsenter --time=/proc/1/ns/time)",
					    seconds));
	return {};
}

std::unexpected<Error> system_error(const std::string &what, int error)
{
	std::string message = fmt::format("{}: {}", what, std::strerror(error));
	if (error == EPERM || error == EACCES)
		message += "\n  weir needs root here (CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN), and a kernel that is not "
			   "locked down";
	else if (error == ENOSPC || error == ENOMEM)
		message += "\n  the kernel has no memory for it: raise the limit on locked memory, or make room";
	if (!said.empty())
		message += "\n  libbpf: " + said.substr(0, said.find_last_not_of('\n') + 1);
	said.clear();
	return fail(Exit::failure, std::move(message));
}

void forget_errors()
{
	said.clear();
}

Libbpf::Libbpf()
{
	said.clear();
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(keep);
}

Libbpf::~Libbpf()
{
	libbpf_set_print(nullptr);
}

Uninterrupted::Uninterrupted()
{
	const auto set = ending_signals();
	::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

Uninterrupted::~Uninterrupted()
{
	::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Result<std::string> note_path(const Where &where, std::string_view name)
{
	// The same instance under another mount of bpffs is another instance.
	struct stat mount{};
	if (::stat(where.bpffs.c_str(), &mount) != 0)
		return system_error(where.bpffs, errno);
	const std::string directory = "/run/weir";
	if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
		return system_error(directory, errno);
	return fmt::format("{}/{}.{}.{}", directory, where.instance, mount.st_dev, name);
}

Result<Fd> lock(const Where &where, std::string_view purpose, int seconds)
{
	const auto found = note_path(where, purpose);
	if (!found)
		return std::unexpected(found.error());
	const std::string &path = *found;
	Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!fd)
		return system_error(path, errno);
	for (int tries = seconds * 20;; --tries) {
		if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return system_error(path, errno);
		if (tries <= 0)
			return fail(fmt::format("another process holds the {} of instance {}\n  fuser {} names it",
						purpose, where.instance, path));
		::usleep(50'000);
	}
}

Result<> check_bpffs(const Where &where)
{
	struct statfs status{};
	if (::statfs(where.bpffs.c_str(), &status) != 0)
		return system_error(where.bpffs, errno);
	if (static_cast<unsigned long>(status.f_type) != BPF_FS_MAGIC)
		return fail(fmt::format("{} is not a BPF file system\n  mount one: mount -t bpf bpf {}", where.bpffs,
					where.bpffs));
	return {};
}

Result<Fd> open_pin(const std::string &path)
{
	Fd fd(bpf_obj_get(path.c_str()));
	if (!fd && errno == ENOENT)
		return fail(Exit::absent, path + " is not there");
	if (!fd)
		return system_error(path, errno);
	::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
	return fd;
}

Result<> pin(int fd, const std::string &path)
{
	if (bpf_obj_pin(fd, path.c_str()) != 0)
		return system_error("pinning " + path, errno);
	return {};
}

bool exists(const std::string &path)
{
	struct stat status{};
	return ::lstat(path.c_str(), &status) == 0;
}

Result<Cgroup> open_cgroup(const std::string &directory)
{
	Cgroup cgroup{.directory = Fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))};
	if (!cgroup.directory)
		return fail(fmt::format("cgroup {}: {}\n  start the component first, or correct [cgroups] of the site",
					directory, std::strerror(errno)));
	struct statfs system{};
	struct stat status{};
	if (::fstatfs(cgroup.directory.get(), &system) != 0 || ::fstat(cgroup.directory.get(), &status) != 0)
		return system_error(directory, errno);
	if (static_cast<unsigned long>(system.f_type) != CGROUP2_SUPER_MAGIC)
		return fail(
			directory +
			" is not a directory of cgroup2\n  `grep cgroup2 /proc/mounts` tells where that is mounted");
	cgroup.id = status.st_ino;
	return cgroup;
}

} // namespace weir::kernel
