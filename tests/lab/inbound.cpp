// SPDX-License-Identifier: Apache-2.0
// Nothing comes in that no row admits: connections, datagrams, scans, packets from a trusted port.
#include "tests/lab/lab_test.h"

#include "tests/support/packets.h"

#include <arpa/inet.h>

namespace weir::test {
namespace {

/// A socket in the node's cgroup that says how much it heard since it was asked last.
Child listener(const Spot &spot, int type, int protocol, std::uint16_t port)
{
	Child child(spot, [=](Channel &channel) {
		const Fd fd(::socket(AF_INET, type, protocol));
		const Endpoint here("0.0.0.0", port);
		if (!fd || ::bind(fd.get(), here.get(), here.size) != 0)
			raise("listener");
		channel.send("ready");
		while (channel.next()) {
			int heard = 0;
			std::array<char, 2048> data{};
			while (::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT) >= 0)
				heard++;
			channel.send(std::to_string(heard));
		}
	});
	(void)child.answer();
	return child;
}

void send_packets(const Spot &spot, const std::vector<Bytes> &packets)
{
	run_at(spot, [&]() -> std::string {
		for (const Bytes &packet : packets) {
			const bool v6 = packet[0] >> 4 == 6;
			std::array<char, INET6_ADDRSTRLEN> text{};
			::inet_ntop(v6 ? AF_INET6 : AF_INET, packet.data() + (v6 ? 24 : 16), text.data(), text.size());
			const Endpoint to(text.data(), 0);
			const Fd fd(::socket(to.family(), SOCK_RAW, IPPROTO_RAW));
			if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
				raise("sending a packet made by hand");
		}
		return "sent";
	});
}

class Inbound : public LabTest {};

TEST_F(Inbound, IntruderCannotConnect)
{
	const Server server(lab().in_node(), {9000}, {});
	ASSERT_TRUE(is(tcp(intruder(), node4, 9000), Reach::connected)) << "it works without a policy";
	ASSERT_TRUE(is(tcp(intruder(), node6, 9000), Reach::connected)) << "it works without a policy";
	lab().apply_native();
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(intruder(), node4, 9000), Reach::timeout));
	EXPECT_TRUE(is(tcp(intruder(), node6, 9000), Reach::timeout));
	EXPECT_EQ(listed(witnesses().arrived()), "") << "no answer, not even a RST";
}

TEST_F(Inbound, ResearcherCannotConnect)
{
	const Server server(lab().in_node(), {9000, 50051}, {});
	lab().apply_native();
	EXPECT_TRUE(is(tcp(researcher(), node4, 9000), Reach::timeout));
	EXPECT_TRUE(is(tcp(researcher(), node4, 50051), Reach::timeout)) << "the row is outbound";
	EXPECT_TRUE(is(tcp(researcher(), node6, 50051), Reach::timeout));
}

TEST_F(Inbound, TrustedSourcePortOpensNothing)
{
	const Server server(lab().in_node(), {9000}, {});
	const Path path{researcher4, node4};
	const Path path6{researcher6, node6};
	const std::vector<Bytes> syns{ipv4(path, {}, tcp_segment(path, 50051, 9000, tcp_syn)),
				      ipv6(path6, 6, tcp_segment(path6, 50051, 9000, tcp_syn))};
	witnesses().quiet();
	send_packets(researcher(), syns);
	ASSERT_GE(witnesses().arrived().size(), 2U) << "it works without a policy: SYN+ACK";
	lab().apply_native();
	std::this_thread::sleep_for(Millis(1100)); // the half-open connections of before send their SYN+ACK again
	witnesses().quiet();
	send_packets(researcher(), {ipv4(path, {}, tcp_segment(path, 50051, 9001, tcp_syn)), syns[0], syns[1]});
	for (const auto &seen : witnesses().arrived())
		EXPECT_FALSE((seen.tcp_flags & tcp_syn) != 0) << seen.text();
}

TEST_F(Inbound, ScansOfAListenerHearNothing)
{
	const Server server(lab().in_node(), {9000}, {});
	lab().apply_native();
	const Path path{intruder4, node4};
	std::vector<Bytes> packets;
	std::uint16_t from = 40000;
	constexpr std::uint8_t psh_urg = 8 | 32;
	for (const int flags : {int{tcp_syn}, int{tcp_ack}, int{tcp_fin}, tcp_fin | psh_urg, 0, tcp_syn | tcp_fin,
				tcp_syn | tcp_ack, int{tcp_rst}})
		packets.push_back(ipv4(path, {}, tcp_segment(path, from++, 9000, static_cast<std::uint8_t>(flags))));
	witnesses().quiet();
	send_packets(intruder(), packets);
	EXPECT_EQ(listed(witnesses().arrived()), "");
}

TEST_F(Inbound, DatagramsToABoundSocketAreRefused)
{
	const Child child = listener(lab().in_node(), SOCK_DGRAM, 0, 9000);
	(void)attempt(intruder(), "udp4-sendto", node4, 9000);
	ASSERT_EQ(child.ask("heard?"), "1") << "it works without a policy";
	lab().apply_native();
	(void)attempt(intruder(), "udp4-sendto", node4, 9000);
	(void)attempt(researcher(), "udp4-sendto", node4, 9000);
	const Path path{researcher4, node4};
	send_packets(researcher(), {ipv4(path, {IPPROTO_UDP, 0, {}}, udp_datagram(path, 50051, 9000, Bytes(4)))});
	send_packets(researcher(), {ipv4(path, {IPPROTO_UDP, 0, {}}, udp_datagram(path, 53, 9000, Bytes(4)))});
	std::this_thread::sleep_for(Millis(20));
	EXPECT_EQ(child.ask("heard?"), "0");
}

TEST_F(Inbound, UdpLiteToABoundSocketIsRefused)
{
	if (!Fd(::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)))
		GTEST_SKIP() << "this kernel has no UDP-Lite";
	const Child child = listener(lab().in_node(), SOCK_DGRAM, IPPROTO_UDPLITE, 9000);
	(void)attempt(intruder(), "udplite4-sendto", node4, 9000);
	ASSERT_EQ(child.ask("heard?"), "1") << "it works without a policy";
	lab().apply_native();
	(void)attempt(intruder(), "udplite4-sendto", node4, 9000);
	std::this_thread::sleep_for(Millis(20));
	EXPECT_EQ(child.ask("heard?"), "0");
}

TEST_F(Inbound, RawSocketsHearNothing)
{
	const Child echo = listener(lab().in_node(), SOCK_RAW, IPPROTO_ICMP, 0);
	const Child other = listener(lab().in_node(), SOCK_RAW, 253, 0);
	(void)attempt(intruder(), "raw4-echo", node4, 0);
	(void)attempt(intruder(), "raw4-protocol", node4, 0);
	ASSERT_EQ(echo.ask("heard?"), "1") << "it works without a policy";
	ASSERT_EQ(other.ask("heard?"), "1") << "it works without a policy";
	lab().apply_native();
	(void)attempt(intruder(), "raw4-echo", node4, 0);
	(void)attempt(intruder(), "raw4-protocol", node4, 0);
	(void)attempt(researcher(), "raw4-echo-reply", node4, 0);
	std::this_thread::sleep_for(Millis(20));
	EXPECT_EQ(echo.ask("heard?"), "0") << "an echo, or an echo reply that nobody asked for";
	EXPECT_EQ(other.ask("heard?"), "0");
}

TEST_F(Inbound, NeighbourDiscoveryIsForTheKernelAndNotForARawSocket)
{
	const Child node(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
		channel.send("ready");
		while (channel.next()) {
			int heard = 0;
			std::array<char, 2048> data{};
			for (ssize_t size = 0; (size = ::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT)) >= 0;)
				heard += std::string(data.data(), static_cast<std::size_t>(size)).ends_with("weir");
			channel.send(std::to_string(heard));
		}
	});
	(void)node.answer();
	const auto solicit = [&] {
		run_at(intruder(), [] {
			const Fd fd(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
			const int hops = 255;
			const Endpoint to(node6, 0);
			const std::string message = "\x87" + std::string(23, '\0') + "weir";
			if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) != 0 ||
			    ::sendto(fd.get(), message.data(), message.size(), 0, to.get(), to.size) < 0)
				raise("soliciting");
			return std::string();
		});
		std::this_thread::sleep_for(Millis(20));
	};
	solicit();
	ASSERT_EQ(node.ask("heard?"), "1") << "it works without a policy";
	lab().apply_native();
	solicit();
	EXPECT_EQ(node.ask("heard?"), "0");
}

TEST_F(Inbound, FragmentsOfADatagramAreRefused)
{
	const Child child = listener(lab().in_node(), SOCK_DGRAM, 0, 9000);
	const Path path{intruder4, node4};
	const Bytes datagram = udp_datagram(path, 53, 9000, Bytes(16, 'w'));
	const auto in_two = [&] {
		send_packets(intruder(),
			     {ipv4(path, {IPPROTO_UDP, 0x2000, {}}, Bytes(datagram.begin(), datagram.begin() + 16)),
			      ipv4(path, {IPPROTO_UDP, 2, {}}, Bytes(datagram.begin() + 16, datagram.end()))});
		std::this_thread::sleep_for(Millis(20));
	};
	in_two();
	ASSERT_EQ(child.ask("heard?"), "1") << "it works without a policy";
	lab().apply_native();
	in_two();
	EXPECT_EQ(child.ask("heard?"), "0");
}

TEST_F(Inbound, ARowLetsInWhatItNamesAndNothingElse)
{
	const Server server(lab().in_node(), {9000, 9001}, {9000});
	SiteFile site = lab_site(lab(), {{.id = "ssh",
					  .dir = "in",
					  .source = "admins",
					  .destination = "node",
					  .port = "TCP/9000",
					  .type = "host"},
					 {.id = "probe",
					  .dir = "in",
					  .source = "admins",
					  .destination = "node",
					  .port = "UDP/9000",
					  .type = "host"}});
	site.names["admins"] = {intruder4};
	lab().apply(site);
	EXPECT_TRUE(is(tcp(intruder(), node4, 9000), Reach::connected));
	EXPECT_TRUE(is(attempt(intruder(), "udp4-sendto", node4, 9000), Reach::answered)) << "and the answer goes out";
	EXPECT_TRUE(is(tcp(intruder(), node4, 9001), Reach::timeout));
	EXPECT_TRUE(is(tcp(intruder(), node6, 9000), Reach::timeout)) << "not this address";
	EXPECT_TRUE(is(tcp(researcher(), node4, 9000), Reach::timeout));
	EXPECT_TRUE(is(tcp(lab().in_node(), intruder4, 50051), Reach::refused)) << "the row is inbound only";
	EXPECT_TRUE(is(attempt(lab().in_node(), "udp4-sendto", intruder4, 443), Reach::refused));
}

} // namespace
} // namespace weir::test
