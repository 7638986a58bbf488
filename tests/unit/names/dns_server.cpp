// SPDX-License-Identifier: Apache-2.0
#include "dns_server.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace weir::names {
namespace {

void put16(Bytes &out, unsigned value)
{
	out.push_back(static_cast<std::uint8_t>(value >> 8));
	out.push_back(static_cast<std::uint8_t>(value));
}

void put_name(Bytes &out, const std::string &name)
{
	std::size_t begin = 0;
	while (begin < name.size()) {
		const auto end = std::min(name.find('.', begin), name.size());
		out.push_back(static_cast<std::uint8_t>(end - begin));
		out.insert(out.end(), name.begin() + static_cast<long>(begin), name.begin() + static_cast<long>(end));
		begin = end + 1;
	}
	out.push_back(0);
}

Asked asked_of(const Bytes &message, bool tcp)
{
	Asked asked{message, "", 0, tcp};
	std::size_t at = 12;
	while (at < message.size() && message[at] != 0) {
		const auto size = message[at];
		asked.name += (asked.name.empty() ? "" : ".") +
			      std::string(message.begin() + static_cast<long>(at) + 1,
					  message.begin() + static_cast<long>(at) + 1 + size);
		at += size + 1u;
	}
	asked.type = static_cast<std::uint16_t>(message.at(at + 1) << 8 | message.at(at + 2));
	return asked;
}

Fd bound(int type, std::uint16_t port)
{
	Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
	const int yes = 1;
	::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	sockaddr_in local{};
	local.sin_family = AF_INET;
	local.sin_port = htons(port);
	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&local), sizeof(local)) != 0)
		throw std::runtime_error("bind");
	return fd;
}

Bytes address_bytes(const std::string &text, std::size_t skip)
{
	const auto address = Address::parse(text);
	return {address->bytes.begin() + static_cast<long>(skip), address->bytes.end()};
}

} // namespace

Record a(const std::string &name, const std::string &address, std::uint32_t ttl)
{
	return {name, ns_t_a, ttl, address_bytes(address, 12)};
}

Record aaaa(const std::string &name, const std::string &address, std::uint32_t ttl)
{
	return {name, ns_t_aaaa, ttl, address_bytes(address, 0)};
}

Record cname(const std::string &name, const std::string &target, std::uint32_t ttl)
{
	Bytes data;
	put_name(data, target);
	return {name, ns_t_cname, ttl, data};
}

Bytes answer(const Asked &asked, const std::vector<Record> &records, std::uint8_t rcode, bool truncated)
{
	Bytes out(asked.bytes.begin(), asked.bytes.begin() + 2);
	out.push_back(static_cast<std::uint8_t>(0x81 | (truncated ? 2 : 0)));
	out.push_back(static_cast<std::uint8_t>(0x80 | rcode));
	put16(out, 1);
	put16(out, static_cast<unsigned>(records.size()));
	put16(out, 0);
	put16(out, 0);
	put_name(out, asked.name);
	put16(out, asked.type);
	put16(out, ns_c_in);
	for (const auto &record : records) {
		put_name(out, record.name);
		put16(out, record.type);
		put16(out, ns_c_in);
		put16(out, record.ttl >> 16);
		put16(out, record.ttl & 0xffff);
		put16(out, static_cast<unsigned>(record.data.size()));
		out.insert(out.end(), record.data.begin(), record.data.end());
	}
	return out;
}

DnsServer::DnsServer(Script script, bool tcp) : script_(std::move(script)), udp_(bound(SOCK_DGRAM, 0))
{
	sockaddr_in local{};
	socklen_t size = sizeof(local);
	::getsockname(udp_.get(), reinterpret_cast<sockaddr *>(&local), &size);
	at_ = {Address::v4(INADDR_LOOPBACK), ntohs(local.sin_port)};
	if (tcp) {
		tcp_ = bound(SOCK_STREAM, at_.port);
		::listen(tcp_.get(), 8);
	}
	int ends[2];
	if (::pipe(ends) != 0)
		throw std::runtime_error("pipe");
	stop_ = Fd(ends[0]);
	wake_ = Fd(ends[1]);
	thread_ = std::thread([this] { serve(); });
}

DnsServer::~DnsServer()
{
	wake_ = Fd();
	thread_.join();
}

std::vector<Asked> DnsServer::asked() const
{
	const std::lock_guard guard(mutex_);
	return asked_;
}

Messages DnsServer::answers_to(const Bytes &message, bool tcp)
{
	const auto asked = asked_of(message, tcp);
	{
		const std::lock_guard guard(mutex_);
		asked_.push_back(asked);
	}
	return script_(asked);
}

void DnsServer::serve_udp()
{
	Bytes message(65536);
	sockaddr_storage from{};
	socklen_t size = sizeof(from);
	const auto got = ::recvfrom(udp_.get(), message.data(), message.size(), MSG_DONTWAIT,
				    reinterpret_cast<sockaddr *>(&from), &size);
	if (got < 12)
		return;
	message.resize(static_cast<std::size_t>(got));
	for (const auto &each : answers_to(message, false))
		::sendto(udp_.get(), each.data(), each.size(), 0, reinterpret_cast<const sockaddr *>(&from), size);
}

void DnsServer::serve_tcp()
{
	const Fd peer(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
	std::uint8_t head[2];
	while (::recv(peer.get(), head, 2, MSG_WAITALL) == 2) { // both families are asked in one connection
		Bytes message(static_cast<std::size_t>(head[0] << 8 | head[1]));
		if (::recv(peer.get(), message.data(), message.size(), MSG_WAITALL) !=
		    static_cast<ssize_t>(message.size()))
			return;
		for (const auto &each : answers_to(message, true)) {
			Bytes out;
			put16(out, static_cast<unsigned>(each.size()));
			out.insert(out.end(), each.begin(), each.end());
			::send(peer.get(), out.data(), out.size(), MSG_NOSIGNAL);
		}
	}
}

void DnsServer::serve()
{
	for (;;) {
		pollfd watched[3] = {{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
		::poll(watched, 3, -1);
		if (watched[0].revents != 0)
			return;
		if (watched[1].revents != 0)
			serve_udp();
		if (watched[2].revents != 0)
			serve_tcp();
	}
}

} // namespace weir::names
