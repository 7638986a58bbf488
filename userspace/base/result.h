// SPDX-License-Identifier: Apache-2.0
// Errors are values. Each layer adds what it knows; main() prints the message and exits with the code.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

/// Exit codes: documented in docs/weir.1, stable. Append, never renumber.
enum class Exit : int {
	ok = 0,
	failure = 1,  ///< the machine could not do it: a system call failed, a file could not be written
	usage = 2,    ///< the command line is wrong
	policy = 3,   ///< a matrix, a site or a page is wrong; nothing was applied
	refused = 4,  ///< `explain`: the answer is "refused"
	differs = 5,  ///< `matrix verify`: policy and page differ, or the page has no such table
	degraded = 6, ///< `status`: not everything that the policy needs is in force
	absent = 7,   ///< the instance is not loaded
	would_cut = 8, ///< `apply`: it would cut the SSH session that it was typed in; nothing was applied
};

struct Error {
	Exit code = Exit::failure;
	/// What is wrong, where, and what to do. May have several lines; no newline at the end.
	std::string message;

	/// "while WHAT: MESSAGE"
	[[nodiscard]] Error during(std::string_view what) &&
	{
		message = std::string(what) + ": " + message;
		return std::move(*this);
	}
};

template <typename T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Exit code, std::string message)
{
	return std::unexpected(Error{code, std::move(message)});
}

inline std::unexpected<Error> fail(std::string message)
{
	return fail(Exit::failure, std::move(message));
}

} // namespace weir
