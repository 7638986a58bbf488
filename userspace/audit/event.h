// SPDX-License-Identifier: Apache-2.0
// Violation events: what comes out of the ring buffer, enriched, and as Elastic Common Schema JSON.
#pragma once

#include "base/result.h"
#include "bpf/abi.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::audit {

/// What user space adds to an event.
struct Enrichment {
	std::string executable; ///< /proc/PID/exe, "" when it is gone
	std::string user;       ///< name of the uid, "" when it has none
	std::string cgroup;     ///< path below the cgroup2 mount, "" when it is gone
	std::string interface;  ///< name of ifindex in weir's own network namespace, "" elsewhere
};

/// Writes one line of JSON, newline included, at the end of `out`. ECS 8 field names; weir.* for the rest.
/// `to_wall` is added to the event's boot-clock time (ns) to get UNIX time (ns).
void append_json(std::string &out, const weir_event &, const Enrichment &, std::string_view instance,
		 std::string_view row_id, std::int64_t to_wall);

/// What the counters of an instance say, for the second kind of record. Sums over scopes, gates and reasons.
struct Totals {
	std::uint64_t refused = 0;
	std::uint64_t observed = 0;
	std::uint64_t reported = 0; ///< refused + observed = reported + lost
	std::uint64_t lost = 0;     ///< since the instance was loaded
};

/// One line, newline included: the kernel could not report `lost_since` events since the last such record (or,
/// in the first of a run, since the instance was loaded). `discarded`: taken out of the ring buffer but not
/// written, since this run began.
void append_lost_json(std::string &out, const Totals &, std::uint64_t lost_since, std::uint64_t discarded,
		      std::string_view instance, std::int64_t unix_ns);

/// One line for people, from one line of that JSON. Error: not one of weir's records.
Result<std::string> for_people(std::string_view json_line, bool color);

const char *reason_name(std::uint8_t reason);       ///< "no_row": stable, for machines
const char *reason_sentence(std::uint8_t reason);   ///< "no row of the matrix admits it"
const char *operation_name(std::uint8_t operation); ///< "connect", "udp_connect", "send", "packet"
const char *gate_name(std::uint8_t gate);
std::string protocol_name(std::uint8_t protocol);   ///< "tcp", "ipv6-icmp"; IANA keyword in lower case, or the number

} // namespace weir::audit
