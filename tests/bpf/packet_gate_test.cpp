// SPDX-License-Identifier: Apache-2.0
// The packet gate's own programs, packet by packet, against the evaluator.
#include "compile/evaluate.h"
#include "tests/support/gates.h"
#include "policy/policy.h"
#include "tests/unit/compile/random_policy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <map>

namespace weir::test {
namespace {

/// A packet of the flow that a question is about, without extras. The address that is not asked about is ours.
Bytes packet_for(const Question &q, std::uint8_t hop_limit = 64)
{
	const bool out = q.dir == Direction::out;
	const bool v4 = q.remote.is_v4();
	const std::string here = v4 ? "192.0.2.2" : "2001:db8::2";
	const Path path{out ? here : q.remote.text(), out ? q.remote.text() : here};
	const std::uint16_t from = 40000;
	const std::uint16_t to = q.port;
	Bytes payload;
	switch (q.protocol) {
	case IPPROTO_TCP:
		payload = tcp_segment(path, from, to, tcp_syn);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		payload = udp_datagram(path, from, to, {1, 2, 3, 4});
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		payload = icmp_echo(path, 77);
		payload[0] = static_cast<std::uint8_t>(q.port);
		break;
	case IPPROTO_SCTP:
		payload = {static_cast<std::uint8_t>(from >> 8),
			   static_cast<std::uint8_t>(from),
			   static_cast<std::uint8_t>(to >> 8),
			   static_cast<std::uint8_t>(to),
			   0,
			   0,
			   0,
			   0,
			   0,
			   0,
			   0,
			   0};
		break;
	default:
		payload = {0, 0, 0, 0, 0, 0, 0, 0};
	}
	Bytes packet = v4 ? ipv4(path, {.protocol = q.protocol}, payload) : ipv6(path, q.protocol, payload);
	packet[v4 ? 8 : 7] = hop_limit;
	return packet;
}

bool is_icmp(const Question &q)
{
	return q.protocol == IPPROTO_ICMP || q.protocol == IPPROTO_ICMPV6;
}

bool is_reply(const Question &q)
{
	return (q.protocol == IPPROTO_ICMP && q.port == 0) || (q.protocol == IPPROTO_ICMPV6 && q.port == 129);
}

bool is_error(const Question &q)
{
	if (q.protocol == IPPROTO_ICMP)
		return q.port == 3 || q.port == 4 || q.port == 11 || q.port == 12;
	return q.protocol == IPPROTO_ICMPV6 && q.port < 128;
}

/// Of what a kernel says to its link.
std::uint8_t own_hop_limit(const Question &q)
{
	return q.protocol == IPPROTO_ICMPV6 && ((q.port >= 130 && q.port <= 132) || q.port == 143) ? 1 : 255;
}

class PacketGate : public ::testing::TestWithParam<unsigned> {
protected:
	/// Some rows have ended, some will, some need the journal, some are a user's: of the packets here nobody made the socket.
	static void add_conditions(Maker &maker, BoundPolicy &policy)
	{
		maker.add_conditions(policy);
		for (auto &row : policy.rows)
			if (row.deadline != 0)
				row.deadline = row.deadline == 1000 ? 1 : ~0ULL;
	}
	static void decides_as_the_rows_say(Maker maker, bool conditions);
};

void PacketGate::decides_as_the_rows_say(Maker maker, bool conditions)
{
	std::optional<Gates> gates;
	std::map<std::uint8_t, unsigned> said_so;
	unsigned allowed = 0, by_window = 0, refused = 0, generation = 0;
	for (int round = 0; round < 30; ++round) {
		BoundPolicy policy = maker.policy(25);
		policy.scopes.resize(1);
		for (auto &row : policy.rows)
			row.scope = 0;
		if (conditions)
			add_conditions(maker, policy);
		auto image = compile(policy, {.generation = ++generation});
		while (!image) { // a row that can never match: the compiler's own tests look after those
			policy.rows.pop_back();
			image = compile(policy, {.generation = generation});
		}
		if (gates)
			gates->publish(*image);
		else
			gates.emplace(*image);
		for (int i = 0; i < 300 && !policy.rows.empty(); ++i) {
			Question q = maker.question(policy);
			q.scope = 0;
			q.now = 1000;
			q.journal = !conditions || !maker.one_in(3);
			gates->write_journal(q.journal);
			if (is_icmp(q) && (q.port > 255 || (q.protocol == IPPROTO_ICMP) != q.remote.is_v4()))
				continue; // no such packet
			if (!q.remote.is_v4() && (q.protocol == IPPROTO_TCP || q.protocol == IPPROTO_UDP) &&
			    q.remote == Address{})
				continue;
			const bool neighbour = maker.one_in(3);
			q.from_kernel = neighbour && q.dir == Direction::in;
			const auto packet = packet_for(q, neighbour ? own_hop_limit(q) : 64);
			Answer meant = evaluate(policy, q);
			if (is_reply(q)) // never admitted without a flow
				meant = {.reason = WEIR_REASON_NO_FLOW};
			if (is_error(q) && q.dir == Direction::in) // nor this; and it quotes nothing
				meant = {.reason = WEIR_REASON_MALFORMED};
			const auto run = gates->run(q.dir, packet, q.zone);
			const auto events = gates->events();
			const std::string said = q.remote.text() + " protocol " + std::to_string(q.protocol) +
						 " port " + std::to_string(q.port) + " dir " +
						 std::to_string(static_cast<int>(q.dir));
			ASSERT_EQ(run.allowed, meant.allowed) << said;
			ASSERT_EQ(events.size(), meant.allowed ? 0U : 1U) << said;
			allowed += meant.allowed ? 1 : 0;
			refused += meant.allowed ? 0 : 1;
			if (meant.allowed) {
				by_window += meant.row != WEIR_NO_ROW && policy.rows[meant.row].deadline != 0 ? 1 : 0;
				continue;
			}
			const auto &event = events.front();
			EXPECT_EQ(event.reason, meant.reason) << said;
			++said_so[event.reason];
			EXPECT_EQ(event.protocol, q.protocol);
			EXPECT_EQ(event.direction, static_cast<std::uint8_t>(q.dir));
			EXPECT_EQ(event.gate, WEIR_GATE_PACKET);
			EXPECT_EQ(event.generation, generation);
			EXPECT_EQ(std::memcmp(event.digest, image->trailer().digest, WEIR_DIGEST_SIZE), 0);
			EXPECT_EQ(std::memcmp(event.remote, q.remote.bytes.data(), 16), 0);
			EXPECT_EQ(event.length, packet.size());
		}
	}
	EXPECT_GT(allowed, 500U);
	EXPECT_GT(refused, 500U);
	EXPECT_EQ(said_so[WEIR_REASON_USER] > 50, conditions);
	EXPECT_EQ(said_so[WEIR_REASON_CLOSED] > 50, conditions);
	EXPECT_EQ(said_so[WEIR_REASON_JOURNAL] > 10, conditions);
	std::uint64_t counted = 0, observed = 0, reported = 0, summed = 0;
	for (const auto &counter : gates->counters()) {
		counted += counter.refused;
		observed += counter.observed;
		reported += counter.reported + counter.lost;
		summed += counter.summed;
	}
	EXPECT_EQ(counted, refused);
	EXPECT_EQ(reported, refused);
	EXPECT_EQ(by_window > 50, conditions);
	EXPECT_EQ(observed, by_window);
	EXPECT_EQ(summed, by_window) << "without a table";
}

TEST_P(PacketGate, DecidesAsTheRowsSay)
{
	decides_as_the_rows_say(Maker(GetParam()), false);
}

TEST_P(PacketGate, DecidesByUserAndClockAsTheRowsSay)
{
	decides_as_the_rows_say(Maker(100 + GetParam()), true);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PacketGate, ::testing::Values(1U, 2U, 3U));

/// Everything is admitted by rows here, so what is refused is refused for its form.
class Form : public ::testing::Test {
protected:
	static void SetUpTestSuite()
	{
		BoundPolicy policy;
		policy.scenario = "open";
		policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
		for (const char *service : {"TCP/1-65535", "UDP/1-65535", "ICMP/8", "ICMPv6/128"})
			for (const auto dir : {Direction::out, Direction::in}) {
				BoundRow row;
				row.row.id = std::string(service) + (dir == Direction::out ? "-out" : "-in");
				row.row.dir = dir;
				row.row.port = policy::parse_service(service).value();
				row.peers = {*Prefix::parse("::/0"), *Prefix::parse("0.0.0.0/0")};
				policy.rows.push_back(row);
			}
		gates_ = std::make_unique<Gates>(compile(policy).value());
	}
	static void TearDownTestSuite() { gates_.reset(); }

	static void expect_allowed(Direction dir, const Bytes &packet)
	{
		EXPECT_TRUE(gates_->run(dir, packet).allowed);
	}
	static void expect_refused(Direction dir, const Bytes &packet, weir_reason reason,
				   std::optional<std::uint16_t> ether_type = std::nullopt)
	{
		gates_->events();
		EXPECT_FALSE(gates_->run(dir, packet, zone_network, 1, ether_type).allowed);
		const auto events = gates_->events();
		ASSERT_EQ(events.size(), 1U);
		EXPECT_EQ(events.front().reason, reason);
	}
	static void expect_refused(const Bytes &packet, weir_reason reason)
	{
		expect_refused(Direction::out, packet, reason);
		expect_refused(Direction::in, packet, reason);
	}
	static inline const Path v4{"192.0.2.2", "192.0.2.10"};
	static inline const Path v6{"2001:db8::2", "2001:db8::10"};
	static Bytes syn(const Path &path) { return tcp_segment(path, 40000, 50051, tcp_syn); }

private:
	static inline std::unique_ptr<Gates> gates_;
};

TEST_F(Form, PlainPacketsAreAllowed)
{
	for (const auto dir : {Direction::out, Direction::in}) {
		expect_allowed(dir, ipv4(v4, {}, syn(v4)));
		expect_allowed(dir, ipv6(v6, IPPROTO_TCP, syn(v6)));
	}
}

TEST_F(Form, EveryTruncationIsRefused)
{
	const auto four = ipv4(v4, {.options = {1, 1, 1, 0}}, syn(v4));
	for (std::size_t size = 20; size < 24 + 14; ++size)
		expect_refused(Bytes(four.begin(), four.begin() + static_cast<std::ptrdiff_t>(size)),
			       WEIR_REASON_MALFORMED);
	const auto six = ipv6(v6, IPPROTO_DSTOPTS, options_header(IPPROTO_TCP) + syn(v6));
	for (std::size_t size = 40; size < 48 + 14; ++size)
		expect_refused(Bytes(six.begin(), six.begin() + static_cast<std::ptrdiff_t>(size)),
			       WEIR_REASON_MALFORMED);
}

TEST_F(Form, HeaderLengthThatLies)
{
	auto packet = ipv4(v4, {}, syn(v4));
	packet[0] = 0x44;
	expect_refused(packet, WEIR_REASON_MALFORMED);
	packet[0] = 0x4f; // 60 bytes: past the end, and TCP's bytes are no options
	expect_refused(packet, WEIR_REASON_IP_OPTION);
	packet[0] = 0x55;
	expect_refused(packet, WEIR_REASON_MALFORMED);
}

// A raw socket writes the header that it likes, and its packet goes where its own family's address leads.
TEST_F(Form, HeadersOfTheOtherFamily)
{
	for (const auto dir : {Direction::out, Direction::in}) {
		expect_refused(dir, ipv4(v4, {}, syn(v4)), WEIR_REASON_MALFORMED, 0x86dd);
		expect_refused(dir, ipv6(v6, IPPROTO_TCP, syn(v6)), WEIR_REASON_MALFORMED, 0x0800);
	}
}

TEST_F(Form, FragmentsThatHideTheirPorts)
{
	expect_allowed(Direction::out, ipv4(v4, {.fragment = 0x2000}, syn(v4)));
	expect_refused(ipv4(v4, {.fragment = 0x2001}, syn(v4)), WEIR_REASON_FRAGMENT);
	expect_refused(ipv4(v4, {.fragment = 0x0100}, syn(v4)), WEIR_REASON_FRAGMENT);
	expect_allowed(Direction::out, ipv6(v6, IPPROTO_FRAGMENT, fragment_header(IPPROTO_TCP, 0, true) + syn(v6)));
	expect_refused(ipv6(v6, IPPROTO_FRAGMENT, fragment_header(IPPROTO_TCP, 1, true) + syn(v6)),
		       WEIR_REASON_FRAGMENT);
	expect_refused(ipv6(v6, IPPROTO_FRAGMENT, fragment_header(IPPROTO_TCP, 8191, false) + syn(v6)),
		       WEIR_REASON_FRAGMENT);
}

TEST_F(Form, SourceRoutesAreRefused)
{
	expect_refused(ipv4(v4, {.options = source_route("192.0.2.66")}, syn(v4)), WEIR_REASON_IP_OPTION);
	expect_refused(ipv6(v6, IPPROTO_ROUTING, routing_header(IPPROTO_TCP, "2001:db8::66") + syn(v6)),
		       WEIR_REASON_EXTENSION);
	// Behind what is harmless, too.
	expect_refused(ipv4(v4, {.options = Bytes{1, 1, 1, 1} + source_route("192.0.2.66")}, syn(v4)),
		       WEIR_REASON_IP_OPTION);
	expect_refused(ipv6(v6, IPPROTO_HOPOPTS,
			    options_header(IPPROTO_ROUTING) + routing_header(IPPROTO_TCP, "2001:db8::66") + syn(v6)),
		       WEIR_REASON_EXTENSION);
}

TEST_F(Form, OptionsThatCannotBeRead)
{
	expect_refused(ipv4(v4, {.options = {7, 0, 0, 0}}, syn(v4)), WEIR_REASON_IP_OPTION);
	expect_refused(ipv4(v4, {.options = {7, 1, 0, 0}}, syn(v4)), WEIR_REASON_IP_OPTION);
	expect_allowed(Direction::out, ipv4(v4, {.options = {0x94, 4, 0, 0}}, syn(v4))); // router alert, RFC 2113
	expect_allowed(Direction::out, ipv4(v4, {.options = Bytes(12, 1)}, syn(v4)));
	expect_refused(ipv4(v4, {.options = Bytes(40, 1)}, syn(v4)), WEIR_REASON_IP_OPTION); // past the bound
}

TEST_F(Form, ExtensionChainsHaveABound)
{
	Bytes chain = syn(v6);
	std::uint8_t next = IPPROTO_TCP;
	for (int headers = 1; headers <= 10; ++headers) {
		chain = options_header(next) + chain;
		next = IPPROTO_DSTOPTS;
		if (headers <= 6)
			expect_allowed(Direction::out, ipv6(v6, next, chain));
		else
			expect_refused(ipv6(v6, next, chain), WEIR_REASON_EXTENSION);
	}
}

TEST_F(Form, ProtocolBehindExtensionsIsTheOneThatIsJudged)
{
	const Bytes payload(16);
	expect_refused(ipv6(v6, IPPROTO_DSTOPTS, options_header(47) + payload), WEIR_REASON_NO_ROW);
	expect_refused(ipv6(v6, IPPROTO_DSTOPTS, options_header(IPPROTO_NONE) + payload), WEIR_REASON_NO_ROW);
	expect_refused(ipv6(v6, 51, payload), WEIR_REASON_NO_ROW); // authentication header
}

TEST_F(Form, EmbeddedAddressesAreRefused)
{
	for (const char *form : {"::192.0.2.1", "::ffff:0:192.0.2.1", "2002:c000:201::1", "2001:0:c000:201::1",
				 "64:ff9b:1::1", "::ffff:192.0.2.1"}) {
		const Path out{"2001:db8::2", form};
		expect_refused(Direction::out, ipv6(out, IPPROTO_TCP, syn(out)), WEIR_REASON_EMBEDDED);
		const Path in{form, "2001:db8::2"};
		expect_refused(Direction::in, ipv6(in, IPPROTO_TCP, syn(in)), WEIR_REASON_EMBEDDED);
	}
}

TEST_F(Form, RepliesAndErrorsNeedAFlow)
{
	expect_allowed(Direction::in, ipv4(v4, {.protocol = IPPROTO_ICMP}, icmp_echo(v4, 9)));
	expect_refused(ipv4(v4, {.protocol = IPPROTO_ICMP}, icmp_echo(v4, 9, true)), WEIR_REASON_NO_FLOW);
	expect_refused(ipv6(v6, IPPROTO_ICMPV6, icmp_echo(v6, 9, true)), WEIR_REASON_NO_FLOW);
	const Bytes unreachable = Bytes{3, 1, 0, 0, 0, 0, 0, 0} + ipv4(v4, {}, syn(v4));
	expect_refused(Direction::in, ipv4(v4, {.protocol = IPPROTO_ICMP}, unreachable), WEIR_REASON_NO_FLOW);
}

TEST(NoPolicy, NothingIsAdmittedAndItIsReported)
{
	// An image that holds no row: what was never published and what admits nothing are refused alike.
	BoundPolicy policy;
	policy.scenario = "empty";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	Gates gates(compile(policy).value());
	const Path path{"192.0.2.2", "192.0.2.10"};
	EXPECT_FALSE(gates.run(Direction::out, ipv4(path, {}, tcp_segment(path, 1, 2, tcp_syn))).allowed);
	EXPECT_EQ(gates.events().at(0).reason, WEIR_REASON_NO_ROW);
}

TEST(Observe, ReportsAndRefusesNothing)
{
	BoundPolicy policy;
	policy.scenario = "empty";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	Gates gates(compile(policy, {.observe = true}).value());
	const Path path{"192.0.2.2", "192.0.2.10"};
	EXPECT_TRUE(gates.run(Direction::out, ipv4(path, {}, tcp_segment(path, 1, 2, tcp_syn))).allowed);
	const auto events = gates.events();
	ASSERT_EQ(events.size(), 1U);
	EXPECT_EQ(events[0].verdict, WEIR_ALLOW);
	EXPECT_EQ(events[0].reason, WEIR_REASON_NO_ROW);
}

TEST(Ring, WhatDoesNotFitIsCountedAsLost)
{
	BoundPolicy policy;
	policy.scenario = "empty";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	Gates gates(compile(policy).value());
	const Path path{"192.0.2.2", "192.0.2.10"};
	const auto packet = ipv4(path, {}, tcp_segment(path, 1, 2, tcp_syn));
	constexpr int attempts = 40000; // the ring holds some 27,000
	gates.run(Direction::in, packet, zone_network, attempts);
	const auto index = weir_counter_index(0, WEIR_GATE_PACKET, WEIR_IN, WEIR_REASON_NO_ROW);
	const auto counter = gates.counters().at(index);
	EXPECT_EQ(counter.refused, static_cast<std::uint64_t>(attempts));
	EXPECT_EQ(counter.reported + counter.lost, counter.refused);
	EXPECT_GT(counter.lost, 0U);
	EXPECT_EQ(gates.events().size(), counter.reported);
}

} // namespace
} // namespace weir::test
