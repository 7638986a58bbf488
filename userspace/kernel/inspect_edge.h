// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/maps.h"

namespace weir::kernel {

/// Reads back what the edge holds: State::interfaces, and problems. Gives the network namespace when it is the edge's.
std::optional<Netns> inspect_edge(const Where &, const Maps &, State &);

} // namespace weir::kernel
