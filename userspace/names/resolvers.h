// SPDX-License-Identifier: Apache-2.0
// Who is asked for addresses.
#pragma once

#include "base/result.h"
#include "policy/address.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::names {

struct Resolver {
	Address address;
	std::uint16_t port = 53;
	[[nodiscard]] std::string text() const; ///< "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"
	bool operator==(const Resolver &) const = default;
};

/// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353". The error is a phrase and, in its second
/// line, what to do; Exit::policy.
Result<Resolver> parse_resolver(std::string_view text);

/// Those that the site gives, in their order; if it gives none, the first three of `resolv_conf`, as resolv.conf(5) has
/// it. Error: there are none at all, or one is no address.
Result<std::vector<Resolver>> resolvers(const std::vector<std::string> &of_site,
					const std::string &resolv_conf = "/etc/resolv.conf");

} // namespace weir::names
