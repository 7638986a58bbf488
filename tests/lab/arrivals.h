// SPDX-License-Identifier: Apache-2.0
// What arrives, and when, by the clock that rows end by.
#pragma once

#include "policy/address.h"
#include "tests/lab/edge_test.h"

#include <ctime>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <cstring>

namespace weir::test {

inline constexpr std::uint64_t millisecond = 1'000'000;

inline std::uint64_t clock_of(clockid_t clock)
{
	timespec now{};
	::clock_gettime(clock, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// How late the last packet may be seen: the switch has it for a while.
inline std::uint64_t tolerance()
{
	return (is_emulated() ? 100 : 10) * millisecond;
}

/// The kernel stamps what it receives by the wall clock.
inline std::uint64_t stamp_of(msghdr &message)
{
	for (cmsghdr *at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at))
		if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_TIMESTAMPNS) {
			timespec stamp{};
			std::memcpy(&stamp, CMSG_DATA(at), sizeof(stamp));
			const auto wall = static_cast<std::uint64_t>(stamp.tv_sec) * 1'000'000'000U +
					  static_cast<std::uint64_t>(stamp.tv_nsec);
			return wall - (clock_of(CLOCK_REALTIME) - clock_of(CLOCK_BOOTTIME));
		}
	throw std::runtime_error("a packet without a time");
}

/// What arrives at a host, with the time of the boot clock.
class Arrivals {
public:
	struct Packet {
		std::uint64_t at = 0;
		std::uint8_t protocol = 0;
		std::uint16_t port = 0; ///< where to
	};
	explicit Arrivals(int netns)
	{
		in_netns(netns, [this] {
			socket_ = Fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
			const int room = 64 << 20, on = 1;
			sockaddr_ll here{};
			here.sll_family = AF_PACKET;
			here.sll_protocol = htons(ETH_P_IP);
			here.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
			if (!socket_ ||
			    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
			    ::setsockopt(socket_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
			    ::bind(socket_.get(), reinterpret_cast<const sockaddr *>(&here), sizeof(here)) != 0)
				raise("listening to eth0");
		});
	}
	/// Of the node's TCP and UDP, since the last call; of fragments the first have a port, the others 0. ICMP is what
	/// the kernel says of sockets that are gone.
	std::vector<Packet> take()
	{
		std::vector<Packet> all;
		for (;;) {
			std::array<std::uint8_t, 64> bytes{};
			iovec data{bytes.data(), bytes.size()};
			alignas(cmsghdr) std::array<char, 256> control{};
			msghdr message{nullptr, 0, &data, 1, control.data(), control.size(), 0};
			if (::recvmsg(socket_.get(), &message, MSG_DONTWAIT) < 24)
				return all;
			if (Address::v4(std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 |
					std::uint32_t{bytes[14]} << 8 | bytes[15])
				    .text() != node4)
				continue;
			if (bytes[9] != IPPROTO_TCP && bytes[9] != IPPROTO_UDP)
				continue;
			const bool later = ((bytes[6] & 0x1f) | bytes[7]) != 0;
			all.push_back({stamp_of(message), bytes[9],
				       static_cast<std::uint16_t>(later ? 0 : bytes[22] << 8 | bytes[23])});
		}
	}

private:
	Fd socket_;
};

} // namespace weir::test
