// SPDX-License-Identifier: Apache-2.0
// The view for machines.
#pragma once

#include "top/view.h"

#include <cstdint>
#include <string>

namespace weir::top {

/// One object on one line, ASCII only, newline included. Of peers and processes the busiest hundred.
std::string json_line(const View &);

} // namespace weir::top
