// SPDX-License-Identifier: Apache-2.0
// The other side: echo servers, and sniffers that see what really arrives.
#pragma once

#include "tests/support/process.h"

#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <vector>

namespace weir::test {

/// An IPv4 or IPv6 socket address out of text.
struct Endpoint {
	sockaddr_storage storage{};
	socklen_t size = 0;
	Endpoint() = default;
	Endpoint(const std::string &address, std::uint16_t port);
	[[nodiscard]] const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
	[[nodiscard]] int family() const { return storage.ss_family; }
};

/// Echo servers of one host, in a child: TCP and UDP, IPv4 and IPv6 on the same port.
class Server {
public:
	/// `local`: the address to bind, "" for all.
	Server(const Spot &, const std::vector<std::uint16_t> &tcp, const std::vector<std::uint16_t> &udp,
	       const std::string &local = "");
	[[nodiscard]] pid_t pid() const { return child_.pid(); }

private:
	Child child_;
};

/// One IP packet that came in.
struct Seen {
	std::uint8_t version = 0;
	std::uint8_t protocol = 0; ///< of IPv6: the first next header
	std::uint16_t source_port = 0;
	std::uint16_t destination_port = 0;
	std::uint8_t type = 0; ///< ICMP: type
	std::uint8_t tcp_flags = 0;
	std::string source;
	std::string destination;
	[[nodiscard]] bool is_housekeeping() const; ///< neighbour discovery, multicast listeners
	[[nodiscard]] std::string text() const;
};

/// Sees every packet that comes in by eth0 of a host, below its IP layer.
class Sniffer {
public:
	explicit Sniffer(int netns);
	/// What came since the last call, housekeeping left out.
	std::vector<Seen> take() const;

private:
	Fd socket_;
};

/// Every frame that comes in by an interface of a host, from its link header on, whatever it is.
class Tap {
public:
	explicit Tap(int netns, const std::string &interface = "eth0");
	/// What came since the last call.
	[[nodiscard]] std::vector<std::string> take() const;

private:
	Fd socket_;
};

/// Sends frames, made from their link header on, by an interface of the namespace that the caller is in.
class FrameSender {
public:
	enum class Qdisc { through, around };
	explicit FrameSender(const std::string &interface = "eth0", Qdisc = Qdisc::through);
	void send(const std::vector<std::uint8_t> &frame) const;

private:
	Fd socket_;
};

/// The hardware address of an interface of a host.
std::vector<std::uint8_t> hardware_address(int netns, const std::string &interface = "eth0");

} // namespace weir::test
