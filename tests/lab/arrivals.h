// SPDX-License-Identifier: Apache-2.0
// What arrives, and when, by the clock that rows end by.
#pragma once

#include "policy/address.h"
#include "tests/lab/edge_test.h"

#include <ctime>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <array>
#include <cstring>
#include <thread>

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

/// A deadline that comes soon, but after the policy that has it: to apply takes a while on an emulated processor.
inline std::uint64_t soon()
{
	return clock_of(CLOCK_BOOTTIME) + (is_emulated() ? 5000 : 500) * millisecond;
}

inline void await(std::uint64_t time)
{
	while (clock_of(CLOCK_BOOTTIME) < time)
		std::this_thread::sleep_for(Millis(5));
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

/// The kernel begins to stamp some time after the first socket wants it; what has no stamp gets one when it is read.
inline void await_stamps(int netns)
{
	in_netns(netns, [] {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint here("127.0.0.1", 9999);
		const int on = 1;
		if (::bind(fd.get(), here.get(), here.size) != 0 ||
		    ::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
			raise("a socket with stamps");
		const bool stamps = eventually(
			[&] {
				const auto sent = clock_of(CLOCK_BOOTTIME);
				(void)::sendto(fd.get(), "x", 1, 0, here.get(), here.size);
				std::this_thread::sleep_for(Millis(20));
				std::array<char, 8> bytes{};
				iovec data{bytes.data(), bytes.size()};
				alignas(cmsghdr) std::array<char, 256> control{};
				msghdr message{nullptr, 0, &data, 1, control.data(), control.size(), 0};
				return ::recvmsg(fd.get(), &message, MSG_DONTWAIT) >= 0 &&
				       stamp_of(message) < sent + 15 * millisecond;
			},
			Millis(10000));
		if (!stamps)
			throw std::runtime_error("the kernel stamps no packets");
	});
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
		await_stamps(netns);
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
