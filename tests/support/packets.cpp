// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packets.h"

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <stdexcept>

namespace weir::test {
namespace {

void put16(Bytes &bytes, std::size_t value)
{
	bytes.push_back(static_cast<std::uint8_t>(value >> 8));
	bytes.push_back(static_cast<std::uint8_t>(value));
}

Bytes address_bytes(const std::string &text)
{
	const bool v6 = text.find(':') != std::string::npos;
	Bytes bytes(v6 ? 16 : 4);
	if (::inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) != 1)
		throw std::runtime_error("not an address: " + text);
	return bytes;
}

/// RFC 1071; the field is zero or left out in what is summed.
std::uint16_t checksum(const Bytes &bytes)
{
	std::uint32_t sum = 0;
	for (std::size_t i = 0; i < bytes.size(); ++i)
		sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<std::uint16_t>(~sum);
}

void put_checksum(Bytes &bytes, std::size_t at, std::uint16_t sum)
{
	bytes[at] = static_cast<std::uint8_t>(sum >> 8);
	bytes[at + 1] = static_cast<std::uint8_t>(sum);
}

Bytes with_pseudo_header(const Path &path, std::uint8_t protocol, const Bytes &segment)
{
	Bytes all = address_bytes(path.source) + address_bytes(path.destination);
	if (path.is_v6()) {
		put16(all, 0);
		put16(all, segment.size());
		put16(all, 0);
		put16(all, protocol);
	} else {
		put16(all, protocol);
		put16(all, segment.size());
	}
	return all + segment;
}

} // namespace

Bytes operator+(Bytes left, const Bytes &right)
{
	left.insert(left.end(), right.begin(), right.end());
	return left;
}

Bytes tcp_segment(const Path &path, std::uint16_t from, std::uint16_t to, std::uint8_t flags, const Bytes &data)
{
	Bytes segment;
	put16(segment, from);
	put16(segment, to);
	segment = segment + Bytes{0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0} + data;
	put_checksum(segment, 16, checksum(with_pseudo_header(path, IPPROTO_TCP, segment)));
	return segment;
}

Bytes udp_datagram(const Path &path, std::uint16_t from, std::uint16_t to, const Bytes &data)
{
	Bytes datagram;
	put16(datagram, from);
	put16(datagram, to);
	put16(datagram, 8 + data.size());
	put16(datagram, 0);
	datagram = datagram + data;
	put_checksum(datagram, 6, checksum(with_pseudo_header(path, IPPROTO_UDP, datagram)));
	return datagram;
}

Bytes icmp_echo(const Path &path, std::uint16_t id, bool reply)
{
	Bytes message{static_cast<std::uint8_t>(path.is_v6() ? 128 + reply : 8 - 8 * reply), 0, 0, 0};
	put16(message, id);
	put16(message, 1);
	message = message + Bytes(16, 'w');
	put_checksum(message, 2,
		     path.is_v6() ? checksum(with_pseudo_header(path, IPPROTO_ICMPV6, message)) : checksum(message));
	return message;
}

namespace {

Bytes icmp_error(const Path &path, Bytes head, const Bytes &quoted)
{
	Bytes message = std::move(head) + quoted;
	put_checksum(message, 2,
		     path.is_v6() ? checksum(with_pseudo_header(path, IPPROTO_ICMPV6, message)) : checksum(message));
	return message;
}

} // namespace

Bytes icmp_unreachable(const Path &path, const Bytes &quoted)
{
	return icmp_error(path, path.is_v6() ? Bytes{1, 4, 0, 0, 0, 0, 0, 0} : Bytes{3, 3, 0, 0, 0, 0, 0, 0}, quoted);
}

Bytes icmp_too_big(const Path &path, std::uint16_t mtu, const Bytes &quoted)
{
	const auto high = static_cast<std::uint8_t>(mtu >> 8);
	const auto low = static_cast<std::uint8_t>(mtu);
	return icmp_error(path, path.is_v6() ? Bytes{2, 0, 0, 0, 0, 0, high, low} : Bytes{3, 4, 0, 0, 0, 0, high, low},
			  quoted);
}

Bytes ipv4(const Path &path, const Ipv4 &fields, const Bytes &payload)
{
	const std::size_t header_size = 20 + fields.options.size();
	Bytes header{static_cast<std::uint8_t>(0x40 | header_size / 4), 0};
	put16(header, header_size + payload.size());
	put16(header, 0x7ea1);
	put16(header, fields.fragment);
	header = header + Bytes{64, fields.protocol, 0, 0} + address_bytes(path.source) +
		 address_bytes(path.destination) + fields.options;
	put_checksum(header, 10, checksum(header));
	return header + payload;
}

Bytes ipv6(const Path &path, std::uint8_t next_header, const Bytes &payload)
{
	Bytes header{0x60, 0, 0, 0};
	put16(header, payload.size());
	return header + Bytes{next_header, 64} + address_bytes(path.source) + address_bytes(path.destination) + payload;
}

Bytes routing_header(std::uint8_t next, const std::string &through)
{
	return Bytes{next, 2, 0, 1, 0, 0, 0, 0} + address_bytes(through);
}

Bytes options_header(std::uint8_t next)
{
	return Bytes{next, 0, 1, 4, 0, 0, 0, 0};
}

Bytes fragment_header(std::uint8_t next, std::uint16_t offset_units, bool more)
{
	Bytes header{next, 0};
	put16(header, static_cast<std::size_t>(offset_units) << 3 | (more ? 1U : 0U));
	return header + Bytes{0x77, 0x65, 0x69, 0x72};
}

Bytes ethernet(std::uint16_t ethertype, const Bytes &payload)
{
	Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	put16(frame, ethertype);
	return frame + payload;
}

Bytes ethernet(const Bytes &packet)
{
	return ethernet(!packet.empty() && packet[0] >> 4 == 6 ? eth_ipv6 : eth_ipv4, packet);
}

Bytes vlan_tag(std::uint16_t vid, std::uint16_t ethertype, const Bytes &payload)
{
	Bytes tag;
	put16(tag, vid);
	put16(tag, ethertype);
	return tag + payload;
}

Bytes arp(const Path &path, std::uint16_t operation)
{
	Bytes message{0, 1, 8, 0, 6, 4};
	put16(message, operation);
	return message + Bytes{2, 0, 0, 0, 0, 2} + address_bytes(path.source) + Bytes(6) +
	       address_bytes(path.destination);
}

Bytes source_route(const std::string &through)
{
	return Bytes{131, 7, 4} + address_bytes(through) + Bytes{0};
}

} // namespace weir::test
