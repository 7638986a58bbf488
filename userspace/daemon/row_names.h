// SPDX-License-Identifier: Apache-2.0
// What the rows of a generation are called: asked of the kernel, and only when it is needed.
#pragma once

#include "daemon/broker.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

struct RowName {
	std::string id;
	std::string window; ///< "": it is for good
};

class RowNames {
public:
	explicit RowNames(Broker &broker) : broker_(broker) {}

	/// Both "" when there is no row, or when its generation is not (or not yet) known: no name is better than another
	/// policy's. Reads the kernel at most once for each generation and second. Valid until the next call.
	const RowName &of(std::uint32_t generation, std::uint32_t row);
	/// This generation is in force. If it has rows of windows their names are kept for a while when it is replaced: what
	/// they admitted last is known only then.
	void see(std::uint32_t generation);
	/// Another instance has taken the name: generations begin again.
	void forget();

private:
	void read();
	void keep_windows();

	Broker &broker_;
	std::uint32_t generation_ = 0; ///< of rows_; 0 = none
	std::uint32_t seen_ = 0; ///< the last one that see() looked at
	std::vector<RowName> rows_;
	std::deque<std::pair<std::uint32_t, std::map<std::uint32_t, RowName>>>
		former_; ///< generations: rows of windows
	std::int64_t asked_at_ = 0; ///< seconds, monotonic; of the last attempt
};

} // namespace weir::daemon
