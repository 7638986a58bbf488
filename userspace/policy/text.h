// SPDX-License-Identifier: Apache-2.0
// Words in messages and in files: UTF-8, quoting, suggestions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// The code point at `at`, which moves past it. nullopt: not UTF-8 (RFC 3629 section 4); moves past one byte.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t &at);

/// Of ASCII, whatever the locale.
constexpr bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/// Characters that a reader doesn't see, or that change the order of those that he sees: control characters and
/// the marks of text direction. A matrix is approved by people who read it: it must be what it looks like.
bool is_hidden(char32_t);

/// In double quotes, hidden characters as \xNN or \u{NNNN}, cut after 80 characters.
std::string in_quotes(std::string_view);

/// The candidate that differs by no more than a typing error, "" when none does.
std::string nearest(std::string_view word, const std::vector<std::string> &candidates);
/// "did you mean "node"?" for the nearest of the candidates, "" when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string> &candidates);

/// White space at both ends taken off, every other run of it one space.
std::string squeezed(std::string_view);

/// Characters, for columns.
std::size_t width(std::string_view);

/// What is wrong with a text of a row or a header, as a phrase, and what to do on a second line ("is empty\ngive it
/// a value"); "" when nothing is.
std::string text_complaint(std::string_view, bool may_be_empty);
/// The same for an id or a scenario, which become rule ids of events and names of files.
std::string id_complaint(std::string_view);

} // namespace weir::policy
