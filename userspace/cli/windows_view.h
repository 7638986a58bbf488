// SPDX-License-Identifier: Apache-2.0
// The windows of the policy in force, for people and for machines. Pure.
#pragma once

#include "base/result.h"
#include "policy/windows.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace weir::cli {

/// One moment of both clocks: windows end by the one that only a boot sets, people go by the other.
struct Moment {
	std::int64_t unix_ns = 0;
	std::uint64_t boot_ns = 0;
	static Moment now();
	/// UNIX time, ns, of a moment of the boot clock.
	[[nodiscard]] std::int64_t wall(std::uint64_t boot) const;
};

/// What was typed, as a request; `by` and the moment are of whoever typed it. Errors: Exit::usage, with what to write.
Result<policy::WindowRequest> window_request(const std::string &name, const std::string &length,
					     const std::string &reason, bool extend, const std::string &by,
					     const Moment &);
/// A reason is what an auditor reads: one line, not empty, at most 200 bytes.
Result<> check_reason(const std::string &reason);

/// {"open": […], "ended": […], "allowed": […]}
nlohmann::ordered_json windows_json(const BoundPolicy &, const Moment &);
nlohmann::ordered_json rows_json(const std::vector<BoundRow> &, const std::string &window);

/// One line for each window that is open, indented; "" when none is.
std::string open_windows_text(const BoundPolicy &, const Moment &);
std::string ended_windows_text(const BoundPolicy &, const Moment &);
std::string allowed_windows_text(const BoundPolicy &);
/// "  web: out node -> Internet TCP/443", a line for each row of a window.
std::string rows_text(const std::vector<BoundRow> &, const std::string &window);

/// SHA-256, in hex, of what was approved: it stays the same when windows open and DNS names move.
std::string approved_digest(const BoundPolicy &);

std::string utc(std::int64_t unix_ns); ///< RFC 3339, for machines

} // namespace weir::cli
