// SPDX-License-Identifier: Apache-2.0
// Names in DNS, and whom to ask for them, as text.
#pragma once

#include "base/result.h"
#include "policy/address.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::policy {

/// A name that a host can have (RFC 1123 section 2.1), in lower case and without the last point. The error is a
/// phrase, as of parse_service().
Result<std::string> parse_dns_name(std::string_view text);

struct Resolver {
	Address address;
	std::uint16_t port = 53;
	[[nodiscard]] std::string text() const; ///< as parse_resolver() reads it
	bool operator==(const Resolver &) const = default;
};

/// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53" or "[2001:db8::53]:5353". The error is a phrase.
Result<Resolver> parse_resolver(std::string_view text);

} // namespace weir::policy
