// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink.h"

#include "kernel/instance.h"
#include "kernel/system.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::kernel {

namespace {

using Socket = std::unique_ptr<mnl_socket, int (*)(mnl_socket *)>;

std::unexpected<Error> asking_failed(const Subject &subject, int error)
{
	return system_error(std::string("asking the kernel about ") + subject.what, error);
}

constexpr std::size_t answer_size = 32768; // what the kernel puts into one part of a dump at most

enum class End : std::uint8_t { more, done, interrupted };

/// One part of an answer.
Result<End> read_part(const char *bytes, std::size_t size, const HandleMessage &handle, const Subject &subject)
{
	int left = static_cast<int>(size);
	for (const auto *message = reinterpret_cast<const nlmsghdr *>(bytes); mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
			return End::interrupted;
		if (message->nlmsg_type == NLMSG_DONE)
			return End::done;
		if (message->nlmsg_type == NLMSG_ERROR) {
			const auto *error = static_cast<const nlmsgerr *>(mnl_nlmsg_get_payload(message));
			return asking_failed(subject, -error->error);
		}
		handle(*message);
	}
	return End::more;
}

Result<End> dump_once(nlmsghdr *request, const HandleMessage &handle, const Subject &subject)
{
	const Socket socket(mnl_socket_open2(subject.bus, SOCK_CLOEXEC), mnl_socket_close);
	if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0 ||
	    mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
		return asking_failed(subject, errno);
	const auto answer = std::make_unique<char[]>(answer_size);
	for (;;) {
		const auto size = mnl_socket_recvfrom(socket.get(), answer.get(), answer_size);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return asking_failed(subject, errno);
		const auto end = read_part(answer.get(), static_cast<std::size_t>(size), handle, subject);
		if (!end || *end != End::more)
			return end;
	}
}

} // namespace

Result<> dump(nlmsghdr *request, const std::function<void()> &restart, const HandleMessage &handle,
	      const Subject &subject)
{
	constexpr int most = 100;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	for (int tries = 0; tries < most; ++tries) {
		restart();
		const auto end = dump_once(request, handle, subject);
		if (!end)
			return std::unexpected(end.error());
		if (*end == End::done)
			return {};
	}
	return fail(std::string(subject.what) + " change faster than they can be listed");
}

Result<Netlink> Netlink::open(const Subject &subject)
{
	Netlink netlink(mnl_socket_open2(subject.bus, SOCK_CLOEXEC));
	if (!netlink.socket_ || mnl_socket_bind(netlink.socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0)
		return asking_failed(subject, errno);
	return netlink;
}

int Netlink::ask(nlmsghdr *request, const HandleMessage &handle)
{
	request->nlmsg_seq = ++sequence_;
	if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0)
		return errno;
	alignas(nlmsghdr) char answer[8192];
	for (;;) {
		const auto size = mnl_socket_recvfrom(socket_.get(), answer, sizeof(answer));
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno;
		int left = static_cast<int>(size);
		for (const auto *message = reinterpret_cast<const nlmsghdr *>(answer); mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != sequence_)
				continue;
			if (message->nlmsg_type == NLMSG_ERROR)
				return -static_cast<const nlmsgerr *>(mnl_nlmsg_get_payload(message))->error;
			handle(*message);
			return 0;
		}
	}
}

namespace {

int hand_on(const nlattr *attribute, void *handle)
{
	(*static_cast<const HandleAttribute *>(handle))(*attribute);
	return MNL_CB_OK;
}

} // namespace

void each_attribute(const nlmsghdr &message, std::size_t header, HandleAttribute handle)
{
	mnl_attr_parse(&message, static_cast<unsigned>(header), hand_on, &handle);
}

void each_nested(const nlattr &nest, HandleAttribute handle)
{
	mnl_attr_parse_nested(&nest, hand_on, &handle);
}

std::uint32_t number_of(const nlattr &attribute)
{
	return mnl_attr_get_payload_len(&attribute) < sizeof(std::uint32_t) ? 0 : mnl_attr_get_u32(&attribute);
}

std::string text_of(const nlattr &attribute)
{
	const auto *text = mnl_attr_get_str(&attribute);
	return {text, ::strnlen(text, mnl_attr_get_payload_len(&attribute))};
}

Result<Fd> watch_interfaces()
{
	Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
	if (!fd)
		return system_error("following the interfaces", errno);
	sockaddr_nl address{};
	address.nl_family = AF_NETLINK;
	address.nl_groups = RTMGRP_LINK;
	if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
		return system_error("following the interfaces", errno);
	return fd;
}

bool drain_interfaces(const Fd &watch)
{
	bool changed = false;
	char byte = 0;
	for (;;) {
		// Whatever it says, cover() asks anew: what is wanted is only that something was said. So does ENOBUFS.
		if (::recv(watch.get(), &byte, sizeof(byte), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
			changed = true;
		else if (errno != EINTR)
			return changed;
	}
}

} // namespace weir::kernel
