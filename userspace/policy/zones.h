// SPDX-License-Identifier: Apache-2.0
// Where a row holds: on loopback, on the network, inside a tunnel. Internal.
#pragma once

#include "policy/model.h"

#include <cstdint>
#include <vector>

namespace weir::policy {

/// 127.0.0.0/8 and ::1, whole or in part.
bool is_loopback(const Prefix &);

/// A mask of zones; 0 when there is none in which the row can hold: a tunnel's row to loopback addresses.
std::uint8_t zones_of(const Row &, const std::vector<Prefix> &peers, bool open_loopback);

} // namespace weir::policy
