// SPDX-License-Identifier: Apache-2.0
#include "tests/support/seeds.h"

#include <netinet/in.h>

namespace weir::test {

std::vector<Bytes> seed_packets(const Path &path)
{
	const bool v6 = path.is_v6();
	const auto ip = [&](std::uint8_t protocol, const Bytes &payload) {
		return v6 ? ipv6(path, protocol, payload) : ipv4(path, {.protocol = protocol}, payload);
	};
	const std::uint8_t icmp = v6 ? std::uint8_t{IPPROTO_ICMPV6} : std::uint8_t{IPPROTO_ICMP};
	const auto syn = tcp_segment(path, 40000, 50051, tcp_syn), udp = udp_datagram(path, 40000, 53, Bytes(12, 'd'));
	std::vector<Bytes> all{ip(IPPROTO_TCP, syn),
			       ip(IPPROTO_TCP, tcp_segment(path, 40000, 443, tcp_ack, Bytes(8))),
			       ip(IPPROTO_UDP, udp),
			       ip(icmp, icmp_echo(path, 77)),
			       ip(icmp, icmp_echo(path, 77, true)),
			       ip(icmp, icmp_unreachable(path, ip(IPPROTO_UDP, udp))),
			       ip(IPPROTO_SCTP, Bytes(12)),
			       ip(47, Bytes(8)),
			       ip(IPPROTO_UDP, udp) + Bytes(6)};
	if (v6) {
		all.push_back(ipv6(path, IPPROTO_HOPOPTS,
				   options_header(IPPROTO_DSTOPTS) + options_header(IPPROTO_TCP) + syn));
		all.push_back(ipv6(path, IPPROTO_FRAGMENT, fragment_header(IPPROTO_UDP, 0, false) + udp));
		all.push_back(ipv6(path, IPPROTO_FRAGMENT,
				   fragment_header(IPPROTO_UDP, 0, true) + Bytes(udp.begin(), udp.begin() + 16)));
		all.push_back(ipv6(path, IPPROTO_FRAGMENT, fragment_header(IPPROTO_UDP, 2, false) + Bytes(4)));
		all.push_back(ipv6(path, IPPROTO_ROUTING, routing_header(IPPROTO_TCP, "2001:db8::66") + syn));
	} else {
		for (const auto &options :
		     {Bytes(12, 1), Bytes{0x94, 4, 0, 0}, Bytes{7, 7, 4, 0, 0, 0, 0, 0}, source_route("192.0.2.66")})
			all.push_back(ipv4(path, {.options = options}, syn));
		all.push_back(ipv4(path, {.protocol = IPPROTO_UDP, .fragment = 0x2000},
				   Bytes(udp.begin(), udp.begin() + 16)));
		all.push_back(ipv4(path, {.protocol = IPPROTO_UDP, .fragment = 2}, Bytes(4)));
	}
	return all;
}

std::vector<Bytes> seed_frames(const Path &path)
{
	const auto type = path.is_v6() ? eth_ipv6 : eth_ipv4;
	std::vector<Bytes> frames{ethernet(eth_arp, arp({"192.0.2.10", "192.0.2.2"})),
				  ethernet(eth_arp, arp({"192.0.2.10", "192.0.2.2"}, 2) + Bytes(18)),
				  ethernet(0x88cc, Bytes(46))};
	for (const auto &packet : seed_packets(path)) {
		frames.push_back(ethernet(packet));
		frames.push_back(ethernet(eth_vlan, vlan_tag(7, type, packet)));
		frames.push_back(ethernet(eth_qinq, vlan_tag(7, eth_vlan, vlan_tag(8, type, packet))));
	}
	return frames;
}

} // namespace weir::test
