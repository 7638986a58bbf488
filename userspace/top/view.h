// SPDX-License-Identifier: Apache-2.0
// What `weir top` shows of one instance, at the end of one interval: facts, in no order and of no width.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::top {

/// Something that is counted: how often so far, and how often in the last interval.
struct Rate {
	std::uint64_t total = 0;
	double per_second = 0;
};

enum class Mode : std::uint8_t {
	unknown,    ///< the kernel could not be asked
	not_loaded, ///< there is no such instance
	degraded,   ///< not all that the policy needs is in force
	observing,
	enforcing,
};

struct RowLine {
	std::string id;
	std::string direction; ///< "out", "in"
	std::string peer;      ///< as the matrix has it
	std::string service;   ///< "TCP/50051"
	std::string place;     ///< whose traffic: components, or "edge"
	std::string window;    ///< the open window that it belongs to; ""
	Rate decided;          ///< verdicts, not packets; in this generation
};

/// One gate in one scope.
struct GateLine {
	std::string gate;
	std::string place;
	unsigned attached = 0; ///< hooks of cgroups, or interfaces of the edge
	unsigned wanted = 0;
	bool awaited = false; ///< the component does not run, and is held when it starts
	Rate refused{}, observed{}, lost{};
};

/// A window that is open.
struct WindowLine {
	std::string name;
	std::uint64_t deadline = 0; ///< boot clock, ns
	std::string until;          ///< for people: "2026-11-24 13:03:04 CET"
	std::string by;
	std::string reason;
};

/// Who was refused: a peer, or processes by one name in one cgroup.
struct Talker {
	std::string name;   ///< address; name of the process; "" where no record says it
	std::string place;  ///< of a peer "out" or "in"; of processes their cgroup
	std::string user;   ///< of the latest process
	std::uint64_t pid = 0; ///< of the latest process; 0: not known
	std::string latest; ///< what it tried last: "203.0.113.7 tcp/443", of a peer "tcp/443"
	std::string reason; ///< why that was refused
	std::int64_t seen = 0; ///< UNIX time, ns
	Rate refused;
};

/// All of them, as far as memory is kept for them.
struct Talkers {
	std::vector<Talker> kept;
	Rate all;     ///< those that are not kept included
	std::uint64_t forgotten = 0; ///< refusals of those that had to make room
};

/// Where the refusals by peer and process come from.
struct RecordState {
	std::string path;     ///< that is followed; "": none can be
	std::string problem;  ///< "" when it can be read
	bool has_writer = false; ///< a `weir run` takes the instance's events
	std::int64_t since = 0;  ///< UNIX time, ns, of the first record that was counted; 0: none was
	std::uint64_t skipped = 0; ///< bytes that came faster than they could be counted
};

struct View {
	std::string instance;
	Mode mode = Mode::unknown;
	std::vector<std::string> problems;
	std::string scenario;
	std::uint32_t generation = 0;
	std::string digest;
	std::int64_t unix_ns = 0;
	std::uint64_t boot_ns = 0;
	double seconds = 0; ///< length of the interval; 0: there was none yet, and rates say nothing

	Rate refused{}, observed{}, lost{};
	std::vector<RowLine> rows;
	std::vector<GateLine> gates;
	std::vector<WindowLine> windows;
	Talkers peers, processes;
	RecordState record;
};

} // namespace weir::top
