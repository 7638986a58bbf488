// SPDX-License-Identifier: Apache-2.0
// Addresses are 128 bits everywhere, IPv4 as v4-mapped (RFC 4291 section 2.5.5.2).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct Address {
	std::array<std::uint8_t, 16> bytes{}; ///< network order

	/// Dotted IPv4 or IPv6 text (RFC 4291 section 2.2); nothing else: no port, no zone, no prefix.
	static std::optional<Address> parse(std::string_view text);
	static Address v4(std::uint32_t host_order);

	[[nodiscard]] bool is_v4() const; ///< ::ffff:0:0/96
	[[nodiscard]] std::string text() const; ///< dotted for IPv4, RFC 5952 for IPv6
	auto operator<=>(const Address &) const = default;
};

struct Prefix {
	Address address;     ///< bits past the length are zero
	std::uint8_t length = 128; ///< of the 128-bit form: IPv4 /24 is 120

	/// "192.0.2.0/24", "2001:db8::/32", or an address for the whole length. Host bits set: nullopt.
	static std::optional<Prefix> parse(std::string_view text);

	/// An IPv4 prefix holds IPv4 addresses only, an IPv6 prefix IPv6 addresses only: ::/0 does not hold
	/// ::ffff:192.0.2.1, which is an IPv4 address in its 128-bit form.
	[[nodiscard]] bool contains(const Address &) const;
	[[nodiscard]] bool contains(const Prefix &) const;
	[[nodiscard]] bool is_v4() const { return length >= 96 && address.is_v4(); }
	[[nodiscard]] std::string text() const; ///< without "/32" or "/128" for a single address
	auto operator<=>(const Prefix &) const = default;
};

/// Why the gates refuse this address whatever the rows say (an IPv6 form that hides an IPv4 address: 6to4,
/// Teredo, v4-compatible, ...), or "" when they don't. NAT64's 64:ff9b::/96 is judged by the address inside.
std::string_view refused_form(const Address &);

/// The form that rows are compared with: 64:ff9b::a.b.c.d becomes a.b.c.d (RFC 6052); else unchanged.
Address judged_form(const Address &);

} // namespace weir
