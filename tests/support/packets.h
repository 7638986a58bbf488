// SPDX-License-Identifier: Apache-2.0
// Packets made by hand: IPv4 / IPv6 / extension headers / TCP, UDP, ICMP, with right checksums.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::test {

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes left, const Bytes &right);

constexpr std::uint8_t tcp_fin = 1, tcp_syn = 2, tcp_rst = 4, tcp_ack = 16;

/// Both addresses of a packet, as text of one family.
struct Path {
	std::string source;
	std::string destination;
	[[nodiscard]] bool is_v6() const { return destination.find(':') != std::string::npos; }
};

Bytes tcp_segment(const Path &, std::uint16_t from, std::uint16_t to, std::uint8_t flags, const Bytes &data = {});
Bytes udp_datagram(const Path &, std::uint16_t from, std::uint16_t to, const Bytes &data);
Bytes icmp_echo(const Path &, std::uint16_t id, bool reply = false); ///< ICMP or ICMPv6, by the path
/// "Port unreachable", ICMP or ICMPv6, that quotes a packet.
Bytes icmp_unreachable(const Path &, const Bytes &quoted);
/// "Packet too big", "fragmentation needed": the error that path MTU discovery waits for.
Bytes icmp_too_big(const Path &, std::uint16_t mtu, const Bytes &quoted);

struct Ipv4 {
	std::uint8_t protocol = 6;
	std::uint16_t fragment = 0; ///< flags and offset, as in the header: 0x2000 = more fragments
	Bytes options{};            ///< a multiple of four bytes
};
Bytes ipv4(const Path &, const Ipv4 &, const Bytes &payload);
Bytes ipv6(const Path &, std::uint8_t next_header, const Bytes &payload);

/// IPv6 extension headers; `next` is the header after it.
Bytes routing_header(std::uint8_t next, const std::string &through);
Bytes options_header(std::uint8_t next); ///< destination or hop-by-hop options, 8 bytes of padding
Bytes fragment_header(std::uint8_t next, std::uint16_t offset_units, bool more);

/// Frames: what stands before the packet.
constexpr std::uint16_t eth_ipv4 = 0x0800, eth_arp = 0x0806, eth_ipv6 = 0x86dd, eth_vlan = 0x8100, eth_qinq = 0x88a8;
Bytes ethernet(std::uint16_t ethertype, const Bytes &payload);
/// With the EtherType of the packet's version.
Bytes ethernet(const Bytes &packet);
/// A tag of 802.1Q or 802.1ad, and what is in it: the payload of a frame of that EtherType.
Bytes vlan_tag(std::uint16_t vid, std::uint16_t ethertype, const Bytes &payload);
/// "Who has", or the answer; Ethernet and IPv4 (RFC 826).
Bytes arp(const Path &, std::uint16_t operation = 1);

/// IPv4 loose source route through an address.
Bytes source_route(const std::string &through);

} // namespace weir::test
