// SPDX-License-Identifier: Apache-2.0
// Records of DNS names that are followed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::audit {

/// What happened to a name that the site binds to a DNS name. Lists that say nothing are empty.
struct NameChange {
	std::string action; ///< "name_changed", "name_refused", "name_failed", "name_answered"
	std::string name;   ///< of the rows' peer
	std::string host;   ///< in DNS
	std::string text;   ///< for people
	bool failed = false;
	std::string resolver{};            ///< who gave the answer; "" where none did
	std::string problem{};             ///< of name_failed, for machines: "no_answer"
	std::vector<std::string> answer{}; ///< the addresses that it gave
	std::vector<std::string> before{}; ///< of name_changed: in force until then
	std::vector<std::string> after{};  ///< of name_changed: in force from then on
	std::vector<std::string> refused{}; ///< of name_refused
	std::uint32_t generation = 0;       ///< of name_changed
};
/// One line, newline included.
void append_name_json(std::string &out, const NameChange &, std::string_view instance, std::int64_t unix_ns);

} // namespace weir::audit
