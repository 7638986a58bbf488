// SPDX-License-Identifier: Apache-2.0
// What established traffic costs: one TCP stream across the veth, and small datagrams.
#include "bench/turns.h"
#include "bench/world.h"
#include "tests/support/peers.h"

#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

namespace weir::bench {
namespace {

constexpr unsigned traffic_rounds = 60;
constexpr int stream_block = 256 << 10;
constexpr int stream_blocks = 32; ///< of a turn: 8 MiB
constexpr int datagrams = 400;    ///< of a turn

std::shared_ptr<Fd> connected(int type)
{
	auto fd = std::make_shared<Fd>(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
	const test::Endpoint end(test::researcher4, served_port);
	if (::connect(fd->get(), end.get(), end.size) != 0)
		test::raise("connect");
	return fd;
}

/// Until all of it is acknowledged: none of it is left to the next one's turn. For each byte.
double stream(int fd)
{
	static const std::vector<char> block(stream_block);
	const double begin = now_ns();
	double sent = 0;
	for (int i = 0; i < stream_blocks; ++i) {
		const auto size = ::send(fd, block.data(), block.size(), MSG_NOSIGNAL);
		if (size <= 0)
			test::raise("send");
		sent += static_cast<double>(size);
	}
	for (int left = 1; left > 0;) {
		if (::ioctl(fd, SIOCOUTQ, &left) != 0)
			test::raise("SIOCOUTQ");
		::sched_yield();
	}
	return (now_ns() - begin) / sent;
}

double send_datagrams(int fd)
{
	const std::array<char, 32> data{};
	const double begin = now_ns();
	for (int i = 0; i < datagrams; ++i)
		// Nobody listens there: the peer's "port unreachable" comes back as an error of the next send.
		if (::send(fd, data.data(), data.size(), 0) < 0 && errno != ECONNREFUSED)
			test::raise("send");
	return (now_ns() - begin) / datagrams;
}

} // namespace

void register_traffic()
{
	register_turns(
		"stream", main_places(),
		[]() -> Turn { return [fd = connected(SOCK_STREAM)] { return stream(fd->get()); }; }, traffic_rounds);
	register_turns(
		"datagram", main_places(),
		[]() -> Turn { return [fd = connected(SOCK_DGRAM)] { return send_datagrams(fd->get()); }; },
		traffic_rounds);
}

} // namespace weir::bench
