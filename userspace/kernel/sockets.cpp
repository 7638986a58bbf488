// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cstring>

namespace weir::kernel {

namespace {

constexpr std::uint32_t state_bit(int state)
{
	return 1U << static_cast<unsigned>(state);
}

/// A listening socket has no peer, one in TIME_WAIT nobody's.
constexpr std::uint32_t tcp_states = state_bit(TCP_ESTABLISHED) | state_bit(TCP_SYN_SENT) | state_bit(TCP_SYN_RECV) |
				     state_bit(TCP_FIN_WAIT1) | state_bit(TCP_FIN_WAIT2) | state_bit(TCP_CLOSE_WAIT) |
				     state_bit(TCP_LAST_ACK) | state_bit(TCP_CLOSING);
constexpr std::uint32_t udp_states = state_bit(TCP_ESTABLISHED); // connect() was called

Address address_of(std::uint8_t family, const std::uint32_t (&words)[4])
{
	if (family == AF_INET)
		return Address::v4(ntohl(words[0]));
	Address address;
	std::memcpy(address.bytes.data(), words, sizeof(words));
	return address;
}

PeerSocket socket_of(const nlmsghdr &message, std::uint8_t protocol)
{
	inet_diag_msg body{};
	std::memcpy(&body, mnl_nlmsg_get_payload(&message), sizeof(body));
	PeerSocket one{.protocol = protocol,
		       .local = address_of(body.idiag_family, body.id.idiag_src),
		       .remote = address_of(body.idiag_family, body.id.idiag_dst),
		       .local_port = ntohs(body.id.idiag_sport),
		       .remote_port = ntohs(body.id.idiag_dport),
		       .uid = body.idiag_uid,
		       .family = body.idiag_family,
		       .id = body.id};
	each_attribute(message, sizeof(body), [&](const nlattr &attribute) {
		if (mnl_attr_get_type(&attribute) == INET_DIAG_CGROUP_ID &&
		    mnl_attr_get_payload_len(&attribute) == sizeof(std::uint64_t))
			one.cgroup = mnl_attr_get_u64(&attribute);
	});
	return one;
}

inet_diag_req_v2 request_of(std::uint8_t family, std::uint8_t protocol, std::uint32_t states)
{
	inet_diag_req_v2 body{};
	body.sdiag_family = family;
	body.sdiag_protocol = protocol;
	body.idiag_states = states;
	return body;
}

nlmsghdr *put_request(std::array<char, 256> &buffer, std::uint16_t type, const inet_diag_req_v2 &body)
{
	auto *request = mnl_nlmsg_put_header(buffer.data());
	request->nlmsg_type = type;
	std::memcpy(mnl_nlmsg_put_extra_header(request, sizeof(body)), &body, sizeof(body));
	return request;
}

/// The 128-bit form's last four bytes, or all of it.
std::pair<int, const std::uint8_t *> wire_form(const Address &address)
{
	return address.is_v4() ? std::pair(AF_INET, address.bytes.data() + 12)
			       : std::pair(AF_INET6, address.bytes.data());
}

} // namespace

std::string PeerSocket::text() const
{
	const auto end = [](const Address &address, std::uint16_t port) {
		return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.text(), port);
	};
	return fmt::format("{} {} - {}", protocol == IPPROTO_TCP ? "TCP" : "UDP", end(local, local_port),
			   end(remote, remote_port));
}

Result<std::vector<PeerSocket>> peer_sockets()
{
	std::vector<PeerSocket> all;
	for (const auto &[protocol, states] : {std::pair<std::uint8_t, std::uint32_t>{IPPROTO_TCP, tcp_states},
					       std::pair<std::uint8_t, std::uint32_t>{IPPROTO_UDP, udp_states}})
		for (const auto family : std::array<std::uint8_t, 2>{AF_INET, AF_INET6}) {
			std::array<char, 256> buffer{};
			auto *request = put_request(buffer, SOCK_DIAG_BY_FAMILY, request_of(family, protocol, states));
			const auto before = all.size();
			auto asked = dump(
				request, [&] { all.resize(before); },
				[&](const nlmsghdr &message) {
					if (message.nlmsg_type == SOCK_DIAG_BY_FAMILY)
						all.push_back(socket_of(message, protocol));
				},
				about_sockets);
			if (!asked)
				return std::unexpected(std::move(asked).error());
		}
	return all;
}

int destroy(Netlink &sock_diag, const PeerSocket &one)
{
	std::array<char, 256> buffer{};
	auto body = request_of(one.family, one.protocol, ~0U);
	body.id = one.id;
	auto *request = put_request(buffer, SOCK_DESTROY, body);
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return sock_diag.ask(request);
}

std::optional<Route> route_of(Netlink &rtnetlink, const PeerSocket &one)
{
	std::array<char, 256> buffer{};
	const auto [family, remote] = wire_form(one.remote);
	const std::uint16_t size = family == AF_INET ? 4 : 16;
	auto *request = mnl_nlmsg_put_header(buffer.data());
	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST;
	auto *body = static_cast<rtmsg *>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
	body->rtm_family = static_cast<unsigned char>(family);
	body->rtm_dst_len = body->rtm_src_len = static_cast<unsigned char>(size * 8);
	mnl_attr_put(request, RTA_DST, size, remote);
	mnl_attr_put(request, RTA_SRC, size, wire_form(one.local).second);
	mnl_attr_put_u32(request, RTA_UID, one.uid);
	if (one.id.idiag_if != 0)
		mnl_attr_put_u32(request, RTA_OIF, one.id.idiag_if);
	Route route;
	const int error = rtnetlink.ask(request, [&](const nlmsghdr &message) {
		if (message.nlmsg_type != RTM_NEWROUTE)
			return;
		route.loopback = static_cast<const rtmsg *>(mnl_nlmsg_get_payload(&message))->rtm_type == RTN_LOCAL;
		each_attribute(message, sizeof(rtmsg), [&](const nlattr &attribute) {
			if (mnl_attr_get_type(&attribute) == RTA_OIF)
				route.ifindex = number_of(attribute);
		});
	});
	return error == 0 && route.ifindex != 0 ? std::optional(route) : std::nullopt;
}

} // namespace weir::kernel
