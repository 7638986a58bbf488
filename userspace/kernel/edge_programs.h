// SPDX-License-Identifier: Apache-2.0
// The skeleton of the edge's programs, for those who load them and those who look at them. Internal.
#pragma once

#include <edge.skel.h>

#include <cstdint>
#include <type_traits>

namespace weir::kernel {

/// Tells one build of the programs from another.
std::uint64_t build_of_edge();

using EdgeConstants = std::remove_pointer_t<decltype(weir_edge::rodata)>;

} // namespace weir::kernel
