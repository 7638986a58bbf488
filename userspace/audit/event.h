// SPDX-License-Identifier: Apache-2.0
// Violation events, and what windows admitted: what comes out of the kernel, enriched, and as Elastic Common Schema JSON.
#pragma once

#include "base/result.h"
#include "bpf/abi.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::audit {

/// What user space adds to an event.
struct Enrichment {
	std::string executable{}; ///< /proc/PID/exe, "" when it is gone
	std::string user{}; ///< name of the uid, "" when it has none
	std::string cgroup{}; ///< path below the cgroup2 mount, "" when it is gone
	std::string interface{}; ///< name of ifindex in weir's own network namespace, "" elsewhere
};

/// Of a frame that is not IP: its EtherType, which stands where the service's port does (host order). 0: it is IP,
/// or not known.
std::uint16_t ethertype_of(const weir_event &);

/// Writes one line of JSON, newline included, at the end of `out`. ECS 8 field names; weir.* for the rest.
/// `to_wall` is added to the event's boot-clock time (ns) to get UNIX time (ns). `number` is the kernel's, of the event
/// among those of its ring.
void append_json(std::string &out, const weir_event &, const Enrichment &, std::string_view instance,
		 std::string_view row_id, std::int64_t to_wall, std::optional<std::uint64_t> number = {});

/// Packets that are counted together, refused or admitted, as the event that stands for them: only what they have in common.
/// Its time is that of the first of them, so that its process is looked up as of then.
weir_event event_of(const weir_merge_key &, const weir_merge &);

/// One line, newline included: so many refusals, alike, in one record. The fields of a refusal, but those in which
/// they may differ; weir.count, event.start and event.end besides. `more` is that of event_of().
void append_merged_json(std::string &out, const weir_merge_key &, const weir_merge &, const Enrichment &more,
			std::string_view instance, std::int64_t to_wall);

/// The row of a window that admitted something; "" where nobody knows their names any more.
struct Admission {
	std::string_view row{};
	std::string_view window{};
};
/// One line, newline included: packets that a row of a window admitted, of one connection or of several that are alike;
/// their number, event.start and event.end. The entry is of WEIR_REASON_NONE, `more` that of event_of().
void append_admitted_json(std::string &out, const weir_merge_key &, const weir_merge &, const Enrichment &more,
			  const Admission &, std::string_view instance, std::int64_t to_wall);

/// Refusals, or with WEIR_REASON_NONE admitted packets, of which only the number is known: the table of like ones was full.
struct Summed {
	std::uint8_t scope = 0;
	std::uint8_t gate = 0;
	std::uint8_t direction = 0;
	std::uint8_t reason = 0;
	std::uint64_t count = 0; ///< since the last such record
	std::uint64_t total = 0; ///< since the counters began
	std::int64_t since = 0; ///< UNIX time, ns, of the last look at the counters; 0: they were never looked at
	/// What became of them, where all that this counter counts had one verdict; else "".
	std::string_view verdict{};
};
void append_summed_json(std::string &out, const Summed &, std::string_view instance, std::int64_t unix_ns);

/// What the counters of an instance say, for records of a loss. Sums over scopes, gates and reasons.
struct Totals {
	std::uint64_t refused = 0;
	std::uint64_t observed = 0;
	std::uint64_t reported = 0; ///< refused + observed = reported + merged + summed + lost
	std::uint64_t merged = 0;
	std::uint64_t summed = 0;
	std::uint64_t lost = 0; ///< since the instance was loaded
};

/// One line, newline included: the kernel could not report `lost_since` events since the last such record (or,
/// in the first of a run, since the instance was loaded). `discarded`: taken out of the ring buffer but not
/// written, since this run began.
void append_lost_json(std::string &out, const Totals &, std::uint64_t lost_since, std::uint64_t discarded,
		      std::string_view instance, std::int64_t unix_ns);

/// What happened to an interface: that the edge gate holds it, or no longer, or can't.
struct InterfaceChange {
	std::string action; ///< "interface_held", "interface_gone", ...
	std::string name; ///< "" where it is of no interface
	std::string text; ///< for people
	bool failed = false;
};
void append_interface_json(std::string &out, const InterfaceChange &, std::string_view instance, std::int64_t unix_ns);

/// What happened to a window: that it was opened, extended, closed, or that its time was over; or shortened, by a policy
/// that was applied and allows less.
struct WindowChange {
	std::string
		action{}; ///< "window_opened", "window_extended", "window_shortened", "window_closed", "window_expired"
	std::string name;
	std::string by; ///< who did it, a name first; "": nobody that is known
	std::string reason; ///< why, in their words; "" as `by`
	std::string opened_by;
	std::string opened_reason;
	std::int64_t opened = 0; ///< UNIX time, ns
	std::int64_t until = 0; ///< when its time is over, or was, or would have been; by the clocks of now
	std::int64_t at = 0; ///< when it happened
	std::uint64_t cut = 0; ///< "window_expired": connections that were ended then
	std::optional<std::uint64_t>
		decided{}; ///< "window_expired": how often its rows decided, where that could be read
};
/// `unix_ns`: when it is recorded.
void append_window_json(std::string &out, const WindowChange &, std::string_view instance, std::int64_t unix_ns);
std::string text_of(const WindowChange &); ///< for people, without the time

/// What happened to a component's cgroup: that it is held, or no longer, or more than one matches.
struct ComponentRecord {
	std::string action; ///< "component_held", "component_gone", "component_ambiguous", "component_unheld"
	std::vector<std::string> components{}; ///< names; none: it is of all of them
	std::string where{}; ///< as the site says it: "container:fedbiomed-node-*"
	std::string cgroup{}; ///< directory; "" of one that is gone
	std::string text{}; ///< for people
	bool failed = false;
	/// Only of component_held: for how long it was there unheld, at most, and who had opened what by then.
	struct Gap {
		std::int64_t ns = 0;
		unsigned processes = 0;
		unsigned sockets = 0;
	};
	std::optional<Gap> gap{};
};
void append_component_json(std::string &out, const ComponentRecord &, std::string_view instance, std::int64_t unix_ns);

/// One line for people, from one line of that JSON. Error: not one of weir's records.
Result<std::string> for_people(std::string_view json_line, bool color);

const char *reason_name(std::uint8_t reason); ///< "no_row": stable, for machines
const char *reason_sentence(std::uint8_t reason); ///< "no row of the matrix admits it"
const char *operation_name(std::uint8_t operation); ///< "connect", "udp_connect", "send", "packet"
const char *gate_name(std::uint8_t gate);
std::string protocol_name(std::uint8_t protocol); ///< "tcp", "ipv6-icmp"; IANA keyword in lower case, or the number

} // namespace weir::audit
