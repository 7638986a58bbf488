// SPDX-License-Identifier: Apache-2.0
// The tables of a site file, each read into the site. Internal.
#pragma once

#include "policy/toml_file.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// nullptr: the file has no such table.
Result<const toml::table *> table_of(const TomlFile &, std::string_view key);

/// A key that the site makes up: no name that is built in, and one that a person can read.
Result<> check_key(const TomlFile &, const toml::key &, std::string_view builtin_hint);

/// A list of ids, or of names, which may have spaces; none twice.
Result<std::vector<std::string>> ids_of(const TomlFile &, const toml::node &, std::string_view key,
					std::string_view hint);
Result<std::vector<std::string>> words_of(const TomlFile &, const toml::node &, std::string_view key,
					  std::string_view hint);

Result<> read_names(const TomlFile &, Site &); ///< [names] and resolvers
Result<> read_places(const TomlFile &, Site &); ///< [cgroups], [units] and [containers]
Result<> read_users(const TomlFile &, Site &);
Result<> read_windows(const TomlFile &, Site &); ///< after the names

/// The scenario whose rows have no peers of their own: a window names them.
constexpr std::string_view negotiation_scenario = "key-negotiation";

} // namespace weir::policy
