// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace weir::cli {

/// Write a file whole or not at all: under another name in the same directory, synced, then renamed. Without
/// `replace` a file that is there already is an error, also when it appeared a moment ago.
Result<> write_file(const std::string &path, std::string_view text, bool replace);

} // namespace weir::cli
