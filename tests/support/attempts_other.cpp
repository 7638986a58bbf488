// SPDX-License-Identifier: Apache-2.0
// Attempts by other ways: addresses that hide an IPv4 one, io_uring, threads, children, AF_PACKET.
#include "tests/support/attempts.h"

#include "tests/support/packets.h"
#include "tests/support/peers.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weir::test {
namespace {

Fd stream_socket(const Target &target)
{
	return Fd(::socket(Endpoint(target.address, 0).family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
}

Outcome connected_tcp(const Target &target)
{
	return connect_stream(stream_socket(target).get(), target);
}

Outcome udp(const Target &target)
{
	const Endpoint to(target.address, target.port);
	const Fd fd(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
	return await_answer(fd.get(), outcome_of(::sendto(fd.get(), "weir", 4, 0, to.get(), to.size)));
}

/// 203.0.113.7 as "cb00:7107".
std::string hex_groups(const std::string &dotted, bool inverted = false)
{
	std::array<std::uint8_t, 4> bytes{};
	::inet_pton(AF_INET, dotted.c_str(), bytes.data());
	for (auto &byte : bytes)
		byte = static_cast<std::uint8_t>(inverted ? ~byte : byte);
	std::array<char, 16> text{};
	std::snprintf(text.data(), text.size(), "%02x%02x:%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
	return text.data();
}

Target nat64(const Target &t)
{
	return {"64:ff9b::" + t.address, t.port};
}
Target six_to_four(const Target &t)
{
	return {"2002:" + hex_groups(t.address) + "::1", t.port};
}
Target teredo(const Target &t)
{
	return {"2001:0:" + hex_groups("192.0.2.1") + ":0:ffff:" + hex_groups(t.address, true), t.port};
}
Target compatible(const Target &t)
{
	return {"::" + t.address, t.port};
}

// clang-format off
Outcome tcp_nat64(const Target &t) { return connected_tcp(nat64(t)); }
Outcome udp_nat64(const Target &t) { return udp(nat64(t)); }
Outcome tcp_6to4(const Target &t) { return connected_tcp(six_to_four(t)); }
Outcome udp_6to4(const Target &t) { return udp(six_to_four(t)); }
Outcome tcp_teredo(const Target &t) { return connected_tcp(teredo(t)); }
Outcome udp_teredo(const Target &t) { return udp(teredo(t)); }
Outcome tcp_compatible(const Target &t) { return connected_tcp(compatible(t)); }
Outcome udp_compatible(const Target &t) { return udp(compatible(t)); }
// clang-format on

Outcome thread(const Target &target)
{
	Outcome outcome;
	std::thread([&] { outcome = connected_tcp(target); }).join();
	return outcome;
}

Outcome grandchild(const Target &target)
{
	const pid_t first = ::fork();
	if (first == 0) {
		const pid_t second = ::fork();
		if (second == 0)
			::_exit(connected_tcp(target).error);
		int status = 0;
		::waitpid(second, &status, 0);
		::_exit(WEXITSTATUS(status));
	}
	int status = 0;
	::waitpid(first, &status, 0);
	errno = WEXITSTATUS(status);
	return outcome_of(errno == 0 ? 0 : -1, Reach::connected);
}

/// The least of io_uring: one entry, submitted and waited for.
class Uring {
public:
	Uring()
	{
		fd_ = Fd(static_cast<int>(::syscall(__NR_io_uring_setup, 4, &params_)));
		if (!fd_)
			return;
		ring_size_ = params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe);
		ring_size_ =
			std::max<std::size_t>(ring_size_, params_.sq_off.array + params_.sq_entries * sizeof(unsigned));
		ring_ = map(ring_size_, IORING_OFF_SQ_RING);
		entries_ = map(params_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
	}
	Uring(const Uring &) = delete;
	Uring &operator=(const Uring &) = delete;
	~Uring()
	{
		if (ring_ != MAP_FAILED)
			::munmap(ring_, ring_size_);
		if (entries_ != MAP_FAILED)
			::munmap(entries_, params_.sq_entries * sizeof(io_uring_sqe));
	}
	/// Kernels before 5.4 map the rings one by one; none that weir supports.
	[[nodiscard]] bool works() const { return fd_ && ring_ != MAP_FAILED && entries_ != MAP_FAILED; }

	/// The operation's result: >= 0, or -errno.
	int run(const io_uring_sqe &entry)
	{
		auto *base = static_cast<std::uint8_t *>(ring_);
		auto *tail = reinterpret_cast<unsigned *>(base + params_.sq_off.tail);
		static_cast<io_uring_sqe *>(entries_)[0] = entry;
		reinterpret_cast<unsigned *>(base + params_.sq_off.array)[*tail & 3] = 0;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		if (::syscall(__NR_io_uring_enter, fd_.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0)
			return -errno;
		auto *head = reinterpret_cast<unsigned *>(base + params_.cq_off.head);
		const auto *done = reinterpret_cast<const io_uring_cqe *>(base + params_.cq_off.cqes) +
				   (*head & (params_.cq_entries - 1));
		const int result = done->res;
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
		return result;
	}

private:
	void *map(std::size_t size, unsigned long long offset) const
	{
		return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(),
			      static_cast<off_t>(offset));
	}
	io_uring_params params_{};
	Fd fd_;
	std::size_t ring_size_ = 0;
	void *ring_ = MAP_FAILED;
	void *entries_ = MAP_FAILED;
};

Outcome by_uring(const io_uring_sqe &entry, Reach success)
{
	Uring uring;
	if (!uring.works())
		return {Reach::skipped, errno, "no io_uring"};
	const int result = uring.run(entry);
	if (result == -EINVAL)
		return {Reach::skipped, EINVAL, "io_uring lacks the operation"};
	errno = -result;
	return outcome_of(result, success);
}

Outcome uring_connect(const Target &target)
{
	const Fd fd = stream_socket(target);
	const Endpoint to(target.address, target.port);
	io_uring_sqe entry{};
	entry.opcode = IORING_OP_CONNECT;
	entry.fd = fd.get();
	entry.addr = reinterpret_cast<std::uint64_t>(to.get());
	entry.off = to.size;
	return by_uring(entry, Reach::connected);
}

Outcome uring_send(const Target &target)
{
	Endpoint to(target.address, target.port);
	const Fd fd(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
	std::array<char, 4> data{'w', 'e', 'i', 'r'};
	iovec piece{data.data(), data.size()};
	const msghdr message{&to.storage, to.size, &piece, 1, nullptr, 0, 0};
	io_uring_sqe entry{};
	entry.opcode = IORING_OP_SENDMSG;
	entry.fd = fd.get();
	entry.addr = reinterpret_cast<std::uint64_t>(&message);
	entry.len = 1;
	return by_uring(entry, Reach::sent);
}

Outcome packet_socket(const Target &target)
{
	const Fd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (!fd)
		return {Reach::skipped, errno, "no packet socket"};
	const Path path{"192.0.2.2", target.address};
	const Bytes packet = ipv4(path, {}, tcp_segment(path, 40123, target.port, tcp_syn));
	sockaddr_ll to{};
	to.sll_family = AF_PACKET;
	to.sll_protocol = htons(ETH_P_IP);
	to.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
	to.sll_halen = ETH_ALEN;
	std::memset(static_cast<void *>(to.sll_addr), 0xff, ETH_ALEN);
	return outcome_of(::sendto(fd.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr *>(&to),
				   sizeof(to)));
}

constexpr std::array other_list{
	Attempt{"tcp4-nat64", 4, "TCP to a NAT64 address", tcp_nat64},
	Attempt{"udp4-nat64", 4, "UDP to a NAT64 address", udp_nat64},
	Attempt{"tcp4-6to4", 4, "TCP to a 6to4 address", tcp_6to4},
	Attempt{"udp4-6to4", 4, "UDP to a 6to4 address", udp_6to4},
	Attempt{"tcp4-teredo", 4, "TCP to a Teredo address", tcp_teredo},
	Attempt{"udp4-teredo", 4, "UDP to a Teredo address", udp_teredo},
	Attempt{"tcp4-compatible", 4, "TCP to a v4-compatible address", tcp_compatible},
	Attempt{"udp4-compatible", 4, "UDP to a v4-compatible address", udp_compatible},
	Attempt{"thread4", 4, "TCP connect from a thread", thread},
	Attempt{"grandchild4", 4, "TCP connect from a forked child of a child", grandchild},
	Attempt{"io-uring-connect4", 4, "TCP connect by io_uring", uring_connect},
	Attempt{"io-uring-connect6", 6, "TCP connect by io_uring over IPv6", uring_connect},
	Attempt{"io-uring-send4", 4, "UDP sendmsg by io_uring", uring_send},
	Attempt{"packet-socket4", 4, "AF_PACKET", packet_socket, true},
};

} // namespace

std::span<const Attempt> other_attempts()
{
	return other_list;
}

const Attempt *find_attempt(std::string_view name)
{
	for (const auto attempts : {socket_attempts(), raw_attempts(), other_attempts()})
		for (const Attempt &attempt : attempts)
			if (name == attempt.name)
				return &attempt;
	return nullptr;
}

} // namespace weir::test
