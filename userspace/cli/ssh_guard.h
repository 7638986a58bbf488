// SPDX-License-Identifier: Apache-2.0
// Would a policy cut the SSH session in which it is applied?
#pragma once

#include "base/result.h"
#include "cli/ssh_session.h"
#include "compile/image.h"
#include "policy/model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// The way that a connection takes through this host.
struct Way {
	std::uint8_t zone = zone_network;
	std::string interface;             ///< "" when it is not known
	bool passes_edge = true;           ///< the policy's edge judges it, if there is one
	std::vector<std::uint8_t> cgroups; ///< scopes whose cgroup contains its socket
};
Way way_of(const SshSession &, const BoundPolicy &);

/// Where the policy would cut it: an index into its scopes. Asks the image, by the function that the kernel runs.
std::optional<std::uint8_t> where_cut(const Connection &, const Way &, const BoundPolicy &, const Image &);

/// What is said then: which connection, where, why, and what to do about it.
Error would_cut(const Connection &, const Way &, const BoundPolicy &, std::uint8_t scope);

/// All of it, for this process. No error: the session goes on, or there is none that is recognised.
Result<> guard_ssh_session(const BoundPolicy &);

} // namespace weir::cli
