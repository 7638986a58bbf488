// SPDX-License-Identifier: Apache-2.0
#include "policy/prefix_rules.h"

#include "policy/text.h"

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

std::unexpected<Error> wrong(std::string what, std::string_view hint)
{
	return fail(Exit::policy, std::move(what) + '\n' + std::string(hint));
}

bool looks_like_a_name(std::string_view text)
{
	const bool letters = std::ranges::any_of(
		text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; });
	return letters && !text.contains(':') && !text.contains('/');
}

// The address is good, the whole isn't: the length, or bits past it.
std::unexpected<Error> wrong_length(std::string_view text, const Address &address, std::string_view tail)
{
	const bool dotted = address.is_v4() && !text.contains(':');
	const int most = dotted ? 32 : 128;
	for (int length = 0; length <= most; length++) {
		if (tail != std::to_string(length)) {
			continue;
		}
		// Clear bits from the end until it is a prefix.
		Address start = address;
		for (int bit = length + (dotted ? 96 : 0); bit < 128; bit++) {
			auto &byte = start.bytes[static_cast<std::size_t>(bit / 8)];
			byte = static_cast<std::uint8_t>(byte & ~(0x80u >> (bit % 8)));
		}
		const Prefix prefix{start, static_cast<std::uint8_t>(length + (dotted ? 96 : 0))};
		return wrong(in_quotes(text) + " has bits set past its prefix length",
			     "write " + prefix.text() + ", or " + address.text() + " for the one address");
	}
	return wrong(in_quotes(tail) + " is not a prefix length", "use 0 to " + std::to_string(most));
}

struct Range {
	std::string_view prefix;
	std::string_view hint;
};

constexpr std::string_view give_v4 = "give the IPv4 address: packets in this form are refused";

constexpr std::array<Range, 6> never = {{
	{"::/96", give_v4},
	{"::ffff:0:0:0/96", give_v4},
	{"2002::/16", give_v4},
	{"2001::/32", give_v4},
	{"64:ff9b:1::/48", give_v4},
	{"64:ff9b::/96", "give the IPv4 address inside: NAT64 is judged by it"},
}};

Result<> can_match(const Prefix &prefix)
{
	const Address any;
	if (prefix.length == 128 && (prefix.address == any || prefix.address == Address::v4(0))) {
		return wrong(in_quotes(prefix.text()) + " is the address of nobody",
			     std::string("for every address write ") + (prefix.is_v4() ? "0.0.0.0/0" : "::/0"));
	}
	Address loopback;
	loopback.bytes[15] = 1;
	if (prefix.contains(loopback)) {
		return {};
	}
	for (const Range &range : never) {
		const std::optional<Prefix> bad = Prefix::parse(range.prefix);
		if (bad && bad->contains(prefix)) {
			const std::string_view form = refused_form(prefix.address);
			return wrong(
				in_quotes(prefix.text()) + " can never match: " +
					(form.empty() ? "it is NAT64 (64:ff9b::/96)" : "it is " + std::string(form)),
				range.hint);
		}
	}
	return {};
}

} // namespace

Result<Prefix> parse_peer(std::string_view text)
{
	const std::size_t slash = text.find('/');
	const std::optional<Address> address = Address::parse(text.substr(0, slash));
	if (!address) {
		if (looks_like_a_name(text)) {
			return wrong(in_quotes(text) + " is a name, not an address",
				     "give its addresses, or have DNS asked: { host = \"...\", within = "
				     "[\"192.0.2.0/24\"] }");
		}
		return wrong(in_quotes(text) + " is not an IPv4 or IPv6 address",
			     "write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32");
	}
	const std::optional<Prefix> prefix = Prefix::parse(text);
	if (!prefix) {
		return wrong_length(text, *address, slash == std::string_view::npos ? "" : text.substr(slash + 1));
	}
	if (const Result<> good = can_match(*prefix); !good) {
		return std::unexpected(good.error());
	}
	return *prefix;
}

} // namespace weir::policy
