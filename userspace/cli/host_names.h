// SPDX-License-Identifier: Apache-2.0
// The DNS names of a site, looked up for the verbs that read one.
#pragma once

#include "policy/policy.h"

namespace weir::cli {

/// Asks the site's resolvers, or the machine's, for all names at once; up to 6 s. A name without an answer, and one
/// whose answers all lie outside of `within`, is an error at its place in the site file. Of others, addresses outside
/// are left out, with a warning. With `later`, a name for which no resolver has an answer is a warning, too: its rows
/// admit nothing until `weir run` has found an address.
policy::ResolveHosts ask_dns(bool later = false);

/// Asks nobody: all of `within` stands for each name.
policy::ResolveHosts take_all_within();

} // namespace weir::cli
