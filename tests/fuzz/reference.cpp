// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/reference.h"

#include <algorithm>

namespace weir::fuzz {
namespace {

using Bytes = std::span<const std::uint8_t>;

struct Refused {};

/// Of what comes over the wire: asking for what is not there refuses the frame.
class Reader {
public:
	explicit Reader(Bytes bytes) : bytes_(bytes) {}
	[[nodiscard]] std::size_t size() const { return bytes_.size(); }
	[[nodiscard]] std::uint8_t byte(std::size_t at) const
	{
		if (at >= bytes_.size())
			throw Refused{};
		return bytes_[at];
	}
	[[nodiscard]] std::uint16_t two(std::size_t at) const
	{
		return static_cast<std::uint16_t>(byte(at) << 8 | byte(at + 1));
	}
	[[nodiscard]] std::uint32_t four(std::size_t at) const
	{
		return static_cast<std::uint32_t>(two(at)) << 16 | two(at + 2);
	}
	[[nodiscard]] Reader from(std::size_t at) const
	{
		if (at > bytes_.size())
			throw Refused{};
		return Reader(bytes_.subspan(at));
	}
	[[nodiscard]] Reader first(std::size_t count) const
	{
		if (count > bytes_.size())
			throw Refused{};
		return Reader(bytes_.first(count));
	}
	[[nodiscard]] bool is_zero_from(std::size_t at) const
	{
		return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(at, bytes_.size())),
				   bytes_.end(), [](std::uint8_t b) { return b == 0; });
	}
	[[nodiscard]] Address six(std::size_t at) const
	{
		Address address;
		for (std::size_t i = 0; i < 16; ++i)
			address[i] = byte(at + i);
		return address;
	}
	[[nodiscard]] Address four_as_six(std::size_t at) const
	{
		Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
		for (std::size_t i = 0; i < 4; ++i)
			address[12 + i] = byte(at + i);
		return address;
	}

private:
	Bytes bytes_;
};

void require(bool condition)
{
	if (!condition)
		throw Refused{};
}

/// RFC 791 section 3.1: no source route, at most twelve options, each of a length that can be.
void check_options(const Reader &header)
{
	std::size_t at = 20;
	for (int seen = 0; at < header.size(); ++seen) {
		require(seen < 12);
		const auto kind = header.byte(at);
		if (kind == 0)
			return;
		require(kind != 131 && kind != 137);
		if (kind == 1) {
			++at;
			continue;
		}
		const auto length = header.byte(at + 1);
		require(length >= 2 && at + length <= header.size());
		at += length;
	}
}

/// Where the upper layer's header is; the packet is cut to its total length.
std::size_t look_at_v4(const Reader &packet, Seen &seen)
{
	const std::size_t header = (packet.byte(0) & 15U) * 4U;
	require(packet.byte(0) >> 4 == 4 && header >= 20);
	check_options(packet.first(header));
	seen.source = packet.four_as_six(12);
	seen.destination = packet.four_as_six(16);
	seen.protocol = packet.byte(9);
	seen.hop_limit = packet.byte(8);
	seen.more = (packet.two(6) & 0x2000) != 0;
	seen.part_at = (packet.two(6) & 0x1fffU) * 8;
	seen.part_id = packet.two(4);
	seen.fragment = seen.more || seen.part_at != 0;
	seen.cut_at = header;
	return header;
}

bool is_mapped(const Address &address)
{
	static constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return std::equal(prefix, prefix + 12, address.begin());
}

/// RFC 8200 section 4: at most six of hop-by-hop, destination options and fragment; no routing header.
std::size_t look_at_v6(const Reader &packet, Seen &seen, bool outgoing)
{
	require(packet.byte(0) >> 4 == 6);
	seen.source = packet.six(8);
	seen.destination = packet.six(24);
	seen.hop_limit = packet.byte(7);
	require(!is_mapped(outgoing ? seen.destination : seen.source));
	std::size_t at = 40;
	std::uint8_t next = packet.byte(6);
	bool cut = false;
	for (int headers = 0;; ++headers) {
		require(next != 43);
		if (next != 0 && next != 60 && next != 44)
			break;
		require(headers < 6);
		if (next == 44) {
			require(!cut);
			cut = true;
			seen.fragment = true;
			seen.more = (packet.byte(at + 3) & 1) != 0;
			seen.part_at = packet.two(at + 2) & 0xfff8U;
			seen.part_id = packet.four(at + 4);
			next = packet.byte(at);
			at += 8;
			seen.cut_at = at;
			if (seen.part_at != 0) {
				(void)packet.from(at);
				return at;
			}
		} else {
			(void)packet.first(at + 8);
			next = packet.byte(at);
			at += (packet.byte(at + 1) + 1U) * 8U;
		}
		(void)packet.from(at);
	}
	seen.protocol = next;
	return at;
}

bool is_icmp_error(std::uint8_t protocol, std::uint8_t type)
{
	if (protocol == 58)
		return type < 128;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

/// Of an ICMP error: enough of a packet to tell its flow.
void check_quote(const Reader &quote, std::uint8_t protocol)
{
	if (protocol == 58) {
		require(quote.byte(0) >> 4 == 6);
		(void)quote.first(48);
		return;
	}
	const std::size_t header = (quote.byte(0) & 15U) * 4U;
	require(quote.byte(0) >> 4 == 4 && header >= 20);
	require((quote.two(6) & 0x1fff) == 0);
	(void)quote.first(header + 8);
}

void look_at_ports(const Reader &upper, Seen &seen)
{
	switch (seen.protocol) {
	case 6: { // RFC 9293 section 3.1
		const std::size_t header = (upper.byte(12) >> 4) * 4U;
		require(header >= 20);
		(void)upper.first(header);
		seen.tcp_flags = upper.byte(13);
		static constexpr std::uint8_t sane[] = {2, 0x12, 0x10, 0x11, 4, 0x14};
		require(std::ranges::count(sane, static_cast<std::uint8_t>(seen.tcp_flags & 0x17)) == 1);
		break;
	}
	case 17:
		(void)upper.first(8);
		if (!seen.more)
			require(upper.two(4) == upper.size());
		break;
	case 33:
	case 132:
	case 136:
		break;
	case 1:
	case 58: {
		const std::uint8_t request = seen.protocol == 1 ? 8 : 128, reply = seen.protocol == 1 ? 0 : 129;
		const auto type = upper.byte(0);
		(void)upper.first(8);
		seen.source_port = seen.destination_port = type;
		if (type == request)
			seen.source_port = upper.two(4);
		if (type == reply) {
			seen.source_port = request;
			seen.destination_port = upper.two(4);
			seen.answers = true;
		} else if (is_icmp_error(seen.protocol, type)) {
			seen.error = true;
			check_quote(upper.from(8), seen.protocol);
		}
		return;
	}
	default:
		return;
	}
	seen.source_port = upper.two(0);
	seen.destination_port = upper.two(2);
}

void check_arp(const Reader &arp, bool outgoing)
{
	require(arp.two(0) == 1 && arp.two(2) == 0x0800 && arp.byte(4) == 6 && arp.byte(5) == 4);
	require(arp.two(6) == 1 || arp.two(6) == 2);
	(void)arp.first(28);
	require(arp.size() <= 46); // of a frame of 60 bytes, not counting tags
	require(!outgoing || arp.is_zero_from(28));
}

void look(const Reader &frame, bool outgoing, bool link_header, Seen &seen)
{
	std::size_t base = 0, tags = 0;
	if (link_header) {
		seen.ethertype = frame.two(12);
		for (base = 14; tags < 2 && (seen.ethertype == 0x8100 || seen.ethertype == 0x88a8); ++tags, base += 4)
			seen.ethertype = frame.two(base + 2);
	} else {
		seen.ethertype = frame.byte(0) >> 4 == 6 ? 0x86dd : 0x0800;
	}
	const Reader rest = frame.from(base);
	if (seen.ethertype == 0x0806) {
		check_arp(rest, outgoing);
		seen.form = Form::admitted;
		return;
	}
	const bool v6 = seen.ethertype == 0x86dd;
	require(v6 || seen.ethertype == 0x0800);
	const std::size_t total = v6 ? 40U + rest.two(4) : rest.two(2);
	require(!v6 || rest.two(4) != 0);
	const Reader packet = rest.first(total);
	seen.end = base + total;
	if (outgoing && total < rest.size()) // only the padding of a short frame: 60 bytes, and 4 for each tag
		require(link_header && frame.size() <= 60 + 4 * tags);
	const std::size_t upper = v6 ? look_at_v6(packet, seen, outgoing) : look_at_v4(packet, seen);
	if (seen.fragment) { // RFC 791 section 3.2, RFC 8200 section 4.5
		require(!seen.more || (total - seen.cut_at) % 8 == 0);
		require(seen.part_at + total - seen.cut_at <= 65535);
	}
	seen.form = seen.part_at != 0 ? Form::later_part : Form::admitted;
	if (seen.part_at == 0)
		look_at_ports(packet.from(upper), seen);
}

} // namespace

Seen look_at(std::span<const std::uint8_t> frame, bool outgoing, bool link_header)
{
	Seen seen;
	try {
		look(Reader(frame), outgoing, link_header, seen);
	} catch (const Refused &) {
		seen.form = Form::refused;
	}
	return seen;
}

} // namespace weir::fuzz
