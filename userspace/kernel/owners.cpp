// SPDX-License-Identifier: Apache-2.0
#include "kernel/owners.h"

#include "base/fd.h"
#include "bpf/abi.h"

#include <bpf/bpf.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace weir::kernel {

namespace {

namespace fs = std::filesystem;

weir_owner owner_of(pid_t pid)
{
	weir_owner owner{};
	owner.pid = static_cast<__u32>(pid);
	std::ifstream status("/proc/" + std::to_string(pid) + "/status");
	for (std::string line; std::getline(status, line);) {
		unsigned real = 0;
		unsigned effective = 0;
		if (line.starts_with("Name:")) {
			const auto at = line.find_first_not_of(" \t", 5);
			if (at != std::string::npos)
				line.copy(owner.comm, WEIR_COMM_SIZE - 1, at);
		} else if (std::sscanf(line.c_str(), "Uid: %u %u", &real, &effective) == 2) {
			owner.uid = real; // as bpf_get_current_uid_gid() gives it
		} else if (std::sscanf(line.c_str(), "Gid: %u %u", &real, &effective) == 2) {
			owner.gid = real;
		}
	}
	return owner;
}

int option_of(int socket, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);
	return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/// Is it of another network namespace than this process? One that can't be told is taken for one of this.
bool is_foreign(int socket)
{
	const Fd netns(::ioctl(socket, SIOCGSKNS));
	struct stat theirs{};
	struct stat ours{};
	return netns && ::fstat(netns.get(), &theirs) == 0 && ::stat("/proc/thread-self/ns/net", &ours) == 0 &&
	       theirs.st_ino != ours.st_ino;
}

/// The socket's inode has the user that it was made by. That of the process has to be the same: one that holds a
/// socket of another user's, or had other rights when it made it, doesn't tell.
bool is_maker(int socket, const weir_owner &owner)
{
	struct stat status{};
	return ::fstat(socket, &status) == 0 && status.st_uid == owner.uid;
}

/// True: nobody had noted it.
bool note(int owners_fd, int socket, weir_owner owner, bool edge)
{
	owner.foreign = edge && is_foreign(socket) ? 1 : 0;
	owner.made = is_maker(socket, owner) ? 1 : 0;
	owner.maker = owner.made != 0 ? owner.uid : 0;
	if (bpf_map_update_elem(owners_fd, &socket, &owner, BPF_NOEXIST) == 0)
		return true;
	if (errno != EEXIST)
		return false;
	// Noted under a policy without an edge, or with one elsewhere; or of another process that holds it, too.
	weir_owner noted{};
	if (bpf_map_lookup_elem(owners_fd, &socket, &noted) != 0)
		return false;
	const bool moved = edge && noted.foreign != owner.foreign;
	const bool told = noted.made == 0 && owner.made != 0;
	if (!moved && !told)
		return false;
	if (moved)
		noted.foreign = owner.foreign;
	if (told) {
		noted.made = 1;
		noted.maker = owner.maker;
	}
	bpf_map_update_elem(owners_fd, &socket, &noted, BPF_EXIST);
	return false;
}

bool is_ip(int socket)
{
	const int domain = option_of(socket, SO_DOMAIN);
	return domain == AF_INET || domain == AF_INET6;
}

/// Gives how many nobody had noted.
unsigned note_process(int owners_fd, pid_t pid, bool edge, bool only_raw)
{
	unsigned fresh = 0;
	const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
	if (!process)
		return fresh;
	const auto owner = owner_of(pid);
	std::error_code gone;
	const fs::path descriptors = "/proc/" + std::to_string(pid) + "/fd";
	for (fs::directory_iterator at(descriptors, gone), end; !gone && at != end; at.increment(gone)) {
		std::error_code error;
		if (!fs::read_symlink(at->path(), error).string().starts_with("socket:"))
			continue;
		const auto name = at->path().filename().string();
		int number = -1;
		std::from_chars(name.data(), name.data() + name.size(), number);
		const Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
		const int fd = socket.get();
		if (socket && is_ip(fd) && (!only_raw || option_of(fd, SO_TYPE) == SOCK_RAW))
			fresh += note(owners_fd, fd, owner, edge) ? 1 : 0;
	}
	return fresh;
}

} // namespace

Noted note_owners_in(int owners_fd, const std::string &cgroup, bool edge)
{
	Noted noted;
	std::ifstream processes(cgroup + "/cgroup.procs");
	for (pid_t pid = 0; processes >> pid;) {
		noted.processes++;
		noted.sockets += note_process(owners_fd, pid, edge, false);
	}
	std::error_code gone;
	for (fs::directory_iterator at(cgroup, gone), end; !gone && at != end; at.increment(gone)) {
		std::error_code error;
		if (!at->is_directory(error) || at->is_symlink(error))
			continue;
		const auto [more_processes, more_sockets] = note_owners_in(owners_fd, at->path(), edge);
		noted.processes += more_processes;
		noted.sockets += more_sockets;
	}
	return noted;
}

void note_raw_owners(int owners_fd, bool edge)
{
	// A raw socket that was made there may be held by a process that is elsewhere now; unnoted, it would pass for
	// the kernel's own.
	std::error_code gone;
	for (fs::directory_iterator at("/proc", gone), end; !gone && at != end; at.increment(gone)) {
		const auto name = at->path().filename().string();
		pid_t pid = 0;
		if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr == name.data() + name.size())
			note_process(owners_fd, pid, edge, true);
	}
}

void note_owners(int owners_fd, const std::string &cgroup, bool edge)
{
	note_owners_in(owners_fd, cgroup, edge);
	note_raw_owners(owners_fd, edge);
}

} // namespace weir::kernel
