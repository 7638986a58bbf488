// SPDX-License-Identifier: Apache-2.0
#include "audit/json.h"

#include <arpa/inet.h>

#include <array>
#include <chrono>
#include <cstring>

namespace weir::audit {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// Bytes that go into a JSON string as they are: printable ASCII but for the quote and the backslash.
constexpr auto plain = [] {
	std::array<bool, 256> table{};
	for (unsigned c = 0x20; c < 0x7f; c++)
		table[c] = c != '"' && c != '\\';
	return table;
}();

void append_escape(std::string &out, char32_t value)
{
	auto unit = [&out](unsigned u) {
		const char text[] = {'\\',
				     'u',
				     hex_digits[u >> 12 & 15],
				     hex_digits[u >> 8 & 15],
				     hex_digits[u >> 4 & 15],
				     hex_digits[u & 15]};
		out.append(text, sizeof(text));
	};
	if (value >= 0x10000) { // RFC 8259 section 7: a surrogate pair
		unit(0xd800u + static_cast<unsigned>((value - 0x10000) >> 10));
		unit(0xdc00u + static_cast<unsigned>((value - 0x10000) & 0x3ff));
	} else {
		unit(static_cast<unsigned>(value));
	}
}

void append_digits(char *&to, unsigned value, int width)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		to[i] = static_cast<char>('0' + value % 10);
	to += width;
}

} // namespace

CodePoint decode_utf8(std::string_view text)
{
	constexpr CodePoint invalid{0xfffd, 1};
	const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
	const unsigned first = byte(0);

	if (first < 0x80)
		return {first, 1};
	const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || text.size() < size)
		return invalid;
	char32_t value = first & (0xffu >> (size + 1));
	for (std::size_t i = 1; i < size; i++) {
		if ((byte(i) & 0xc0) != 0x80)
			return invalid;
		value = value << 6 | (byte(i) & 0x3f);
	}
	if ((size == 3 && value < 0x800) || (size == 4 && value < 0x10000) || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return invalid;
	return {value, size};
}

bool is_hostile(char32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

void append_quoted(std::string &out, std::string_view text)
{
	out.push_back('"');
	while (!text.empty()) {
		std::size_t run = 0;
		while (run < text.size() && plain[static_cast<unsigned char>(text[run])])
			run++;
		out.append(text.substr(0, run));
		text.remove_prefix(run);
		if (text.empty())
			break;
		if (text[0] == '"' || text[0] == '\\') {
			out.push_back('\\');
			out.push_back(text[0]);
			text.remove_prefix(1);
			continue;
		}
		const auto [value, size] = decode_utf8(text);
		if (is_hostile(value))
			append_escape(out, value);
		else if (size == 1) // all of ASCII is dealt with above: not UTF-8
			out.append("\xef\xbf\xbd");
		else
			out.append(text.substr(0, size));
		text.remove_prefix(size);
	}
	out.push_back('"');
}

void append_time(std::string &out, std::int64_t unix_ns)
{
	using namespace std::chrono;
	const sys_time<nanoseconds> time{nanoseconds{unix_ns}};
	const auto day = floor<days>(time);
	const year_month_day date{day};
	const auto in_day = static_cast<std::uint64_t>((time - day).count());
	const auto second = static_cast<unsigned>(in_day / 1'000'000'000u);
	char text[30];
	char *to = text;

	append_digits(to, static_cast<unsigned>(int{date.year()}), 4);
	*to++ = '-';
	append_digits(to, unsigned{date.month()}, 2);
	*to++ = '-';
	append_digits(to, unsigned{date.day()}, 2);
	*to++ = 'T';
	append_digits(to, second / 3600, 2);
	*to++ = ':';
	append_digits(to, second / 60 % 60, 2);
	*to++ = ':';
	append_digits(to, second % 60, 2);
	*to++ = '.';
	append_digits(to, static_cast<unsigned>(in_day % 1'000'000'000u), 9);
	*to++ = 'Z';
	out.append(text, sizeof(text));
}

void append_address(std::string &out, const std::uint8_t *bytes)
{
	static constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	if (std::memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		for (int i = 12; i < 16; i++) {
			append_number(out, bytes[i]);
			if (i < 15)
				out.push_back('.');
		}
		return;
	}
	char text[INET6_ADDRSTRLEN];
	// Cannot fail: the family is known and the buffer is as long as it has to be.
	out.append(::inet_ntop(AF_INET6, bytes, text, sizeof(text)) != nullptr ? text : "::");
}

} // namespace weir::audit
