// SPDX-License-Identifier: Apache-2.0
// Which records `weir events` and `weir journal show` choose.
#pragma once

#include "audit/events_view.h"
#include "base/result.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

struct EventOptions {
	std::string since;
	std::string until;
	std::vector<std::string> kinds;
	std::string row;
	std::string peer;
	std::string to;
	std::string direction;
	std::string reason;
	std::string gate;
	std::string process;
	std::uint32_t pid = 0;
	std::uint64_t count = 0;
};

void add_event_options(CLI::App &verb, EventOptions &);

/// Exit::usage: a time or an address is none. `site`: the file whose names a peer may have, where it can be read.
Result<audit::Filter> filter_of(const EventOptions &, const std::string &site);

} // namespace weir::cli
