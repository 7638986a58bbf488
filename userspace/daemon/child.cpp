// SPDX-License-Identifier: Apache-2.0
#include "daemon/child.h"

#include "base/fd.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <vector>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

namespace weir::daemon {
namespace {

std::unexpected<Error> failed(const std::string &what)
{
	return fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// Linux 5.19 let whoever has a map's file use it (8b9b20b "bpf: refine kernel.unprivileged_bpf_disabled behaviour").
bool open_maps_need_a_capability()
{
	utsname name{};
	unsigned major = 0;
	unsigned minor = 0;
	return ::uname(&name) != 0 || std::sscanf(name.release, "%u.%u", &major, &minor) != 2 ||
	       std::pair(major, minor) < std::pair(5U, 19U);
}

Result<> keep_only(unsigned long long capabilities)
{
	__user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
	__user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i)
		sets[i].effective = sets[i].permitted = static_cast<__u32>(capabilities >> (32 * i));
	return ::syscall(SYS_capset, &head, sets) == 0 ? Result<>() : failed("giving up capabilities");
}

} // namespace

Result<Fd> start_child(const char *name, int socket_type, const std::function<void(int socket)> &work)
{
	int ends[2];
	if (::socketpair(AF_UNIX, socket_type | SOCK_CLOEXEC, 0, ends) != 0)
		return failed("a pair of sockets");
	Fd own(ends[0]);
	Fd other(ends[1]);
	std::cout.flush();
	std::cerr.flush();
	const auto child = ::fork();
	if (child < 0)
		return failed("another process");
	if (child != 0)
		return own;
	own = Fd();
	for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE})
		std::signal(signal, SIG_IGN);
	::prctl(PR_SET_NAME, name);
	try {
		work(other.get());
	} catch (const std::exception &problem) {
		std::cerr << "weir: " << name << ": " << problem.what() << '\n';
		std::_Exit(1);
	}
	std::_Exit(0);
}

Result<Account> account_of(const std::string &name)
{
	std::vector<char> buffer(64u << 10);
	passwd entry{};
	passwd *found = nullptr;
	if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
		return fail(Exit::usage,
			    fmt::format("--user: there is no user {}\n  systemd-sysusers makes the one that "
					"weir's package names, adduser --system another",
					name));
	return Account{name, entry.pw_uid, entry.pw_gid};
}

Result<> become(const Account &account)
{
	const bool keeps_bpf = open_maps_need_a_capability();
	if (keeps_bpf && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return failed("keeping CAP_BPF");
	if (::setgroups(0, nullptr) != 0 || ::setresgid(account.gid, account.gid, account.gid) != 0 ||
	    ::setresuid(account.uid, account.uid, account.uid) != 0)
		return failed(fmt::format("becoming the user {}", account.name));
	if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed("giving up the way to privileges");
	return keep_only(keeps_bpf ? 1ULL << CAP_BPF : 0);
}

} // namespace weir::daemon
