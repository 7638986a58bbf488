// SPDX-License-Identifier: Apache-2.0
// Who a socket belongs to: numbers of users, in rows and in a site's [users]. Internal.
#pragma once

#include "policy/toml_file.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::policy {

/// Digits and nothing else: a user's number, where a name may stand, too.
bool is_number(std::string_view);

/// The number of is_number()'s text.
std::optional<std::uint32_t> uid_from(std::string_view);

/// A user's number in a file: 0 to 4294967294, as (uid_t)-1 is nobody's.
Result<std::uint32_t> read_uid(const TomlFile &, const toml::node &, std::string_view key);

} // namespace weir::policy
