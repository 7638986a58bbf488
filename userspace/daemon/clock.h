// SPDX-License-Identifier: Apache-2.0
// Time in nanoseconds, and what the daemon says to people, not too often.
#pragma once

#include <cstdint>
#include <ctime>
#include <iostream>
#include <string>

namespace weir::daemon {

constexpr std::int64_t ms = 1'000'000, second = 1000 * ms; ///< in nanoseconds
constexpr std::int64_t closing_time = 2 * second; ///< for what is left when a process is to end

inline std::int64_t clock_ns(clockid_t clock)
{
	timespec now{};
	::clock_gettime(clock, &now);
	return now.tv_sec * second + now.tv_nsec;
}

inline void say(const std::string &message)
{
	std::cerr << "weir: " << message << '\n'; // fails silently: that nobody listens is no reason to end
}

/// What goes wrong again and again is complained of every ten seconds.
class Complaint {
public:
	/// True when it is time to complain.
	[[nodiscard]] bool is_due()
	{
		const auto now = clock_ns(CLOCK_MONOTONIC);
		if (next_ != 0 && now < next_)
			return false;
		next_ = now + 10 * second;
		return true;
	}
	/// All is well. True when there had been a complaint.
	bool settle()
	{
		const bool was = next_ != 0;
		next_ = 0;
		return was;
	}

private:
	std::int64_t next_ = 0;
};

} // namespace weir::daemon
