// SPDX-License-Identifier: Apache-2.0
// What a connection costs: socket, connect, close.
#include "bench/turns.h"
#include "bench/world.h"
#include "tests/support/peers.h"

#include <sys/socket.h>

namespace weir::bench {
namespace {

constexpr unsigned connect_rounds = 60;
constexpr int connections = 40; ///< of a turn

double connect_and_close(const test::Endpoint &end)
{
	const linger reset{1, 0}; // no TIME_WAIT, or the ports would run out
	const double begin = now_ns();
	for (int i = 0; i < connections; ++i) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if (::connect(fd.get(), end.get(), end.size) != 0)
			test::raise("connect");
	}
	return (now_ns() - begin) / connections;
}

} // namespace

void register_connect()
{
	for (const auto &[name, address] : {std::pair{"loopback", "127.0.0.1"}, {"veth", test::researcher4}})
		register_turns(
			"connect/" + std::string(name), all_places(),
			[address = std::string(address)]() -> Turn {
				return [end = test::Endpoint(address, served_port)] { return connect_and_close(end); };
			},
			connect_rounds);
}

} // namespace weir::bench
