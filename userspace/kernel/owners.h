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

} // namespace weir::kernel
