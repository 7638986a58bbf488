// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"
#include "sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weir::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Screen {
	std::vector<std::string> shown, warned;
	EventsView view(Filter filter = {}, EventsView::Style style = {.json = true})
	{
		return {std::move(filter), style, [this](std::string_view line) { shown.emplace_back(line); },
			[this](std::string_view line) { warned.emplace_back(line); }};
	}
};

std::string record(std::uint32_t pid)
{
	auto event = refused_connect();
	event.pid = pid;
	return line_of(event);
}

bool passes(const Filter &filter, const weir_event &event)
{
	Screen screen;
	auto line = line_of(event);
	line.pop_back();
	screen.view(filter).line(line);
	return !screen.shown.empty();
}

TEST(EventsView, EachFilter)
{
	const auto event = refused_connect();
	EXPECT_TRUE(passes({}, event));
	EXPECT_TRUE(passes({.reason = "no_row"}, event));
	EXPECT_FALSE(passes({.reason = "no_flow"}, event));
	EXPECT_TRUE(passes({.gate = "socket"}, event));
	EXPECT_FALSE(passes({.gate = "packet"}, event));
	EXPECT_TRUE(passes({.direction = "egress"}, event));
	EXPECT_FALSE(passes({.direction = "ingress"}, event));
	EXPECT_TRUE(passes({.pid = 1234}, event));
	EXPECT_FALSE(passes({.pid = 123}, event));
	EXPECT_TRUE(passes({.process = "curl"}, event));
	EXPECT_FALSE(passes({.process = "cur"}, event));
	const auto at = sample_to_wall + 1'123'456'789;
	EXPECT_TRUE(passes({.since = at}, event));
	EXPECT_FALSE(passes({.since = at + 1}, event));
	EXPECT_TRUE(passes({.to = Prefix::parse("203.0.113.0/24")}, event));
	EXPECT_TRUE(passes({.to = Prefix::parse("203.0.113.7")}, event));
	EXPECT_FALSE(passes({.to = Prefix::parse("203.0.112.0/24")}, event));
	EXPECT_FALSE(passes({.to = Prefix::parse("2001:db8::/32")}, event));
	EXPECT_TRUE(passes({.to = Prefix::parse("2001:db8::/32")}, refused_packet()));
	EXPECT_FALSE(passes({.reason = "no_row", .pid = 1}, event)) << "all of them must admit it";
}

TEST(EventsView, JsonPassesLinesThroughAsTheyAre)
{
	Screen screen;
	auto line = record(1);
	screen.view().line(std::string_view(line).substr(0, line.size() - 1));
	EXPECT_THAT(screen.shown, ElementsAre(line));
}

TEST(EventsView, PeopleSeeTheDayOnceAndEveryLoss)
{
	::setenv("TZ", "UTC", 1);
	::tzset();
	Screen screen;
	auto view = screen.view({.pid = 1}, {});
	std::string loss;
	append_lost_json(loss, {}, 5, 0, "default", sample_to_wall);
	for (auto line : {record(1), record(2), loss})
		view.line(std::string_view(line).substr(0, line.size() - 1));
	EXPECT_THAT(screen.shown, ElementsAre("-- 2026-11-24 (UTC+0000)\n", HasSubstr("curl[1]"), HasSubstr("LOST")));
}

TEST(EventsView, SumsMayHoldWhatIsLookedFor)
{
	std::string sum;
	append_summed_json(sum,
			   {.scope = 1,
			    .gate = WEIR_GATE_EDGE,
			    .direction = WEIR_IN,
			    .reason = WEIR_REASON_NO_ROW,
			    .count = 7,
			    .total = 9},
			   "default", sample_to_wall);
	sum.pop_back();
	const auto shows = [&](const Filter &filter, bool json) {
		Screen screen;
		screen.view(filter, {.json = json}).line(sum);
		return !screen.shown.empty();
	};
	EXPECT_TRUE(shows({}, true));
	EXPECT_TRUE(shows({.reason = "no_row", .gate = "edge"}, true));
	EXPECT_FALSE(shows({.reason = "malformed"}, false));
	EXPECT_TRUE(shows({.pid = 1}, false));
	EXPECT_FALSE(shows({.pid = 1}, true)) << "machines get what is known to fit";
	EXPECT_TRUE(shows({.to = Prefix::parse("192.0.2.0/24")}, false));
}

TEST(EventsView, InterfacesAreShownWhenNothingIsChosen)
{
	std::string line;
	append_interface_json(line, {"interface_held", "eth1", "holds eth1", false}, "default", sample_to_wall);
	line.pop_back();
	Screen screen;
	screen.view().line(line);
	screen.view({}, {}).line(line);
	EXPECT_THAT(screen.shown, SizeIs(3)); // and the day
	screen.view({.pid = 1}, {}).line(line);
	EXPECT_THAT(screen.shown, SizeIs(3));
}

TEST(EventsView, MalformedLineIsAWarningWithItsNumber)
{
	Screen screen;
	auto view = screen.view();
	auto good = record(1);
	good.pop_back();
	view.line(good);
	view.line("{\"@timestamp\":\x1b[2J");
	view.line("{}");
	view.line("[1]");
	view.line(R"({"event":{"dataset":"weir.violation"},"@timestamp":"then"})");
	view.line(good);
	EXPECT_THAT(screen.shown, SizeIs(2));
	EXPECT_THAT(screen.warned, SizeIs(4));
	EXPECT_EQ(screen.warned.at(0), "line 2: not a record of weir: {\"@timestamp\":\xef\xbf\xbd[2J\n");
	EXPECT_THAT(screen.warned.at(3), HasSubstr("line 5:"));
}

TEST(EventsView, CountEnds)
{
	Screen screen;
	auto view = screen.view({}, {.json = true, .count = 2});
	for (std::uint32_t pid = 1; pid < 5; pid++)
		view.line(record(pid));
	EXPECT_TRUE(view.done());
	EXPECT_THAT(screen.shown, SizeIs(2));
}

class Follow : public testing::Test {
protected:
	void SetUp() override
	{
		std::string name = testing::TempDir() + "weir-follow-XXXXXX";
		directory_ = ::mkdtemp(name.data());
		path_ = directory_ / "default.jsonl";
	}
	void TearDown() override { std::filesystem::remove_all(directory_); }
	void append(const std::string &text) { std::ofstream(path_, std::ios::app) << text; }
	/// What a round shows, as the pids of the records.
	std::vector<std::string> round()
	{
		screen_.shown.clear();
		EXPECT_TRUE(follower().take(view_).has_value());
		std::vector<std::string> pids;
		for (const auto &line : screen_.shown) {
			const auto begin = line.find("\"pid\":") + 6;
			pids.push_back(line.substr(begin, line.find_first_of(",}", begin) - begin));
		}
		return pids;
	}
	Follower &follower()
	{
		if (!follower_)
			follower_.emplace(path_.string());
		return *follower_;
	}

	std::filesystem::path directory_, path_;
	Screen screen_;
	EventsView view_ = screen_.view();
	std::optional<Follower> follower_;
};

TEST_F(Follow, FileThatDoesNotExistYet)
{
	EXPECT_THAT(round(), IsEmpty());
	EXPECT_FALSE(follower().is_open());
	append(record(1));
	EXPECT_THAT(round(), ElementsAre("1"));
	EXPECT_THAT(round(), IsEmpty());
}

TEST_F(Follow, TornLineWaitsForItsEnd)
{
	const auto line = record(7);
	append(record(1) + line.substr(0, 100));
	EXPECT_THAT(round(), ElementsAre("1"));
	append(line.substr(100, 50));
	EXPECT_THAT(round(), IsEmpty());
	append(line.substr(150));
	EXPECT_THAT(round(), ElementsAre("7"));
	EXPECT_THAT(screen_.warned, IsEmpty());
}

TEST_F(Follow, OverRotation)
{
	append(record(1));
	EXPECT_THAT(round(), ElementsAre("1"));
	const auto old = directory_ / "default.jsonl.1";
	std::filesystem::rename(path_, old);
	EXPECT_THAT(round(), IsEmpty());
	append(""); // logrotate's `create`: the writer has not been told yet, and goes on with the old file
	std::ofstream(old, std::ios::app) << record(2);
	EXPECT_THAT(round(), ElementsAre("2"));
	std::ofstream(old, std::ios::app) << record(3);
	append(record(4));
	EXPECT_THAT(round(), ElementsAre("3", "4"));
	append(record(5));
	EXPECT_THAT(round(), ElementsAre("5"));
	EXPECT_THAT(screen_.warned, IsEmpty());
}

TEST_F(Follow, OverTruncation)
{
	append(record(1) + record(2));
	EXPECT_THAT(round(), ElementsAre("1", "2"));
	std::filesystem::resize_file(path_, 0); // logrotate's `copytruncate`
	append(record(3));
	EXPECT_THAT(round(), ElementsAre("3"));
}

TEST_F(Follow, TornEndOfAFileThatIsNotFollowed)
{
	append(record(1) + "{\"@time");
	EXPECT_THAT(round(), ElementsAre("1"));
	follower().finish(view_);
	EXPECT_THAT(screen_.warned, ElementsAre(HasSubstr("line 2: has no end")));
}

TEST_F(Follow, EndlessLineDoesNotFillTheMemory)
{
	append(std::string(3u << 20, 'x'));
	EXPECT_THAT(round(), IsEmpty());
	append("\n" + record(1));
	EXPECT_THAT(round(), ElementsAre("1"));
	EXPECT_THAT(screen_.warned, SizeIs(1));
}

} // namespace
} // namespace weir::audit
