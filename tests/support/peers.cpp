// SPDX-License-Identifier: Apache-2.0
#include "tests/support/peers.h"

#include "tests/support/lab.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace weir::test {

Endpoint::Endpoint(const std::string &address, std::uint16_t port)
{
	sockaddr_in v4{};
	sockaddr_in6 v6{};
	if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
		v4.sin_family = AF_INET;
		v4.sin_port = htons(port);
		size = sizeof(v4);
		std::memcpy(&storage, &v4, sizeof(v4));
	} else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
		v6.sin6_family = AF_INET6;
		v6.sin6_port = htons(port);
		size = sizeof(v6);
		std::memcpy(&storage, &v6, sizeof(v6));
	} else {
		throw std::runtime_error("not an address: " + address);
	}
}

namespace {

Fd bound(int type, const std::string &local, std::uint16_t port)
{
	const Endpoint to(local.empty() ? "::" : local, port);
	Fd fd(::socket(to.family(), type | SOCK_CLOEXEC, 0));
	const int on = 1;
	const int off = 0;
	if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		raise("socket");
	if (to.family() == AF_INET6)
		::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (::bind(fd.get(), to.get(), to.size) != 0)
		raise("bind to port " + std::to_string(port));
	if (type == SOCK_STREAM && ::listen(fd.get(), 64) != 0)
		raise("listen");
	return fd;
}

enum class Kind { listener, connection, datagrams };

/// Datagram echo that answers from the address that was asked (a host may have several).
void echo_datagram(int fd)
{
	std::array<char, 65536> buffer{};
	std::array<char, 256> control{};
	sockaddr_storage from{};
	iovec data{buffer.data(), buffer.size()};
	msghdr message{&from, sizeof(from), &data, 1, control.data(), control.size(), 0};
	const ssize_t size = ::recvmsg(fd, &message, MSG_DONTWAIT);
	if (size < 0)
		return;
	data.iov_len = static_cast<std::size_t>(size);
	::sendmsg(fd, &message, 0); // the same control message, IP(V6)_PKTINFO, names the source
}

[[noreturn]] void serve(std::vector<Fd> sockets, std::vector<Kind> kinds)
{
	std::array<char, 65536> buffer{};
	while (true) {
		std::vector<pollfd> waits;
		for (const auto &fd : sockets)
			waits.push_back({fd.get(), POLLIN, 0});
		::poll(waits.data(), waits.size(), -1);
		for (std::size_t i = waits.size(); i-- > 0;) {
			if (waits[i].revents == 0)
				continue;
			if (kinds[i] == Kind::datagrams) {
				echo_datagram(waits[i].fd);
			} else if (kinds[i] == Kind::listener) {
				Fd accepted(::accept4(waits[i].fd, nullptr, nullptr, SOCK_CLOEXEC));
				if (accepted) {
					sockets.push_back(std::move(accepted));
					kinds.push_back(Kind::connection);
				}
			} else {
				const ssize_t size = ::recv(waits[i].fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
				if (size > 0)
					::send(waits[i].fd, buffer.data(), static_cast<std::size_t>(size),
					       MSG_NOSIGNAL | MSG_DONTWAIT);
				if (size > 0 || (size < 0 && errno == EAGAIN))
					continue;
				sockets.erase(sockets.begin() + static_cast<std::ptrdiff_t>(i));
				kinds.erase(kinds.begin() + static_cast<std::ptrdiff_t>(i));
			}
		}
	}
}

} // namespace

Server::Server(const Spot &spot, const std::vector<std::uint16_t> &tcp, const std::vector<std::uint16_t> &udp,
	       const std::string &local)
	: child_(spot, [&](Channel &channel) {
		  std::vector<Fd> sockets;
		  std::vector<Kind> kinds;
		  const int on = 1;
		  for (const auto port : tcp) {
			  sockets.push_back(bound(SOCK_STREAM, local, port));
			  kinds.push_back(Kind::listener);
		  }
		  for (const auto port : udp) {
			  sockets.push_back(bound(SOCK_DGRAM, local, port));
			  kinds.push_back(Kind::datagrams);
			  ::setsockopt(sockets.back().get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
			  ::setsockopt(sockets.back().get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
		  }
		  channel.send("ready");
		  serve(std::move(sockets), std::move(kinds));
	  })
{
	(void)child_.answer();
}

bool Seen::is_housekeeping() const
{
	if (version == 4)
		return protocol == IPPROTO_IGMP;
	if (protocol == IPPROTO_ICMPV6)
		return type >= 130 && type <= 143 && type != 138 && type != 139 && type != 140;
	return protocol == 0 && destination.starts_with("ff02:"); // hop-by-hop: MLD reports
}

std::string Seen::text() const
{
	return "IPv" + std::to_string(version) + " protocol " + std::to_string(protocol) + " " + source + ":" +
	       std::to_string(source_port) + " > " + destination + ":" + std::to_string(destination_port);
}

Sniffer::Sniffer(int netns)
{
	in_netns(netns, [&] {
		socket_ = Fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
		if (!socket_)
			raise("AF_PACKET socket");
		sockaddr_ll to{};
		to.sll_family = AF_PACKET;
		to.sll_protocol = htons(ETH_P_ALL);
		to.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
		if (::bind(socket_.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)) != 0)
			raise("bind to eth0");
	});
}

namespace {

Seen read_packet(const std::uint8_t *data, std::size_t size)
{
	Seen seen;
	std::array<char, INET6_ADDRSTRLEN> text{};
	std::size_t header = 0;
	seen.version = data[0] >> 4;
	if (seen.version == 4 && size >= 20) {
		header = static_cast<std::size_t>(data[0] & 15) * 4;
		seen.protocol = data[9];
		seen.source = ::inet_ntop(AF_INET, data + 12, text.data(), text.size());
		seen.destination = ::inet_ntop(AF_INET, data + 16, text.data(), text.size());
	} else if (seen.version == 6 && size >= 40) {
		header = 40;
		seen.protocol = data[6];
		seen.source = ::inet_ntop(AF_INET6, data + 8, text.data(), text.size());
		seen.destination = ::inet_ntop(AF_INET6, data + 24, text.data(), text.size());
	}
	if (size < header + 4 || header == 0)
		return seen;
	const auto word = [&](std::size_t at) {
		return static_cast<std::uint16_t>(data[header + at] << 8 | data[header + at + 1]);
	};
	if (seen.protocol == IPPROTO_TCP || seen.protocol == IPPROTO_UDP || seen.protocol == IPPROTO_UDPLITE) {
		seen.source_port = word(0);
		seen.destination_port = word(2);
	} else if (seen.protocol == IPPROTO_ICMP || seen.protocol == IPPROTO_ICMPV6) {
		seen.type = data[header];
	}
	if (seen.protocol == IPPROTO_TCP && size >= header + 14)
		seen.tcp_flags = data[header + 13];
	return seen;
}

} // namespace

std::vector<Seen> Sniffer::take() const
{
	std::vector<Seen> all;
	std::array<std::uint8_t, 2048> data{};
	while (true) {
		sockaddr_ll from{};
		socklen_t from_size = sizeof(from);
		const ssize_t size = ::recvfrom(socket_.get(), data.data(), data.size(), 0,
						reinterpret_cast<sockaddr *>(&from), &from_size);
		if (size < 0)
			return all;
		const auto type = ntohs(from.sll_protocol);
		if (from.sll_pkttype == PACKET_OUTGOING || (type != ETH_P_IP && type != ETH_P_IPV6))
			continue;
		const Seen seen = read_packet(data.data(), static_cast<std::size_t>(size));
		if (!seen.is_housekeeping())
			all.push_back(seen);
	}
}

namespace {

Fd packet_socket(const std::string &interface, int protocol)
{
	Fd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       htons(static_cast<std::uint16_t>(protocol))));
	if (!fd)
		raise("AF_PACKET socket");
	sockaddr_ll to{};
	to.sll_family = AF_PACKET;
	to.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
	to.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
	if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)) != 0)
		raise("bind to " + interface);
	return fd;
}

} // namespace

Tap::Tap(int netns, const std::string &interface)
{
	in_netns(netns, [&] { socket_ = packet_socket(interface, ETH_P_ALL); });
}

std::vector<std::string> Tap::take() const
{
	std::vector<std::string> all;
	std::array<char, 65536> data{};
	while (true) {
		sockaddr_ll from{};
		socklen_t from_size = sizeof(from);
		const ssize_t size = ::recvfrom(socket_.get(), data.data(), data.size(), 0,
						reinterpret_cast<sockaddr *>(&from), &from_size);
		if (size < 0)
			return all;
		if (from.sll_pkttype != PACKET_OUTGOING)
			all.emplace_back(data.data(), static_cast<std::size_t>(size));
	}
}

FrameSender::FrameSender(const std::string &interface, Qdisc qdisc) : socket_(packet_socket(interface, 0))
{
	const int around = qdisc == Qdisc::around ? 1 : 0;
	if (::setsockopt(socket_.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &around, sizeof(around)) != 0)
		raise("PACKET_QDISC_BYPASS");
}

void FrameSender::send(const std::vector<std::uint8_t> &frame) const
{
	// What is refused is dropped behind the call; ENOBUFS tells of some of it, EAGAIN that the sender is too fast.
	while (::send(socket_.get(), frame.data(), frame.size(), 0) < 0 && errno != ENOBUFS) {
		pollfd wait{socket_.get(), POLLOUT, 0};
		if (errno != EAGAIN || ::poll(&wait, 1, 1000) != 1)
			raise("sending a frame");
	}
}

std::vector<std::uint8_t> hardware_address(int netns, const std::string &interface)
{
	ifreq request{};
	interface.copy(request.ifr_name, IFNAMSIZ - 1);
	in_netns(netns, [&] {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		if (::ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0)
			raise("the address of " + interface);
	});
	const auto *bytes = reinterpret_cast<const std::uint8_t *>(request.ifr_hwaddr.sa_data);
	return {bytes, bytes + 6};
}

} // namespace weir::test
