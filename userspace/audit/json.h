// SPDX-License-Identifier: Apache-2.0
// JSON by appending to a string: no tree, no allocation for each event, every byte of a hostile name contained.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::audit {

/// One code point at the start of `text`, which is not empty. Invalid UTF-8 (overlong, a surrogate, cut off;
/// RFC 3629) gives U+FFFD and one byte.
struct CodePoint {
	char32_t value;
	std::size_t size; ///< bytes
};
CodePoint decode_utf8(std::string_view text);

/// Control characters of any kind, and the marks that reorder or hide text on a terminal (bidirectional
/// controls, line separators, zero-width characters): nothing that a process may put into a line by its name.
bool is_hostile(char32_t);

/// `text` as a JSON string, quotes included. What is_hostile() goes out as \uXXXX, invalid UTF-8 as U+FFFD.
void append_quoted(std::string &out, std::string_view text);

/// RFC 3339, UTC, nine digits: "2026-11-24T12:03:04.123456789Z". For times from 1970 to 9999.
void append_time(std::string &out, std::int64_t unix_ns);

/// 16 bytes in network order: dotted for v4-mapped, else RFC 5952.
void append_address(std::string &out, const std::uint8_t *bytes);

inline void append_number(std::string &out, std::uint64_t value)
{
	char digits[20];
	const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
	out.append(digits, static_cast<std::size_t>(end - digits));
}

} // namespace weir::audit
