// SPDX-License-Identifier: Apache-2.0
// Words and numbers as the page has them. Everything out of a record goes through escaped().
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace weir::report {

std::string escaped(std::string_view text);
/// Escaped, with commas.
std::string joined(const std::set<std::string> &all);
/// "2026-11-24 12:03:04": UTC, as the page says once. "–" for 0.
std::string utc(std::int64_t time);
/// The same, as HTML that is broken between day and time only.
std::string when(std::int64_t time);
/// 1 234 567, with spaces that don't break.
std::string grouped(std::uint64_t value);
/// "1 min 30 s", "2.5 h", "3.1 d"; "" for a moment.
std::string lasting(std::int64_t ns);

} // namespace weir::report
