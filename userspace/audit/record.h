// SPDX-License-Identifier: Apache-2.0
// What all records have: for the files of this folder that write them.
#pragma once

#include "audit/json.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::audit {

/// {"@timestamp":"...","ecs":{...}
void begin_record(std::string &out, std::int64_t unix_ns);

/// ,"observer":{...},"host":{...}: what every record ends its ECS part with.
const std::string &observer();

/// The beginning of a record of a change, up to event.reason; `outcome` is "success", "failure" or "unknown".
void begin_change(std::string &out, std::int64_t unix_ns, std::string_view action, std::string_view outcome,
		  std::string_view text);
/// The end of its object "event".
void end_event(std::string &out, std::string_view dataset);
/// Who and where wrote it, and the object "weir" with the instance: left open.
void begin_weir(std::string &out, std::string_view instance);

inline void append_field(std::string &out, std::string_view before, std::uint64_t value)
{
	out.append(before);
	append_number(out, value);
}

} // namespace weir::audit
