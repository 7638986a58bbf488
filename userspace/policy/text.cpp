// SPDX-License-Identifier: Apache-2.0
#include "policy/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <utility>

namespace weir::policy {
namespace {

constexpr std::size_t text_limit = 1024;
constexpr std::size_t id_limit = 64;
constexpr const char *empty_complaint = "is empty\ngive it a value";

char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Optimal string alignment: insertions, deletions, replacements, and neighbours that changed places.
std::size_t distance(std::string_view a, std::string_view b)
{
	std::vector<std::size_t> before(b.size() + 1);
	std::vector<std::size_t> last(b.size() + 1);
	std::vector<std::size_t> row(b.size() + 1);
	std::iota(last.begin(), last.end(), std::size_t{0});
	for (std::size_t i = 1; i <= a.size(); i++) {
		row[0] = i;
		for (std::size_t j = 1; j <= b.size(); j++) {
			const std::size_t cost = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
			row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1])) {
				row[j] = std::min(row[j], before[j - 2] + 1);
			}
		}
		std::swap(before, last);
		std::swap(last, row);
	}
	return last[b.size()];
}

} // namespace

std::optional<char32_t> next_code_point(std::string_view text, std::size_t &at)
{
	const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
	const unsigned char head = byte(at);
	const std::size_t start = at++;
	if (head < 0x80) {
		return head;
	}
	const std::size_t size = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : 2;
	if (head < 0xc2 || head > 0xf4 || text.size() - start < size) {
		return std::nullopt;
	}
	char32_t point = head & (0x7fu >> size);
	for (std::size_t index = start + 1; index < start + size; index++) {
		if ((byte(index) & 0xc0) != 0x80) {
			return std::nullopt;
		}
		point = (point << 6) | (byte(index) & 0x3fu);
	}
	constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
	if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
		return std::nullopt;
	}
	at = start + size;
	return point;
}

bool is_hidden(char32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

std::string in_quotes(std::string_view text)
{
	std::string out = "\"";
	std::size_t count = 0;
	for (std::size_t at = 0; at < text.size();) {
		if (++count > 80) {
			out += "...";
			break;
		}
		const std::size_t start = at;
		const std::optional<char32_t> point = next_code_point(text, at);
		std::array<char, 16> escape{};
		if (!point || *point < 0x20) {
			std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(text[start]));
			out += escape.data();
		} else if (is_hidden(*point)) {
			std::snprintf(escape.data(), escape.size(), "\\u{%04x}", static_cast<unsigned>(*point));
			out += escape.data();
		} else {
			out += text.substr(start, at - start);
		}
	}
	return out + '"';
}

std::string nearest(std::string_view word, const std::vector<std::string> &candidates)
{
	if (word.size() > 256) {
		return ""; // no typing error; and the cost is the product of the lengths
	}
	const std::string *best = nullptr;
	std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(word.size() / 3, 3)) + 1;
	for (const std::string &candidate : candidates) {
		const std::size_t shorter = std::min(candidate.size(), word.size());
		if (std::max(candidate.size(), word.size()) - shorter >= least) {
			continue;
		}
		if (const std::size_t found = distance(word, candidate); found < least) {
			least = found;
			best = &candidate;
		}
	}
	return best == nullptr ? "" : *best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string> &candidates)
{
	const std::string near = nearest(word, candidates);
	return near.empty() ? "" : "did you mean " + in_quotes(near) + "?";
}

std::string squeezed(std::string_view text)
{
	std::string out;
	bool space = false;
	for (std::size_t at = 0; at < text.size();) {
		const std::size_t start = at;
		const std::optional<char32_t> point = next_code_point(text, at);
		if (point && (*point == ' ' || (*point >= '\t' && *point <= '\r') || *point == 0xa0)) {
			space = !out.empty();
			continue;
		}
		if (space) {
			out += ' ';
			space = false;
		}
		out += text.substr(start, at - start);
	}
	return out;
}

std::size_t width(std::string_view text)
{
	std::size_t count = 0;
	for (std::size_t at = 0; at < text.size(); count++) {
		next_code_point(text, at);
	}
	return count;
}

std::string text_complaint(std::string_view text, bool may_be_empty)
{
	if (text.empty()) {
		return may_be_empty ? "" : empty_complaint;
	}
	if (text.size() > text_limit) {
		return "is longer than " + std::to_string(text_limit) + " bytes\nshorten it";
	}
	for (std::size_t at = 0; at < text.size();) {
		const std::optional<char32_t> point = next_code_point(text, at);
		if (!point || is_hidden(*point)) {
			return "holds a character that cannot be seen\ntake it out: what is approved has to be what is "
			       "read";
		}
	}
	if (text.front() == ' ' || text.back() == ' ') {
		return "begins or ends with a space\ntake the space out";
	}
	return "";
}

std::string id_complaint(std::string_view text)
{
	const auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); };
	if (text.empty()) {
		return empty_complaint;
	}
	if (text.size() > id_limit) {
		return "is longer than " + std::to_string(id_limit) + " characters\nshorten it";
	}
	const bool good = alphanumeric(text.front()) && std::ranges::all_of(text, [&](char c) {
				  return alphanumeric(c) || c == '.' || c == '_' || c == '-';
			  });
	return good ? ""
		    : "is not letters, digits, \".\", \"_\" and \"-\" after a letter or a digit\nwrite it like "
		      "\"node-native\"";
}

} // namespace weir::policy
