// SPDX-License-Identifier: Apache-2.0
// Refusals by whoever was refused. A flood from forged addresses takes no more memory than this allows.
#pragma once

#include "top/view.h"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace weir::top {

class TalkerTable {
public:
	/// So many at most are kept.
	explicit TalkerTable(std::size_t most = 4096) : most_(most) {}

	/// So many refusals of one of them; `who.refused` is not looked at. Those of `is_past` are in the totals and not
	/// in the rates: they were there before anybody watched.
	void add(Talker who, std::uint64_t count, bool is_past);
	/// Rates are over these seconds, from here on a new interval is counted.
	void end_interval(double seconds);
	[[nodiscard]] Talkers talkers() const;

private:
	struct Entry {
		Talker who;
		std::uint64_t fresh = 0; ///< refusals of this interval
	};
	void make_room();

	std::size_t most_;
	std::unordered_map<std::string, Entry> entries_; ///< by name and place
	Rate all_;
	std::uint64_t fresh_ = 0;
	std::uint64_t forgotten_ = 0;
};

} // namespace weir::top
