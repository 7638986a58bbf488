// SPDX-License-Identifier: Apache-2.0
// A kernel for the daemon's tests: polls are scripted, so signals and floods come at the moment that is wanted.
#pragma once

#include "kernel/instance.h"

#include <deque>
#include <functional>
#include <optional>

namespace weir::kernel {

using Handle = std::function<void(const weir_event &)>;

struct FakeKernel {
	/// One for each poll; when there is none left, SIGTERM is sent.
	std::deque<std::function<void(const Handle &)>> polls;
	weir_counter counter{};
	BoundPolicy policy;
	std::uint32_t generation = 1;
	bool loaded = true;
	int opened = 0;
	int images_read = 0;
};
FakeKernel &fake();

} // namespace weir::kernel
