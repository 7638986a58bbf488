// SPDX-License-Identifier: Apache-2.0
// What a connection costs: socket, connect, close.
#include "bench/world.h"
#include "tests/support/peers.h"

#include <benchmark/benchmark.h>
#include <sys/socket.h>

namespace weir::bench {

namespace {

void connect_and_close(benchmark::State &state, const std::string &what, const std::string &address)
{
	const Inside inside(World::get().spot(what));
	const test::Endpoint end(address, served_port);
	const linger reset{1, 0}; // no TIME_WAIT, or the ports would run out
	for (auto _ : state) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if (::connect(fd.get(), end.get(), end.size) != 0) {
			state.SkipWithError("connect failed");
			break;
		}
	}
}

} // namespace

void register_connect()
{
	std::vector<std::string> all{"none", "empty"};
	for (const unsigned rows : row_counts)
		all.push_back("weir-" + std::to_string(rows));
	all.push_back("nftables-1");
	all.push_back("nftables-100000");
	for (const auto &what : all)
		for (const auto &[name, address] : {std::pair{"loopback", "127.0.0.1"}, {"veth", test::researcher4}})
			benchmark::RegisterBenchmark(("connect/" + std::string(name) + "/" + what).c_str(),
						     [what, address = std::string(address)](benchmark::State &state) {
							     connect_and_close(state, what, address);
						     })
				->UseRealTime()
				->MinTime(0.15);
}

} // namespace weir::bench
