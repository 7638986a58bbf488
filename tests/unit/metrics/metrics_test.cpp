// SPDX-License-Identifier: Apache-2.0
// The text is what promtool takes, and says what is so.
#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::metrics {
namespace {

constexpr std::uint64_t boot = 1'000'000'000'000;

Facts full()
{
	kernel::State state;
	state.generation = 7;
	state.digest = std::string(64, 'a');
	state.policy.scenario = "node-native";
	state.policy.scopes = {{.cgroup = "/x", .components = {"node", "gui"}}, {.cgroup = "", .components = {}}};
	state.policy.edge.present = true;
	BoundRow row;
	row.row.id = "node-researcher";
	state.policy.rows = {row};
	state.tallies = {42};
	state.policy.windows = {{.name = "installation", .longest = 3600}, {.name = "key-negotiation", .longest = 60}};
	state.policy.openings = {{.window = "installation", .deadline = boot + 90'000'000'000, .by = "", .reason = ""}};
	state.counters.resize(WEIR_COUNTERS);
	state.counters[weir_counter_index(0, WEIR_GATE_SOCKET, WEIR_OUT, WEIR_REASON_NO_ROW)].refused = 5;
	state.counters[weir_counter_index(1, WEIR_GATE_EDGE, WEIR_IN, WEIR_REASON_MALFORMED)].refused = 9;
	auto &admitted = state.counters[weir_counter_index(0, WEIR_GATE_PACKET, WEIR_OUT, WEIR_REASON_NONE)];
	admitted.observed = admitted.merged = 31;
	state.hooks = {{.name = "connect4", .gate = WEIR_GATE_SOCKET, .scope = 0, .attached = true, .problem = ""}};
	state.interfaces = {{.name = "eth0", .flags = 1}, {.name = "eth1", .flags = 0}};
	RunFigures run{.written = 14, .waiting = 1, .discarded = 0, .sinks = {}};
	run.sinks.push_back({"syslog+udp://192.0.2.1:514", {.sent = 3, .dropped = 2, .problem = "down"}});
	return {.instance = "default",
		.version = "1",
		.state = std::move(state),
		.run = std::move(run),
		.unix_ns = 1'795'521'784'000'000'000,
		.boot_ns = boot};
}

/// What promtool says; "" when all is well.
std::string checked(const std::string &text)
{
	std::string path = testing::TempDir() + "weir-metrics-XXXXXX";
	::close(::mkstemp(path.data()));
	std::ofstream(path) << text;
	const auto command = "promtool check metrics <" + path + " 2>&1 || echo failed";
	std::FILE *output = ::popen(command.c_str(), "r");
	std::string said;
	std::array<char, 4096> buffer;
	while (const auto size = std::fread(buffer.data(), 1, buffer.size(), output))
		said.append(buffer.data(), size);
	::pclose(output);
	std::remove(path.c_str());
	return said;
}

TEST(Metrics, PromtoolFindsNothing)
{
	EXPECT_EQ(checked(text_of(full())), "") << text_of(full());
	EXPECT_EQ(checked(text_of({.instance = "default", .version = "1"})), "");
	auto hostile = full();
	hostile.state->policy.rows[0].row.id = "a\"b\\c\nd}";
	EXPECT_EQ(checked(text_of(hostile)), "");
	EXPECT_NE(checked("weir_x{a=\"\"\"} 1\n"), "") << "promtool has to be there";
}

TEST(Metrics, SayWhatIsSo)
{
	const auto text = text_of(full());
	for (const char *line : {
		     "weir_loaded{instance=\"default\"} 1\n",
		     "weir_enforcing{instance=\"default\"} 1\n",
		     "weir_generation{instance=\"default\"} 7\n",
		     "weir_refused_total{instance=\"default\",scope=\"node,gui\",gate=\"socket\",direction=\"out\","
		     "reason=\"no_row\"} 5\n",
		     "weir_refused_total{instance=\"default\",scope=\"edge\",gate=\"edge\",direction=\"in\","
		     "reason=\"malformed\"} 9\n",
		     "weir_lost_total{instance=\"default\",scope=\"\",gate=\"\",direction=\"\",reason=\"\"} 0\n",
		     "weir_observed_total{instance=\"default\",scope=\"\",gate=\"\",direction=\"\",reason=\"\"} 0\n",
		     "weir_merged_total{instance=\"default\",scope=\"\",gate=\"\",direction=\"\",reason=\"\"} 0\n",
		     "weir_window_packets_total{instance=\"default\",scope=\"node,gui\",gate=\"packet\","
		     "direction=\"out\"} 31\n",
		     "id=\"node-researcher\",scope=\"node,gui\",window=\"\"} 42\n",
		     "weir_window_open{instance=\"default\",window=\"installation\"} 1\n",
		     "weir_window_seconds_left{instance=\"default\",window=\"installation\"} 90\n",
		     "weir_window_open{instance=\"default\",window=\"key-negotiation\"} 0\n",
		     "weir_interface_held{instance=\"default\",interface=\"eth1\"} 0\n",
		     "weir_sink_up{instance=\"default\",sink=\"syslog+udp://192.0.2.1:514\"} 0\n",
		     "weir_sink_dropped_total{instance=\"default\",sink=\"syslog+udp://192.0.2.1:514\"} 2\n",
	     })
		EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(Metrics, ProblemsAndObservingAreNotEnforcing)
{
	auto facts = full();
	facts.state->problems = {"a program is missing"};
	EXPECT_NE(text_of(facts).find("weir_enforcing{instance=\"default\"} 0\n"), std::string::npos);
	EXPECT_NE(text_of(facts).find("weir_problems{instance=\"default\"} 1\n"), std::string::npos);
	facts.state->problems.clear();
	facts.state->observe = true;
	EXPECT_NE(text_of(facts).find("weir_enforcing{instance=\"default\"} 0\n"), std::string::npos);
	facts.state.reset();
	EXPECT_NE(text_of(facts).find("weir_loaded{instance=\"default\"} 0\n"), std::string::npos);
	EXPECT_EQ(text_of(facts).find("weir_enforcing"), std::string::npos);
}

TEST(Metrics, FileIsReplacedAsAWholeAndOthersMayReadIt)
{
	namespace fs = std::filesystem;
	std::string name = testing::TempDir() + "weir-metrics-XXXXXX";
	const fs::path directory = ::mkdtemp(name.data());
	const auto path = directory / "weir.prom";
	std::ofstream(path) << "old";
	std::ifstream reader(path);
	ASSERT_TRUE(replace(path, "new\n").has_value());
	std::ostringstream still, now;
	still << reader.rdbuf();
	now << std::ifstream(path).rdbuf();
	EXPECT_EQ(still.str(), "old") << "who was reading it has what was there";
	EXPECT_EQ(now.str(), "new\n");
	EXPECT_NE(fs::status(path).permissions() & fs::perms::others_read, fs::perms::none);
	EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 1) << "nothing is left beside it";
	EXPECT_FALSE(replace(directory / "missing" / "weir.prom", "x").has_value());
	fs::remove_all(directory);
}

} // namespace
} // namespace weir::metrics
