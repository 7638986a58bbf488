// SPDX-License-Identifier: Apache-2.0
// `weir top`: asks, counts, draws, until a key or a signal ends it.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"
#include "top/tail.h"

namespace weir::top {

struct Options {
	kernel::Where where;
	Tail::Sources sources;
	double interval = 2; ///< seconds
	bool json = false;
	bool once = false;
};

/// Exit::usage: no terminal, where one is needed. With `once` Exit::degraded and Exit::absent are what was found.
Result<Exit> run(const Options &);

} // namespace weir::top
