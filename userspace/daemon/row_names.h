// SPDX-License-Identifier: Apache-2.0
// Which id a row of a generation has: asked of the kernel, and only when an event needs it.
#pragma once

#include "daemon/broker.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::daemon {

class RowNames {
public:
	explicit RowNames(Broker &broker) : broker_(broker) {}

	/// "" when the event has no row, or when its generation is no longer (or not yet) the one in force: no
	/// name is better than another policy's. Reads the kernel at most once for each generation and second.
	std::string_view of(std::uint32_t generation, std::uint32_t row);
	/// Another instance has taken the name: generations begin again.
	void forget();

private:
	void read();

	Broker &broker_;
	std::uint32_t generation_ = 0; ///< of ids_; 0 = none
	std::vector<std::string> ids_;
	std::int64_t asked_at_ = 0; ///< seconds, monotonic; of the last attempt
};

} // namespace weir::daemon
