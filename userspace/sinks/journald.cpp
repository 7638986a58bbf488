// SPDX-License-Identifier: Apache-2.0
// systemd's journal, by its native protocol: a datagram, or where that is too small a sealed file of memory.
#include "sinks/carrier.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::sinks {
namespace {

class Journald : public Carrier {
public:
	explicit Journald(std::string path) : path_(std::move(path)) {}

	Result<> open(const Patience &) override
	{
		auto socket = connect_to_path(path_);
		if (!socket)
			return std::unexpected(std::move(socket).error());
		socket_ = std::move(*socket);
		return {};
	}

	Result<bool> send(const std::string &message, const Patience &patience) override
	{
		for (;;) {
			int error = send_datagram(message);
			if (error == EMSGSIZE || error == ENOBUFS)
				error = send_file(message);
			if (error == 0)
				return true;
			if (error == EINTR)
				continue;
			if (error != EAGAIN)
				return fail(fmt::format("cannot send to {}: {}", path_, std::strerror(error)));
			if (!patience.wait(socket_.get(), POLLOUT, stall_time))
				return fail(fmt::format("{} takes nothing", path_));
		}
	}

private:
	/// An errno, or 0.
	[[nodiscard]] int send_datagram(const std::string &message) const
	{
		return ::send(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ? 0
													       : errno;
	}

	/// An errno, or 0.
	[[nodiscard]] int send_file(const std::string &message) const
	{
		const Fd file(::memfd_create("weir-record", MFD_CLOEXEC | MFD_ALLOW_SEALING));
		if (!file ||
		    ::write(file.get(), message.data(), message.size()) != static_cast<ssize_t>(message.size()) ||
		    ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
			return errno;
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
		msghdr header{};
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		cmsghdr *rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		const int number = file.get();
		std::memcpy(CMSG_DATA(rights), &number, sizeof(number));
		return ::sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ? 0 : errno;
	}

	std::string path_;
	Fd socket_;
};

} // namespace

std::unique_ptr<Carrier> make_journald(const Address &address)
{
	return std::make_unique<Journald>(address.path);
}

} // namespace weir::sinks
