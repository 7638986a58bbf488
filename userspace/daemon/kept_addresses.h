// SPDX-License-Identifier: Apache-2.0
// Which addresses a name has, when each answer may hold some of them only. A host behind round-robin DNS is not gone
// because one answer lacks it, and a stream to it must not be cut for that. Pure: the clock is the caller's.
#pragma once

#include "policy/address.h"

#include <cstdint>
#include <map>
#include <vector>

namespace weir::daemon {

class KeptAddresses {
public:
	/// An address goes when so many answers in a row have lacked it, and `keep` ns have passed since one had it.
	static constexpr unsigned answers = 3;
	/// However many come: of those that the last answer lacks, the ones that were lacking for longest go first.
	static constexpr std::size_t most = 64;

	explicit KeptAddresses(std::int64_t keep) : keep_(keep) {}

	/// What is in force, by whoever's doing: what isn't known yet counts as just seen, what isn't in force is
	/// forgotten.
	void adopt(const std::vector<Prefix> &in_force, std::int64_t now);
	/// An answer, up to `most` addresses. Gives what is to be in force from now on, sorted.
	std::vector<Prefix> after(const std::vector<Prefix> &answer, std::int64_t now);

private:
	struct Sight {
		std::int64_t last = 0;
		unsigned lacked = 0; ///< by answers in a row
	};
	std::int64_t keep_;
	std::map<Prefix, Sight> seen_;
};

} // namespace weir::daemon
