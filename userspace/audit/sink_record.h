// SPDX-License-Identifier: Apache-2.0
// Records of the daemon's sinks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::audit {

/// What happened to a sink: it takes records no longer, again, or has lost some.
struct SinkRecord {
	std::string action; ///< "sink_failed", "sink_recovered", "sink_dropped"
	std::string name;   ///< its address, without options
	std::string text;   ///< for people
	bool failed = false;
	std::uint64_t sent = 0;
	std::uint64_t waiting = 0;
	std::uint64_t dropped = 0;       ///< since the daemon began
	std::uint64_t dropped_since = 0; ///< since the last record that said so
	std::string problem{};
};
/// One line, newline included.
void append_sink_json(std::string &out, const SinkRecord &, std::string_view instance, std::int64_t unix_ns);

} // namespace weir::audit
