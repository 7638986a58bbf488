// SPDX-License-Identifier: Apache-2.0
// A second reader of frames, written from the RFCs and from docs, with nothing of the programs': slow, plain, and sure
// of its bounds. What it says is what the programs have to say.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace weir::fuzz {

enum class Form : std::uint8_t {
	refused,
	admitted,   ///< its rows decide
	later_part, ///< its first part decides
};

using Address = std::array<std::uint8_t, 16>;

struct Seen {
	Form form = Form::refused;
	std::uint16_t ethertype = 0;
	std::size_t end = 0; ///< of the packet in the frame
	Address source{}, destination{};
	std::uint8_t protocol = 0;
	std::uint8_t hop_limit = 0;
	std::uint16_t source_port = 0, destination_port = 0; ///< of ICMP see struct weir_packet
	std::uint8_t tcp_flags = 0;
	bool fragment = false; ///< has a fragment header, or says that it is a part
	bool more = false;
	std::size_t part_at = 0;
	std::size_t cut_at = 0; ///< offset of what was cut into parts
	std::uint32_t part_id = 0;
	bool error = false;
	bool answers = false; ///< an echo reply
};

Seen look_at(std::span<const std::uint8_t> frame, bool outgoing, bool link_header);

} // namespace weir::fuzz
