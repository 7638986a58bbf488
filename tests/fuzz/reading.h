// SPDX-License-Identifier: Apache-2.0
// What the edge gate reads of a frame, by the very headers that its programs are made of, over a buffer.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

inline int buffer_load(const void *frame, unsigned offset, void *to, unsigned size);

/// verdict.bpf.h asks for it; nothing here judges.
struct NoLine {
	template <typename Part>
	operator Part *() const
	{
		return nullptr;
	}
};
inline NoLine image_line(const void *, unsigned)
{
	return {};
}
#define packet_load(frame, offset, to, size) buffer_load(frame, offset, to, size)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/frame.bpf.h"
#pragma GCC diagnostic pop

using Frame = std::span<const std::uint8_t>;

inline int buffer_load(const void *frame, unsigned offset, void *to, unsigned size)
{
	const auto *at = static_cast<const weir_frame *>(frame);
	const auto &bytes = *static_cast<const Frame *>(at->ctx);
	if (std::uint64_t{at->base} + offset + size > bytes.size())
		return -1;
	std::memcpy(to, bytes.data() + at->base + offset, size);
	return 0;
}

namespace weir::fuzz {

struct Reading {
	std::uint32_t reason = 0; ///< enum weir_reason
	std::uint32_t ethertype = 0;
	std::uint32_t base = 0; ///< where the IP header is
	weir_packet packet{};
	weir_edge_key quote{}; ///< of an ICMP error
};

/// In the order of read_all() in edge.bpf.h.
inline Reading read(Frame bytes, std::uint32_t direction, std::uint32_t link_header)
{
	Reading reading;
	weir_frame frame{};
	frame.ctx = &bytes;
	frame.length = static_cast<std::uint32_t>(bytes.size());
	reading.reason = weir_parse_link(&frame, link_header);
	reading.ethertype = frame.ethertype;
	reading.base = frame.base;
	if (reading.reason != 0)
		return reading;
	const bool v4 = frame.ethertype == WEIR_ETH_IPV4;
	if (frame.ethertype == WEIR_ETH_ARP) {
		reading.reason = weir_check_arp(&frame, direction);
		return reading;
	}
	if (!v4 && frame.ethertype != WEIR_ETH_IPV6) {
		reading.reason = WEIR_REASON_ETHERTYPE;
		return reading;
	}
	auto &packet = reading.packet;
	reading.reason = v4 ? weir_parse_v4(&frame, direction, &packet) : weir_parse_v6(&frame, direction, &packet);
	const bool later = reading.reason == WEIR_REASON_FRAGMENT && packet.part_at != 0;
	if (reading.reason == 0 || later) {
		const auto lengths = weir_check_lengths(&frame, direction, &packet);
		reading.reason = lengths != 0 ? lengths : reading.reason;
	}
	if (reading.reason == 0)
		reading.reason = weir_check_flags(&packet);
	if (reading.reason == 0 && packet.error != 0)
		reading.reason = weir_parse_quote(&frame, &packet, &reading.quote);
	return reading;
}

} // namespace weir::fuzz
