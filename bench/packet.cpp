// SPDX-License-Identifier: Apache-2.0
// What a packet costs in the programs themselves, as the kernel times them (BPF_PROG_TEST_RUN).
#include "bench/world.h"
#include "compile/image.h"
#include "tests/support/gates.h"
#include "tests/support/packets.h"

#include <benchmark/benchmark.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <empty.skel.h>

#include <map>

namespace weir::bench {

namespace {

using namespace test;

Bytes packet(Direction dir, std::uint16_t from)
{
	const bool out = dir == Direction::out;
	const Path path{out ? node4 : researcher4, out ? researcher4 : node4};
	return ipv4(path, {.protocol = 17},
		    udp_datagram(path, out ? from : served_port, out ? served_port : from, {1, 2, 3, 4}));
}

Gates &gates_of(unsigned rows)
{
	static std::map<unsigned, std::unique_ptr<Gates>> all;
	auto &gates = all[rows];
	if (!gates)
		gates = std::make_unique<Gates>(compile(policy_of(rows)).value());
	return *gates;
}

void report(benchmark::State &state, double nanoseconds)
{
	state.SetIterationTime(nanoseconds * 1e-9);
}

/// Every packet after the first: the flow is known.
void cached(benchmark::State &state, unsigned rows)
{
	constexpr int repeat = 200'000;
	auto &gates = gates_of(rows);
	const auto bytes = packet(Direction::out, 40000);
	for (auto _ : state) {
		const auto run = gates.run(Direction::out, bytes, zone_network, repeat);
		if (!run.allowed)
			state.SkipWithError("refused");
		report(state, run.nanoseconds);
	}
}

/// The first packet of a flow: parsed, judged by the rows, and its flow noted.
void first(benchmark::State &state, unsigned rows)
{
	auto &gates = gates_of(rows);
	std::uint16_t port = 1024;
	for (auto _ : state) {
		const auto run = gates.run(Direction::out, packet(Direction::out, ++port));
		if (!run.allowed)
			state.SkipWithError("refused");
		report(state, run.nanoseconds);
	}
}

/// An empty program, run as often.
void empty(benchmark::State &state, int repeat)
{
	static weir_empty *const skeleton = weir_empty__open_and_load();
	Bytes frame(14);
	frame[12] = 0x08;
	frame = frame + packet(Direction::out, 40000);
	for (auto _ : state) {
		bpf_test_run_opts options{};
		options.sz = sizeof(options);
		options.data_in = frame.data();
		options.data_size_in = static_cast<__u32>(frame.size());
		options.repeat = repeat;
		if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.empty_egress), &options) != 0)
			state.SkipWithError("BPF_PROG_TEST_RUN failed");
		report(state, options.duration);
	}
}

} // namespace

void register_packet()
{
	benchmark::RegisterBenchmark("packet/cached/empty", [](benchmark::State &state) { empty(state, 200'000); })
		->UseManualTime()
		->Iterations(3);
	benchmark::RegisterBenchmark("packet/first/empty", [](benchmark::State &state) { empty(state, 1); })
		->UseManualTime()
		->Iterations(4000);
	for (const unsigned rows : row_counts) {
		const auto name = "weir-" + std::to_string(rows);
		benchmark::RegisterBenchmark(("packet/cached/" + name).c_str(),
					     [rows](benchmark::State &state) { cached(state, rows); })
			->UseManualTime()
			->Iterations(3);
		benchmark::RegisterBenchmark(("packet/first/" + name).c_str(),
					     [rows](benchmark::State &state) { first(state, rows); })
			->UseManualTime()
			->Iterations(4000);
	}
}

} // namespace weir::bench
