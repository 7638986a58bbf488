// SPDX-License-Identifier: Apache-2.0
#include "policy/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir {
namespace {

constexpr std::uint8_t v4_bits = 96; // where the IPv4 address starts in the 128-bit form

// inet_pton() wants a terminator, and stops at the first NUL: neither holds for a string_view.
template <std::size_t Size>
bool parse_family(int family, std::string_view text, std::array<std::uint8_t, Size> &bytes)
{
	if (text.size() >= INET6_ADDRSTRLEN || text.contains('\0')) {
		return false;
	}
	return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

Address keep_bits(const Address &address, unsigned length)
{
	Address kept = address;
	for (unsigned index = 0; index < kept.bytes.size(); index++) {
		const unsigned first = index * 8;
		if (first >= length) {
			kept.bytes[index] = 0;
		} else if (length - first < 8) {
			kept.bytes[index] =
				static_cast<std::uint8_t>(kept.bytes[index] & (0xff00u >> (length - first)));
		}
	}
	return kept;
}

std::optional<std::uint8_t> parse_length(std::string_view text, unsigned most)
{
	unsigned length = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
	const bool leading_zero = text.size() > 1 && text.front() == '0';
	if (error != std::errc{} || end != text.data() + text.size() || leading_zero || length > most) {
		return std::nullopt;
	}
	return static_cast<std::uint8_t>(length);
}

bool starts_with(const Address &address, std::initializer_list<std::uint8_t> head)
{
	return std::equal(head.begin(), head.end(), address.bytes.begin());
}

} // namespace

std::optional<Address> Address::parse(std::string_view text)
{
	Address address;
	if (std::array<std::uint8_t, 4> bytes{}; parse_family(AF_INET, text, bytes)) {
		address.bytes[10] = address.bytes[11] = 0xff;
		std::ranges::copy(bytes, address.bytes.begin() + 12);
		return address;
	}
	if (parse_family(AF_INET6, text, address.bytes)) {
		return address;
	}
	return std::nullopt;
}

Address Address::v4(std::uint32_t host_order)
{
	Address address;
	address.bytes[10] = address.bytes[11] = 0xff;
	for (unsigned index = 0; index < 4; index++) {
		address.bytes[12 + index] = static_cast<std::uint8_t>(host_order >> (24 - 8 * index));
	}
	return address;
}

bool Address::is_v4() const
{
	return starts_with(*this, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
}

std::string Address::text() const
{
	std::array<char, INET6_ADDRSTRLEN> buffer{};
	if (is_v4()) {
		inet_ntop(AF_INET, bytes.data() + 12, buffer.data(), buffer.size());
	} else {
		inet_ntop(AF_INET6, bytes.data(), buffer.data(), buffer.size());
	}
	return buffer.data();
}

std::optional<Prefix> Prefix::parse(std::string_view text)
{
	const std::size_t slash = text.find('/');
	const std::string_view head = text.substr(0, slash);
	const std::optional<Address> address = Address::parse(head);
	if (!address) {
		return std::nullopt;
	}
	Prefix prefix{*address, 128};
	if (slash != std::string_view::npos) {
		const bool dotted = !head.contains(':');
		const std::optional<std::uint8_t> length = parse_length(text.substr(slash + 1), dotted ? 32 : 128);
		if (!length) {
			return std::nullopt;
		}
		prefix.length = static_cast<std::uint8_t>(*length + (dotted ? v4_bits : 0));
	}
	if (keep_bits(prefix.address, prefix.length) != prefix.address) {
		return std::nullopt;
	}
	return prefix;
}

bool Prefix::contains(const Address &other) const
{
	return other.is_v4() == is_v4() && keep_bits(other, length) == address;
}

bool Prefix::contains(const Prefix &other) const
{
	return other.is_v4() == is_v4() && other.length >= length && keep_bits(other.address, length) == address;
}

std::string Prefix::text() const
{
	if (length == 128) {
		return address.text();
	}
	return address.text() + '/' + std::to_string(is_v4() ? length - v4_bits : length);
}

std::string_view refused_form(const Address &address)
{
	// RFC 4291 section 2.5.5.1 deprecates v4-compatible addresses; :: and ::1 look like them, but are not.
	if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
		const bool special = starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) &&
				     address.bytes[15] <= 1;
		return special ? "" : "IPv4-compatible (::/96)";
	}
	if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0})) {
		return "IPv4-translated (::ffff:0:0:0/96)"; // RFC 2765 section 2.1
	}
	if (starts_with(address, {0x20, 0x02})) {
		return "6to4 (2002::/16)"; // RFC 3056
	}
	if (starts_with(address, {0x20, 0x01, 0, 0})) {
		return "Teredo (2001::/32)"; // RFC 4380
	}
	if (starts_with(address, {0, 0x64, 0xff, 0x9b, 0, 1})) {
		return "local-use NAT64 (64:ff9b:1::/48)"; // RFC 8215: where the IPv4 address lies is the site's choice
	}
	return "";
}

Address judged_form(const Address &address)
{
	if (!starts_with(address, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
		return address;
	}
	Address inside = Address::v4(0);
	std::copy(address.bytes.begin() + 12, address.bytes.end(), inside.bytes.begin() + 12);
	return inside;
}

} // namespace weir
