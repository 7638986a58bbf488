// SPDX-License-Identifier: Apache-2.0
// An ICMP error that quotes what its receiver never sent.
#pragma once

#include "tests/support/packets.h"
#include "tests/support/peers.h"
#include "tests/support/process.h"

#include <arpa/inet.h>
#include <array>
#include <poll.h>

namespace weir::test {

/// What a socket of the node finds in its queue of errors, when somebody sends one that quotes a datagram which the
/// socket never sent.
inline std::string quoted_to(const Spot &node, const Spot &sender, const Path &back, const std::string &elsewhere)
{
	const bool v6 = back.is_v6();
	const Child child(node, [=](Channel &channel) {
		const Fd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0));
		const Endpoint here(v6 ? "::" : "0.0.0.0", 9000);
		const int on = 1;
		if (::bind(fd.get(), here.get(), here.size) != 0 ||
		    ::setsockopt(fd.get(), v6 ? int{IPPROTO_IPV6} : int{IPPROTO_IP}, v6 ? IPV6_RECVERR : IP_RECVERR,
				 &on, sizeof(on)) != 0)
			raise("a socket that asks for errors");
		channel.send("ready");
		(void)channel.next();
		pollfd wait{fd.get(), 0, 0};
		::poll(&wait, 1, 1000);
		std::array<char, 64> data{};
		const ssize_t size = ::recv(fd.get(), data.data(), data.size(), MSG_ERRQUEUE | MSG_DONTWAIT);
		channel.send(size < 0 ? "nothing" : std::string(data.data(), static_cast<std::size_t>(size)));
	});
	(void)child.answer();
	(void)run_at(sender, [&] {
		const Path never{back.destination, elsewhere};
		const Bytes datagram = udp_datagram(never, 9000, 53, Bytes{'w', 'e', 'i', 'r'});
		const Bytes error = icmp_unreachable(back, v6 ? ipv6(never, IPPROTO_UDP, datagram)
							      : ipv4(never, {IPPROTO_UDP, 0, {}}, datagram));
		const Bytes packet = v6 ? ipv6(back, IPPROTO_ICMPV6, error) : ipv4(back, {IPPROTO_ICMP, 0, {}}, error);
		const Endpoint to(back.destination, 0);
		const Fd fd(::socket(to.family(), SOCK_RAW, IPPROTO_RAW));
		if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
			raise("sending an error");
		return std::string();
	});
	return child.ask("heard?");
}

} // namespace weir::test
