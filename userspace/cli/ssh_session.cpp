// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_session.h"

#include "base/is_among.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

std::string contents(const std::string &path)
{
	std::ifstream file(path);
	return {std::istreambuf_iterator<char>(file), {}};
}

std::string link_target(const fs::path &path)
{
	std::error_code none;
	return fs::read_symlink(path, none).string();
}

template <typename T>
std::optional<T> number(std::string_view text, int base = 10)
{
	T value{};
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
	if (error != std::errc() || end != text.data() + text.size())
		return std::nullopt;
	return value;
}

struct Process {
	pid_t pid = 0;
	pid_t parent = 0;
	std::string name;
};

/// proc(5), /proc/PID/stat: "PID (NAME) STATE PPID ...", where NAME may hold anything.
std::optional<Process> process(const std::string &proc, pid_t pid)
{
	const auto text = contents(fmt::format("{}/{}/stat", proc, pid));
	const auto open = text.find('('), close = text.rfind(')');
	if (open == std::string::npos || close == std::string::npos || close < open)
		return std::nullopt;
	std::istringstream rest(text.substr(close + 1));
	std::string state;
	Process found{.pid = pid, .parent = 0, .name = text.substr(open + 1, close - open - 1)};
	if (!(rest >> state >> found.parent))
		return std::nullopt;
	return found;
}

/// OpenSSH's server; from 9.8 on a session is a program of its own, sshd-session.
bool is_sshd(const Process &process)
{
	return process.name == "sshd" || process.name.starts_with("sshd-");
}

/// Those of `pid` and the processes above it that are sshd, from the topmost on.
std::vector<pid_t> servers_above(const std::string &proc, pid_t pid)
{
	std::vector<pid_t> servers;
	for (int depth = 0; pid > 0 && depth < 256; depth++) { // a tree that changes could look like a ring
		const auto found = process(proc, pid);
		if (!found)
			break;
		if (is_sshd(*found))
			servers.insert(servers.begin(), pid);
		pid = found->parent;
	}
	return servers;
}

/// The inodes of a process's sockets, in the order of its descriptors.
std::vector<std::uint64_t> socket_inodes(const std::string &proc, pid_t pid)
{
	std::map<int, std::uint64_t> by_descriptor;
	std::error_code none;
	for (const auto &entry : fs::directory_iterator(fmt::format("{}/{}/fd", proc, pid), none)) {
		const auto descriptor = number<int>(entry.path().filename().string());
		std::string_view target;
		const auto text = link_target(entry.path());
		target = text;
		if (!descriptor || !target.starts_with("socket:[") || !target.ends_with("]"))
			continue;
		target.remove_prefix(std::strlen("socket:["));
		target.remove_suffix(1);
		if (const auto inode = number<std::uint64_t>(target))
			by_descriptor[*descriptor] = *inode;
	}
	std::vector<std::uint64_t> inodes;
	inodes.reserve(by_descriptor.size());
	for (const auto &[descriptor, inode] : by_descriptor)
		inodes.push_back(inode);
	return inodes;
}

/// All TCP sockets of the network namespace that a process is in.
std::vector<TcpSocket> sockets_around(const std::string &proc, pid_t pid)
{
	auto all = sockets_of(contents(fmt::format("{}/{}/net/tcp", proc, pid)));
	const auto six = sockets_of(contents(fmt::format("{}/{}/net/tcp6", proc, pid)));
	all.insert(all.end(), six.begin(), six.end());
	return all;
}

/// Established connections that a process holds, in the order of its descriptors.
std::vector<Connection> connections_of(const std::string &proc, pid_t pid)
{
	std::vector<Connection> held;
	const auto sockets = sockets_around(proc, pid);
	for (const auto inode : socket_inodes(proc, pid)) {
		const auto found = std::ranges::find(sockets, inode, &TcpSocket::inode);
		if (found != sockets.end() && found->established)
			held.push_back(found->connection);
	}
	return held;
}

/// "0::/system.slice/ssh.service": the line of cgroup2 (cgroups(7)).
std::string cgroup_of(const std::string &proc, pid_t pid)
{
	std::istringstream lines(contents(fmt::format("{}/{}/cgroup", proc, pid)));
	for (std::string line; std::getline(lines, line);)
		if (line.starts_with("0::/"))
			return line.substr(std::strlen("0::"));
	return "";
}

SshSession session(const std::string &proc, pid_t self, const Connection &connection, pid_t server)
{
	const auto own = link_target(fmt::format("{}/{}/ns/net", proc, self));
	return {.connection = connection,
		.server = server,
		.cgroup = cgroup_of(proc, server),
		.in_own_netns = !own.empty() && own == link_target(fmt::format("{}/{}/ns/net", proc, server))};
}

/// An sshd, anywhere, that holds this connection.
std::optional<SshSession> holder_of(const Connection &connection, const std::string &proc, pid_t self)
{
	std::error_code none;
	for (const auto &entry : fs::directory_iterator(proc, none)) {
		const auto pid = number<pid_t>(entry.path().filename().string());
		const auto found = pid ? process(proc, *pid) : std::nullopt;
		if (!found || !is_sshd(*found))
			continue;
		if (is_among(connections_of(proc, *pid), connection))
			return session(proc, self, connection, servers_above(proc, *pid).front());
	}
	return std::nullopt;
}

/// "0100007F:0016": the address in words of 32 bits as they lie in memory, then the port.
bool read_end(std::string_view text, Address &address, std::uint16_t &port)
{
	const auto colon = text.find(':');
	if (colon != 8 && colon != 32)
		return false;
	const auto read_port = number<std::uint16_t>(text.substr(colon + 1), 16);
	if (!read_port)
		return false;
	address = colon == 8 ? Address::v4(0) : Address{};
	for (std::size_t i = 0; i < colon; i += 8) {
		const auto word = number<std::uint32_t>(text.substr(i, 8), 16);
		if (!word)
			return false;
		std::memcpy(&address.bytes[(colon == 8 ? 12 : 0) + i / 2], &*word, sizeof(*word));
	}
	port = *read_port;
	return true;
}

} // namespace

std::string Connection::text() const
{
	const auto end = [](const Address &address, std::uint16_t port) {
		return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.text(), port);
	};
	return end(peer, peer_port) + " -> " + end(local, local_port);
}

std::optional<Connection> connection_of(std::string_view ssh_connection)
{
	std::istringstream words{std::string(ssh_connection)};
	std::string peer, peer_port, local, local_port, more;
	if (!(words >> peer >> peer_port >> local >> local_port) || words >> more)
		return std::nullopt;
	const auto address = [](const std::string &text) { return Address::parse(text.substr(0, text.find('%'))); };
	const auto from = address(peer), to = address(local);
	const auto from_port = number<std::uint16_t>(peer_port), to_port = number<std::uint16_t>(local_port);
	if (!from || !to || !from_port || !to_port)
		return std::nullopt;
	return Connection{.local = *to, .peer = *from, .local_port = *to_port, .peer_port = *from_port};
}

std::vector<TcpSocket> sockets_of(std::string_view table)
{
	constexpr std::string_view state_established = "01"; // TCP_ESTABLISHED, net/tcp_states.h
	std::vector<TcpSocket> sockets;
	std::istringstream lines{std::string(table)};
	std::string line;
	std::getline(lines, line); // the heading
	while (std::getline(lines, line)) {
		std::istringstream fields(line);
		std::string number_of_line, local, peer, state, queues, timer, retransmits, uid, timeout;
		TcpSocket socket;
		if (fields >> number_of_line >> local >> peer >> state >> queues >> timer >> retransmits >> uid >>
			    timeout >> socket.inode &&
		    read_end(local, socket.connection.local, socket.connection.local_port) &&
		    read_end(peer, socket.connection.peer, socket.connection.peer_port)) {
			socket.established = state == state_established;
			sockets.push_back(socket);
		}
	}
	return sockets;
}

std::optional<SshSession> find_ssh_session(const std::string &proc, pid_t self, std::string_view ssh_connection)
{
	const auto named = connection_of(ssh_connection);
	const auto servers = servers_above(proc, self);
	// From the topmost on: below the listening process stands the one that watches over the session and holds
	// nothing but its connection. A session that is root's is one process, which holds forwarded connections, too,
	// behind its own.
	for (const auto server : servers) {
		const auto held = connections_of(proc, server);
		if (held.empty())
			continue;
		const bool is_named = named && is_among(held, *named);
		return session(proc, self, is_named ? *named : held.front(), servers.front());
	}
	return named ? holder_of(*named, proc, self) : std::nullopt;
}

} // namespace weir::cli
