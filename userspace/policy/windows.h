// SPDX-License-Identifier: Apache-2.0
// Windows of a policy: opened, closed, expired, carried into the next policy. Pure: no clock, no kernel.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::policy {

/// Openings that a policy remembers, and windows that it may have: so those that are open always have room.
constexpr std::size_t most_openings = 16;

struct WindowRequest {
	std::string name;
	std::uint32_t seconds = 0;
	std::string by; ///< as Opening::by
	std::string reason;
	bool extend = false;
	std::int64_t unix_ns = 0; ///< the clocks now: CLOCK_REALTIME,
	std::uint64_t boot_ns = 0; ///< and CLOCK_BOOTTIME
};

/// Adds the window's rows with their deadline behind all others, and an Opening. `extend`: it is open, and its end is
/// replaced by `seconds` from now, which may be sooner; the opening before is closed by who extends, the new one is
/// open since that one was. Errors: no such window, no time or no reason, longer than the site allows, open already,
/// or not open with `extend` (Exit::policy; Exit::usage where the request makes no sense on any host).
Result<BoundPolicy> open_window(const BoundPolicy &, const WindowRequest &);

/// Takes the rows out; the Opening stays and says who closed it. Error: no such window, or it is not open.
Result<BoundPolicy> close_window(const BoundPolicy &, const std::string &name, const std::string &by,
				 const std::string &reason, std::int64_t unix_ns);

/// Takes out rows whose deadline has passed; nullopt: there are none.
std::optional<BoundPolicy> without_expired(const BoundPolicy &, std::uint64_t boot_ns);

/// `fresh` is applied while windows of `old` are open. Those that it has, too, stay open until the same deadline, but
/// no longer than it allows from now; the others are closed. It has the history of `old`.
BoundPolicy carry_windows(const BoundPolicy &old, BoundPolicy fresh, std::uint64_t boot_ns, std::int64_t unix_ns);

/// Openings that are open at that moment.
std::vector<Opening> open_now(const BoundPolicy &, std::uint64_t boot_ns);

} // namespace weir::policy
