// SPDX-License-Identifier: Apache-2.0
// The daemon at the edge: like refusals with their number, sums that are exact, interfaces that come and go.
#include "run_fixture.h"

namespace weir::daemon {
namespace {

weir_merge_key syn_from(const char *address, std::uint16_t port)
{
	weir_merge_key key{};
	key.operation = WEIR_OP_PACKET;
	audit::set_address(key.local, "192.0.2.2");
	audit::set_address(key.remote, address);
	key.ifindex = 2;
	key.generation = 3;
	key.port = port;
	key.protocol = 6;
	key.gate = WEIR_GATE_EDGE;
	key.direction = WEIR_IN;
	key.reason = WEIR_REASON_NO_ROW;
	return key;
}

weir_merge counted(std::uint64_t count)
{
	return {.count = count,
		.first = 2'000'000'000,
		.last = 2'900'000'000,
		.uid = 0,
		.gid = 0,
		.cgroup = 0,
		.comm = {},
		.row = WEIR_NO_ROW,
		.zero = 0};
}

/// Of all records: what docs/events.md says that it adds up to.
std::uint64_t sum_of(const std::vector<Json> &records)
{
	std::uint64_t sum = 0;
	for (const auto &record : records)
		sum += record["weir"].value("count", std::uint64_t{1});
	return sum;
}

class RunEdge : public Run {
protected:
	/// Counters of the edge's usual refusal.
	static weir_counter &edge_counter(std::uint32_t reason = WEIR_REASON_NO_ROW)
	{
		return fake().counters[weir_counter_index(1, WEIR_GATE_EDGE, WEIR_IN, reason)];
	}
};

TEST_F(RunEdge, MergedRefusalsAreWrittenWithTheirNumber)
{
	poll(1, [] { fake().merges = {{syn_from("198.51.100.7", 22), counted(1233)}}; });
	ASSERT_TRUE(run().has_value());
	const auto all = records(file_);
	ASSERT_EQ(all.size(), 2u);
	EXPECT_EQ(all[1]["weir"]["count"], 1233);
	EXPECT_EQ(all[1]["source"]["ip"], "198.51.100.7");
	EXPECT_EQ(sum_of(all), 1234u);
	EXPECT_NE(said_.find("2 events written"), std::string::npos) << said_;
	EXPECT_NE(said_.find("1233 counted"), std::string::npos) << said_;
}

TEST_F(RunEdge, EntriesThatCountNothingAreNoRecord)
{
	fake().merges = {{syn_from("198.51.100.7", 22), counted(0)}};
	ASSERT_TRUE(run().has_value());
	EXPECT_TRUE(records(file_).empty());
}

TEST_F(RunEdge, WhatIsCountedWhenTheSignalComesIsWritten)
{
	poll(0, [] { ::kill(::getpid(), SIGTERM); });
	fake().polls.emplace_back([](const Handle &) { // in the last drain
		fake().merges = {{syn_from("198.51.100.7", 22), counted(5)}};
		edge_counter() = {.refused = 12, .observed = 0, .reported = 0, .merged = 5, .summed = 7, .lost = 0};
	});
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(sum_of(records(file_)), 12u);
}

TEST_F(RunEdge, SumsAreWrittenByWhatTheyHaveGrown)
{
	edge_counter() = {.refused = 10, .observed = 0, .reported = 0, .merged = 0, .summed = 10, .lost = 0};
	poll(0); // a second goes by: the counters are looked at
	poll(0, [] {
		edge_counter() = {.refused = 14, .observed = 3, .reported = 0, .merged = 0, .summed = 17, .lost = 0};
		edge_counter(WEIR_REASON_MALFORMED) = {
			.refused = 0, .observed = 2, .reported = 0, .merged = 0, .summed = 2, .lost = 0};
	});
	ASSERT_TRUE(run().has_value());
	const auto all = records(file_);
	ASSERT_EQ(all.size(), 3u);
	EXPECT_EQ(all[0]["weir"]["count"], 10) << "the first of a run: since the counters began";
	EXPECT_EQ(all[0]["weir"]["verdict"], "refused");
	EXPECT_EQ(all[0]["weir"]["scope"], 1);
	EXPECT_EQ(all[0]["weir"]["gate"], "edge");
	EXPECT_EQ(all[0]["network"]["direction"], "ingress");
	EXPECT_FALSE(all[0]["event"].contains("start"));
	EXPECT_EQ(all[1]["weir"]["count"], 7);
	EXPECT_EQ(all[1]["weir"]["count_total"], 17);
	EXPECT_EQ(all[1]["weir"]["reason"], "no_row");
	EXPECT_FALSE(all[1]["weir"].contains("verdict")) << "of both, and nobody knows which";
	EXPECT_TRUE(all[1]["event"].contains("start"));
	EXPECT_EQ(all[2]["weir"]["reason"], "malformed");
	EXPECT_EQ(all[2]["weir"]["verdict"], "observed");
	EXPECT_EQ(sum_of(all), 19u);
}

/// As the edge gate counts: reported, merged while there is room, summed past it, lost when the ring is full.
TEST_F(RunEdge, FloodAddsUp)
{
	auto &counter = edge_counter();
	const auto flood = [&](std::uint64_t merged, std::uint64_t summed, std::uint64_t lost) {
		counter.refused += 3 + merged + summed + lost;
		counter.reported += 3;
		counter.merged += merged;
		counter.summed += summed;
		counter.lost += lost;
		for (std::uint64_t left = merged, port = 1; left > 0; port++) {
			const auto part = std::min<std::uint64_t>(left, 1 + port * port % 5000);
			fake().merges.emplace_back(syn_from("198.51.100.7", static_cast<std::uint16_t>(port)),
						   counted(part));
			left -= part;
		}
	};
	poll(3, [&] { flood(1'000'000, 77, 0); });
	poll(0);
	poll(3, [&] { flood(500'000, 12'345, 9); });
	poll(0);
	poll(0);
	poll(3, [&] { flood(3, 1, 0); });
	ASSERT_TRUE(run().has_value());
	const auto all = records(file_);
	EXPECT_EQ(sum_of(all) + counter.lost, counter.refused);
	EXPECT_LT(all.size(), 2000u) << "bounded, whatever comes";
	const auto losses = records(file_, "weir.loss");
	ASSERT_FALSE(losses.empty());
	EXPECT_EQ(losses.back()["weir"]["events"]["merged"], 1'500'000);
}

TEST_F(RunEdge, TableThatIsNotWrittenYetIsNotTakenAgain)
{
	for (std::uint32_t i = 0; i < WEIR_MERGES; i++) { // more than the buffer holds, and the disk is full
		auto key = syn_from("198.51.100.7", static_cast<std::uint16_t>(i));
		key.pid = i;
		fake().merges.emplace_back(key, counted(2));
	}
	for (int i = 0; i < 3; i++)
		poll(0, [] { fake().merges.emplace_back(syn_from("198.51.100.7", 22), counted(1)); });
	const auto result = run("/dev/full");
	ASSERT_FALSE(result.has_value());
	EXPECT_EQ(fake().merges_taken, 1);
}

TEST_F(RunEdge, MergesThatCannotBeTakenAreSaidAndWait)
{
	fake().merges = {{syn_from("198.51.100.7", 22), counted(5)}};
	fake().merges_fail = true;
	poll(0);
	poll(0);
	poll(0, [] { fake().merges_fail = false; });
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(sum_of(records(file_)), 5u);
	const auto first = said_.find("cannot take the counts");
	EXPECT_NE(first, std::string::npos) << said_;
	EXPECT_EQ(said_.find("cannot take the counts", first + 1), std::string::npos) << "once in ten seconds";
}

TEST_F(RunEdge, SumsOfAnInstanceLoadedAnewBeginAnew)
{
	edge_counter() = {.refused = 10, .observed = 0, .reported = 0, .merged = 0, .summed = 10, .lost = 0};
	poll(0, [&] {
		fs::rename(where_.directory(), directory_ / "gone");
		fs::create_directories(where_.directory());
		edge_counter() = {.refused = 4, .observed = 0, .reported = 0, .merged = 0, .summed = 4, .lost = 0};
	});
	for (int i = 0; i < 3; i++)
		poll(0);
	ASSERT_TRUE(run().has_value());
	const auto all = records(file_);
	ASSERT_EQ(all.size(), 2u);
	EXPECT_EQ(sum_of(all), 14u);
}

TEST_F(RunEdge, InterfacesAreLookedAtOnceAtTheStartAndThenWhenTheyChange)
{
	fake().covers = {std::vector<std::string>{"holds eth0 (network; xdp, tcx)"},
			 std::vector<std::string>{"holds wg0 (tunnel; tcx, tcx)", "let go of eth0"}};
	poll(1);
	poll(0, [] {
		EXPECT_EQ(fake().covered, 1);
		EXPECT_EQ(::write(fake().watch, "x", 1), 1);
	});
	poll(0, [] { EXPECT_EQ(fake().covered, 2) << "at once"; });
	ASSERT_TRUE(run().has_value());
	const auto changes = records(file_, "weir.interface");
	ASSERT_EQ(changes.size(), 3u);
	EXPECT_EQ(changes[0]["event"]["action"], "interface_held");
	EXPECT_EQ(changes[0]["weir"]["interface"]["name"], "eth0");
	EXPECT_EQ(changes[1]["event"]["reason"], "holds wg0 (tunnel; tcx, tcx)");
	EXPECT_EQ(changes[2]["event"]["action"], "interface_gone");
	EXPECT_EQ(changes[2]["weir"]["interface"]["name"], "eth0");
	EXPECT_NE(said_.find("edge: holds wg0"), std::string::npos) << said_;
}

TEST_F(RunEdge, InterfaceThatCannotBeHeldIsTriedEachSecondAndSaidOnce)
{
	for (int i = 0; i < 2; i++)
		fake().covers.push_back(fail("eth1: cannot attach: Operation not permitted"));
	fake().covers.push_back(std::vector<std::string>{"holds eth1 (network; xdp, tcx)"});
	for (int i = 0; i < 4; i++)
		poll(0);
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(fake().covered, 3);
	const auto changes = records(file_, "weir.interface");
	ASSERT_EQ(changes.size(), 3u) << said_;
	EXPECT_EQ(changes[0]["event"]["action"], "interface_problem");
	EXPECT_EQ(changes[0]["event"]["outcome"], "failure");
	EXPECT_EQ(changes[1]["event"]["action"], "interface_held");
	EXPECT_EQ(changes[2]["event"]["action"], "interface_problem_solved");
}

TEST_F(RunEdge, OneThatCannotBeHeldHoldsUpNoOther)
{
	fake().covers = {std::vector<std::string>{"holds eth0 (network; xdp, tcx)", "cannot hold eth1: in use",
						  "eth0.5 is carried by what is held (network)",
						  "br0 leads only into this host", "forgot interface 7, which is gone"},
			 std::vector<std::string>{"cannot hold eth1: in use"}};
	for (int i = 0; i < 4; i++)
		poll(0);
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(fake().covered, 3) << "tried each second until it is held";
	std::vector<std::string> seen;
	for (const auto &change : records(file_, "weir.interface"))
		seen.push_back(change["event"]["action"].get<std::string>() + " " +
			       change["weir"].value("interface", Json::object()).value("name", ""));
	EXPECT_EQ(seen,
		  (std::vector<std::string>{"interface_held eth0", "interface_carried eth0.5", "interface_inside br0",
					    "interface_gone 7", "interface_problem eth1", "interface_problem_solved "}))
		<< said_;
}

TEST_F(RunEdge, WithoutNetlinkInterfacesAreLookedForEachSecond)
{
	fake().deaf = true;
	for (int i = 0; i < 3; i++)
		poll(0);
	ASSERT_TRUE(run().has_value());
	EXPECT_GE(fake().covered, 3);
	EXPECT_NE(said_.find("cannot hear of interfaces"), std::string::npos) << said_;
}

} // namespace
} // namespace weir::daemon
