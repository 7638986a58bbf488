// SPDX-License-Identifier: Apache-2.0
// Attempts by raw sockets: protocols of their own, packets made by hand, fragments, options, extension headers.
#include "tests/support/attempts.h"

#include "tests/support/packets.h"
#include "tests/support/peers.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <ifaddrs.h>
#include <sys/socket.h>

namespace weir::test {
namespace {

/// The host's own address on its network, and the target.
Path path_to(const Target &target)
{
	const bool v6 = target.address.find(':') != std::string::npos;
	Path path{v6 ? "::1" : "127.0.0.1", target.address};
	ifaddrs *list = nullptr;
	if (::getifaddrs(&list) != 0)
		return path;
	for (const ifaddrs *each = list; each != nullptr; each = each->ifa_next) {
		if (each->ifa_addr == nullptr || std::strcmp(each->ifa_name, "lo") == 0 ||
		    each->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET))
			continue;
		std::array<char, INET6_ADDRSTRLEN> text{};
		const auto *raw = reinterpret_cast<const std::uint8_t *>(each->ifa_addr);
		::inet_ntop(each->ifa_addr->sa_family, raw + (v6 ? 8 : 4), text.data(), text.size());
		if (std::string(text.data()).starts_with("fe80:"))
			continue;
		path.source = text.data();
		break;
	}
	::freeifaddrs(list);
	return path;
}

/// Without a header of one's own: the kernel writes it.
Outcome send_payload(const Target &target, int protocol, const Bytes &payload)
{
	const Endpoint to(target.address, 0);
	const Fd fd(::socket(to.family(), SOCK_RAW | SOCK_CLOEXEC, protocol));
	if (!fd)
		return {Reach::skipped, errno, "no raw socket"};
	return outcome_of(::sendto(fd.get(), payload.data(), payload.size(), 0, to.get(), to.size));
}

/// With a header of one's own: IPPROTO_RAW implies IP_HDRINCL and IPV6_HDRINCL.
Outcome send_packet(const Target &target, const Bytes &packet)
{
	return send_payload(target, IPPROTO_RAW, packet);
}

constexpr std::uint16_t source_port = 40123;
constexpr std::uint8_t next_none = 59;

Outcome protocol(const Target &target)
{
	return send_payload(target, 253, Bytes(16, 'w'));
}
Outcome ip_in_ip(const Target &target)
{
	const Path path = path_to(target);
	return send_payload(target, 4, ipv4(path, {}, tcp_segment(path, source_port, target.port, tcp_syn)));
}
Outcome six_in_four(const Target &target)
{
	const Path inner{"2001:db8:0:1::2", "2001:db8:ffff::7"};
	return send_payload(target, 41, ipv6(inner, 6, tcp_segment(inner, source_port, target.port, tcp_syn)));
}
Outcome gre(const Target &target)
{
	return send_payload(target, 47, Bytes{0, 0, 8, 0} + Bytes(20, 'w'));
}
Outcome esp(const Target &target)
{
	return send_payload(target, 50, Bytes(24, 'w'));
}
Outcome raw_sctp(const Target &target)
{
	return send_payload(target, 132,
			    Bytes{0x9c, 0xbb, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20} + Bytes(16));
}

Outcome udp_payload(const Target &target)
{
	return send_payload(target, IPPROTO_UDP,
			    udp_datagram(path_to(target), source_port, target.port, Bytes(4, 'w')));
}
Outcome tcp_payload(const Target &target)
{
	return send_payload(target, IPPROTO_TCP, tcp_segment(path_to(target), source_port, target.port, tcp_syn));
}

Outcome echo(const Target &target)
{
	const Path path = path_to(target);
	return send_payload(target, path.is_v6() ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}, icmp_echo(path, 7));
}
/// Data in an answer to a question that nobody asked.
Outcome echo_reply(const Target &target)
{
	const Path path = path_to(target);
	return send_payload(target, path.is_v6() ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}, icmp_echo(path, 7, true));
}

Outcome segment(const Target &target, std::uint8_t flags)
{
	const Path path = path_to(target);
	const Bytes data = tcp_segment(path, source_port, target.port, flags, Bytes(4, 'w'));
	return send_packet(target, path.is_v6() ? ipv6(path, IPPROTO_TCP, data) : ipv4(path, {}, data));
}
// clang-format off
Outcome header_syn(const Target &target) { return segment(target, tcp_syn); }
Outcome header_ack(const Target &target) { return segment(target, tcp_ack); }
Outcome header_fin(const Target &target) { return segment(target, tcp_fin); }
// clang-format on

Outcome header_udp(const Target &target)
{
	const Path path = path_to(target);
	const Bytes data = udp_datagram(path, source_port, target.port, Bytes(4, 'w'));
	return send_packet(target,
			   path.is_v6() ? ipv6(path, IPPROTO_UDP, data) : ipv4(path, {IPPROTO_UDP, 0, {}}, data));
}

Outcome fragment_first(const Target &target)
{
	const Path path = path_to(target);
	return send_packet(target, ipv4(path, {IPPROTO_UDP, 0x2000, {}},
					udp_datagram(path, source_port, target.port, Bytes(16, 'w'))));
}
Outcome fragment_later(const Target &target)
{
	return send_packet(target, ipv4(path_to(target), {IPPROTO_TCP, 3, {}}, Bytes(16, 'w')));
}
/// A first fragment that ends before the ports: RFC 1858's tiny fragment.
Outcome fragment_tiny(const Target &target)
{
	return send_packet(target, ipv4(path_to(target), {IPPROTO_TCP, 0x2000, {}}, Bytes{0x9c, 0xbb}));
}
/// A fragment at offset 1, which overwrites the flags of an admitted first one.
Outcome fragment_overlap(const Target &target)
{
	return send_packet(target, ipv4(path_to(target), {IPPROTO_TCP, 1, {}}, Bytes{0, 0, 0, 0, 0x50, 2, 0, 0}));
}

Outcome header_source_route(const Target &target)
{
	const Path path = path_to(target);
	return send_packet(target, ipv4(path, {IPPROTO_TCP, 0, source_route("203.0.113.7")},
					tcp_segment(path, source_port, target.port, tcp_syn)));
}

Outcome six(const Target &target, const std::function<Bytes(std::uint8_t, Bytes)> &wrap, std::uint8_t first)
{
	const Path path = path_to(target);
	return send_packet(target, ipv6(path, first, wrap(6, tcp_segment(path, source_port, target.port, tcp_syn))));
}
Outcome routing(const Target &target)
{
	return six(
		target, [&](auto next, const Bytes &rest) { return routing_header(next, "2001:db8:ffff::7") + rest; },
		43);
}
Outcome destination_options(const Target &target)
{
	return six(target, [](auto next, const Bytes &rest) { return options_header(next) + rest; }, 60);
}
Outcome chained(const Target &target)
{
	return six(
		target,
		[](auto next, Bytes rest) {
			for (int i = 0; i < 10; ++i) {
				rest = options_header(next) + rest;
				next = 60;
			}
			return rest;
		},
		60);
}
Outcome fragment6_first(const Target &target)
{
	return six(target, [](auto next, const Bytes &rest) { return fragment_header(next, 0, true) + rest; }, 44);
}
Outcome fragment6_later(const Target &target)
{
	return six(target, [](auto next, const Bytes &rest) { return fragment_header(next, 5, false) + rest; }, 44);
}
/// A fragment that is the whole packet (RFC 6946).
Outcome fragment6_atomic(const Target &target)
{
	return six(target, [](auto next, const Bytes &rest) { return fragment_header(next, 0, false) + rest; }, 44);
}
Outcome no_next_header(const Target &target)
{
	return send_packet(target, ipv6(path_to(target), next_none, Bytes(16, 'w')));
}

constexpr std::array raw_list{
	Attempt{"raw4-protocol", 4, "raw IP, protocol 253", protocol},
	Attempt{"raw6-protocol", 6, "raw IPv6, protocol 253", protocol},
	Attempt{"raw4-ip-in-ip", 4, "IP in IP", ip_in_ip},
	Attempt{"raw4-6in4", 4, "IPv6 in IPv4", six_in_four},
	Attempt{"raw4-gre", 4, "GRE", gre},
	Attempt{"raw4-esp", 4, "ESP", esp},
	Attempt{"raw4-sctp", 4, "SCTP by a raw socket", raw_sctp},
	Attempt{"raw4-udp-payload", 4, "UDP by a raw socket", udp_payload},
	Attempt{"raw6-udp-payload", 6, "UDP by a raw IPv6 socket", udp_payload},
	Attempt{"raw4-tcp-payload", 4, "TCP by a raw socket", tcp_payload},
	Attempt{"raw4-echo", 4, "ICMP echo by a raw socket", echo},
	Attempt{"raw6-echo", 6, "ICMPv6 echo by a raw socket", echo},
	Attempt{"raw4-echo-reply", 4, "data in an ICMP echo reply", echo_reply},
	Attempt{"raw6-echo-reply", 6, "data in an ICMPv6 echo reply", echo_reply},
	Attempt{"raw4-tcp-syn", 4, "TCP SYN with a header of its own", header_syn},
	Attempt{"raw6-tcp-syn", 6, "TCP SYN with an IPv6 header of its own", header_syn},
	Attempt{"raw4-tcp-ack", 4, "TCP ACK with a header of its own", header_ack},
	Attempt{"raw4-tcp-fin", 4, "TCP FIN with a header of its own", header_fin},
	Attempt{"raw4-udp", 4, "UDP with a header of its own", header_udp},
	Attempt{"raw6-udp", 6, "UDP with an IPv6 header of its own", header_udp},
	Attempt{"raw4-fragment-first", 4, "first fragment", fragment_first},
	Attempt{"raw4-fragment-later", 4, "later fragment", fragment_later},
	Attempt{"raw4-fragment-tiny", 4, "first fragment that ends before the ports", fragment_tiny},
	Attempt{"raw4-fragment-overlap", 4, "overlapping fragment", fragment_overlap},
	Attempt{"raw4-source-route", 4, "source route in a header of its own", header_source_route},
	Attempt{"raw6-routing-header", 6, "IPv6 routing header", routing},
	Attempt{"raw6-destination-options", 6, "IPv6 destination options", destination_options},
	Attempt{"raw6-chained-headers", 6, "ten chained IPv6 extension headers", chained},
	Attempt{"raw6-fragment-first", 6, "first IPv6 fragment", fragment6_first},
	Attempt{"raw6-fragment-later", 6, "later IPv6 fragment", fragment6_later},
	Attempt{"raw6-fragment-atomic", 6, "atomic IPv6 fragment", fragment6_atomic},
	Attempt{"raw6-no-next-header", 6, "IPv6 with no next header", no_next_header},
};

} // namespace

std::span<const Attempt> raw_attempts()
{
	return raw_list;
}

} // namespace weir::test
