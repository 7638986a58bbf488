// SPDX-License-Identifier: Apache-2.0
// Sockets that have a peer, as sock_diag(7) tells of them, and an end to them. Internal.
#pragma once

#include "kernel/netlink.h"
#include "policy/address.h"

#include <linux/inet_diag.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::kernel {

struct PeerSocket {
	std::uint8_t protocol = 0; ///< IPPROTO_TCP, IPPROTO_UDP
	Address local;
	Address remote;
	std::uint16_t local_port = 0;
	std::uint16_t remote_port = 0;
	std::uint32_t uid = 0;
	std::uint64_t cgroup = 0; ///< id, in which it was made; 0: the kernel doesn't tell (before 5.9)
	std::uint8_t family = 0;
	inet_diag_sockid id{}; ///< by which the kernel finds it again
	[[nodiscard]] std::string text() const; ///< "TCP 192.0.2.2:4711 - 203.0.113.7:80"
};

/// TCP sockets that are connected, or about to be, and UDP sockets with a peer, of the network namespace that the
/// thread is in.
Result<std::vector<PeerSocket>> peer_sockets();

/// Ends it: whoever has it gets ECONNABORTED, from a call that waits, too (SOCK_DESTROY). 0, or the kernel's errno:
/// ENOENT when it has ended by itself, EOPNOTSUPP when the kernel can't.
int destroy(Netlink &sock_diag, const PeerSocket &);

/// The way that the packets of a socket take.
struct Route {
	bool loopback = false;
	std::uint32_t ifindex = 0; ///< by which they leave
};
/// nullopt: there is none.
std::optional<Route> route_of(Netlink &rtnetlink, const PeerSocket &);

inline constexpr Subject about_sockets{NETLINK_SOCK_DIAG, "the sockets"};
inline constexpr Subject about_routes{NETLINK_ROUTE, "the routes"};

} // namespace weir::kernel
