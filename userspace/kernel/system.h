// SPDX-License-Identifier: Apache-2.0
// What the kernel module needs of libbpf and of the file systems, as values and owners. Internal.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "kernel/instance.h"

#include <bpf/bpf.h>

#include <csignal>
#include <optional>
#include <string>
#include <string_view>

namespace weir::kernel {

/// "WHAT: strerror", with what libbpf said meanwhile; EPERM and ENOSPC get a hint.
std::unexpected<Error> system_error(const std::string &what, int error);

/// What libbpf said so far belongs to attempts that were allowed to fail.
void forget_errors();

/// Keeps what libbpf says instead of printing it, while this lives.
class Libbpf {
public:
	Libbpf();
	Libbpf(const Libbpf &) = delete;
	Libbpf &operator=(const Libbpf &) = delete;
	~Libbpf();
};

/// Signals that would end the process wait until what was begun is whole or undone.
class Uninterrupted {
public:
	Uninterrupted();
	Uninterrupted(const Uninterrupted &) = delete;
	Uninterrupted &operator=(const Uninterrupted &) = delete;
	~Uninterrupted();

private:
	sigset_t before_{};
};

/// Nanoseconds: CLOCK_BOOTTIME, by which windows end, and the wall clock.
std::uint64_t boot_clock();
std::int64_t wall_clock();
/// The kernel's programs go by the host's boot clock. Error: this process is in a time namespace that has another one,
/// by which a window would end at the wrong moment.
Result<> check_clock();

/// One process changes an instance at a time, one reads its events. The lock goes with the descriptor.
/// Error: another process has it (after waiting for `seconds`).
Result<Fd> lock(const Where &, std::string_view purpose, int seconds);
constexpr int command_waits = 10; ///< seconds
constexpr int daemon_waits = 1;   ///< it has other things to do, and comes again

/// The file system of the pins is there and is one. Error: what to do.
Result<> check_bpffs(const Where &);

/// BPF_OBJ_GET. Exit::absent when there is no such pin.
Result<Fd> open_pin(const std::string &path);
/// BPF_OBJ_PIN.
Result<> pin(int fd, const std::string &path);
bool exists(const std::string &path);

/// cgroup2 id of a directory (its inode number) and the directory itself. Error: none, or not of cgroup2.
struct Cgroup {
	Fd directory;
	std::uint64_t id = 0;
};
Result<Cgroup> open_cgroup(const std::string &directory);

/// bpf_obj_get_info_by_fd() of a map, program or link; nullopt when the kernel gives none.
template <typename Info>
std::optional<Info> info_of(int fd)
{
	Info info{};
	__u32 size = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
		return std::nullopt;
	return info;
}

} // namespace weir::kernel
