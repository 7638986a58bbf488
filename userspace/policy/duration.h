// SPDX-License-Identifier: Apache-2.0
// How long a window is open: "90s", "30m", "4h", "1h30m".
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::policy {

/// A window is an exception: for longer than a day it is a change of the policy.
constexpr std::uint32_t longest_window = 24 * 60 * 60;

/// In seconds, 1 to longest_window. The error is a phrase, as of parse_service().
Result<std::uint32_t> parse_duration(std::string_view text);

/// "1h30m"; the shortest that parse_duration() reads back.
std::string duration_text(std::uint32_t seconds);

} // namespace weir::policy
