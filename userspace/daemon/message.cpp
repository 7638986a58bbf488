// SPDX-License-Identifier: Apache-2.0
#include "daemon/message.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace weir::daemon {
namespace {

std::unexpected<Error> failed(const char *what)
{
	return fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

} // namespace

Result<> send_message(int socket, std::string_view bytes, std::span<const int> files)
{
	iovec part{const_cast<char *>(bytes.data()), bytes.size()};
	msghdr message{};
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_files)> control{};
	if (!files.empty()) {
		message.msg_control = control.data();
		message.msg_controllen = CMSG_SPACE(files.size_bytes());
		auto *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(files.size_bytes());
		std::memcpy(CMSG_DATA(head), files.data(), files.size_bytes());
	}
	ssize_t sent = -1;
	do
		sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? failed("sending to another process of weir run") : Result<>();
}

Result<std::optional<Message>> receive_message(int socket)
{
	Message received;
	received.bytes.resize(longest_message);
	iovec part{received.bytes.data(), received.bytes.size()};
	msghdr message{};
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_files)> control{};
	message.msg_control = control.data();
	message.msg_controllen = control.size();
	ssize_t size = -1;
	do
		size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0 && errno != ECONNRESET)
		return failed("hearing from another process of weir run");
	for (auto *head = CMSG_FIRSTHDR(&message); size > 0 && head != nullptr; head = CMSG_NXTHDR(&message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		std::vector<int> files((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		std::memcpy(files.data(), CMSG_DATA(head), files.size() * sizeof(int));
		for (const int file : files)
			received.files.emplace_back(file);
	}
	if (size <= 0)
		return std::nullopt;
	received.bytes.resize(static_cast<std::size_t>(size));
	return received;
}

Result<Fd> memory_file(std::string_view bytes)
{
	Fd file(::memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (!file)
		return failed("a file in memory");
	for (std::size_t at = 0; at < bytes.size();) {
		const auto size = ::write(file.get(), bytes.data() + at, bytes.size() - at);
		if (size <= 0)
			return failed("a file in memory");
		at += static_cast<std::size_t>(size);
	}
	if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return failed("sealing a file in memory");
	return file;
}

Result<std::string> content_of(const Fd &file)
{
	struct stat status{};
	if (::fstat(file.get(), &status) != 0)
		return failed("a file in memory");
	std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
	for (std::size_t at = 0; at < bytes.size();) {
		const auto size = ::pread(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
		if (size <= 0)
			return failed("a file in memory");
		at += static_cast<std::size_t>(size);
	}
	return bytes;
}

} // namespace weir::daemon
