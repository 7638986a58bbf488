// SPDX-License-Identifier: Apache-2.0
// Rows that ship with weir: without them no host has an IPv6 neighbour.
#pragma once

#include "policy/model.h"

namespace weir::policy {

/// Neighbour discovery (RFC 4861) and multicast listener reports (RFC 2710, RFC 3810) of one scope. They are of
/// type "host", mandatory, and admit only what the kernel makes itself. Of several
/// cgroups the ids end in "@SCOPE", at the edge of a policy that has cgroups, too, in "@edge".
void append_builtin_rows(BoundPolicy &, std::uint8_t scope);

} // namespace weir::policy
