// SPDX-License-Identifier: Apache-2.0
// What rows of windows admit is counted, packet by packet and both ways together; what others admit is not.
#include "tests/bpf/edge_test.h"
#include "tests/support/gates.h"

#include <cstring>

namespace weir::test {
namespace {

using Entries = std::vector<std::pair<weir_merge_key, weir_merge>>;

constexpr std::uint64_t far_ahead = ~0ULL;
constexpr std::uint32_t few = 16; ///< entries of a table

/// Rows 0 and on are for good; of the last two of a direction, one is a window's, one needs the journal.
BoundPolicy window()
{
	auto policy = edge_policy({{Direction::out, "TCP/80", there4},
				   {Direction::out, "TCP/8080", there4},
				   {Direction::out, "TCP/443", there4},
				   {Direction::out, "UDP/53", there4},
				   {Direction::out, "ICMP/8", there4},
				   {Direction::in, "TCP/22", "192.0.2.0/24"},
				   {Direction::in, "UDP/123", "192.0.2.0/24"},
				   {Direction::out, "UDP/1000-60000", "10.0.0.0/8"}});
	policy.rows[1].row.needs_journal = true;
	for (std::size_t row = 2; row < policy.rows.size(); ++row)
		policy.rows[row].deadline = far_ahead;
	return policy;
}

/// The same, of a cgroup and not of the edge.
BoundPolicy window_in_cgroup()
{
	auto policy = window();
	policy.edge.present = false;
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	return policy;
}

bool is_balanced(const weir_counter &sum)
{
	return sum.refused + sum.observed == sum.reported + sum.merged + sum.summed + sum.lost;
}

/// All that was counted of a service. Of several entries: the kernel's test runs have an interface of their own for XDP.
void expect(const Entries &all, Direction dir, std::uint8_t protocol, std::uint16_t port, std::uint64_t packets,
	    std::uint32_t row, std::uint8_t gate)
{
	const std::string said = std::to_string(protocol) + "/" + std::to_string(port);
	std::uint64_t counted = 0;
	for (const auto &[key, like] : all) {
		if (key.direction != static_cast<std::uint8_t>(dir) || key.protocol != protocol || key.port != port)
			continue;
		counted += like.count;
		EXPECT_EQ(like.row, row) << said;
		EXPECT_EQ(like.zero, 0U);
		EXPECT_NE(like.first, 0U);
		EXPECT_LE(like.first, like.last);
		EXPECT_EQ(key.gate, gate);
		EXPECT_EQ(key.reason, WEIR_REASON_NONE);
		EXPECT_EQ(key.verdict, WEIR_ALLOW);
		EXPECT_EQ(key.operation, WEIR_OP_PACKET);
		EXPECT_EQ(key.generation, 1U);
		EXPECT_EQ(key.pid, 0U) << "of no process";
		EXPECT_EQ(key.local[12], 192U);
		EXPECT_EQ(key.local[15], 2U);
		EXPECT_EQ(key.remote[15], 10U);
	}
	EXPECT_EQ(counted, packets) << said;
}

weir_counter sum_of(const Gates &gates)
{
	weir_counter sum{};
	const auto all = gates.counters();
	for (std::size_t index = 0; index < all.size(); ++index) {
		const auto &each = all[index];
		EXPECT_TRUE(is_balanced(each)) << index;
		sum.refused += each.refused;
		sum.observed += each.observed;
		sum.merged += each.merged;
		sum.summed += each.summed;
		if (index % WEIR_REASONS != WEIR_REASON_NONE) {
			EXPECT_EQ(each.observed, 0U) << "as a violation";
		}
	}
	return sum;
}

TEST(PacketAdmitted, ByAWindowIsCountedByItsRow)
{
	const auto policy = window_in_cgroup();
	Gates gates(compile(policy).value(), 0);
	gates.write_journal(true);
	gates.put_merges();
	const auto pass = [&](Direction dir, const Bytes &frame, int times = 1) {
		EXPECT_TRUE(gates.run(dir, Bytes(frame.begin() + 14, frame.end()), zone_network, times).allowed)
			<< text_of(frame);
	};
	pass(Direction::out, tcp_frame(out4, ours, 80, tcp_syn), 9);
	pass(Direction::out, tcp_frame(out4, ours, 8080, tcp_syn), 9);
	EXPECT_TRUE(gates.merged(WEIR_MERGE_ADMITTED).empty()) << "rows for good, or that need the journal";
	EXPECT_EQ(sum_of(gates).observed, 0U);

	// Each run is of a socket of its own, so there are no answers: the lab has them.
	pass(Direction::out, tcp_frame(out4, ours, web, tcp_syn), 7);
	pass(Direction::out, udp_frame(out4, ours, dns), 8);
	pass(Direction::out, echo_frame(out4, 77), 2);
	pass(Direction::in, tcp_frame(in4, ours, ssh, tcp_syn), 2);
	pass(Direction::in, udp_frame(in4, ours, ntp), 12);
	EXPECT_FALSE(gates.run(Direction::out, Bytes(20)).allowed);

	const auto all = gates.merged(WEIR_MERGE_ADMITTED);
	EXPECT_EQ(all.size(), 5U);
	expect(all, Direction::out, IPPROTO_TCP, web, 7, 2, WEIR_GATE_PACKET);
	expect(all, Direction::out, IPPROTO_UDP, dns, 8, 3, WEIR_GATE_PACKET);
	expect(all, Direction::out, IPPROTO_ICMP, 8, 2, 4, WEIR_GATE_PACKET);
	expect(all, Direction::in, IPPROTO_TCP, ssh, 2, 5, WEIR_GATE_PACKET);
	expect(all, Direction::in, IPPROTO_UDP, ntp, 12, 6, WEIR_GATE_PACKET);
	const auto sum = sum_of(gates);
	EXPECT_EQ(sum.observed, 31U);
	EXPECT_EQ(sum.merged, 31U);
	EXPECT_EQ(sum.refused, 1U);
	EXPECT_EQ(gates.events().size(), 1U) << "of what was refused";
}

TEST(PacketAdmitted, PastTheTableItIsSummed)
{
	const auto policy = window_in_cgroup();
	Gates gates(compile(policy).value(), 0);
	gates.put_merges(few);
	constexpr std::uint16_t services = 500;
	for (std::uint16_t port = 0; port < services; ++port) {
		const auto frame = udp_frame({here4, "10.1.2.3"}, ours, static_cast<std::uint16_t>(1000 + port));
		EXPECT_TRUE(gates.run(Direction::out, Bytes(frame.begin() + 14, frame.end()), zone_network, 2).allowed);
	}
	const auto sum = sum_of(gates);
	EXPECT_EQ(sum.observed, 2U * services);
	EXPECT_EQ(sum.merged, 2U * few);
	EXPECT_EQ(sum.summed, 2U * (services - few));
	EXPECT_EQ(gates.merged(WEIR_MERGE_ADMITTED).size(), few);
	EXPECT_TRUE(gates.merged(WEIR_MERGE_ATTEMPTS).empty());
}

/// An answer has the row's number in 24 bits.
TEST(PacketAdmitted, ARowBeyondSixteenBitsIsNamedWhole)
{
	constexpr std::uint32_t before = 70'000;
	auto policy = window_in_cgroup();
	const auto last = policy.rows.back(); // the window's, of UDP
	const auto good = policy.rows.front();
	policy.rows.assign(before, good);
	for (std::uint32_t row = 0; row < before; ++row) // few of them in one cell
		policy.rows[row].peers = {*Prefix::parse("172." + std::to_string(16 + row / 65536) + "." +
							 std::to_string(row / 256 % 256) + "." +
							 std::to_string(row % 256))};
	policy.rows.push_back(last);
	Gates gates(compile(policy).value(), 0);
	gates.put_merges();
	const auto frame = udp_frame({here4, "10.1.2.3"}, ours, 1000);
	EXPECT_TRUE(gates.run(Direction::out, Bytes(frame.begin() + 14, frame.end())).allowed);
	const auto merged = gates.merged(WEIR_MERGE_ADMITTED);
	ASSERT_EQ(merged.size(), 1U);
	EXPECT_EQ(merged[0].second.row, before);
	EXPECT_EQ(merged[0].first.reason, WEIR_REASON_NONE);
}

TEST(PacketAdmitted, WithoutATableItIsSummed)
{
	const auto policy = window_in_cgroup();
	Gates gates(compile(policy).value(), 0);
	const auto frame = udp_frame(out4, ours, dns);
	EXPECT_TRUE(gates.run(Direction::out, Bytes(frame.begin() + 14, frame.end())).allowed);
	EXPECT_EQ(sum_of(gates).summed, 1U);
}

TEST(EdgeAdmitted, ByAWindowIsCountedByItsRow)
{
	for (const auto hook : ingress) {
		EdgeGate gate({});
		gate.publish(compile(window()).value());
		gate.write_journal(true);
		const auto pass = [&](Hook way, const Bytes &frame, int times = 1) {
			for (int time = 0; time < times; ++time)
				EXPECT_TRUE(gate.run(way, frame)) << text_of(way) << " " << text_of(frame);
		};
		pass(Hook::tc_out, tcp_frame(out4, ours, 80, tcp_syn));
		pass(hook, tcp_frame(in4, 80, ours, tcp_syn | tcp_ack));
		pass(Hook::tc_out, tcp_frame(out4, ours, 8080, tcp_syn));
		pass(hook, tcp_frame(in4, 8080, ours, tcp_syn | tcp_ack));
		EXPECT_TRUE(gate.take_admitted().empty()) << "rows for good, or that need the journal";
		EXPECT_EQ(gate.counters().observed, 0U);

		pass(Hook::tc_out, tcp_frame(out4, ours, web, tcp_syn), 2);
		pass(hook, tcp_frame(in4, web, ours, tcp_syn | tcp_ack));
		pass(Hook::tc_out, tcp_frame(out4, ours, web, tcp_ack, Bytes(9)), 4);
		pass(Hook::tc_out, udp_frame(out4, ours, dns));
		pass(hook, udp_frame(in4, dns, ours), 3);
		pass(hook, error_frame({"198.51.100.1", here4}, udp_frame(out4, ours, dns)));
		pass(Hook::tc_out, echo_frame(out4, 77));
		pass(hook, echo_frame(in4, 77, true));
		pass(hook, tcp_frame(in4, ours, ssh, tcp_syn));
		pass(Hook::tc_out, tcp_frame(out4, ssh, ours, tcp_syn | tcp_ack));
		pass(hook, tcp_frame(in4, ours, ssh, tcp_ack));
		pass(hook, udp_frame(in4, ours, ntp));
		pass(Hook::tc_out, udp_frame(out4, ntp, ours));

		const auto all = gate.take_admitted();
		expect(all, Direction::out, IPPROTO_TCP, web, 7, 2, WEIR_GATE_EDGE);
		expect(all, Direction::out, IPPROTO_UDP, dns, 5, 3, WEIR_GATE_EDGE);
		expect(all, Direction::out, IPPROTO_ICMP, 8, 2, 4, WEIR_GATE_EDGE);
		expect(all, Direction::in, IPPROTO_TCP, ssh, 3, 5, WEIR_GATE_EDGE);
		expect(all, Direction::in, IPPROTO_UDP, ntp, 2, 6, WEIR_GATE_EDGE);
		EXPECT_EQ(gate.counter(Direction::out, WEIR_REASON_NONE).merged, 14U);
		EXPECT_EQ(gate.counter(Direction::in, WEIR_REASON_NONE).merged, 5U);
		const auto sum = gate.counters();
		EXPECT_EQ(sum.observed, 19U);
		EXPECT_TRUE(is_balanced(sum));
		EXPECT_EQ(sum.refused, 0U);
		EXPECT_TRUE(gate.events().empty());
		EXPECT_TRUE(gate.take_merged().empty());
	}
}

TEST(EdgeAdmitted, ALaterPartOfADatagramIsCountedWithItsFirst)
{
	EdgeGate gate({});
	gate.publish(compile(window()).value());
	const auto whole = udp_datagram(out4, ours, dns, Bytes(56));
	const Bytes first(whole.begin(), whole.begin() + 32), rest(whole.begin() + 32, whole.end());
	constexpr std::uint16_t more = 0x2000;
	EXPECT_TRUE(gate.run(Hook::tc_out, ethernet(ipv4(out4, {.protocol = IPPROTO_UDP, .fragment = more}, first))));
	EXPECT_TRUE(gate.run(Hook::tc_out, ethernet(ipv4(out4, {.protocol = IPPROTO_UDP, .fragment = 4}, rest))));
	const auto all = gate.take_admitted();
	ASSERT_EQ(all.size(), 1U);
	expect(all, Direction::out, IPPROTO_UDP, dns, 2, 3, WEIR_GATE_EDGE);
}

TEST(EdgeAdmitted, PastTheTableItIsSummed)
{
	EdgeGate gate({.merges = few});
	gate.publish(compile(window()).value());
	constexpr std::uint16_t services = 500;
	for (std::uint16_t port = 0; port < services; ++port)
		EXPECT_TRUE(gate.run(Hook::tc_out,
				     udp_frame({here4, "10.1.2.3"}, ours, static_cast<std::uint16_t>(1000 + port)), 2));
	const auto counter = gate.counter(Direction::out, WEIR_REASON_NONE);
	EXPECT_EQ(counter.observed, 2U * services);
	EXPECT_EQ(counter.merged, 2U * few);
	EXPECT_EQ(counter.summed, 2U * (services - few));
	EXPECT_EQ(gate.take_admitted().size(), few);
	EXPECT_TRUE(gate.take_merged().empty()) << "which is of refusals";
}

/// The row's number stands where a refusal has its reason: neither may be taken for the other.
TEST(EdgeAdmitted, ARowsNumberIsNoReason)
{
	constexpr unsigned many_rows = 300;
	std::vector<EdgeRow> rows;
	rows.reserve(many_rows);
	for (unsigned row = 0; row < many_rows; ++row)
		rows.push_back({Direction::out, "UDP/" + std::to_string(1000 + row), there4});
	auto policy = edge_policy(rows);
	for (auto &row : policy.rows)
		row.deadline = far_ahead;
	EdgeGate gate({});
	gate.publish(compile(policy).value());
	for (const unsigned row : {0U, 1U, 12U, 255U, 256U, 299U}) {
		const auto port = static_cast<std::uint16_t>(1000 + row);
		ASSERT_TRUE(gate.run(Hook::tc_out, udp_frame(out4, ours, port)));
		const auto all = gate.take_admitted();
		ASSERT_EQ(all.size(), 1U);
		expect(all, Direction::out, IPPROTO_UDP, port, 1, row, WEIR_GATE_EDGE);
	}
	// Asked and admitted by row 256, and then refused for another reason.
	EXPECT_FALSE(gate.run(Hook::tc_out, tcp_frame(out4, ours, 1256, tcp_syn)));
	EXPECT_FALSE(gate.run(Hook::xdp, udp_frame(in4, 1256, 1)));
	for (const auto &event : gate.events())
		EXPECT_EQ(event.reason, WEIR_REASON_NO_ROW);
}

} // namespace
} // namespace weir::test
