// SPDX-License-Identifier: Apache-2.0
// The key that an auditor verifies a journal by, as it is given on the command line.
#pragma once

#include "base/result.h"
#include "journal/chain.h"
#include "journal/verify.h"

#include <string>
#include <vector>

namespace weir::cli {

/// 64 digits, or a file with them. Exit::usage: neither.
Result<journal::PublicKey> journal_key(const std::string &text);

/// What is to be verified. `key`: as journal_key() takes it; "": the one that lies with the journal. `heads`: lines of
/// weir journal head. Exit::usage: one of them is none.
Result<journal::Question> journal_question(const std::string &directory, const std::string &key,
					   const std::vector<std::string> &heads);

} // namespace weir::cli
