// SPDX-License-Identifier: Apache-2.0
// Answers to what the node asked come through; answers to nothing don't.
#include "tests/lab/lab_test.h"

#include "tests/support/packets.h"

#include <poll.h>

namespace weir::test {
namespace {

/// A datagram socket in the node that asks, says its port, and then what it hears within the time: "N".
Child asker(const Spot &spot, const std::string &address, bool connected)
{
	Child child(spot, [=](Channel &channel) {
		const Endpoint to(address, 53);
		const Fd fd(::socket(to.family(), SOCK_DGRAM, 0));
		if (connected && ::connect(fd.get(), to.get(), to.size) != 0)
			raise("connect");
		const auto sent = connected ? ::send(fd.get(), "ask?", 4, 0)
					    : ::sendto(fd.get(), "ask?", 4, 0, to.get(), to.size);
		if (sent != 4)
			raise("ask");
		sockaddr_storage own{};
		socklen_t size = sizeof(own);
		::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&own), &size);
		const auto port = to.family() == AF_INET ? reinterpret_cast<sockaddr_in *>(&own)->sin_port
							 : reinterpret_cast<sockaddr_in6 *>(&own)->sin6_port;
		channel.send(std::to_string(ntohs(port)));
		while (const auto wait = channel.next()) {
			int heard = 0;
			std::array<char, 2048> data{};
			pollfd poll{fd.get(), POLLIN, 0};
			while (::poll(&poll, 1, std::stoi(*wait)) == 1 &&
			       ::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT) >= 0)
				heard++;
			channel.send(std::to_string(heard));
		}
	});
	return child;
}

class Replies : public LabTest {
protected:
	void SetUp() override { lab().apply(lab_site(lab())); }

	/// A datagram made by hand, by whoever runs where `spot` is.
	static void forge(const Spot &spot, const Path &path, std::uint16_t from, std::uint16_t to)
	{
		run_at(spot, [&] {
			const Bytes datagram = udp_datagram(path, from, to, Bytes(4, 'f'));
			const Bytes packet = path.is_v6() ? ipv6(path, 17, datagram)
							  : ipv4(path, {17, 0, {}}, datagram);
			const Endpoint node(path.destination, 0);
			const Fd fd(::socket(node.family(), SOCK_RAW, IPPROTO_RAW));
			if (::sendto(fd.get(), packet.data(), packet.size(), 0, node.get(), node.size) < 0)
				raise("forging");
			return std::string("sent");
		});
	}
};

TEST_F(Replies, DnsOfAConnectedSocket)
{
	for (const char *resolver : {resolver4, resolver6}) {
		const Child child = asker(lab().in_node(), resolver, true);
		(void)child.answer();
		EXPECT_EQ(child.ask("300"), "1") << resolver;
	}
}

TEST_F(Replies, DnsOfAnUnconnectedSocket)
{
	for (const char *resolver : {resolver4, resolver6}) {
		const Child child = asker(lab().in_node(), resolver, false);
		(void)child.answer();
		EXPECT_EQ(child.ask("300"), "1") << resolver;
	}
}

TEST_F(Replies, DnsOfAMappedAddress)
{
	EXPECT_TRUE(is(attempt(lab().in_node(), "udp4-mapped", resolver4, 53), Reach::answered));
	EXPECT_TRUE(is(attempt(lab().in_node(), "udp4-mapped-connect", resolver4, 53), Reach::answered));
}

TEST_F(Replies, LateAnswerIsStillAnAnswer)
{
	const Child child = asker(lab().in_node(), resolver4, false);
	const auto port = static_cast<std::uint16_t>(std::stoi(child.answer()));
	ASSERT_EQ(child.ask("300"), "1");
	std::this_thread::sleep_for(Millis(1500));
	forge(researcher(), {resolver4, node4}, 53, port);
	EXPECT_EQ(child.ask("100"), "1");
}

TEST_F(Replies, AnswerOfAnotherAddressIsRefused)
{
	const Child child = asker(lab().in_node(), resolver4, false);
	const auto port = static_cast<std::uint16_t>(std::stoi(child.answer()));
	ASSERT_EQ(child.ask("300"), "1");
	forge(intruder(), {intruder4, node4}, 53, port);
	forge(researcher(), {researcher4, node4}, 53, port);
	EXPECT_EQ(child.ask("50"), "0");
}

TEST_F(Replies, AnswerOfAnotherPortIsRefused)
{
	const Child child = asker(lab().in_node(), resolver4, false);
	const auto port = static_cast<std::uint16_t>(std::stoi(child.answer()));
	ASSERT_EQ(child.ask("300"), "1");
	forge(researcher(), {resolver4, node4}, 54, port);
	EXPECT_EQ(child.ask("50"), "0");
}

TEST_F(Replies, AnswerToAnotherSocketIsRefused)
{
	// One socket asked; the other, bound beside it, did not.
	const Child asked = asker(lab().in_node(), resolver4, false);
	(void)asked.answer();
	const Child silent(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint here("0.0.0.0", 9053);
		if (::bind(fd.get(), here.get(), here.size) != 0)
			raise("bind");
		channel.send("ready");
		(void)channel.next();
		std::array<char, 64> data{};
		channel.send(::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT) >= 0 ? "heard" : "nothing");
	});
	(void)silent.answer();
	forge(researcher(), {resolver4, node4}, 53, 9053);
	std::this_thread::sleep_for(Millis(20));
	EXPECT_EQ(silent.ask("heard?"), "nothing");
}

TEST_F(Replies, PingIsAnsweredOnlyWhereARowSaysEcho)
{
	EXPECT_TRUE(is(attempt(lab().in_node(), "icmp4-ping", researcher4, 0), Reach::refused));
	lab().apply(lab_site(lab(), {{.id = "ping", .port = "ICMP/8", .type = "host"},
				     {.id = "ping6", .port = "ICMPv6/128", .type = "host"}}));
	EXPECT_TRUE(is(attempt(lab().in_node(), "icmp4-ping", researcher4, 0), Reach::answered));
	EXPECT_TRUE(is(attempt(lab().in_node(), "icmp6-ping", researcher6, 0), Reach::answered));
	EXPECT_TRUE(is(attempt(lab().in_node(), "icmp4-ping", intruder4, 0), Reach::refused));
	EXPECT_TRUE(is(attempt(lab().in_node(), "raw4-echo-reply", researcher4, 0), Reach::refused));
}

TEST_F(Replies, ClosedUdpPortIsToldByTheIcmpError)
{
	// The resolver is down: getaddrinfo must fail at once with ECONNREFUSED, not after a time-out.
	lab().apply(lab_site(lab(), {{.id = "closed", .port = "UDP/54"}}));
	EXPECT_EQ(run_at(lab().in_node(),
			 [] {
				 const Endpoint to(researcher4, 54);
				 const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
				 if (::connect(fd.get(), to.get(), to.size) != 0 || ::send(fd.get(), "x", 1, 0) != 1)
					 return std::string("not sent");
				 pollfd wait{fd.get(), POLLIN, 0};
				 ::poll(&wait, 1, 300);
				 std::array<char, 8> data{};
				 return std::string(::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT) < 0 &&
								    errno == ECONNREFUSED
							    ? "told"
							    : "not told");
			 }),
		  "told");
}

} // namespace
} // namespace weir::test
