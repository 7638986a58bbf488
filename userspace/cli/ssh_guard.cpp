// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_guard.h"

#include "base/is_among.h"
#include "base/fd.h"
#include "kernel/components.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_arp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

std::optional<Address> address_of(const sockaddr *from)
{
	Address address;
	if (from == nullptr)
		return std::nullopt;
	if (from->sa_family == AF_INET)
		return Address::v4(ntohl(reinterpret_cast<const sockaddr_in *>(from)->sin_addr.s_addr));
	if (from->sa_family != AF_INET6)
		return std::nullopt;
	std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6 *>(from)->sin6_addr, 16);
	return address;
}

/// The interface that has a local address; "" when none has.
std::string interface_with(const Address &local)
{
	ifaddrs *all = nullptr;
	std::string name;
	if (::getifaddrs(&all) != 0)
		return "";
	for (const auto *each = all; each != nullptr && name.empty(); each = each->ifa_next)
		if (address_of(each->ifa_addr) == local)
			name = each->ifa_name;
	::freeifaddrs(all);
	return name;
}

/// An interface without a link header is a tunnel's (a tap, which has one, is the site's to name).
bool is_tunnel(const std::string &name)
{
	ifreq request{};
	const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
	if (!socket || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
		return false;
	switch (request.ifr_hwaddr.sa_family) {
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return true;
	default:
		return false;
	}
}

/// False only where it is certain: the site lists its interfaces, not this one, and it stands on no other one.
bool is_held(const std::string &name, const Edge &edge)
{
	if (edge.interfaces.empty() || name.empty() || is_among(edge.interfaces, name))
		return true;
	std::error_code unknown;
	for (const auto &entry : fs::directory_iterator("/sys/class/net/" + name, unknown))
		if (entry.path().filename().string().starts_with("lower_"))
			return true;
	return static_cast<bool>(unknown);
}

/// The cgroup of a TCP socket: that of whoever made the listening socket, wherever its process is now. 0: the kernel
/// doesn't tell (before 5.9).
std::uint64_t cgroup_of_socket(const Connection &connection)
{
	struct {
		nlmsghdr header;
		inet_diag_req_v2 body;
	} request{};
	const bool v4 = connection.local.is_v4();
	request.header.nlmsg_len = sizeof(request);
	request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request.header.nlmsg_flags = NLM_F_REQUEST;
	request.body.sdiag_protocol = IPPROTO_TCP;
	request.body.idiag_states = ~0u;
	request.body.id.idiag_sport = htons(connection.local_port);
	request.body.id.idiag_dport = htons(connection.peer_port);
	request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	request.body.sdiag_family = v4 ? AF_INET : AF_INET6;
	std::memcpy(request.body.id.idiag_src, connection.local.bytes.data() + (v4 ? 12 : 0), v4 ? 4 : 16);
	std::memcpy(request.body.id.idiag_dst, connection.peer.bytes.data() + (v4 ? 12 : 0), v4 ? 4 : 16);

	const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	alignas(nlmsghdr) char answer[8192];
	const timeval patience{.tv_sec = 1, .tv_usec = 0};
	if (!netlink || ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
	    ::send(netlink.get(), &request, sizeof(request), 0) < 0)
		return 0;
	const auto size = ::recv(netlink.get(), answer, sizeof(answer), 0);
	const auto *header = reinterpret_cast<const nlmsghdr *>(answer);
	if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg))) ||
	    header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len > static_cast<std::size_t>(size))
		return 0;
	std::uint64_t id = 0;
	for (std::size_t at = NLMSG_LENGTH(sizeof(inet_diag_msg)); at + sizeof(rtattr) <= header->nlmsg_len;) {
		rtattr attribute;
		std::memcpy(&attribute, answer + at, sizeof(attribute));
		if (attribute.rta_len < sizeof(rtattr) || at + attribute.rta_len > header->nlmsg_len)
			break;
		if (attribute.rta_type == INET_DIAG_CGROUP_ID && attribute.rta_len == RTA_LENGTH(sizeof(id)))
			std::memcpy(&id, answer + at + RTA_LENGTH(0), sizeof(id));
		at += RTA_ALIGN(attribute.rta_len);
	}
	return id;
}

std::uint64_t inode_of(const std::string &path)
{
	struct stat status{};
	return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// A cgroup's id is its inode number. `path` is from the root of cgroup2, wherever that is mounted.
std::uint64_t cgroup_by_path(const std::string &path)
{
	std::ifstream mounts("/proc/self/mounts");
	for (std::string line; !path.empty() && std::getline(mounts, line);) {
		std::istringstream fields(line);
		std::string device, where, type;
		if (fields >> device >> where >> type && type == "cgroup2")
			return inode_of(where + path);
	}
	return 0;
}

bool contains(const std::string &directory, std::uint64_t cgroup)
{
	if (cgroup == 0)
		return false;
	if (inode_of(directory) == cgroup)
		return true;
	std::error_code unreadable;
	for (fs::recursive_directory_iterator it(directory, unreadable), end; !unreadable && it != end;
	     it.increment(unreadable)) {
		std::error_code gone;
		if (it->is_directory(gone) && inode_of(it->path()) == cgroup)
			return true;
	}
	return false;
}

} // namespace

Way way_of(const SshSession &session, const BoundPolicy &policy)
{
	Way way;
	const auto &connection = session.connection;
	std::uint64_t cgroup = 0;
	if (session.in_own_netns) {
		way.interface = interface_with(connection.local);
		const bool loops = way.interface == "lo" || !interface_with(connection.peer).empty();
		if (loops) // to one of its own addresses a host goes by the loopback interface
			way.zone = zone_loopback;
		else if (policy.edge.present &&
			 (is_among(policy.edge.tunnels, way.interface) || is_tunnel(way.interface)))
			way.zone = zone_tunnel;
		way.passes_edge = !loops && is_held(way.interface, policy.edge);
		cgroup = cgroup_of_socket(connection);
	} else {
		way.passes_edge = false; // at least not as this connection: it may be forwarded, to others' addresses
	}
	if (cgroup == 0)
		cgroup = cgroup_by_path(session.cgroup);
	for (std::size_t scope = 0; scope < policy.cgroups(); scope++)
		if (const auto held = kernel::cgroups_of(policy.scopes[scope].cgroup))
			if (std::ranges::any_of(*held, [&](const auto &each) { return contains(each, cgroup); }))
				way.cgroups.push_back(static_cast<std::uint8_t>(scope));
	return way;
}

namespace {

bool is_admitted(const Connection &connection, const Way &way, const Image &image, std::uint8_t scope, bool journal)
{
	return ask(image, {.scope = scope,
			   .dir = Direction::in,
			   .protocol = IPPROTO_TCP,
			   .remote = connection.peer,
			   .port = connection.local_port,
			   .zone = way.zone,
			   .journal = journal})
		.allowed;
}

} // namespace

std::optional<std::uint8_t> where_cut(const Connection &connection, const Way &way, const BoundPolicy &policy,
				      const Image &image)
{
	// Not by a row that needs the journal: when it can't be written, this is the way in to repair it.
	const auto stays = [&](std::uint8_t scope) { return is_admitted(connection, way, image, scope, false); };
	if (policy.edge.present && way.passes_edge && !stays(static_cast<std::uint8_t>(policy.cgroups())))
		return static_cast<std::uint8_t>(policy.cgroups());
	// With an edge the packet gate refuses what passes by an interface that the edge doesn't hold.
	const bool unheld = policy.edge.present && !way.passes_edge && way.zone != zone_loopback &&
			    !way.interface.empty();
	for (const auto scope : way.cgroups)
		if (unheld || !stays(scope))
			return scope;
	return std::nullopt;
}

Error would_cut(const Connection &connection, const Way &way, const BoundPolicy &policy, std::uint8_t scope)
{
	const auto &held = policy.scopes.at(scope);
	const auto peer = connection.peer.text();
	const auto where = held.is_edge() ? std::string("at the edge") : "in the cgroup " + held.cgroup;
	const auto service = fmt::format("TCP/{}", connection.local_port);
	auto text =
		fmt::format("this policy would cut the SSH session in which it is applied, {}: {}, no row admits {} "
			    "from {}{}. Nothing was applied.\n",
			    connection.text(), where, service, peer, way.zone == zone_tunnel ? " inside a tunnel" : "");
	if (policy.edge.present && !held.is_edge() && !way.passes_edge && way.zone != zone_loopback &&
	    !way.interface.empty())
		text = fmt::format(
			"this policy would cut the SSH session in which it is applied, {}: it comes by {}, which "
			"is not among the interfaces of [edge], and its server is in the cgroup {}. Nothing was "
			"applied.\n  Add \"{}\" to interfaces in [edge]\n",
			connection.text(), way.interface, held.cgroup, way.interface);
	else if (way.zone == zone_tunnel)
		text += fmt::format(
			"  Add a row for it to the matrix: dir \"in\", port \"{}\", zone \"tunnel\", from a name "
			"that [names] binds to {}\n",
			service, peer);
	else if (!policy.edge.present || connection.local_port != 22)
		text += fmt::format(
			"  Add a row for it{}: dir \"in\", port \"{}\", from a name that [names] binds to {}\n",
			policy.edge.present ? ", in a host-services.toml beside the site file" : " to the matrix",
			service, peer);
	else
		text += fmt::format("  Turn on the row \"ssh\" of host-services.toml: admins = \"{}\", or the admins' "
				    "network, in [names]\n",
				    peer);
	if (policy.edge.present && !held.is_edge() && way.passes_edge && way.zone == zone_network)
		text += fmt::format("  and let the component use it: {} = [\"ssh\"] in [services]\n",
				    held.components.empty() ? "COMPONENT" : held.components.front());
	text += "  or apply it all the same: --cut-ssh";
	return {Exit::would_cut, text};
}

Result<> guard_ssh_session(const BoundPolicy &policy)
{
	const char *variable = std::getenv("SSH_CONNECTION");
	const auto session = find_ssh_session("/proc", ::getpid(), variable != nullptr ? variable : "");
	if (!session)
		return {};
	const auto way = way_of(*session, policy);
	if (way.cgroups.empty() && !(policy.edge.present && way.passes_edge))
		return {}; // nothing of this policy ever sees it
	const auto image = compile(policy);
	if (!image)
		return std::unexpected(image.error());
	const auto scope = where_cut(session->connection, way, policy, *image);
	if (scope && is_admitted(session->connection, way, *image, *scope, true))
		return fail(
			Exit::would_cut,
			fmt::format("this policy would cut the SSH session in which it is applied, {}, whenever the "
				    "journal can't be written: the row that admits it needs the journal. Nothing was "
				    "applied.\n  Take journal = \"required\" from that row, or add one without it for "
				    "{}\n  "
				    "or apply it all the same: --cut-ssh",
				    session->connection.text(), session->connection.peer.text()));
	if (scope)
		return std::unexpected(would_cut(session->connection, way, policy, *scope));
	return {};
}

} // namespace weir::cli
