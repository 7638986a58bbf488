// SPDX-License-Identifier: Apache-2.0
// The reverse of weir_counter_index().
#pragma once

#include "bpf/abi.h"

#include <cstddef>
#include <cstdint>

namespace weir::kernel {

/// Of what a counter is; numbers as in bpf/abi.h.
struct CounterPlace {
	std::uint8_t scope = 0, gate = 0, direction = 0, reason = 0;
};

constexpr CounterPlace place_of(std::size_t index)
{
	const auto by_reason = index / WEIR_REASONS, by_direction = by_reason / WEIR_DIRECTIONS;
	return {.scope = static_cast<std::uint8_t>(by_direction / WEIR_GATES),
		.gate = static_cast<std::uint8_t>(by_direction % WEIR_GATES),
		.direction = static_cast<std::uint8_t>(by_reason % WEIR_DIRECTIONS),
		.reason = static_cast<std::uint8_t>(index % WEIR_REASONS)};
}

} // namespace weir::kernel
