// SPDX-License-Identifier: Apache-2.0
// Which connections live by a row that has ended. Internal.
#pragma once

#include "compile/image.h"
#include "kernel/sockets.h"
#include "policy/model.h"

#include <optional>

namespace weir::kernel {

/// Compares the policy that was in force with the one that is. Pure.
class Ended {
public:
	/// `now`: the image in force, and its policy, at a moment of the boot clock.
	Ended(BoundPolicy before, const BoundPolicy &policy, const Image &now, std::uint64_t boot_ns);

	/// Rows of `before` admitted this socket's packets in one of the zones, in a scope of the policy in force, and
	/// nothing admits them in any of them now, whoever opened it: nobody tells, and what an `in` row still admits
	/// must not be cut for want of an `out` row.
	[[nodiscard]] bool is_ended(const PeerSocket &, std::uint8_t scope, std::uint8_t zones) const;

private:
	BoundPolicy before_;
	const Image &now_;
	std::uint64_t boot_ns_;
	std::vector<std::optional<std::uint8_t>> scope_before_; ///< by scope of the policy in force
};

} // namespace weir::kernel
