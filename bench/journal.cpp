// SPDX-License-Identifier: Apache-2.0
// The journal's writer and its verifier: a million records of refusals, into memory (tmpfs), signed as `weir run` does.
#include "audit/event.h"
#include "bench/world.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace weir::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned records = 1'000'000;
constexpr std::size_t batch = 256u << 10; ///< as the daemon's

double resident()
{
	std::ifstream file("/proc/self/statm");
	double all = 0;
	double pages = 0;
	file >> all >> pages;
	return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

weir_event event_of(unsigned number)
{
	weir_event event{};
	event.time = number * 1000ull;
	event.cgroup = 4711;
	event.remote[10] = event.remote[11] = 0xff;
	event.remote[12] = 203;
	event.remote[14] = 113;
	event.remote[15] = static_cast<std::uint8_t>(number);
	event.generation = 1;
	event.row = WEIR_NO_ROW;
	event.pid = 1000 + number % 50;
	event.remote_port = 443;
	event.protocol = IPPROTO_TCP;
	event.gate = WEIR_GATE_SOCKET;
	event.operation = WEIR_OP_CONNECT;
	event.reason = WEIR_REASON_NO_ROW;
	std::copy_n("python3", 8, event.comm);
	return event;
}

/// Writes; gives seconds. 0: it failed.
double write(const std::string &directory, double &bytes, double &grown)
{
	auto writer = journal::Writer::open(directory, {});
	if (!writer)
		return 0;
	std::string line;
	const audit::Enrichment more{
		.executable = "/usr/bin/python3", .user = "root", .cgroup = "/weir.slice", .interface = ""};
	const auto begin = Clock::now();
	double before = 0;
	for (unsigned i = 0; i < records; ++i) {
		line.clear();
		audit::append_json(line, event_of(i), more, "default", "", 1'700'000'000'000'000'000, i);
		line.pop_back();
		bytes += static_cast<double>(writer->append(line).size());
		if (writer->waiting() >= batch && !writer->write_out())
			return 0;
		if (i % 256 != 0 || !writer->is_due(Clock::now()))
			continue;
		if (!writer->checkpoint(R"({"event":{"action":"journal_checkpoint"}})"))
			return 0;
		if (writer->is_full() && !writer->rotate())
			return 0;
		if (before == 0)
			before = resident();
	}
	if (!writer->checkpoint(R"({"event":{"action":"journal_checkpoint"}})"))
		return 0;
	grown = resident() - before;
	return std::chrono::duration<double>(Clock::now() - begin).count();
}

void journal_of(benchmark::State &state)
{
	std::string directory = "/dev/shm/weir-bench-XXXXXX";
	if (::mkdtemp(directory.data()) == nullptr) {
		state.SkipWithError("no directory in /dev/shm");
		return;
	}
	const auto path = directory + "/journal";
	for (auto _ : state) {
		double bytes = 0;
		double grown = 0;
		const auto seconds = journal::initialize(path) ? write(path, bytes, grown) : 0;
		if (seconds == 0) {
			state.SkipWithError("it can't be written");
			break;
		}
		state.SetIterationTime(seconds);
		const auto begin = Clock::now();
		const auto verdict = journal::verify({path, {}, {}});
		if (!verdict || !verdict->findings.empty())
			state.SkipWithError("it isn't whole");
		state.counters["verify_seconds"] = std::chrono::duration<double>(Clock::now() - begin).count();
		state.counters["items_per_second"] = records / seconds;
		state.counters["bytes_per_second"] = bytes / seconds;
		state.counters["grown_bytes"] = grown;
		std::filesystem::remove_all(path);
	}
	std::filesystem::remove_all(directory);
}

} // namespace

void register_journal()
{
	benchmark::RegisterBenchmark("journal/tmpfs", journal_of)->UseManualTime()->Iterations(1);
}

} // namespace weir::bench
