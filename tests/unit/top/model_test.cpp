// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/top/samples.h"

#include <gtest/gtest.h>

namespace weir::top {
namespace {

TEST(TopModel, RatesAreOverTheIntervalAndThePastIsNone)
{
	Model model("default");
	auto state = loaded();
	counter(state).refused = 100;
	model.end_interval(at(0, state));
	EXPECT_EQ(model.view().refused.total, 100U);
	EXPECT_EQ(model.view().refused.per_second, 0) << "what was there before anybody watched";

	state.tallies = {16, 0};
	counter(state).refused = 104;
	counter(state).lost = 1;
	counter(state, WEIR_GATE_PACKET).observed = 3;
	model.end_interval(at(2, state));
	const auto &view = model.view();
	EXPECT_EQ(view.mode, Mode::enforcing);
	EXPECT_EQ(view.refused.per_second, 2);
	EXPECT_EQ(view.lost.per_second, 0.5);
	EXPECT_EQ(view.observed.per_second, 1.5);
	ASSERT_EQ(view.rows.size(), 2U);
	EXPECT_EQ(view.rows[0].decided.per_second, 3);
	EXPECT_EQ(view.rows[0].decided.total, 16U);
	EXPECT_EQ(view.rows[1].decided.per_second, 0);
	ASSERT_EQ(view.gates.size(), 2U);
	EXPECT_EQ(view.gates[0].gate, "socket");
	EXPECT_EQ(view.gates[0].refused.per_second, 2);
	EXPECT_EQ(view.gates[0].wanted, 3U) << "sock_create is the socket gate's";
	EXPECT_EQ(view.gates[1].observed.per_second, 1.5);
}

TEST(TopModel, WhatWindowsAdmitIsNoViolation)
{
	Model model("default");
	auto state = loaded();
	model.end_interval(at(0, state));
	auto &admitted = state.counters[weir_counter_index(0, WEIR_GATE_PACKET, WEIR_OUT, WEIR_REASON_NONE)];
	admitted.observed = admitted.merged = 12;
	model.end_interval(at(2, state));
	EXPECT_EQ(model.view().observed.total, 0U);
	EXPECT_EQ(model.view().gates[1].observed.total, 0U);
}

TEST(TopModel, AnotherGenerationBeginsItsRowsAnew)
{
	Model model("default");
	model.end_interval(at(0, loaded()));
	auto state = loaded();
	state.generation = 4;
	state.tallies = {12, 0}; // more than before, and all of it is of this interval
	counter(state).refused = 2;
	model.end_interval(at(2, state));
	EXPECT_EQ(model.view().rows[0].decided.per_second, 6);
	EXPECT_EQ(model.view().refused.per_second, 1) << "refusals go on over generations";
}

TEST(TopModel, AnInstanceThatIsLoadedAnewBeginsAnew)
{
	Model model("default");
	auto state = loaded();
	counter(state).refused = 1000;
	model.end_interval(at(0, state, 7));
	counter(state).refused = 1010;
	model.end_interval(at(2, state, 8));
	EXPECT_EQ(model.view().refused.per_second, 505) << "another instance by the same name";
	counter(state).refused = 4;
	model.end_interval(at(4, state, 8));
	EXPECT_EQ(model.view().refused.per_second, 2) << "a counter that is less than it was";
}

TEST(TopModel, NotLoadedThenLoaded)
{
	Model model("default");
	model.end_interval(at(0, fail(Exit::absent, "not loaded"), 0));
	EXPECT_EQ(model.view().mode, Mode::not_loaded);
	EXPECT_TRUE(model.view().problems.empty());
	auto state = loaded();
	counter(state).refused = 8;
	model.end_interval(at(2, state));
	EXPECT_EQ(model.view().mode, Mode::enforcing);
	EXPECT_EQ(model.view().refused.per_second, 4);
}

TEST(TopModel, WhatCouldNotBeAskedIsNoSpike)
{
	Model model("default");
	auto state = loaded();
	model.end_interval(at(0, state));
	model.end_interval(at(2, fail("no memory\n  wait"), 7));
	EXPECT_EQ(model.view().mode, Mode::unknown);
	EXPECT_EQ(model.view().problems, std::vector<std::string>{"no memory   wait"});
	counter(state).refused = 40;
	model.end_interval(at(4, state));
	EXPECT_EQ(model.view().refused.per_second, 10) << "over all of the time since it was known";
}

TEST(TopModel, ProblemsAndObserving)
{
	Model model("default");
	auto state = loaded();
	state.observe = true;
	model.end_interval(at(0, state));
	EXPECT_EQ(model.view().mode, Mode::observing);
	state.hooks[0].attached = false;
	state.problems = {"connect4 is not attached\x1b[2J"};
	model.end_interval(at(2, state));
	EXPECT_EQ(model.view().mode, Mode::degraded);
	EXPECT_EQ(model.view().gates[0].attached, 2U);
	EXPECT_EQ(model.view().problems.at(0).find('\x1b'), std::string::npos);
	state.components = {{0, {}, true}};
	model.end_interval(at(4, state));
	EXPECT_TRUE(model.view().gates[0].awaited);
}

TEST(TopModel, TheEdgeIsAttachedByItsInterfaces)
{
	Model model("default");
	auto state = loaded();
	state.policy.scopes.push_back({"", {"node"}});
	state.policy.edge.present = true;
	state.interfaces = {{.name = "eth0", .ifindex = 2, .flags = WEIR_INTERFACE_HELD, .problem = ""},
			    {.name = "br0", .ifindex = 3, .flags = WEIR_INTERFACE_INSIDE, .problem = ""},
			    {.name = "eth1", .ifindex = 4, .flags = 0, .problem = "is not held"}};
	state.counters.at(weir_counter_index(1, WEIR_GATE_EDGE, WEIR_IN, WEIR_REASON_NO_ROW)).refused = 9;
	model.end_interval(at(0, state));
	ASSERT_EQ(model.view().gates.size(), 3U);
	const auto &edge = model.view().gates[2];
	EXPECT_EQ(edge.gate, "edge");
	EXPECT_EQ(edge.attached, 2U);
	EXPECT_EQ(edge.wanted, 3U);
	EXPECT_EQ(edge.refused.total, 9U);
}

TEST(TopModel, MergedRecordsCountAsManyAsTheyStandFor)
{
	Model model("default");
	model.add(refusal("192.0.2.66", 1000), true);
	model.end_interval(at(0, loaded()));
	model.add(refusal("192.0.2.66"), false);
	model.add(refusal("192.0.2.66", 59), false);
	model.add(refusal("203.0.113.7", 2, "wget"), false);
	model.end_interval(at(2, loaded()));
	const auto &view = model.view();
	ASSERT_NE(find(view.peers, "192.0.2.66"), nullptr);
	EXPECT_EQ(find(view.peers, "192.0.2.66")->refused.total, 1060U);
	EXPECT_EQ(find(view.peers, "192.0.2.66")->refused.per_second, 30);
	EXPECT_EQ(find(view.processes, "wget")->refused.per_second, 1);
	EXPECT_EQ(find(view.processes, "wget")->latest, "203.0.113.7 tcp/443");
	EXPECT_EQ(view.peers.all.per_second, 31);
	model.end_interval(at(4, loaded()));
	EXPECT_EQ(find(model.view().peers, "192.0.2.66")->refused.per_second, 0);
}

TEST(TopModel, OpenWindowsOnly)
{
	Model model("default");
	auto state = loaded();
	state.policy.openings = {
		{"installation", start, start, 1090 * static_cast<std::uint64_t>(second), "alice", "new\x1b release"},
		{"keys", start, start, 900 * static_cast<std::uint64_t>(second), "bob", "expired"}};
	model.end_interval(at(0, state));
	ASSERT_EQ(model.view().windows.size(), 1U);
	EXPECT_EQ(model.view().windows[0].name, "installation");
	EXPECT_EQ(model.view().windows[0].reason, "new\xef\xbf\xbd release");
}

TEST(TopTalkers, AFloodOfPeersTakesNoMoreThanItsRoom)
{
	TalkerTable table(100);
	const auto who = [](const std::string &name) {
		return Talker{.name = name, .place = "in", .user = {}, .latest = {}, .reason = {}, .refused = {}};
	};
	table.add(who("steady"), 500, false);
	for (int i = 0; i < 100'000; i++) {
		table.add(who("forged " + std::to_string(i)), 1, false);
		if (i % 40 == 0)
			table.add(who("steady"), 5, false);
	}
	table.end_interval(1);
	const auto talkers = table.talkers();
	EXPECT_LE(talkers.kept.size(), 100U);
	ASSERT_NE(find(talkers, "steady"), nullptr) << "who is busiest stays";
	EXPECT_EQ(find(talkers, "steady")->refused.total, 500U + 2500 * 5);
	EXPECT_EQ(talkers.all.total, 500U + 2500 * 5 + 100'000);
	std::uint64_t kept = 0;
	for (const auto &each : talkers.kept)
		kept += each.refused.total;
	EXPECT_EQ(kept + talkers.forgotten, talkers.all.total) << "nothing is lost in silence";
}

} // namespace
} // namespace weir::top
