// SPDX-License-Identifier: Apache-2.0
// `weir run`: from the ring buffer to lines of JSON. Not in the path of any packet: killed, it costs the record of
// what the ring cannot hold, which the kernel counts, and nothing of the policy.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"
#include "sinks/address.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::daemon {

struct RunOptions {
	kernel::Where where;
	std::string output = "-"; ///< file, or "-" for the standard output
	std::string journal{}; ///< directory of the journal that stands before it; "": none
	std::vector<sinks::Address> sinks{}; ///< that get a copy of each record
	std::string metrics{}; ///< file for Prometheus' textfile collector; "": none
	/// Who reads and writes from then on; what root is needed for stays with processes of their own. "": all is done by
	/// this one.
	std::string user{};
	/// How long an address stays that the answers for its DNS name have no more.
	std::int64_t keep_ns = 600'000'000'000;
};

/// Streams until SIGTERM or SIGINT, or until the instance is removed: then writes what the ring holds and says
/// what was written and what was lost. SIGHUP opens the file anew. Exit::absent when the instance is not loaded.
Result<Exit> run(const RunOptions &);

} // namespace weir::daemon
