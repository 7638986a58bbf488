// SPDX-License-Identifier: Apache-2.0
#include "sinks/carrier.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace weir::sinks {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::int64_t now_ns()
{
	return nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<Fd> connect_one(const addrinfo &place, const Patience &patience)
{
	Fd socket(::socket(place.ai_family, place.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, place.ai_protocol));
	if (!socket)
		return fail(std::strerror(errno));
	if (::connect(socket.get(), place.ai_addr, place.ai_addrlen) == 0)
		return socket;
	if (errno != EINPROGRESS)
		return fail(std::strerror(errno));
	if (!patience.wait(socket.get(), POLLOUT, connect_time))
		return fail("no answer");
	int error = 0;
	socklen_t size = sizeof(error);
	if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
		return fail(std::strerror(error != 0 ? error : errno));
	return socket;
}

} // namespace

Patience::Patience() : ending_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), end_(std::numeric_limits<std::int64_t>::max())
{}

bool Patience::wait(int fd, short events, milliseconds longest) const
{
	const auto until = now_ns() + nanoseconds(longest).count();
	for (;;) {
		const auto left = std::min(until, end_.load()) - now_ns();
		// Once the end is set, its descriptor stays readable, and says nothing new.
		const bool ending = end_.load() != std::numeric_limits<std::int64_t>::max();
		pollfd watched[] = {{fd, events, 0}, {ending ? -1 : ending_.get(), POLLIN, 0}};
		const auto wait_ms = std::max<std::int64_t>((left + 999'999) / 1'000'000, 0);
		const int ready = ::poll(watched, 2, static_cast<int>(wait_ms));
		if (ready > 0 && watched[0].revents != 0)
			return true;
		if (ready == 0 && left <= 0)
			return false;
	}
}

void Patience::pause(milliseconds time) const
{
	pollfd watched{ending_.get(), POLLIN, 0};
	if (end_.load() == std::numeric_limits<std::int64_t>::max())
		::poll(&watched, 1, static_cast<int>(time.count()));
	else // it ends: shorter, so that what comes back in the last moment gets its records
		::poll(nullptr, 0, 50);
}

void Patience::end_at(std::chrono::steady_clock::time_point end)
{
	end_.store(nanoseconds(end.time_since_epoch()).count());
	const std::uint64_t one = 1;
	(void)!::write(ending_.get(), &one, sizeof(one)); // cannot fail: the counter is far from full
}

bool Patience::is_over() const
{
	return now_ns() >= end_.load();
}

std::unique_ptr<Carrier> make_carrier(const Address &address)
{
	switch (address.kind) {
	case Kind::file:
	case Kind::standard_output:
		return make_file(address);
	case Kind::journald:
		return make_journald(address);
	case Kind::syslog_unix:
	case Kind::syslog_udp:
		return make_datagrams(address);
	case Kind::syslog_tcp:
	case Kind::syslog_tls:
		break;
	}
	return make_stream(address);
}

Result<Fd> connect_to(const Address &address, int type, const Patience &patience)
{
	addrinfo hints{};
	hints.ai_socktype = type;
	hints.ai_flags = AI_NUMERICSERV;
	addrinfo *found = nullptr;
	if (const int error = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found); error != 0)
		return fail(fmt::format("cannot find {}: {}", address.host, ::gai_strerror(error)));
	const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> places(found, &::freeaddrinfo);
	Result<Fd> socket = fail("there is no address");
	for (const addrinfo *place = places.get(); place != nullptr && !socket; place = place->ai_next)
		socket = connect_one(*place, patience);
	if (!socket)
		return fail(fmt::format("cannot connect to {} port {}: {}", address.host, address.port,
					socket.error().message));
	return socket;
}

Result<Fd> connect_to_path(const std::string &path)
{
	sockaddr_un name{};
	name.sun_family = AF_UNIX;
	if (path.size() >= sizeof(name.sun_path))
		return fail(fmt::format("{}: longer than a socket's path can be", path));
	std::memcpy(name.sun_path, path.data(), path.size());
	Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	// The cast is the interface's.
	if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof(name)) != 0)
		return fail(fmt::format("cannot connect to {}: {}", path, std::strerror(errno)));
	return socket;
}

} // namespace weir::sinks
