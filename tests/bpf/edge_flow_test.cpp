// SPDX-License-Identifier: Apache-2.0
// The edge gate: who opened what. A few rows, and everything that has none tries to come in as an answer to something.
#include "tests/bpf/edge_test.h"

namespace weir::test {
namespace {

using Table = EdgeGate::Table;

constexpr std::uint8_t syn_ack = tcp_syn | tcp_ack, fin_ack = tcp_fin | tcp_ack;

/// Out: TCP/443, UDP/53, echo. In: TCP/22, UDP/123, echo from a monitor.
std::vector<EdgeRow> some_rows()
{
	std::vector<EdgeRow> rows;
	for (const bool v6 : {false, true}) {
		const auto &peer = v6 ? there6 : there4;
		rows.push_back({Direction::out, "TCP/443", peer});
		rows.push_back({Direction::out, "UDP/53", peer});
		rows.push_back({Direction::out, v6 ? "ICMPv6/128" : "ICMP/8", peer});
		rows.push_back({Direction::in, "TCP/22", peer});
		rows.push_back({Direction::in, "UDP/123", peer});
		rows.push_back({Direction::in, v6 ? "ICMPv6/128" : "ICMP/8", v6 ? "2001:db8::99" : "192.0.2.99"});
	}
	for (const char *type : {"ICMPv6/135", "ICMPv6/136"}) {
		rows.push_back({Direction::out, type, "fe80::/10", true});
		rows.push_back({Direction::in, type, "fe80::/10", true});
	}
	return rows;
}

class EdgeFlows : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(edge_policy(some_rows())); }

	template <typename Check>
	static void everywhere(Check check)
	{
		for (const auto hook : ingress)
			for (const bool v6 : {false, true}) {
				gate().forget();
				check(hook, v6 ? in6 : in4, v6 ? out6 : out4);
			}
	}
	static void publish(std::vector<EdgeRow> rows, std::uint32_t generation)
	{
		gate().publish(compile(edge_policy(rows), {.generation = generation}).value());
	}
	[[nodiscard]] static std::size_t entries(Table table) { return gate().flows(table).size(); }
};

TEST_F(EdgeFlows, AnswersComeIn)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_syn));
		admitted(hook, tcp_frame(in, web, ours, syn_ack));
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_ack));
		admitted(hook, tcp_frame(in, web, ours, tcp_ack, Bytes(99)));
		admitted(Hook::tc_out, udp_frame(out, ours, dns));
		admitted(hook, udp_frame(in, dns, ours));
		admitted(Hook::tc_out, echo_frame(out, 77));
		admitted(hook, echo_frame(in, 77, true));
	});
}

TEST_F(EdgeFlows, AnswersThatNobodyAskedFor)
{
	everywhere([](Hook hook, const Path &in, const Path &) {
		for (const std::uint8_t flags : {syn_ack, tcp_ack, fin_ack, tcp_rst, std::uint8_t(tcp_rst | tcp_ack)})
			refused(hook, tcp_frame(in, web, ours, flags), WEIR_REASON_NO_FLOW);
		refused(hook, tcp_frame(in, web, ours, tcp_syn), WEIR_REASON_NO_ROW);
		refused(hook, udp_frame(in, dns, ours), WEIR_REASON_NO_ROW);
		refused(hook, echo_frame(in, 77, true), WEIR_REASON_NO_FLOW);
		EXPECT_EQ(entries(Table::opened), 0U);
		EXPECT_EQ(entries(Table::accepted), 0U);
	});
}

TEST_F(EdgeFlows, TrustedSourcePortOpensNothing)
{
	everywhere([](Hook hook, const Path &in, const Path &) {
		for (unsigned port = 1; port < 65536; port += 257) {
			const auto to = static_cast<std::uint16_t>(port);
			if (to == ssh || to == ntp)
				continue;
			for (const std::uint8_t flags : {tcp_syn, syn_ack, tcp_ack, fin_ack, tcp_rst})
				EXPECT_FALSE(gate().run(hook, tcp_frame(in, web, to, flags)));
			EXPECT_FALSE(gate().run(hook, udp_frame(in, dns, to)));
		}
		EXPECT_EQ(entries(Table::opened), 0U);
	});
}

TEST_F(EdgeFlows, AnswersFromElsewhere)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_syn));
		admitted(Hook::tc_out, udp_frame(out, ours, dns));
		admitted(Hook::tc_out, echo_frame(out, 77));
		const Path other{in.is_v6() ? "2001:db8::98" : "192.0.2.98", in.destination};
		const Path to_other{in.source, in.is_v6() ? "2001:db8::3" : "192.0.2.3"};
		for (const auto &path : {other, to_other}) {
			EXPECT_FALSE(gate().run(hook, tcp_frame(path, web, ours, syn_ack)));
			EXPECT_FALSE(gate().run(hook, udp_frame(path, dns, ours)));
			EXPECT_FALSE(gate().run(hook, echo_frame(path, 77, true)));
		}
		for (const int off : {-1, 1}) {
			const auto port = static_cast<std::uint16_t>(ours + off);
			EXPECT_FALSE(gate().run(hook, tcp_frame(in, web, port, syn_ack)));
			EXPECT_FALSE(
				gate().run(hook, tcp_frame(in, static_cast<std::uint16_t>(web + off), ours, syn_ack)));
			EXPECT_FALSE(gate().run(hook, udp_frame(in, dns, port)));
			EXPECT_FALSE(gate().run(hook, echo_frame(in, static_cast<std::uint16_t>(77 + off), true)));
		}
		EXPECT_FALSE(gate().run(hook, udp_frame(in, web, ours))); // the flow is TCP's
		EXPECT_FALSE(gate().run(hook, tcp_frame(in, dns, ours, tcp_ack)));
	});
}

TEST_F(EdgeFlows, WhatARowAdmitsIsAnswered)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(hook, tcp_frame(in, ours, ssh, tcp_syn));
		EXPECT_EQ(entries(Table::accepted), 0U); // a SYN is easily forged
		admitted(Hook::tc_out, tcp_frame(out, ssh, ours, syn_ack));
		admitted(hook, tcp_frame(in, ours, ssh, tcp_ack));
		admitted(Hook::tc_out, tcp_frame(out, ssh, ours, tcp_ack, Bytes(500)));
		admitted(hook, udp_frame(in, ours, ntp));
		admitted(Hook::tc_out, udp_frame(out, ntp, ours));
		EXPECT_EQ(entries(Table::opened), 0U);
		const Path monitor{in.is_v6() ? "2001:db8::99" : "192.0.2.99", in.destination};
		admitted(hook, echo_frame(monitor, 5));
		admitted(Hook::tc_out, echo_frame({monitor.destination, monitor.source}, 5, true));
	});
}

TEST_F(EdgeFlows, AServiceSpeaksToNobodyFirst)
{
	everywhere([](Hook, const Path &, const Path &out) {
		EXPECT_FALSE(gate().run(Hook::tc_out, tcp_frame(out, ssh, ours, tcp_syn)));
		EXPECT_FALSE(gate().run(Hook::tc_out, tcp_frame(out, ssh, ours, tcp_ack, Bytes(500))));
		EXPECT_FALSE(gate().run(Hook::tc_out, udp_frame(out, ntp, ours)));
		EXPECT_FALSE(gate().run(Hook::tc_out, echo_frame(out, 5, true)));
		// An answer of TCP that needs no flow carries nothing.
		for (const std::uint8_t flags : {syn_ack, tcp_rst, std::uint8_t(tcp_rst | tcp_ack)}) {
			admitted(Hook::tc_out, tcp_frame(out, ssh, ours, flags));
			EXPECT_FALSE(gate().run(Hook::tc_out, tcp_frame(out, ssh, ours, flags, Bytes(500))));
		}
		EXPECT_EQ(entries(Table::opened) + entries(Table::accepted), 0U);
	});
}

TEST_F(EdgeFlows, ErrorsNeedTheFlowThatTheyQuote)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		const auto asked = udp_frame(out, ours, dns), connects = tcp_frame(out, ours, web, tcp_syn),
			   pings = echo_frame(out, 77);
		const Path router{in.is_v6() ? "2001:db8::1" : "192.0.2.1", in.destination};
		for (const auto &frame : {asked, connects, pings}) {
			refused(hook, error_frame(router, frame), WEIR_REASON_NO_FLOW);
			admitted(Hook::tc_out, frame);
			admitted(hook, error_frame(router, frame));
			const Path to_other{router.source, in.is_v6() ? "2001:db8::3" : "192.0.2.3"};
			refused(hook, error_frame(to_other, frame), WEIR_REASON_NO_FLOW);
			for (std::size_t cut = 1; cut < 8; ++cut) // 8 bytes behind the quoted IP header
				refused(hook,
					error_frame(router,
						    Bytes(frame.begin(), frame.begin() + (in.is_v6() ? 54 : 34) + 8 -
										 static_cast<long>(cut))),
					WEIR_REASON_MALFORMED);
		}
	});
}

TEST_F(EdgeFlows, QuoteThatIsNotInThePacket)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		const auto asked = udp_frame(out, ours, dns);
		admitted(Hook::tc_out, asked);
		auto error = error_frame(in, asked);
		const std::size_t quoted = asked.size() - 14, length_at = 14 + (in.is_v6() ? 4 : 2);
		const auto said = static_cast<unsigned>(error[length_at] << 8 | error[length_at + 1]);
		const auto left = said - quoted; // the quote stands in what is added to the frame
		error[length_at] = static_cast<std::uint8_t>(left >> 8);
		error[length_at + 1] = static_cast<std::uint8_t>(left);
		refused(hook, error, WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFlows, QuoteThatIsNoPacket)
{
	for (const auto hook : ingress) {
		const auto asked = udp_frame(out4, ours, dns);
		admitted(Hook::tc_out, asked);
		for (unsigned first = 0; first < 256; ++first) {
			auto odd = asked;
			odd[14] = static_cast<std::uint8_t>(first);
			if (first >> 4 != 4 || (first & 15) < 5)
				refused(hook, error_frame(in4, odd), WEIR_REASON_MALFORMED);
		}
		auto part = asked; // a later part has no ports there
		part[14 + 7] = 1;
		refused(hook, error_frame(in4, part), WEIR_REASON_MALFORMED);
		const auto asked6 = udp_frame(out6, ours, dns);
		admitted(Hook::tc_out, asked6);
		auto odd = asked6;
		odd[14] = 0x40;
		refused(hook, error_frame(in6, odd), WEIR_REASON_MALFORMED);
	}
}

TEST_F(EdgeFlows, RedirectIsNoError)
{
	for (const auto hook : ingress) {
		const auto asked = udp_frame(out4, ours, dns);
		admitted(Hook::tc_out, asked);
		auto redirect = error_frame(in4, asked);
		redirect[14 + 20] = 5;
		redirect[14 + 21] = 1;
		EXPECT_FALSE(gate().run(hook, redirect));
	}
}

TEST_F(EdgeFlows, EchoWithTheIdentifierThatIsARequestsType)
{
	// 8 and 128: both ends of the flow look alike, and a question must not pass for an answer.
	everywhere([](Hook hook, const Path &in, const Path &out) {
		const std::uint16_t type = in.is_v6() ? 128 : 8;
		admitted(Hook::tc_out, echo_frame(out, type));
		admitted(hook, echo_frame(in, type, true));
		EXPECT_FALSE(gate().run(hook, echo_frame(in, type)));
		EXPECT_FALSE(gate().run(Hook::tc_out, echo_frame(out, type, true)));
	});
}

Bytes neighbour(const Path &path, std::uint8_t type, std::uint8_t hop_limit)
{
	auto message = icmp_echo(path, 0) + Bytes(8);
	message[0] = type;
	auto packet = ipv6(path, IPPROTO_ICMPV6, message);
	packet[7] = hop_limit;
	return ethernet(packet);
}

TEST_F(EdgeFlows, NeighbourDiscoveryFromBeyondARouter)
{
	const Path in{"fe80::1", "fe80::2"};
	for (const auto hook : ingress)
		for (const std::uint8_t type : {std::uint8_t{135}, std::uint8_t{136}}) {
			gate().forget();
			for (const std::uint8_t limit : std::initializer_list<std::uint8_t>{0, 1, 64, 254})
				refused(hook, neighbour(in, type, limit), WEIR_REASON_ORIGIN);
			admitted(hook, neighbour(in, type, 255));
			// Nor after one that was: it is no flow.
			for (const std::uint8_t limit : std::initializer_list<std::uint8_t>{0, 1, 64, 254})
				refused(hook, neighbour(in, type, limit), WEIR_REASON_ORIGIN);
		}
}

TEST_F(EdgeFlows, NeighbourDiscoveryThatNoKernelMade)
{
	// A process made it: it comes without a socket of the kernel's. Not before, nor after what came in.
	const Path out{"fe80::2", "fe80::1"};
	for (const auto hook : ingress)
		for (const std::uint8_t type : {std::uint8_t{135}, std::uint8_t{136}}) {
			refused(Hook::tc_out, neighbour(out, type, 255), WEIR_REASON_ORIGIN);
			admitted(hook, neighbour({"fe80::1", "fe80::2"}, type, 255));
			refused(Hook::tc_out, neighbour(out, type, 255), WEIR_REASON_ORIGIN);
		}
}

TEST_F(EdgeFlows, LastAsLongAsTheirProtocolSays)
{
	struct Case {
		Bytes open, answer;
		bool answered;
		unsigned life;
	};
	for (const bool v6 : {false, true}) {
		const auto &in = v6 ? in6 : in4, &out = v6 ? out6 : out4;
		const Case cases[] = {
			{tcp_frame(out, ours, web, tcp_syn), tcp_frame(in, web, ours, syn_ack), false,
			 WEIR_LIFE_TCP_OPENING},
			{tcp_frame(out, ours, web, tcp_syn), tcp_frame(in, web, ours, syn_ack), true, WEIR_LIFE_TCP},
			{udp_frame(out, ours, dns), udp_frame(in, dns, ours), false, WEIR_LIFE_ONCE},
			{udp_frame(out, ours, dns), udp_frame(in, dns, ours), true, WEIR_LIFE_OTHER},
			{echo_frame(out, 77), echo_frame(in, 77, true), false, WEIR_LIFE_ICMP},
			{echo_frame(out, 77), echo_frame(in, 77, true), true, WEIR_LIFE_ICMP},
		};
		for (const auto &c : cases)
			for (const auto hook : ingress)
				for (const bool late : {false, true}) {
					gate().forget();
					admitted(Hook::tc_out, c.open);
					if (c.answered)
						admitted(hook, c.answer);
					gate().age_all(Table::opened, late ? c.life + 1 : c.life - 3);
					EXPECT_EQ(gate().run(hook, c.answer), !late) << c.life << text_of(c.answer);
				}
	}
}

TEST_F(EdgeFlows, AnswersAloneKeepNothingAlive)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(Hook::tc_out, udp_frame(out, ours, dns));
		admitted(hook, udp_frame(in, dns, ours));
		gate().age_all(Table::opened, WEIR_LIFE_OTHER - 5);
		const auto before = gate().flows(Table::opened).at(0).second.seen;
		for (int i = 0; i < 10; ++i)
			admitted(hook, udp_frame(in, dns, ours));
		EXPECT_EQ(gate().flows(Table::opened).at(0).second.seen, before);
		admitted(Hook::tc_out, udp_frame(out, ours, dns));
		EXPECT_NE(gate().flows(Table::opened).at(0).second.seen, before);
	});
}

TEST_F(EdgeFlows, CloseSoonAfterBothSidesSaidSo)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		const auto answer = tcp_frame(in, web, ours, tcp_ack);
		const auto open = [&] {
			gate().forget();
			admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_syn));
			admitted(hook, tcp_frame(in, web, ours, syn_ack));
		};
		open();
		admitted(hook, tcp_frame(in, web, ours, fin_ack)); // half closed lives on
		gate().age_all(Table::opened, WEIR_LIFE_TCP - 5);
		admitted(hook, answer);
		gate().age_all(Table::opened, 0);
		admitted(Hook::tc_out, tcp_frame(out, ours, web, fin_ack));
		gate().age_all(Table::opened, WEIR_LIFE_TCP_CLOSING - 5);
		admitted(hook, answer);
		gate().age_all(Table::opened, WEIR_LIFE_TCP_CLOSING + 1);
		refused(hook, answer, WEIR_REASON_NO_FLOW);
		open();
		admitted(hook, tcp_frame(in, web, ours, tcp_rst));
		gate().age_all(Table::opened, WEIR_LIFE_TCP_RESET - 4);
		admitted(hook, answer);
		gate().age_all(Table::opened, WEIR_LIFE_TCP_RESET + 1);
		refused(hook, answer, WEIR_REASON_NO_FLOW);
	});
}

TEST_F(EdgeFlows, AForgedResetCutsNobodyOff)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_syn));
		admitted(hook, tcp_frame(in, web, ours, syn_ack));
		admitted(hook, tcp_frame(in, web, ours, tcp_rst));
		gate().age_all(Table::opened, WEIR_LIFE_TCP_RESET + 1);
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_ack)); // the host goes on
		gate().age_all(Table::opened, WEIR_LIFE_TCP_RESET + 1);
		admitted(hook, tcp_frame(in, web, ours, tcp_ack));
	});
}

TEST_F(EdgeFlows, ANewPolicyJudgesThemAnew)
{
	auto kept = some_rows(), less = some_rows();
	std::erase_if(less, [](const EdgeRow &row) { return row.service != "TCP/22"; });
	std::erase_if(kept, [](const EdgeRow &row) { return row.service == "TCP/22"; });
	std::uint32_t generation = 10;
	everywhere([&](Hook hook, const Path &in, const Path &out) {
		publish(some_rows(), ++generation);
		admitted(Hook::tc_out, tcp_frame(out, ours, web, tcp_syn));
		admitted(Hook::tc_out, udp_frame(out, ours, dns));
		admitted(hook, tcp_frame(in, ours, ssh, tcp_ack));
		publish(kept, ++generation);
		admitted(hook, tcp_frame(in, web, ours, syn_ack));
		admitted(hook, udp_frame(in, dns, ours));
		admitted(hook, error_frame(in, udp_frame(out, ours, dns)));
		EXPECT_FALSE(gate().run(hook, tcp_frame(in, ours, ssh, tcp_ack)));
		EXPECT_FALSE(gate().run(Hook::tc_out, tcp_frame(out, ssh, ours, tcp_ack)));
		publish(less, ++generation);
		EXPECT_FALSE(gate().run(hook, tcp_frame(in, web, ours, tcp_ack)));
		EXPECT_FALSE(gate().run(Hook::tc_out, tcp_frame(out, ours, web, tcp_ack)));
		EXPECT_FALSE(gate().run(hook, udp_frame(in, dns, ours)));
		EXPECT_FALSE(gate().run(hook, error_frame(in, udp_frame(out, ours, dns))));
	});
	publish(some_rows(), ++generation);
}

TEST_F(EdgeFlows, AFloodFromOutsideOpensNothing)
{
	everywhere([](Hook hook, const Path &in, const Path &) {
		for (std::uint16_t from = 1; from < 500; ++from) {
			for (const std::uint16_t to : {web, ssh, ours})
				for (const std::uint8_t flags : {tcp_syn, tcp_ack, syn_ack, fin_ack, tcp_rst})
					gate().run(hook, tcp_frame(in, from, to, flags));
			for (const std::uint16_t to : {dns, ntp})
				gate().run(hook, udp_frame(in, from, to));
			gate().run(hook, echo_frame(in, from));
			gate().run(hook, echo_frame(in, from, true));
			gate().run(hook, error_frame(in, udp_frame(in, from, dns)));
		}
		EXPECT_EQ(entries(Table::opened), 0U);
	});
}

TEST(EdgeOverflow, WhatWasPushedOutFallsAndNothingIsAdmitted)
{
	EdgeGate gate({.flows = 128});
	gate.publish(compile(edge_policy(some_rows())).value());
	constexpr std::uint16_t many = 4096;
	for (std::uint16_t port = 1; port <= many; ++port)
		EXPECT_TRUE(gate.run(Hook::tc_out, udp_frame(out4, port, dns)));
	EXPECT_LE(gate.flows(Table::opened).size(), 128U);
	unsigned answered = 0;
	for (std::uint16_t port = 1; port <= many; ++port)
		answered += port != ntp && gate.run(Hook::xdp, udp_frame(in4, dns, port)) ? 1 : 0;
	EXPECT_LE(answered, 128U);
	EXPECT_GE(answered, 1U);
	for (std::uint16_t port = many + 1; port <= 2 * many; ++port)
		EXPECT_FALSE(gate.run(Hook::xdp, udp_frame(in4, dns, port)));
	// What comes in pushes nothing out of what this host opened.
	EXPECT_TRUE(gate.run(Hook::tc_out, udp_frame(out4, ours, dns)));
	for (std::uint16_t port = 1; port <= many; ++port) {
		EXPECT_TRUE(gate.run(Hook::xdp, udp_frame(in4, port, ntp)));
		EXPECT_TRUE(gate.run(Hook::xdp, tcp_frame(in4, port, ssh, tcp_ack)));
	}
	EXPECT_TRUE(gate.run(Hook::xdp, udp_frame(in4, dns, ours)));
}

TEST(EdgeZones, RowsOfTheTunnelAreNotTheNetworks)
{
	for (const auto zone : {WEIR_ZONE_NETWORK, WEIR_ZONE_TUNNEL}) {
		EdgeGate gate({.zone = zone});
		for (const auto rows_of : {zone_network, zone_tunnel}) {
			gate.publish(compile(edge_policy(some_rows(), rows_of)).value());
			gate.forget();
			const bool same = static_cast<int>(rows_of) == static_cast<int>(zone);
			EXPECT_EQ(gate.run(Hook::tc_out, tcp_frame(out4, ours, web, tcp_syn)), same);
			EXPECT_EQ(gate.run(Hook::xdp, tcp_frame(in4, web, ours, syn_ack)), same);
			EXPECT_EQ(gate.run(Hook::tc_in, tcp_frame(in4, ours, ssh, tcp_syn)), same);
			for (const auto &[key, flow] : gate.flows(Table::opened))
				EXPECT_EQ(key.zone, zone);
		}
	}
}

} // namespace
} // namespace weir::test
