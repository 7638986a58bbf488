// SPDX-License-Identifier: Apache-2.0
// Sockets that were opened before the policy. Internal.
#pragma once

#include <string>

namespace weir::kernel {

/// Notes on each IP socket of each process of a cgroup, and of those below it, which process has it, as
/// sock_create does for those that come later; on raw ones of all other processes, too. As well as it goes: a socket
/// that can't be reached is judged without a name, and a raw one by what the kernel itself may send.
/// `edge`: also whether they are of another network namespace than this process.
void note_owners(int owners_fd, const std::string &cgroup, bool edge);

/// The two halves of it. Those of the cgroup; says how many processes there are, and how many sockets nobody had noted.
struct Noted {
	unsigned processes = 0;
	unsigned sockets = 0;
};
Noted note_owners_in(int owners_fd, const std::string &cgroup, bool edge);
/// Raw ones of every process of the host, which takes as long as the host has processes.
void note_raw_owners(int owners_fd, bool edge);

} // namespace weir::kernel
