// SPDX-License-Identifier: Apache-2.0
// What holds for every frame, whatever its bytes: of the gate's own headers, and against the second reader.
#pragma once

#include "tests/fuzz/reading.h"
#include "tests/fuzz/reference.h"

#include <string>
#include <vector>

namespace weir::fuzz {

inline Form form_of(const Reading &reading)
{
	if (reading.reason == 0)
		return Form::admitted;
	return reading.reason == WEIR_REASON_FRAGMENT && reading.packet.part_at != 0 ? Form::later_part : Form::refused;
}

/// "" when the two say the same, else what differs.
inline std::string difference(const Reading &reading, const Seen &seen, bool outgoing)
{
	const auto &p = reading.packet;
	if (form_of(reading) != seen.form)
		return "form: " + std::to_string(reading.reason) + " " + std::to_string(static_cast<int>(seen.form));
	if (seen.form == Form::refused || seen.ethertype == 0x0806)
		return "";
	if (reading.ethertype != seen.ethertype)
		return "EtherType";
	const auto *source = outgoing ? p.local : p.remote, *destination = outgoing ? p.remote : p.local;
	if (std::memcmp(source, seen.source.data(), 16) != 0 ||
	    std::memcmp(destination, seen.destination.data(), 16) != 0)
		return "addresses";
	if (p.hop_limit != seen.hop_limit)
		return "hop limit";
	if ((p.parts != 0) != seen.fragment || (p.more != 0) != seen.more || p.part_at != seen.part_at)
		return "part";
	if (seen.fragment && (p.part_id != seen.part_id || p.parts != seen.cut_at))
		return "part's identification or place";
	const bool v4 = seen.ethertype == 0x0800;
	if ((v4 || seen.form == Form::admitted) && p.protocol != seen.protocol)
		return "protocol";
	if (seen.form == Form::later_part)
		return "";
	if ((outgoing ? p.local_port : p.remote_port) != seen.source_port ||
	    (outgoing ? p.remote_port : p.local_port) != seen.destination_port)
		return "ports";
	if (p.tcp_flags != seen.tcp_flags || (p.error != 0) != seen.error || (p.opens == 0) != seen.answers)
		return "flags, error or answer";
	return "";
}

inline bool same(const Reading &a, const Reading &b)
{
	return form_of(a) == form_of(b) &&
	       (form_of(a) == Form::refused || (std::memcmp(&a.packet, &b.packet, sizeof(a.packet)) == 0 &&
						std::memcmp(&a.quote, &b.quote, sizeof(a.quote)) == 0));
}

/// "" when all holds. `frame` is whole; `outgoing` and `link_header` as the gate would know them.
inline std::string broken(Frame frame, bool outgoing, bool link_header)
{
	const std::uint32_t direction = outgoing ? WEIR_OUT : WEIR_IN, header = link_header ? WEIR_ETH_HEADER : 0;
	const auto reading = read(frame, direction, header);
	const auto seen = look_at(frame, outgoing, link_header);
	if (auto what = difference(reading, seen, outgoing); !what.empty())
		return "differs from the second reader: " + what;
	if (form_of(reading) == Form::refused || reading.ethertype == WEIR_ETH_ARP)
		return "";
	if (reading.packet.needed > reading.packet.total)
		return "needs more than there is";
	const std::size_t end = reading.base + reading.packet.total;
	if (end > frame.size())
		return "admitted past the end";
	if (reading.reason == 0)
		for (std::size_t size = end; size-- > reading.base && end - size < 80;)
			if (form_of(read(frame.first(size), direction, header)) != Form::refused)
				return "admitted when cut short";
	if (end < frame.size() && !outgoing) {
		std::vector<std::uint8_t> other(frame.begin(), frame.end());
		for (std::size_t at = end; at < other.size(); ++at)
			other[at] ^= 0xa5;
		if (!same(reading, read(other, direction, header)))
			return "depends on what is behind the packet";
	}
	return "";
}

} // namespace weir::fuzz
