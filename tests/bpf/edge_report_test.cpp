// SPDX-License-Identifier: Apache-2.0
// The edge gate: what is refused is counted, all of it, and the records of it are bounded.
#include "tests/bpf/edge_test.h"

#include <chrono>
#include <cstring>
#include <thread>

namespace weir::test {
namespace {

constexpr std::uint16_t ssh_port = 22;

std::uint64_t refusals(const weir_counter &counter)
{
	return counter.refused + counter.observed;
}

std::uint64_t accounted(const weir_counter &counter)
{
	return counter.reported + counter.merged + counter.summed + counter.lost;
}

std::uint64_t counts(const std::vector<std::pair<weir_merge_key, weir_merge>> &merged)
{
	std::uint64_t sum = 0;
	for (const auto &[key, like] : merged)
		sum += like.count;
	return sum;
}

Path from_source(std::uint32_t number)
{
	return {"10." + std::to_string(number >> 16) + "." + std::to_string((number >> 8) & 255) + "." +
			std::to_string(number & 255),
		here4};
}

TEST(EdgeReports, AMillionAlikeAreOneRecordAndACount)
{
	for (const auto hook : every_hook) {
		EdgeGate gate({});
		gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
		const int million = many(1'000'000, 50'000);
		EXPECT_FALSE(gate.run(hook, tcp_frame(path_of(hook, false), 40000, ssh_port, tcp_syn), million));
		const auto counter = gate.counter(direction_of(hook), WEIR_REASON_NO_ROW);
		EXPECT_EQ(counter.refused, million);
		EXPECT_EQ(counter.reported, 1U);
		EXPECT_EQ(counter.merged, million - 1);
		EXPECT_EQ(counter.summed + counter.lost, 0U);
		const auto events = gate.events();
		ASSERT_EQ(events.size(), 1U);
		const auto merged = gate.take_merged();
		ASSERT_EQ(merged.size(), 1U);
		const auto &[key, like] = merged[0];
		EXPECT_EQ(like.count, million - 1);
		EXPECT_LE(like.first, like.last);
		EXPECT_EQ(key.ifindex, events[0].ifindex);
		EXPECT_EQ(key.protocol, IPPROTO_TCP);
		EXPECT_EQ(key.reason, WEIR_REASON_NO_ROW);
		EXPECT_EQ(key.direction, static_cast<std::uint8_t>(direction_of(hook)));
	}
}

TEST(EdgeReports, AHundredThousandSourcesAreBoundedAndAddUp)
{
	const auto sources = static_cast<std::uint32_t>(many(100'000, 5'000));
	for (const auto hook : ingress) {
		EdgeGate gate({});
		gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
		auto frame = tcp_frame(from_source(0), 40000, ssh_port, tcp_syn);
		for (std::uint32_t i = 0; i < sources; ++i) {
			frame[14 + 13] = static_cast<std::uint8_t>(i >> 16);
			frame[14 + 14] = static_cast<std::uint8_t>(i >> 8);
			frame[14 + 15] = static_cast<std::uint8_t>(i);
			for (int time = 0; time < 3; ++time)
				ASSERT_FALSE(gate.run(hook, frame));
		}
		const auto counter = gate.counter(Direction::in, WEIR_REASON_NO_ROW);
		EXPECT_EQ(counter.refused, 3U * sources);
		EXPECT_EQ(accounted(counter), refusals(counter));
		EXPECT_EQ(counter.reported, WEIR_MERGES);
		EXPECT_EQ(counter.merged, 2U * WEIR_MERGES);
		EXPECT_EQ(counter.summed, 3U * (sources - WEIR_MERGES));
		EXPECT_EQ(gate.events().size(), WEIR_MERGES);
		const auto merged = gate.take_merged();
		EXPECT_EQ(merged.size(), WEIR_MERGES);
		EXPECT_EQ(counts(merged), counter.merged);
		// The table was taken away: with the next tick of the clock it begins anew.
		std::this_thread::sleep_for(std::chrono::milliseconds(50));
		gate.run(hook, frame);
		EXPECT_EQ(gate.events().size(), 1U);
	}
}

TEST(EdgeReports, AScanOfPortsFromOneSourceIsBounded)
{
	EdgeGate gate({});
	gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
	const auto ports = static_cast<unsigned>(many(65536, 6000));
	for (unsigned port = 0; port < ports; ++port)
		gate.run(Hook::xdp, tcp_frame(in4, 40000, static_cast<std::uint16_t>(port), tcp_syn));
	const auto counter = gate.counters();
	EXPECT_EQ(refusals(counter), ports);
	EXPECT_EQ(accounted(counter), ports);
	EXPECT_EQ(gate.events().size(), WEIR_MERGES);
}

TEST(EdgeReports, ThePortOfTheSideThatDoesNotServeMakesNoNewRecord)
{
	EdgeGate gate({});
	gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
	for (std::uint16_t port = 1; port < 1000; ++port) {
		gate.run(Hook::xdp, tcp_frame(in4, port, ssh_port, tcp_syn));
		gate.run(Hook::tc_out, udp_frame(out4, port, 53));
		gate.run(Hook::xdp, echo_frame(in4, port));
		gate.run(Hook::xdp, echo_frame(in4, port, true));
		gate.run(Hook::tc_out, echo_frame(out6, port));
		gate.run(Hook::tc_out, echo_frame(out6, port, true));
	}
	EXPECT_EQ(gate.events().size(), 6U);
	EXPECT_EQ(gate.merged().size(), 6U);
}

TEST(EdgeReports, FullRingLosesNoCount)
{
	EdgeGate gate({.merges = 65536}); // more than the ring has room for
	gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
	for (unsigned port = 0; port < 30000; ++port)
		for (int time = 0; time < 2; ++time)
			gate.run(Hook::xdp, tcp_frame(in4, 40000, static_cast<std::uint16_t>(port), tcp_syn));
	const auto counter = gate.counters();
	EXPECT_EQ(refusals(counter), 60000U);
	EXPECT_EQ(accounted(counter), 60000U);
	EXPECT_EQ(gate.events().size(), counter.reported);
	EXPECT_EQ(counts(gate.merged()), counter.merged);
	EXPECT_LT(counter.reported, 30000U);
}

TEST(EdgeReports, WithoutATableAllIsSummed)
{
	EdgeGate gate({.merges = 0});
	gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}})).value());
	gate.run(Hook::xdp, tcp_frame(in4, 40000, ssh_port, tcp_syn), 1000);
	const auto counter = gate.counters();
	EXPECT_EQ(counter.refused, 1000U);
	EXPECT_EQ(counter.summed, 1000U);
	EXPECT_TRUE(gate.events().empty());
}

TEST(EdgeReports, WithoutAPolicyNothingIsAdmittedAndItIsReported)
{
	EdgeGate gate({});
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true}) {
			const Path path = path_of(hook, v6);
			for (const auto &frame :
			     {tcp_frame(path, 1, 2, tcp_syn), udp_frame(path, 1, 2), echo_frame(path, 1),
			      ethernet(eth_arp, arp(out4)), ethernet(0x88cc, Bytes(46))})
				EXPECT_FALSE(gate.run(hook, frame));
		}
	const auto counter = gate.counters();
	EXPECT_EQ(counter.refused, 30U);
	EXPECT_EQ(accounted(counter), 30U);
	for (const auto &event : gate.events()) {
		EXPECT_EQ(event.reason, WEIR_REASON_NO_POLICY);
		EXPECT_EQ(event.generation, 0U);
	}
}

TEST(EdgeReports, ObservingRefusesNothingAndCountsAll)
{
	EdgeGate gate({});
	gate.publish(compile(edge_policy({{Direction::out, "TCP/1", there4}}), {.observe = true}).value());
	unsigned frames = 0;
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true}) {
			const Path path = path_of(hook, v6);
			auto broken = tcp_frame(path, 1, 2, tcp_syn);
			broken.pop_back();
			for (const auto &frame :
			     {tcp_frame(path, 1, 2, tcp_syn), tcp_frame(path, 1, 2, tcp_fin), udp_frame(path, 1, 2),
			      echo_frame(path, 1, true), broken, ethernet(0x88cc, Bytes(46)),
			      error_frame(path, udp_frame(path, 1, 2))}) {
				EXPECT_TRUE(gate.run(hook, frame)) << text_of(frame);
				++frames;
			}
		}
	const auto counter = gate.counters();
	EXPECT_EQ(counter.refused, 0U);
	EXPECT_EQ(counter.observed, frames);
	EXPECT_EQ(accounted(counter), frames);
	for (const auto &event : gate.events())
		EXPECT_EQ(event.verdict, WEIR_ALLOW);
	EXPECT_TRUE(gate.flows(EdgeGate::Table::opened).empty());
}

TEST(EdgeReports, SayWhatWasSeen)
{
	EdgeGate gate({.scope = 3});
	auto policy = edge_policy({{Direction::out, "TCP/1", there4}});
	for (int i = 0; i < 3; ++i)
		policy.scopes.insert(policy.scopes.begin(), {"/sys/fs/cgroup/" + std::to_string(i), {"c"}, false});
	policy.rows[0].scope = 3;
	const auto image = compile(policy, {.generation = 9});
	gate.publish(*image);
	const auto frame = tcp_frame(out4, 40000, 50051, tcp_syn, Bytes(5));
	gate.run(Hook::tc_out, frame);
	const auto events = gate.events();
	ASSERT_EQ(events.size(), 1U);
	const auto &event = events[0];
	EXPECT_EQ(event.gate, WEIR_GATE_EDGE);
	EXPECT_EQ(event.operation, WEIR_OP_PACKET);
	EXPECT_EQ(event.direction, WEIR_OUT);
	EXPECT_EQ(event.scope, 3U);
	EXPECT_EQ(event.generation, 9U);
	EXPECT_EQ(event.protocol, IPPROTO_TCP);
	EXPECT_EQ(event.tcp_flags, tcp_syn);
	EXPECT_EQ(event.local_port, 40000U);
	EXPECT_EQ(event.remote_port, 50051U);
	EXPECT_EQ(event.length, frame.size() - 14);
	EXPECT_EQ(event.pid, 0U);
	EXPECT_EQ(std::memcmp(event.local, Address::parse(here4)->bytes.data(), 16), 0);
	EXPECT_EQ(std::memcmp(event.remote, Address::parse(there4)->bytes.data(), 16), 0);
	EXPECT_EQ(std::memcmp(event.digest, image->trailer().digest, WEIR_DIGEST_SIZE), 0);
}

} // namespace
} // namespace weir::test
