// SPDX-License-Identifier: Apache-2.0
// Strings of JSON, appended. Internal.
#pragma once

#include <string>
#include <string_view>

namespace weir::policy {

/// Of the canonical text of a policy.
constexpr unsigned canonical_format = 1;

/// In quotes, escaped as RFC 8259 section 7 asks and no further: the same text gives the same bytes.
void append_json(std::string &out, std::string_view text);

} // namespace weir::policy
