// SPDX-License-Identifier: Apache-2.0
// A datagram for each message: syslog by a socket in the file system, and by UDP (RFC 5426).
#include "sinks/carrier.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::sinks {
namespace {

class Datagrams : public Carrier {
public:
	explicit Datagrams(Address address) : address_(std::move(address)) {}

	Result<> open(const Patience &patience) override
	{
		auto socket = address_.kind == Kind::syslog_udp ? connect_to(address_, SOCK_DGRAM, patience)
								: connect_to_path(address_.path);
		if (!socket)
			return std::unexpected(std::move(socket).error());
		socket_ = std::move(*socket);
		return {};
	}

	[[nodiscard]] bool open_proves() const override { return address_.kind != Kind::syslog_udp; }

	Result<bool> send(const std::string &message, const Patience &patience) override
	{
		for (;;) {
			if (::send(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
				last_ = message;
				return true;
			}
			if (errno == EMSGSIZE)
				return false;
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN && errno != ENOBUFS)
				return fail(fmt::format("cannot send to {}: {}", address_.name, std::strerror(errno)));
			if (!patience.wait(socket_.get(), POLLOUT, stall_time))
				return fail(fmt::format("{} takes nothing", address_.name));
		}
	}

	/// An ICMP error comes to the next call, and is of a message that went before: the last one.
	Result<> look() override
	{
		int error = 0;
		socklen_t size = sizeof(error);
		if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0)
			return fail(fmt::format("cannot send to {}: {}", address_.name, std::strerror(error)));
		return {};
	}

	void finish(const Patience &) override
	{
		if (look())
			last_.clear();
	}

	std::deque<std::string> take_unconfirmed() override
	{
		std::deque<std::string> last;
		if (address_.kind == Kind::syslog_udp && !last_.empty())
			last.push_back(std::exchange(last_, ""));
		return last;
	}

private:
	Address address_;
	Fd socket_;
	std::string last_;
};

} // namespace

std::unique_ptr<Carrier> make_datagrams(const Address &address)
{
	return std::make_unique<Datagrams>(address);
}

} // namespace weir::sinks
