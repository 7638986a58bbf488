// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace weir::top {

/// What keeps a terminal of this type (TERM; null: not set) from being drawn on, as a phrase; "": nothing.
std::string terminal_complaint(const char *type);

} // namespace weir::top
