// SPDX-License-Identifier: Apache-2.0
// The record under a flood: refusals at a set pace with `weir run` writing them to a file; what was lost, and how
// much memory it took.
#include "bench/world.h"
#include "kernel/instance.h"
#include "tests/support/peers.h"

#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <fstream>

namespace weir::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// Resident memory, bytes (proc(5), status).
double resident(pid_t pid, const char *field)
{
	std::ifstream status("/proc/" + std::to_string(pid) + "/status");
	for (std::string line; std::getline(status, line);)
		if (line.starts_with(field))
			return std::stod(line.substr(line.find(':') + 1)) * 1024;
	return 0;
}

struct Sum {
	double refused = 0, reported = 0, lost = 0;
};

Sum sum_of(const kernel::Where &where)
{
	Sum sum;
	const auto counters = kernel::read_counters(where);
	for (const auto &counter : counters.value()) {
		sum.refused += static_cast<double>(counter.refused);
		sum.reported += static_cast<double>(counter.reported);
		sum.lost += static_cast<double>(counter.lost);
	}
	return sum;
}

/// `pace` refusals a second, in bursts of a millisecond; 0: as fast as this processor can.
void flood(unsigned pace, std::chrono::milliseconds time)
{
	const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	const test::Endpoint end("203.0.113.7", 9);
	const auto begin = Clock::now();
	double sent = 0;
	for (auto now = begin; now < begin + time; now = Clock::now()) {
		const double due = pace == 0 ? sent + 1000 : pace * std::chrono::duration<double>(now - begin).count();
		for (; sent < due; ++sent)
			::sendto(fd.get(), "x", 1, MSG_DONTWAIT, end.get(), end.size);
		if (pace != 0)
			::usleep(1000);
	}
}

void events(benchmark::State &state, unsigned pace)
{
	auto &world = World::get();
	const std::string what = "weir-10";
	const kernel::Where where{world.lab().bpffs(), what};
	const std::string file = world.lab().directory() + "/events.jsonl";
	for (auto _ : state) {
		test::Program run({WEIR_BINARY, "--bpffs", where.bpffs, "--instance", what, "run", "--output", file});
		::usleep(300'000);
		const Sum before = sum_of(where);
		const auto begin = Clock::now();
		{
			const Inside inside(world.spot(what));
			flood(pace, std::chrono::milliseconds(2000));
		}
		const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
		const Sum after = sum_of(where);
		state.SetIterationTime(seconds);
		state.counters["refused_per_second"] = (after.refused - before.refused) / seconds;
		state.counters["lost"] = after.lost - before.lost;
		::usleep(500'000);
		state.counters["resident_bytes"] = resident(run.pid(), "VmRSS");
		state.counters["peak_bytes"] = resident(run.pid(), "VmHWM");
		run.kill(SIGTERM);
		if (run.wait().status != 0)
			state.SkipWithError("weir run did not end well");
		std::ofstream(file, std::ios::trunc);
	}
}

} // namespace

void register_events()
{
	for (const unsigned pace : {20'000u, 100'000u, 200'000u, 0u})
		benchmark::RegisterBenchmark(
			("events/" + (pace == 0 ? std::string("unbounded") : std::to_string(pace))).c_str(),
			[pace](benchmark::State &state) { events(state, pace); })
			->UseManualTime()
			->Iterations(1);
}

} // namespace weir::bench
