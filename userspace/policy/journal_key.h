// SPDX-License-Identifier: Apache-2.0
// `journal = "required"`: in a row, or of a whole site. Internal.
#pragma once

#include "policy/toml_file.h"

namespace weir::policy {

/// False where the table does not have the key; its one value is "required".
Result<bool> read_journal(const TomlFile &, const toml::table &);

} // namespace weir::policy
