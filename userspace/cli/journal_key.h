// SPDX-License-Identifier: Apache-2.0
// The key that an auditor verifies a journal by, as it is given on the command line.
#pragma once

#include "base/result.h"
#include "journal/chain.h"

#include <string>

namespace weir::cli {

/// 64 digits, or a file with them. Exit::usage: neither.
Result<journal::PublicKey> journal_key(const std::string &text);

} // namespace weir::cli
