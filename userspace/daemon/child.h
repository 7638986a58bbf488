// SPDX-License-Identifier: Apache-2.0
// The processes that `weir run --user` consists of, and what each keeps of root's rights.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <functional>
#include <string>

namespace weir::daemon {

/// Forks a process that does `work` with one end of a pair of sockets of this type, and gives the other end. It is to end
/// when that one is closed; signals that end its parent don't end it. `name` is what `ps` shows (15 bytes).
/// To be called before there are threads.
Result<Fd> start_child(const char *name, int socket_type, const std::function<void(int socket)> &work);

/// Who a process becomes.
struct Account {
	std::string name;
	unsigned uid = 0;
	unsigned gid = 0;
};
/// Exit::usage: there is no such user.
Result<Account> account_of(const std::string &name);

/// Becomes this user for good, without a further group, any capability, or a way to one. Only where the kernel wants
/// CAP_BPF for reading maps that are open (before Linux 5.19, where unprivileged BPF is off), that one is kept.
Result<> become(const Account &);

} // namespace weir::daemon
