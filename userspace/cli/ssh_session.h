// SPDX-License-Identifier: Apache-2.0
// The SSH session in which a command was typed, as far as it can be told. Everything is read from /proc.
#pragma once

#include "policy/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace weir::cli {

/// A TCP connection, as this host sees it.
struct Connection {
	Address local;
	Address peer;
	std::uint16_t local_port = 0;
	std::uint16_t peer_port = 0;
	[[nodiscard]] std::string text() const; ///< "192.0.2.66:51234 -> 192.0.2.2:22"
	bool operator==(const Connection &) const = default;
};

struct SshSession {
	Connection connection;
	pid_t server = 0;     ///< the topmost sshd above the session: it listens, or did
	std::string cgroup; ///< of that process, from the root of cgroup2, as its /proc/PID/cgroup has it; "" unknown
	bool in_own_netns = false; ///< the connection belongs to the network namespace of the process that asks
};

/// The value of SSH_CONNECTION (ssh(1)): peer, its port, local address, its port.
std::optional<Connection> connection_of(std::string_view ssh_connection);

/// A line of /proc/net/tcp or tcp6 (proc(5)).
struct TcpSocket {
	Connection connection;
	bool established = false;
	std::uint64_t inode = 0;
};
std::vector<TcpSocket> sockets_of(std::string_view table);

/// The connection of the sshd that `self` descends from. Where there is none (a shell that outlived its session:
/// tmux, screen) the one that `ssh_connection`, the variable's value, names, if it is established now: a variable
/// outlives its connection. `proc`: where the file system is mounted. Nothing is said that isn't seen.
std::optional<SshSession> find_ssh_session(const std::string &proc, pid_t self, std::string_view ssh_connection);

} // namespace weir::cli
