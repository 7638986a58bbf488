// SPDX-License-Identifier: Apache-2.0
// The packet gate: what is refused is counted, all of it; alike are counted together, and a table that is full hides
// nobody.
#include "tests/support/gates.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdlib>

namespace weir::test {
namespace {

constexpr std::uint32_t few = 64; ///< entries of a table

Image closed()
{
	BoundPolicy policy;
	policy.scenario = "closed";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	BoundRow row;
	row.row.id = "one";
	row.row.port = {IPPROTO_TCP, 1, 1};
	row.peers = {*Prefix::parse("192.0.2.1")};
	policy.rows = {row};
	return compile(policy).value();
}

Bytes datagram(unsigned peer)
{
	const Path path{"198.51.100.7", "10.0." + std::to_string(peer >> 8) + "." + std::to_string(peer & 255)};
	return ipv4(path, {.protocol = IPPROTO_UDP}, udp_datagram(path, 40000, 53, {1, 2, 3, 4}));
}

weir_counter sum_of(const Gates &gates)
{
	weir_counter sum{};
	for (const auto &each : gates.counters()) {
		sum.refused += each.refused;
		sum.reported += each.reported;
		sum.merged += each.merged;
		sum.summed += each.summed;
		sum.lost += each.lost;
	}
	return sum;
}

std::uint64_t counts_of(const std::vector<std::pair<weir_merge_key, weir_merge>> &merged)
{
	std::uint64_t sum = 0;
	for (const auto &[key, like] : merged)
		sum += like.count;
	return sum;
}

TEST(PacketReports, AlikeAreOneRecordAndACount)
{
	Gates gates(closed());
	gates.put_merges();
	const int times = std::getenv("WEIR_TEST_EMULATED") == nullptr ? 1'000'000 : 20'000;
	EXPECT_FALSE(gates.run(Direction::out, datagram(1), zone_network, times).allowed);
	const auto sum = sum_of(gates);
	EXPECT_EQ(sum.refused, times);
	EXPECT_EQ(sum.reported, 1U);
	EXPECT_EQ(sum.merged, times - 1);
	EXPECT_EQ(sum.summed + sum.lost, 0U);
	EXPECT_EQ(gates.events().size(), 1U);
	const auto merged = gates.merged(WEIR_MERGE_ATTEMPTS);
	ASSERT_EQ(merged.size(), 1U);
	const auto &[key, like] = merged[0];
	EXPECT_EQ(like.count, times - 1);
	EXPECT_LE(like.first, like.last);
	EXPECT_EQ(key.gate, WEIR_GATE_PACKET);
	EXPECT_EQ(key.operation, WEIR_OP_PACKET);
	EXPECT_EQ(key.port, 53U);
	EXPECT_EQ(key.remote[15], 1U);
	EXPECT_TRUE(gates.merged(WEIR_MERGE_EDGE).empty()) << "whom anybody on the network can fill";
}

/// Past the table, what one process does is counted by that alone, and the first of it is reported with its peer.
TEST(PacketReports, PastTheTableTheyAreCountedByProcess)
{
	Gates gates(closed());
	gates.put_merges(few);
	constexpr unsigned peers = 3000;
	for (unsigned peer = 0; peer < peers; ++peer)
		ASSERT_FALSE(gates.run(Direction::out, datagram(peer)).allowed);
	const auto sum = sum_of(gates);
	EXPECT_EQ(sum.refused, peers);
	EXPECT_EQ(sum.refused, sum.reported + sum.merged + sum.summed + sum.lost);
	EXPECT_EQ(sum.reported, few + 1);
	EXPECT_EQ(sum.summed + sum.lost, 0U);
	EXPECT_EQ(gates.events().size(), few + 1);
	const auto merged = gates.merged(WEIR_MERGE_PROCESSES);
	ASSERT_EQ(merged.size(), 1U);
	EXPECT_EQ(merged[0].second.count, peers - few - 1);
	EXPECT_EQ(merged[0].first.port, 0U);
	EXPECT_EQ(merged[0].first.remote[10], 0U) << "of several peers";
	EXPECT_EQ(counts_of(gates.merged(WEIR_MERGE_ATTEMPTS)) + counts_of(merged), sum.merged);
}

TEST(PacketReports, AFullRingLosesNoCount)
{
	Gates gates(closed());
	gates.put_merges(65536); // more than the ring has room for
	constexpr unsigned peers = 30000;
	for (int turn = 0; turn < 2; ++turn)
		for (unsigned peer = 0; peer < peers; ++peer)
			ASSERT_FALSE(gates.run(Direction::out, datagram(peer)).allowed);
	const auto sum = sum_of(gates);
	EXPECT_EQ(sum.refused, 2 * peers);
	EXPECT_EQ(sum.refused, sum.reported + sum.merged);
	EXPECT_LT(sum.reported, peers);
	EXPECT_EQ(gates.events().size(), sum.reported);
	EXPECT_EQ(counts_of(gates.merged(WEIR_MERGE_ATTEMPTS)), sum.merged);
}

} // namespace
} // namespace weir::test
