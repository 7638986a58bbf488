// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>

namespace weir::kernel {

/// What was replaced in place for the directory `left`, but not for `directory`, is put back: XDP programs, filters.
Result<> restore(const std::string &directory, const std::string &left);

} // namespace weir::kernel
