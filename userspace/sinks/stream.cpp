// SPDX-License-Identifier: Apache-2.0
// Syslog over TCP (RFC 6587, octet counting) and TLS (RFC 5425). Neither has an acknowledgement of its own. So what the
// peer's kernel has not acknowledged when a connection breaks is sent again, over the next one; some of it may come
// twice. What that kernel took, and the program behind it never read, is lost, and nobody here can know.
#include "sinks/carrier.h"
#include "sinks/tls.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace weir::sinks {
namespace {

class Stream : public Carrier {
public:
	explicit Stream(Address address) : address_(std::move(address)) {}

	Result<> open(const Patience &patience) override
	{
		tls_.reset();
		socket_ = Fd();
		written_ = 0;
		auto socket = connect_to(address_, SOCK_STREAM, patience);
		if (!socket)
			return std::unexpected(std::move(socket).error());
		socket_ = std::move(*socket);
		// Bounds what is on its way, which is kept to be sent again.
		const int buffer = 256 << 10, yes = 1;
		::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		::setsockopt(socket_.get(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
		if (address_.kind == Kind::syslog_tcp)
			return {};
		auto tls = Tls::connect(socket_.get(), address_, patience);
		if (!tls)
			return std::unexpected(std::move(tls).error());
		tls_.emplace(std::move(*tls));
		return {};
	}

	Result<bool> send(const std::string &message, const Patience &patience) override
	{
		if (auto well = look(); !well)
			return std::unexpected(std::move(well).error());
		const auto frame = std::to_string(message.size()) + " " + message;
		auto done = tls_ ? tls_->write(frame, patience) : write(frame, patience);
		if (!done)
			return std::unexpected(std::move(done).error());
		unconfirmed_.push_back({tls_ ? tls_->written() : written_, message});
		return true;
	}

	Result<> look() override
	{
		forget_confirmed();
		return tls_ ? tls_->look() : look_at_tcp();
	}

	void finish(const Patience &patience) override
	{
		if (tls_)
			tls_->say_goodbye();
		for (int i = 0; i < 100 && unacknowledged() > 0 && !patience.is_over(); i++)
			::poll(nullptr, 0, 10);
		forget_confirmed();
	}

	std::deque<std::string> take_unconfirmed() override
	{
		std::deque<std::string> all;
		for (auto &[end, message] : std::exchange(unconfirmed_, {}))
			all.push_back(std::move(message));
		return all;
	}

private:
	Result<> write(const std::string &frame, const Patience &patience)
	{
		for (std::size_t done = 0; done < frame.size();) {
			const auto size = ::send(socket_.get(), frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
			if (size >= 0) {
				done += static_cast<std::size_t>(size);
				written_ += static_cast<std::uint64_t>(size);
			} else if (errno == EAGAIN) {
				if (!patience.wait(socket_.get(), POLLOUT, stall_time))
					return fail(fmt::format("{} takes nothing", address_.name));
			} else if (errno != EINTR) {
				return fail(fmt::format("cannot send to {}: {}", address_.name, std::strerror(errno)));
			}
		}
		return {};
	}

	/// Nobody answers in syslog: what can be read is the end.
	Result<> look_at_tcp()
	{
		char answer[256];
		const auto size = ::recv(socket_.get(), answer, sizeof(answer), MSG_DONTWAIT);
		if (size == 0)
			return fail(fmt::format("{} has closed the connection", address_.name));
		if (size < 0 && errno != EAGAIN && errno != EINTR)
			return fail(fmt::format("connection to {}: {}", address_.name, std::strerror(errno)));
		return {};
	}

	/// Bytes that the peer's kernel hasn't acknowledged (tcp(7), SIOCOUTQ).
	[[nodiscard]] std::uint64_t unacknowledged() const
	{
		int bytes = 0;
		return ::ioctl(socket_.get(), SIOCOUTQ, &bytes) == 0 ? static_cast<std::uint64_t>(bytes) : 0;
	}

	void forget_confirmed()
	{
		const auto written = tls_ ? tls_->written() : written_;
		const auto open = unacknowledged();
		while (!unconfirmed_.empty() && unconfirmed_.front().end + open <= written)
			unconfirmed_.pop_front();
	}

	struct Sent {
		std::uint64_t end; ///< of the connection's bytes, those of this message included
		std::string message;
	};

	Address address_;
	Fd socket_;
	std::optional<Tls> tls_;
	std::uint64_t written_ = 0;
	std::deque<Sent> unconfirmed_;
};

} // namespace

std::unique_ptr<Carrier> make_stream(const Address &address)
{
	return std::make_unique<Stream>(address);
}

} // namespace weir::sinks
