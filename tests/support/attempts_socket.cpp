// SPDX-License-Identifier: Apache-2.0
// Attempts by ordinary sockets: TCP, UDP, UDP-Lite, SCTP, DCCP, ping.
#include "tests/support/attempts.h"

#include "tests/support/packets.h"
#include "tests/support/peers.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_REPAIR
#define TCP_REPAIR 19
#endif

namespace weir::test {

Outcome outcome_of(ssize_t result, Reach success)
{
	if (result >= 0)
		return {success, 0, ""};
	switch (errno) {
	case EPERM:
	case EACCES:
		return {Reach::refused, errno, ""};
	case ECONNREFUSED:
		return {Reach::reset, errno, ""};
	case ETIMEDOUT:
		return {Reach::timeout, errno, ""};
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EAFNOSUPPORT:
	case ENOPROTOOPT:
	case ENOSYS:
		return {Reach::skipped, errno, "not in this kernel"};
	default:
		return {Reach::failed, errno, ""};
	}
}

std::string Outcome::text() const
{
	static constexpr std::array names{"refused", "connected", "answered", "sent",
					  "timeout", "reset",     "failed",   "skipped"};
	std::string text = names[static_cast<std::size_t>(reach)];
	if (error != 0 && reach != Reach::timeout)
		text += std::string(" ") + ::strerrorname_np(error);
	if (!note.empty())
		text += " (" + note + ")";
	return text;
}

namespace {

Fd make(int family, int type, int protocol)
{
	return Fd(::socket(family, type | SOCK_CLOEXEC, protocol));
}

int family_of(const Target &target)
{
	return Endpoint(target.address, 0).family();
}

Outcome wait_connected(int fd, int timeout_ms)
{
	pollfd wait{fd, POLLOUT, 0};
	if (::poll(&wait, 1, timeout_ms) == 0)
		return {Reach::timeout, ETIMEDOUT, ""};
	int error = 0;
	socklen_t size = sizeof(error);
	::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	return outcome_of(error == 0 ? 0 : -1, Reach::connected);
}

} // namespace

bool echoes(int fd, int timeout_ms)
{
	const std::string text = "weir";
	std::array<char, 64> back{};
	pollfd wait{fd, POLLIN, 0};
	return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()) &&
	       ::poll(&wait, 1, timeout_ms) == 1 && ::recv(fd, back.data(), back.size(), MSG_DONTWAIT) > 0;
}

Outcome connect_stream(int fd, const Target &target, int timeout_ms)
{
	if (fd < 0)
		return outcome_of(-1);
	const int flags = ::fcntl(fd, F_GETFL);
	::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	const Endpoint to(target.address, target.port);
	Outcome outcome = outcome_of(::connect(fd, to.get(), to.size), Reach::connected);
	if (outcome.error == EINPROGRESS)
		outcome = wait_connected(fd, timeout_ms);
	::fcntl(fd, F_SETFL, flags);
	return outcome;
}

Outcome await_answer(int fd, Outcome sent, int timeout_ms)
{
	if (sent.reach != Reach::sent)
		return sent;
	std::array<char, 2048> back{};
	pollfd wait{fd, POLLIN, 0};
	if (::poll(&wait, 1, timeout_ms) == 1 && ::recv(fd, back.data(), back.size(), MSG_DONTWAIT) >= 0)
		sent.reach = Reach::answered;
	return sent;
}

namespace {

constexpr std::array<char, 4> data{'w', 'e', 'i', 'r'};

Target mapped(const Target &target)
{
	return {"::ffff:" + target.address, target.port};
}

Outcome stream(const Target &target, int protocol = 0)
{
	return connect_stream(make(family_of(target), SOCK_STREAM, protocol).get(), target);
}

// clang-format off
Outcome tcp(const Target &target) { return stream(target); }
Outcome tcp_mapped(const Target &target) { return stream(mapped(target)); }
Outcome mptcp(const Target &target) { return stream(target, IPPROTO_MPTCP); }
Outcome sctp(const Target &target) { return stream(target, IPPROTO_SCTP); }
// clang-format on

Outcome dccp(const Target &target)
{
	constexpr int sock_dccp = 6;
	return connect_stream(make(family_of(target), sock_dccp, IPPROTO_DCCP).get(), target);
}

Outcome tcp_fastopen(const Target &target)
{
	const Fd fd = make(family_of(target), SOCK_STREAM | SOCK_NONBLOCK, 0);
	const Endpoint to(target.address, target.port);
	const Outcome outcome = outcome_of(
		::sendto(fd.get(), data.data(), data.size(), MSG_FASTOPEN | MSG_NOSIGNAL, to.get(), to.size));
	return outcome.error == EINPROGRESS ? wait_connected(fd.get(), 300) : outcome;
}

Outcome tcp_trusted_source_port(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_STREAM, 0);
	const int on = 1;
	::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	const Endpoint from("0.0.0.0", 50051);
	if (::bind(fd.get(), from.get(), from.size) != 0)
		return outcome_of(-1);
	return connect_stream(fd.get(), target);
}

/// A connection that stands without a SYN ever sent; then a byte on it.
Outcome tcp_repair(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_STREAM, 0);
	const int on = 1;
	const int off = 0;
	if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) != 0)
		return {Reach::skipped, errno, "no TCP_REPAIR"};
	const Endpoint to(target.address, target.port);
	if (::connect(fd.get(), to.get(), to.size) != 0)
		return outcome_of(-1);
	::setsockopt(fd.get(), IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off));
	return outcome_of(::send(fd.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

Outcome tcp_source_route(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_STREAM, 0);
	const Bytes option = source_route(target.address);
	if (::setsockopt(fd.get(), IPPROTO_IP, IP_OPTIONS, option.data(), static_cast<socklen_t>(option.size())) != 0)
		return {Reach::skipped, errno, "no IP_OPTIONS"};
	return connect_stream(fd.get(), target);
}

Outcome udp_connect_on(const Fd &fd, const Target &target)
{
	if (!fd)
		return outcome_of(-1);
	const Endpoint to(target.address, target.port);
	if (::connect(fd.get(), to.get(), to.size) != 0)
		return outcome_of(-1);
	return await_answer(fd.get(), outcome_of(::send(fd.get(), data.data(), data.size(), 0)));
}

Outcome sendto_on(const Fd &fd, const Endpoint &to, int flags = 0)
{
	if (!fd)
		return outcome_of(-1);
	return await_answer(fd.get(),
			    outcome_of(::sendto(fd.get(), data.data(), data.size(), flags, to.get(), to.size)));
}

Outcome sendto_on(const Fd &fd, const Target &target)
{
	return sendto_on(fd, Endpoint(target.address, target.port));
}

Outcome udp_connect(const Target &target)
{
	return udp_connect_on(make(family_of(target), SOCK_DGRAM, 0), target);
}
Outcome udp_sendto(const Target &target)
{
	return sendto_on(make(family_of(target), SOCK_DGRAM, 0), target);
}
Outcome udp_mapped(const Target &target)
{
	return sendto_on(make(AF_INET6, SOCK_DGRAM, 0), mapped(target));
}
Outcome udp_mapped_connect(const Target &target)
{
	return udp_connect_on(make(AF_INET6, SOCK_DGRAM, 0), mapped(target));
}

/// Connected to the resolver, which a policy may allow, then an address in sendto().
Outcome udp_connected_elsewhere(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_DGRAM, 0);
	const Endpoint resolver("192.0.2.53", 53);
	::connect(fd.get(), resolver.get(), resolver.size);
	return sendto_on(fd, target);
}

/// udp_sendmsg() takes an address of family AF_UNSPEC for an IPv4 one.
Outcome udp_unspec(const Target &target)
{
	Endpoint to(target.address, target.port);
	to.storage.ss_family = AF_UNSPEC;
	return sendto_on(make(AF_INET, SOCK_DGRAM, 0), to);
}

/// An IPv4 address on an IPv6 socket, without the mapped form.
Outcome udp6_inet_address(const Target &target)
{
	return sendto_on(make(AF_INET6, SOCK_DGRAM, 0), target);
}

Outcome udp_sendmmsg(const Target &target)
{
	const Fd fd = make(family_of(target), SOCK_DGRAM, 0);
	Endpoint to(target.address, target.port);
	std::array<char, 4> copy = data;
	iovec piece{copy.data(), copy.size()};
	std::array<mmsghdr, 2> messages{};
	for (auto &message : messages)
		message.msg_hdr = {&to.storage, to.size, &piece, 1, nullptr, 0, 0};
	return await_answer(fd.get(), outcome_of(::sendmmsg(fd.get(), messages.data(), messages.size(), 0)));
}

Outcome udp_segmented(const Target &target)
{
	const Fd fd = make(family_of(target), SOCK_DGRAM, 0);
	const int size = 2;
	if (::setsockopt(fd.get(), IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) != 0)
		return {Reach::skipped, errno, "no UDP_SEGMENT"};
	return sendto_on(fd, target);
}

Outcome udp_source_route(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_DGRAM, 0);
	const Bytes option = source_route(target.address);
	if (::setsockopt(fd.get(), IPPROTO_IP, IP_OPTIONS, option.data(), static_cast<socklen_t>(option.size())) != 0)
		return {Reach::skipped, errno, "no IP_OPTIONS"};
	return sendto_on(fd, target);
}

Outcome udp_broadcast(const Target &target)
{
	const Fd fd = make(AF_INET, SOCK_DGRAM, 0);
	const int on = 1;
	::setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	return sendto_on(fd, Target{"192.0.2.255", target.port});
}

Outcome udp4_multicast(const Target &)
{
	return sendto_on(make(AF_INET, SOCK_DGRAM, 0), Target{"224.0.0.251", 5353});
}

Outcome udp6_multicast(const Target &)
{
	Endpoint to("ff02::fb", 5353);
	reinterpret_cast<sockaddr_in6 *>(&to.storage)->sin6_scope_id = 2; // eth0 is the first device after lo
	return sendto_on(make(AF_INET6, SOCK_DGRAM, 0), to);
}

Outcome udplite_connect(const Target &target)
{
	return udp_connect_on(make(family_of(target), SOCK_DGRAM, IPPROTO_UDPLITE), target);
}
Outcome udplite_sendto(const Target &target)
{
	return sendto_on(make(family_of(target), SOCK_DGRAM, IPPROTO_UDPLITE), target);
}

Outcome ping(const Target &target)
{
	const int family = family_of(target);
	const Fd fd = make(family, SOCK_DGRAM, family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
	if (!fd)
		return {Reach::skipped, errno, "no ping socket"};
	const Bytes message = icmp_echo({family == AF_INET ? "0.0.0.0" : "::", target.address}, 0);
	const Endpoint to(target.address, 0);
	return await_answer(fd.get(),
			    outcome_of(::sendto(fd.get(), message.data(), message.size(), 0, to.get(), to.size)));
}

constexpr std::array socket_list{
	Attempt{"tcp4", 4, "TCP connect", tcp},
	Attempt{"tcp6", 6, "TCP connect over IPv6", tcp},
	Attempt{"tcp4-mapped", 4, "TCP to a v4-mapped address", tcp_mapped},
	Attempt{"tcp4-fastopen", 4, "TCP fast open", tcp_fastopen},
	Attempt{"tcp6-fastopen", 6, "TCP fast open over IPv6", tcp_fastopen},
	Attempt{"tcp4-source-port", 4, "TCP from source port 50051", tcp_trusted_source_port},
	Attempt{"tcp4-repair", 4, "TCP without a SYN (TCP_REPAIR)", tcp_repair},
	Attempt{"tcp4-source-route", 4, "TCP with a source route", tcp_source_route},
	Attempt{"mptcp4", 4, "MPTCP connect", mptcp},
	Attempt{"mptcp6", 6, "MPTCP connect over IPv6", mptcp},
	Attempt{"sctp4", 4, "SCTP connect", sctp},
	Attempt{"dccp4", 4, "DCCP connect", dccp},
	Attempt{"udp4-connect", 4, "UDP connect and send", udp_connect},
	Attempt{"udp6-connect", 6, "UDP connect and send over IPv6", udp_connect},
	Attempt{"udp4-sendto", 4, "UDP sendto", udp_sendto},
	Attempt{"udp6-sendto", 6, "UDP sendto over IPv6", udp_sendto},
	Attempt{"udp4-mapped", 4, "UDP sendto a v4-mapped address", udp_mapped},
	Attempt{"udp4-mapped-connect", 4, "UDP connect to a v4-mapped address", udp_mapped_connect},
	Attempt{"udp4-connected-elsewhere", 4, "connected UDP socket, sendto another address", udp_connected_elsewhere},
	Attempt{"udp4-unspec", 4, "UDP sendto an AF_UNSPEC address", udp_unspec},
	Attempt{"udp4-on-udp6", 4, "UDP sendto an IPv4 address on an IPv6 socket", udp6_inet_address},
	Attempt{"udp4-sendmmsg", 4, "UDP sendmmsg", udp_sendmmsg},
	Attempt{"udp6-sendmmsg", 6, "UDP sendmmsg over IPv6", udp_sendmmsg},
	Attempt{"udp4-segmented", 4, "UDP with segmentation offload", udp_segmented},
	Attempt{"udp4-source-route", 4, "UDP with a source route", udp_source_route},
	Attempt{"udp4-broadcast", 4, "UDP broadcast", udp_broadcast},
	Attempt{"udp4-multicast", 4, "UDP multicast", udp4_multicast},
	Attempt{"udp6-multicast", 6, "UDP multicast over IPv6", udp6_multicast},
	Attempt{"udplite4-connect", 4, "UDP-Lite connect and send", udplite_connect},
	Attempt{"udplite6-connect", 6, "UDP-Lite connect and send over IPv6", udplite_connect},
	Attempt{"udplite4-sendto", 4, "UDP-Lite sendto", udplite_sendto},
	Attempt{"udplite6-sendto", 6, "UDP-Lite sendto over IPv6", udplite_sendto},
	Attempt{"icmp4-ping", 4, "ICMP echo by a ping socket", ping},
	Attempt{"icmp6-ping", 6, "ICMPv6 echo by a ping socket", ping},
};

} // namespace

std::span<const Attempt> socket_attempts()
{
	return socket_list;
}

} // namespace weir::test
