// SPDX-License-Identifier: Apache-2.0
// A question to the policy, and its answer: for the evaluator, the compiled image and `explain` alike.
#pragma once

#include "bpf/abi.h"
#include "policy/model.h"

#include <cstdint>
#include <optional>

namespace weir {

/// What decides a verdict.
struct Question {
	std::uint8_t scope = 0;
	Direction dir = Direction::out;
	std::uint8_t protocol = 0;
	Address remote;          ///< as on the wire, or as given to connect()
	std::uint16_t port = 0;  ///< of the service: remote for out, local for in; ICMP: the type
	std::uint8_t zone = zone_network;
	bool from_kernel = false; ///< the packet was made by the kernel itself, not by a process
	std::optional<std::uint32_t> user{}; ///< uid of who made the socket; nullopt: not known
	std::uint64_t now = 0; ///< CLOCK_BOOTTIME, ns: rows with a deadline hold before it
	bool journal = true; ///< it is written: rows that need it hold
};

struct Answer {
	bool allowed = false;
	std::uint32_t row = WEIR_NO_ROW; ///< WEIR_NO_ROW and allowed: open loopback
	weir_reason reason = WEIR_REASON_NONE;
	bool operator==(const Answer &) const = default;
};

} // namespace weir
