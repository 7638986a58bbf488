// SPDX-License-Identifier: Apache-2.0
// A kernel's answers and a daemon's records, to begin with.
#pragma once

#include "top/model.h"

#include <cstdint>
#include <string>
#include <utility>

namespace weir::top {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1795521783LL * second; ///< 2026-11-24T12:03:03Z

inline BoundRow row(const std::string &id)
{
	BoundRow bound;
	bound.row.id = id;
	bound.row.source = "node";
	bound.row.destination = "researcher";
	bound.row.port = {6, 50051, 50051};
	return bound;
}

/// One component, two rows, all hooks attached.
inline kernel::State loaded()
{
	kernel::State state;
	state.generation = 3;
	state.digest = std::string(64, 'a');
	state.policy.scenario = "node-native";
	state.policy.scopes = {{"/sys/fs/cgroup/node", {"node"}}};
	state.policy.rows = {row("grpc"), row("dns")};
	state.tallies = {10, 0};
	state.counters.resize(WEIR_COUNTERS);
	for (const char *name : {"connect4", "connect6"})
		state.hooks.push_back({name, WEIR_GATE_SOCKET, 0, true, ""});
	state.hooks.push_back({"sock_create", WEIR_GATE_NONE, 0, true, ""});
	state.hooks.push_back({"egress", WEIR_GATE_PACKET, 0, true, ""});
	return state;
}

inline weir_counter &counter(kernel::State &state, std::uint32_t gate = WEIR_GATE_SOCKET)
{
	return state.counters.at(weir_counter_index(0, gate, WEIR_OUT, WEIR_REASON_NO_ROW));
}

/// So many seconds after the start.
inline Sample at(int seconds, Result<kernel::State> state, std::uint64_t identity = 7)
{
	return {.state = std::move(state),
		.identity = identity,
		.unix_ns = start + seconds * second,
		.boot_ns = static_cast<std::uint64_t>((1000 + seconds) * second),
		.monotonic_ns = (500 + seconds) * second,
		.record = {.path = "/var/log/weir/default.jsonl", .problem = {}, .has_writer = true}};
}

inline Refusal refusal(const std::string &peer, std::uint64_t count = 1, const std::string &process = "curl")
{
	return {.time = start,
		.count = count,
		.peer = peer,
		.service = "tcp/443",
		.reason = "no_row",
		.process = process,
		.pid = 1234,
		.user = "root",
		.cgroup = "/weir.slice/node"};
}

inline const Talker *find(const Talkers &talkers, const std::string &name)
{
	for (const auto &each : talkers.kept)
		if (each.name == name)
			return &each;
	return nullptr;
}

} // namespace weir::top
