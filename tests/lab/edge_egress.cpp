// SPDX-License-Identifier: Apache-2.0
// What no gate of a cgroup sees leaves by no interface either: frames made by hand, from the node's cgroup and from
// beside it, the kernel's own messages with what a process puts into them, tunnels of the host's making.
#include "tests/lab/edge_test.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <poll.h>

namespace weir::test {
namespace {

constexpr const char *mark = "weir leaks this";

/// A frame from the node to a card that the switch does not know, so that it comes to everybody on the link.
Bytes frame(std::uint16_t type, const Bytes &payload, const Bytes &tags = {})
{
	return Bytes{2, 0, 0, 0, 0, 0x77} + Bytes{2, 0, 0, 0, 0, 2} + tags +
	       Bytes{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)} + payload;
}

Bytes udp4(const char *to = internet4, std::uint16_t port = 443)
{
	const Path path{node4, to};
	return ipv4(path, {IPPROTO_UDP, 0, {}}, udp_datagram(path, 40123, port, bytes_of(mark)));
}
Bytes udp6(const char *to = internet6)
{
	const Path path{node6, to};
	return ipv6(path, IPPROTO_UDP, udp_datagram(path, 40123, 443, bytes_of(mark)));
}
Bytes tcp4(std::uint8_t flags, const char *to = internet4)
{
	const Path path{node4, to};
	return ipv4(path, {}, tcp_segment(path, 40123, 50051, flags, bytes_of(mark)));
}
Bytes vlan(std::uint16_t type, std::uint8_t id)
{
	return {static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type), 0, id};
}
Bytes arp()
{
	return Bytes{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10};
}
/// ICMPv6 from and to the link, with the hop limit of what a kernel makes.
Bytes icmp6(const Bytes &message, std::uint8_t hop_limit, const char *to)
{
	const Path path{node6, to};
	Bytes packet = ipv6(path, IPPROTO_ICMPV6, message);
	packet[7] = hop_limit;
	return packet;
}
Bytes error4()
{
	const Path asked{internet4, node4};
	const Bytes datagram = udp_datagram(asked, 53, 9000, bytes_of(mark));
	const Path back{node4, internet4};
	return ipv4(back, {IPPROTO_ICMP, 0, {}}, icmp_unreachable(back, ipv4(asked, {IPPROTO_UDP, 0, {}}, datagram)));
}
Bytes error6()
{
	const Path asked{internet6, node6};
	const Bytes datagram = udp_datagram(asked, 53, 9000, bytes_of(mark));
	const Path back{node6, internet6};
	return ipv6(back, IPPROTO_ICMPV6, icmp_unreachable(back, ipv6(asked, IPPROTO_UDP, datagram)));
}

struct Crafted {
	std::string name;
	Bytes bytes;
};

std::vector<Crafted> every_frame()
{
	const Path path{node4, internet4};
	const Bytes neighbour = Bytes{135, 0, 0, 0, 0, 0, 0, 0} + Bytes(16, 0xfe);
	return {
		{"UDP", frame(0x0800, udp4())},
		{"UDP over IPv6", frame(0x86dd, udp6())},
		{"TCP SYN with data", frame(0x0800, tcp4(tcp_syn))},
		{"TCP ACK with data", frame(0x0800, tcp4(tcp_ack))},
		{"TCP RST with data", frame(0x0800, tcp4(tcp_rst))},
		{"DNS to a host that is no resolver", frame(0x0800, udp4(internet4, 53))},
		{"data behind a packet that a row admits",
		 frame(0x0800,
		       ipv4({node4, researcher4}, {}, tcp_segment({node4, researcher4}, 40123, 50051, tcp_syn)) +
			       Bytes(64, 0) + bytes_of(mark))},
		{"TCP RST with data to the row's host", frame(0x0800, tcp4(tcp_rst, intruder4))},
		{"ARP with data behind it", frame(0x0806, arp() + Bytes(48, 0) + bytes_of(mark))},
		{"ARP of another protocol",
		 frame(0x0806, Bytes{0, 1, 0x86, 0xdd, 6, 16, 0, 1} + bytes_of(mark) + Bytes(32, 0))},
		{"ARP with a reverse question",
		 frame(0x0806, Bytes{0, 1, 8, 0, 6, 4, 0, 3} + bytes_of(mark) + Bytes(20, 0))},
		{"an experimental EtherType", frame(0x88b5, bytes_of(mark) + Bytes(40, 0))},
		{"LLDP where the site has none", frame(0x88cc, bytes_of(mark) + Bytes(40, 0))},
		{"EAPOL where the site has none", frame(0x888e, bytes_of(mark) + Bytes(40, 0))},
		{"MPLS", frame(0x8847, Bytes{0, 0, 0x11, 0xff} + udp4())},
		{"PPPoE", frame(0x8864, Bytes{0x11, 0, 0, 1, 0, 60, 0, 0x21} + udp4())},
		{"TRILL", frame(0x22f3, bytes_of(mark) + Bytes(40, 0))},
		{"an LLC frame with a length", frame(60, Bytes{0xaa, 0xaa, 3, 0, 0, 0, 8, 0} + udp4())},
		{"a VLAN tag before it", frame(0x0800, udp4(), vlan(0x8100, 5))},
		{"a VLAN tag before IPv6", frame(0x86dd, udp6(), vlan(0x8100, 5))},
		{"a priority tag before it", frame(0x0800, udp4(), vlan(0x8100, 0))},
		{"two tags before it", frame(0x0800, udp4(), vlan(0x88a8, 7) + vlan(0x8100, 5))},
		{"three tags before it", frame(0x0800, udp4(), vlan(0x88a8, 7) + vlan(0x8100, 5) + vlan(0x8100, 6))},
		{"three tags before what a row admits",
		 frame(0x0800, tcp4(tcp_syn, researcher4), vlan(0x88a8, 7) + vlan(0x8100, 5) + vlan(0x8100, 6))},
		{"a tag of an old kind before it", frame(0x0800, udp4(), vlan(0x9100, 5))},
		{"IP in IP", frame(0x0800, ipv4(path, {4, 0, {}}, udp4(researcher4, 53)))},
		{"IPv6 in IP", frame(0x0800, ipv4(path, {41, 0, {}}, udp6()))},
		{"GRE", frame(0x0800, ipv4(path, {47, 0, {}}, Bytes{0, 0, 8, 0} + udp4()))},
		{"ESP", frame(0x0800, ipv4(path, {50, 0, {}}, Bytes(8, 1) + bytes_of(mark)))},
		{"SCTP", frame(0x0800, ipv4(path, {132, 0, {}}, Bytes{0, 53, 0, 53} + bytes_of(mark)))},
		{"IP in IP to the row's host",
		 frame(0x0800, ipv4({node4, researcher4}, {4, 0, {}}, udp4(researcher4, 53)))},
		{"a first fragment", frame(0x0800, ipv4(path, {IPPROTO_UDP, 0x2000, {}},
							udp_datagram(path, 1, 2, bytes_of(mark) + Bytes(1, 0))))},
		{"a later fragment", frame(0x0800, ipv4(path, {IPPROTO_TCP, 3, {}}, bytes_of(mark)))},
		{"a later fragment to the row's host",
		 frame(0x0800, ipv4({node4, researcher4}, {IPPROTO_TCP, 3, {}}, bytes_of(mark)))},
		{"a source route",
		 frame(0x0800, ipv4({node4, researcher4}, {6, 0, source_route(internet4)},
				    tcp_segment({node4, researcher4}, 1, 50051, tcp_syn, bytes_of(mark))))},
		{"an IPv6 routing header",
		 frame(0x86dd, ipv6({node6, researcher6}, 43,
				    routing_header(6, internet6) +
					    tcp_segment({node6, researcher6}, 1, 50051, tcp_syn, bytes_of(mark))))},
		{"IPv6 without a next header", frame(0x86dd, ipv6({node6, internet6}, 59, bytes_of(mark)))},
		{"IPv4 as EtherType IPv6", frame(0x86dd, udp4())},
		{"an echo reply that nobody asked for",
		 frame(0x0800, ipv4({node4, researcher4}, {IPPROTO_ICMP, 0, {}},
				    icmp_echo({node4, researcher4}, 7, true) + bytes_of(mark)))},
		{"an ICMP error made by hand", frame(0x0800, error4())},
		{"an ICMPv6 error made by hand", frame(0x86dd, error6())},
		{"neighbour discovery made by hand, with data",
		 frame(0x86dd, icmp6(neighbour + Bytes{1, 3} + bytes_of(mark) + Bytes(7, 0), 255, "ff02::1"))},
		{"a router advertisement made by hand",
		 frame(0x86dd, icmp6(Bytes{134, 0, 0, 0, 64, 0, 0, 0} + Bytes(8, 0) + bytes_of(mark), 255, "ff02::1"))},
		{"an IGMP report with sources, made by hand",
		 frame(0x0800, ipv4({node4, "224.0.0.22"}, {2, 0, {}},
				    Bytes{0x22, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 4, 232, 1, 2, 3} + bytes_of(mark)))},
		{"an MLD report with sources, made by hand",
		 frame(0x86dd, icmp6(Bytes{143, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1} + Bytes(16, 0xff) + bytes_of(mark), 1,
				     "ff02::16"))},
		{"multicast DNS", frame(0x0800, udp4("224.0.0.251", 5353))},
		{"a broadcast", frame(0x0800, udp4("255.255.255.255", 9))},
	};
}

class EdgeEgress : public LabTestWithEdge {
protected:
	static void SetUpTestSuite()
	{
		LabTest::SetUpTestSuite();
		for (const int host : {lab().researcher(), lab().intruder(), lab().internet()})
			taps_.emplace_back(host);
	}
	static void TearDownTestSuite()
	{
		taps_.clear();
		LabTest::TearDownTestSuite();
	}

	static void forget()
	{
		for (const auto &tap : taps_)
			(void)tap.take();
	}
	/// Did a frame with this text come anywhere?
	static bool came(const std::string &text)
	{
		return std::ranges::any_of(taps_, [&](const Tap &tap) { return has_text(tap.take(), text); });
	}
	static bool comes(const std::string &text)
	{
		return eventually([&] { return came(text); }, Millis(1000));
	}
	static bool stays_away(const std::string &text)
	{
		std::this_thread::sleep_for(Millis(is_emulated() ? 100 : 15));
		return !came(text);
	}
	static void send_from(const Spot &spot, const Bytes &bytes,
			      FrameSender::Qdisc qdisc = FrameSender::Qdisc::through)
	{
		(void)run_at(spot, [&] {
			FrameSender("eth0", qdisc).send(bytes);
			return std::string();
		});
	}

	static inline std::vector<Tap> taps_;
};

TEST_F(EdgeEgress, FramesMadeByHandAreRefused)
{
	const auto frames = every_frame();
	for (const auto &[name, bytes] : frames) {
		forget();
		send_from(lab().in_node(), bytes);
		EXPECT_TRUE(comes(mark)) << "without a policy it does not work: " << name;
	}
	apply({});
	for (const auto &[name, bytes] : frames) {
		for (const auto &spot : {lab().in_node(), lab().beside_node()}) {
			forget();
			send_from(spot, bytes);
			EXPECT_TRUE(stays_away(mark)) << name << " from " << spot.cgroup;
		}
	}
	EXPECT_GE(sum("refused"), 2 * frames.size());
	// And what the rows admit still goes, by AF_PACKET, too.
	forget();
	send_from(lab().in_node(), frame(0x0800, tcp4(tcp_syn, researcher4)));
	EXPECT_TRUE(comes(mark));
	forget();
	send_from(lab().in_node(), frame(0x0800, tcp4(tcp_syn, researcher4), vlan(0x8100, 5)));
	EXPECT_TRUE(comes(mark)) << "a VLAN tag is looked through";
	forget();
	send_from(lab().in_node(), frame(0x0800, tcp4(tcp_syn, researcher4), vlan(0x88a8, 5) + vlan(0x8100, 6)));
	EXPECT_TRUE(comes(mark)) << "QinQ is looked through";
}

TEST_F(EdgeEgress, ListedEtherTypesPassAndOthersDoNot)
{
	apply({.edge = "ethertypes = [\"LLDP\"]\n"});
	forget();
	send_from(lab().beside_node(), frame(0x88cc, bytes_of(mark) + Bytes(40, 0)));
	EXPECT_TRUE(comes(mark));
	std::this_thread::sleep_for(Millis(20));
	forget();
	send_from(lab().beside_node(), frame(0x888e, bytes_of(mark) + Bytes(40, 0)));
	EXPECT_TRUE(stays_away(mark));
}

TEST_F(EdgeEgress, ResidualPacketQdiscBypassGoesAroundTrafficControl)
{
	// No program at traffic control sees it. It takes CAP_NET_RAW; the documentation says so. A test that fails
	// here says that it is out of date.
	apply({});
	forget();
	send_from(lab().in_node(), frame(0x0800, udp4()), FrameSender::Qdisc::around);
	EXPECT_TRUE(comes(mark));
}

TEST_F(EdgeEgress, ResidualNextHopIsNotJudged)
{
	// A header names the row's host, the frame goes to another one of the link: what the edge judges is the header.
	// A neighbour on the same link can be told so; nobody beyond a router.
	const auto send = [] {
		(void)run_at(lab().in_node(), [] {
			const Bytes packet = tcp4(tcp_syn, researcher4);
			const Endpoint to(intruder4, 0);
			const Fd fd(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
			if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
				raise("sending");
			return std::string();
		});
	};
	const Tap intruder_tap(lab().intruder());
	apply({});
	send();
	EXPECT_TRUE(eventually([&] { return has_text(intruder_tap.take(), mark); }));
}

TEST_F(EdgeEgress, KernelsIgmpReportWithAProcesssSourcesIsRefused)
{
	const auto join = [] {
		(void)run_at(lab().in_node(), [] {
			ip_mreq_source wanted{};
			::inet_pton(AF_INET, "232.1.2.3", &wanted.imr_multiaddr);
			::inet_pton(AF_INET, node4, &wanted.imr_interface);
			::inet_pton(AF_INET, "119.101.105.114", &wanted.imr_sourceaddr); // "weir"
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			if (::setsockopt(fd.get(), IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &wanted, sizeof(wanted)) != 0)
				raise("joining a group");
			return std::string();
		});
	};
	forget();
	join();
	EXPECT_TRUE(comes("weir")) << "without a policy";
	std::this_thread::sleep_for(Millis(200));
	apply({});
	forget();
	join();
	std::this_thread::sleep_for(Millis(500)); // the kernel waits up to so long, then says it again
	EXPECT_FALSE(came("weir"));
}

TEST_F(EdgeEgress, KernelsMldReportWithAProcesssSourcesIsRefused)
{
	const auto join = [] {
		(void)run_at(lab().in_node(), [] {
			group_source_req wanted{};
			wanted.gsr_interface = ::if_nametoindex("eth0");
			const Endpoint group("ff3e::8000:1", 0);
			const Endpoint source("2001:db8:7765:6972::1", 0); // "weir"
			wanted.gsr_group = group.storage;
			wanted.gsr_source = source.storage;
			const Fd fd(::socket(AF_INET6, SOCK_DGRAM, 0));
			if (::setsockopt(fd.get(), IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &wanted, sizeof(wanted)) != 0)
				raise("joining a group");
			std::this_thread::sleep_for(Millis(100));
			return std::string();
		});
	};
	forget();
	join();
	EXPECT_TRUE(comes("weir")) << "without a policy";
	std::this_thread::sleep_for(Millis(200));
	apply({});
	forget();
	join();
	std::this_thread::sleep_for(Millis(500));
	EXPECT_FALSE(came("weir"));
}

} // namespace
} // namespace weir::test
