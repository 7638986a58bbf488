// SPDX-License-Identifier: Apache-2.0
// Which addresses a site file may give for a name. Internal.
#pragma once

#include "base/result.h"
#include "policy/address.h"

#include <string_view>

namespace weir::policy {

/// An address or a prefix that some packet can have. The error is a phrase, as of parse_service(): what is wrong
/// with the text, or why no packet with such an address is ever admitted.
Result<Prefix> parse_peer(std::string_view text);

} // namespace weir::policy
