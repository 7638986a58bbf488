// SPDX-License-Identifier: Apache-2.0
// What established traffic costs: one TCP stream across the veth, and small datagrams.
#include "bench/world.h"
#include "tests/support/peers.h"

#include <benchmark/benchmark.h>
#include <sys/socket.h>

namespace weir::bench {

namespace {

Fd connected(int type)
{
	Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
	const test::Endpoint end(test::researcher4, served_port);
	if (::connect(fd.get(), end.get(), end.size) != 0)
		return Fd();
	return fd;
}

void stream(benchmark::State &state, const std::string &what)
{
	const Inside inside(World::get().spot(what));
	const Fd fd = connected(SOCK_STREAM);
	const std::vector<char> block(256u << 10);
	std::int64_t sent = 0;
	for (auto _ : state) {
		const auto size = ::send(fd.get(), block.data(), block.size(), MSG_NOSIGNAL);
		if (size <= 0) {
			state.SkipWithError("send failed");
			break;
		}
		sent += size;
	}
	state.SetBytesProcessed(sent);
}

void datagrams(benchmark::State &state, const std::string &what)
{
	const Inside inside(World::get().spot(what));
	const Fd fd = connected(SOCK_DGRAM);
	const std::array<char, 32> data{};
	for (auto _ : state) {
		// Nobody listens there: the peer's "port unreachable" comes back as an error of the next send.
		if (::send(fd.get(), data.data(), data.size(), 0) < 0 && errno != ECONNREFUSED) {
			state.SkipWithError("send failed");
			break;
		}
	}
	state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

} // namespace

void register_traffic()
{
	for (const std::string what : {"none", "empty", "weir-1", "weir-100000", "nftables-1"}) {
		benchmark::RegisterBenchmark(("stream/" + what).c_str(),
					     [what](benchmark::State &state) { stream(state, what); })
			->UseRealTime()
			->MinTime(0.4);
		benchmark::RegisterBenchmark(("datagram/" + what).c_str(),
					     [what](benchmark::State &state) { datagrams(state, what); })
			->UseRealTime()
			->MinTime(0.15);
	}
}

} // namespace weir::bench
