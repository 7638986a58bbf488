// SPDX-License-Identifier: Apache-2.0
// What the edge costs established traffic: a TCP stream of the host's own, out and in, and one that it forwards for a
// container. A veth with native XDP takes away its peer's segmentation offload, whatever the program: what comes in
// then comes in packets of the MTU. So there are empty programs beside weir's.
#include "bench/street.h"
#include "bench/turns.h"
#include "bench/world.h"
#include "tests/support/peers.h"

#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <optional>
#include <stdexcept>
#include <thread>

namespace weir::bench {
namespace {

using namespace test;

constexpr unsigned stream_rounds = 40;
constexpr std::size_t block = 256 << 10;
constexpr std::size_t turn_bytes = 8 << 20;

/// A client begins with 'o': it sends, or 'i': for each byte that follows it is sent turn_bytes.
void serve_one(int peer)
{
	std::vector<char> buffer(block);
	char what = 0;
	if (::recv(peer, &what, 1, 0) != 1)
		return;
	if (what == 'o') {
		while (::recv(peer, buffer.data(), buffer.size(), MSG_TRUNC) > 0) {}
		return;
	}
	while (::recv(peer, &what, 1, 0) == 1)
		for (std::size_t sent = 0; sent < turn_bytes; sent += buffer.size())
			if (::send(peer, buffer.data(), buffer.size(), MSG_NOSIGNAL) <= 0)
				return;
}

void serve()
{
	const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	const Endpoint end("0.0.0.0", served_port);
	if (::bind(listener.get(), end.get(), end.size) != 0 || ::listen(listener.get(), 64) != 0)
		raise("the street's server");
	for (;;) {
		Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
		std::thread([peer = std::move(peer)] { serve_one(peer.get()); }).detach();
	}
}

std::vector<std::string> compared()
{
	return houses_here(
		{"none", "empty", "empty-tc", "weir-1", "weir-100000", "weir-tc-1", "nftables-1", "iptables-1"});
}

struct Place {
	Street street{compared(), false};
	Child server{Spot{street.netns(), ""}, [](Channel &) { serve(); }};
};

Place &place()
{
	static Place one;
	return one;
}

Fd connected(const House &house, char what)
{
	const Endpoint end(house.peer_address(), served_port);
	std::optional<Fd> made;
	const bool up = eventually([&] {
		made.emplace(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		return ::connect(made->get(), end.get(), end.size) == 0;
	});
	if (!up || ::send(made->get(), &what, 1, 0) != 1)
		raise("connect from a house held by " + house.what());
	return std::move(*made);
}

/// Until all of it is acknowledged: none of it is left to the next one's turn. For each byte.
double send_out(int fd)
{
	static const std::vector<char> data(block);
	const double begin = now_ns();
	for (std::size_t sent = 0; sent < turn_bytes;) {
		const auto size = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
		if (size <= 0)
			raise("send");
		sent += static_cast<std::size_t>(size);
	}
	for (int left = 1; left > 0;) {
		if (::ioctl(fd, SIOCOUTQ, &left) != 0)
			raise("SIOCOUTQ");
		::sched_yield();
	}
	return (now_ns() - begin) / turn_bytes;
}

double take_in(int fd)
{
	std::vector<char> buffer(block);
	const double begin = now_ns();
	if (::send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		raise("send");
	for (std::size_t come = 0; come < turn_bytes;) {
		const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
		if (size <= 0)
			raise("recv");
		come += static_cast<std::size_t>(size);
	}
	return (now_ns() - begin) / turn_bytes;
}

enum class Client : std::uint8_t { host, container };

void register_stream(const std::string &name, Client client, char what)
{
	const auto spot = [client](const std::string &house) {
		const auto &one = place().street.house(house);
		return Spot{client == Client::host ? one.host() : one.container(), ""};
	};
	const auto prepare = [what](const std::string &house) -> Turn {
		auto fd = std::make_shared<Fd>(connected(place().street.house(house), what));
		return [fd, what] { return what == 'o' ? send_out(fd->get()) : take_in(fd->get()); };
	};
	register_turns(name,
		       {"none", "empty", "empty-tc", "weir-1", "weir-100000", "weir-tc-1", "nftables-1", "iptables-1"},
		       spot, prepare, stream_rounds);
}

} // namespace

void register_edge_traffic()
{
	register_stream("edge-stream/out", Client::host, 'o');
	register_stream("edge-stream/in", Client::host, 'i');
	register_stream("edge-stream/forwarded-out", Client::container, 'o');
	register_stream("edge-stream/forwarded-in", Client::container, 'i');
}

} // namespace weir::bench
