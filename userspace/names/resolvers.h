// SPDX-License-Identifier: Apache-2.0
// Who is asked for addresses.
#pragma once

#include "base/result.h"
#include "policy/dns_name.h"

#include <string>
#include <vector>

namespace weir::names {

using policy::Resolver;

/// Those that the site gives, in their order; if it gives none, the first three of `resolv_conf`, as resolv.conf(5) has
/// it. Error: there are none at all, or one is no address.
Result<std::vector<Resolver>> resolvers(const std::vector<std::string> &of_site,
					const std::string &resolv_conf = "/etc/resolv.conf");

} // namespace weir::names
