// SPDX-License-Identifier: Apache-2.0
// Peers that DNS names: what an answer may be, and a policy whose name has other addresses. Pure.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <string>
#include <vector>

namespace weir::policy {

/// Why this address is not taken for the name, as a phrase ("is outside 192.0.2.0/24"); "" when it is.
std::string answer_complaint(const HostName &, const Address &);

/// Rows whose peer is that name get these addresses, in the policy and in its windows. Errors: no peer is of that
/// name, no address, or one that answer_complaint() refuses.
Result<BoundPolicy> with_addresses(const BoundPolicy &, const std::string &name, std::vector<Prefix> addresses);

/// The canonical text without what changes by itself: openings, rows of open windows, addresses of DNS names. Its
/// SHA-256 is the digest that was approved; of a policy that has none of these it is the policy's own.
std::string approved_text(const BoundPolicy &);

} // namespace weir::policy
