// SPDX-License-Identifier: Apache-2.0
// What the daemon says of windows and does at their end, against a kernel of the tests' own making.
#include "daemon/windows.h"
#include "fake_kernel.h"
#include "policy/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

namespace weir::daemon {
namespace {

using kernel::fake;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Json = nlohmann::json;

std::uint64_t boot()
{
	return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
}

class WindowsTest : public testing::Test {
protected:
	void SetUp() override
	{
		fake() = {};
		std::string name = testing::TempDir() + "weir-windows-XXXXXX";
		directory_ = ::mkdtemp(name.data());
		fake().notes = directory_;
		fake().policy.scenario = "node-native";
		fake().policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, true}};
		for (const char *window : {"installation", "keys"}) {
			BoundRow row;
			row.row.id = std::string(window) + "-row";
			row.row.source = "node";
			row.row.destination = "Internet";
			row.row.port = {6, 443, 443};
			row.peers = {*Prefix::parse("0.0.0.0/0")};
			fake().policy.windows.push_back({window, 3600, {row}});
		}
		start();
		testing::internal::CaptureStderr();
	}
	void TearDown() override
	{
		(void)testing::internal::GetCapturedStderr();
		std::filesystem::remove_all(directory_);
	}
	/// Another run of the daemon, appending to the same file.
	void start()
	{
		windows_.emplace(kernel::Where{});
		records_.emplace(*Sink::open(directory_ / "out.jsonl"));
	}
	static void publish(const Result<BoundPolicy> &policy)
	{
		ASSERT_TRUE(policy.has_value()) << policy.error().message;
		fake().policy = *policy;
		fake().generation++;
	}
	static policy::WindowRequest request(const std::string &name, bool extend = false)
	{
		return {.name = name,
			.seconds = 600,
			.by = "alice (login uid 1000), as root",
			.reason = "because",
			.extend = extend,
			.unix_ns = clock_ns(CLOCK_REALTIME),
			.boot_ns = boot()};
	}
	static void open(const std::string &name, bool extend = false)
	{
		publish(policy::open_window(fake().policy, request(name, extend)));
	}
	/// It ends that much from now.
	static void set_end(const std::string &name, std::int64_t from_now)
	{
		const auto end = static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME) + from_now);
		for (auto &row : fake().policy.rows)
			if (row.window == name)
				row.deadline = end;
		fake().policy.openings.back().deadline = end;
		fake().generation++;
	}
	void tick()
	{
		windows_->tick(*records_);
		ASSERT_TRUE(records_->write_out().has_value());
		windows_->written();
	}
	std::vector<Json> records()
	{
		std::vector<Json> all;
		std::ifstream in(directory_ / "out.jsonl");
		for (std::string line; std::getline(in, line);)
			all.push_back(Json::parse(line));
		return all;
	}
	std::vector<std::string> actions()
	{
		std::vector<std::string> all;
		for (const auto &record : records())
			all.push_back(record["event"]["action"].get<std::string>() + " " +
				      record["weir"]["window"]["name"].get<std::string>());
		return all;
	}

	std::filesystem::path directory_;
	std::optional<Windows> windows_;
	std::optional<Records> records_;
};

TEST_F(WindowsTest, WithoutWindowsNothingIsSaid)
{
	tick();
	tick();
	EXPECT_THAT(records(), IsEmpty());
	EXPECT_EQ(fake().images_read, 1) << "the same generation is read once";
}

TEST_F(WindowsTest, OpenedExtendedClosed)
{
	open("installation");
	tick();
	open("installation", true);
	tick();
	publish(policy::close_window(fake().policy, "installation", "bob (login uid 1001)", "done",
				     clock_ns(CLOCK_REALTIME)));
	tick();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation", "window_extended installation",
					   "window_closed installation"));
	const auto all = records();
	EXPECT_EQ(all[0]["user"]["name"], "alice");
	EXPECT_EQ(all[0]["weir"]["window"]["reason"], "because");
	EXPECT_EQ(all[0]["event"]["dataset"], "weir.window");
	EXPECT_EQ(all[2]["user"]["name"], "bob");
	EXPECT_EQ(all[2]["weir"]["window"]["reason"], "done");
	EXPECT_THAT(all[2]["weir"]["window"]["opened_by"].get<std::string>(), HasSubstr("alice"));
	EXPECT_EQ(all[2]["event"]["start"], all[0]["event"]["start"]);
	EXPECT_THAT(fake().cut_after, IsEmpty()) << "who closed it did";
}

TEST_F(WindowsTest, AtItsEndConnectionsAreCutAndRowsGo)
{
	fake().cut.connections = {"TCP 192.0.2.2:4711 - 203.0.113.7:443"};
	open("installation");
	set_end("installation", 300 * ms);
	fake().tallies = {9};
	tick();
	pollfd timer{windows_->fd(), POLLIN, 0};
	ASSERT_EQ(::poll(&timer, 1, 10000), 1) << "the timer of the end";
	EXPECT_LE(boot(), fake().policy.openings.back().deadline + 500 * ms);
	windows_->look(*records_);
	EXPECT_EQ(::poll(&timer, 1, 0), 0) << "it is no busy loop";
	ASSERT_THAT(fake().cut_after, SizeIs(1));
	EXPECT_THAT(fake().cut_after[0].rows, SizeIs(1)) << "while the rows were there";
	EXPECT_THAT(fake().policy.rows, IsEmpty());
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation", "window_expired installation"));
	const auto expired = records().back();
	EXPECT_EQ(expired["weir"]["window"]["connections_cut"], 1);
	EXPECT_EQ(expired["weir"]["window"]["decided"], 9);
	EXPECT_FALSE(expired.contains("user")) << "nobody did it";
	EXPECT_EQ(fake().cut_after.size(), 1U);
}

TEST_F(WindowsTest, WhatOthersHoldIsTriedAgain)
{
	open("installation");
	set_end("installation", -1);
	fake().locked = true;
	tick();
	EXPECT_THAT(fake().policy.rows, SizeIs(1));
	EXPECT_THAT(fake().cut_after, SizeIs(1)) << "they are cut all the same";
	pollfd timer{windows_->fd(), POLLIN, 0};
	EXPECT_EQ(::poll(&timer, 1, 0), 0) << "it is no busy loop";
	fake().locked = false;
	ASSERT_EQ(::poll(&timer, 1, 3000), 1);
	windows_->look(*records_);
	EXPECT_THAT(fake().policy.rows, IsEmpty());
}

TEST_F(WindowsTest, TheNextRunSaysWhatItMissedAndNothingTwice)
{
	open("installation");
	tick();
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation"));
	open("keys"); // while no daemon runs
	publish(policy::close_window(fake().policy, "keys", "bob (login uid 1001)", "", clock_ns(CLOCK_REALTIME)));
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation", "window_opened keys", "window_closed keys"));
	start();
	tick();
	EXPECT_THAT(actions(), SizeIs(3));
}

TEST_F(WindowsTest, WhatWasNotWrittenIsSaidAgain)
{
	open("installation");
	windows_->tick(*records_); // and then the daemon is killed
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation"));
}

TEST_F(WindowsTest, AnOutputThatTakesNothingIsWaitedFor)
{
	open("installation");
	records_->line().append(Sink::bound, '\n');
	windows_->tick(*records_);
	records_->line().clear();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation"));
}

TEST_F(WindowsTest, AnotherPolicyClosesOrShortens)
{
	open("installation");
	open("keys");
	tick();
	auto fresh = fake().policy;
	fresh.rows.clear();
	fresh.openings.clear();
	fresh.windows.pop_back();
	fresh.windows[0].longest = 60;
	publish(policy::carry_windows(fake().policy, fresh, boot(), clock_ns(CLOCK_REALTIME)));
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation", "window_opened keys",
					   "window_shortened installation", "window_closed keys"));
}

TEST_F(WindowsTest, WithItsPolicyAWindowEnds)
{
	open("installation");
	open("installation", true);
	open("keys");
	publish(policy::close_window(fake().policy, "keys", "bob (login uid 1001)", "", clock_ns(CLOCK_REALTIME)));
	tick();
	const auto before = actions().size();
	fake().loaded = false; // removed
	tick();
	tick();
	ASSERT_EQ(actions().size(), before + 1) << "once, and only what was open";
	const auto ended = records().back();
	EXPECT_EQ(ended["event"]["action"], "window_closed");
	EXPECT_EQ(ended["weir"]["window"]["name"], "installation");
	EXPECT_THAT(ended["weir"]["window"]["opened_by"].get<std::string>(), HasSubstr("alice"));
	EXPECT_EQ(ended["weir"]["window"]["opened_reason"], "because");
	EXPECT_FALSE(ended.contains("user")) << "the record of the policy says who";
	EXPECT_EQ(ended["event"]["start"], records()[0]["event"]["start"]);
}

TEST_F(WindowsTest, WithItsPolicyAWindowEndsWhileNoDaemonRuns)
{
	open("installation");
	tick();
	fake().policy.rows.clear();
	fake().policy.openings.clear(); // removed, and applied anew
	start();
	windows_->tick(*records_); // and it is killed before it has written
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("window_opened installation", "window_closed installation"));
	EXPECT_EQ(records().back()["weir"]["window"]["opened_reason"], "because");
	start();
	tick();
	EXPECT_THAT(actions(), SizeIs(2));
}

TEST_F(WindowsTest, AHostileReasonIsContained)
{
	auto wanted = request("installation");
	wanted.reason = "a \"quoted\" reason with \\ and \u00e9";
	publish(policy::open_window(fake().policy, wanted));
	tick();
	EXPECT_EQ(records()[0]["weir"]["window"]["reason"], wanted.reason);
}

} // namespace
} // namespace weir::daemon
