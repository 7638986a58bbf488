// SPDX-License-Identifier: Apache-2.0
// Asking the kernel, no more than it takes.
#pragma once

#include "kernel/instance.h"
#include "top/model.h"

#include <cstdint>
#include <string>

namespace weir::top {

class Sampler {
public:
	explicit Sampler(kernel::Where where) : where_(std::move(where)) {}

	/// The counters and tallies of now. All else is read back and checked when the policy is another one, and else
	/// as often as takes a fiftieth of the time at most, but each ten seconds.
	Sample take();

private:
	Result<kernel::State> look(std::int64_t now, std::uint64_t identity);
	bool refresh();

	kernel::Where where_;
	kernel::State state_; ///< as last read back, with the figures of now
	std::uint64_t identity_ = 0; ///< whose it is; 0: nobody's
	std::int64_t next_look_ = 0; ///< monotonic, ns
};

std::int64_t monotonic_ns();
std::uint64_t boot_ns();

} // namespace weir::top
