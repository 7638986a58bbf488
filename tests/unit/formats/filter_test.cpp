// SPDX-License-Identifier: Apache-2.0
// Choosing among records of every kind. (Here, where there is one of each.)
#include "samples.h"

#include "audit/events_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::formats {
namespace {

using audit::Filter;
using Json = nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

/// The actions of what is shown.
std::vector<std::string> chosen(const Filter &filter, const std::vector<std::string> &lines, bool json = true)
{
	std::vector<std::string> actions;
	audit::EventsView view(
		filter, {.json = json},
		[&](std::string_view line) {
			actions.push_back(json ? Json::parse(line)["event"]["action"].get<std::string>()
					       : std::string(line));
		},
		[](std::string_view warning) { ADD_FAILURE() << warning; });
	for (const auto &line : lines)
		view.line(bare(line));
	return actions;
}

TEST(Filters, EachKindIsChosenByItsName)
{
	const auto all = all_records();
	std::size_t sum = 0;
	for (const char *kind : audit::kinds) {
		const auto some = chosen({.kinds = {kind}}, all);
		EXPECT_FALSE(some.empty()) << kind;
		sum += some.size();
	}
	EXPECT_EQ(sum, all.size());
	EXPECT_EQ(chosen({.kinds = {"window", "loss"}}, all).size(), 6u);
	EXPECT_THAT(chosen({.kinds = {"policy_remove"}}, all), ElementsAre("policy_remove"));
	EXPECT_THAT(chosen({.kinds = {"window"}}, {loss_line()}, false), IsEmpty()) << "kinds were chosen";
}

TEST(Filters, EachKindIsOneLineForPeople)
{
	for (const auto &line : all_records()) {
		const auto shown = audit::for_people(bare(line), false);
		ASSERT_TRUE(shown) << line;
		EXPECT_EQ(shown->find('\n'), std::string::npos) << *shown;
		EXPECT_GT(shown->size(), std::string_view("12:03:04.123 SIGNED   ").size()) << *shown;
	}
}

TEST(Filters, TimeIsHalfOpen)
{
	const std::vector<std::string> lines{integrity_line("not_as_published", 1000),
					     integrity_line("as_published", 2000)};
	EXPECT_THAT(chosen({.since = 1000, .until = 2000}, lines), ElementsAre("not_as_published"));
	EXPECT_THAT(chosen({.since = 2000, .until = 2001}, lines), ElementsAre("as_published"));
}

TEST(Filters, WhatAWindowAdmittedIsChosenLikeARefusal)
{
	const std::vector<std::string> lines{admission_line(), audit::line_of(audit::refused_packet())};
	const auto is_chosen = [&](const Filter &filter) { return chosen(filter, lines).size() == 1; };
	EXPECT_TRUE(is_chosen({.kinds = {"admission"}}));
	EXPECT_TRUE(is_chosen({.kinds = {"window_connection"}}));
	EXPECT_TRUE(is_chosen({.pid = 1234, .process = "apt"}));
	EXPECT_TRUE(is_chosen({.row = "web-tcp"}));
	EXPECT_TRUE(is_chosen({.peers = {*Prefix::parse("198.51.100.0/24")}}));
	EXPECT_FALSE(is_chosen({.row = "web-udp"}));
	EXPECT_THAT(chosen({.reason = "no_row"}, {admission_line()}), IsEmpty());
	EXPECT_THAT(chosen({.row = "web-tcp"}, {summed_admission_line()}), IsEmpty()) << "nobody knows";
}

TEST(Filters, PeerIsTheOtherEndWhicheverWay)
{
	const auto out = audit::line_of(audit::refused_connect()), in = audit::line_of(audit::refused_packet());
	const auto peer = [](const char *text) { return Filter{.peers = {*Prefix::parse(text)}}; };
	EXPECT_THAT(chosen(peer("203.0.113.0/24"), {out, in}), ElementsAre("connect"));
	EXPECT_THAT(chosen(peer("2001:db8:0:1::2"), {out, in}), ElementsAre("packet"));
	EXPECT_THAT(chosen(peer("2001:db8::1"), {out, in}), IsEmpty()) << "this host's own";
	// A change: what became reachable, or ceased to be.
	const auto change = policy_line("policy_apply", "1", "2");
	EXPECT_THAT(chosen(peer("192.0.2.10"), {change}), ElementsAre("policy_apply"));
	EXPECT_THAT(chosen(peer("192.0.2.11"), {change}), ElementsAre("policy_apply"));
	EXPECT_THAT(chosen(peer("192.0.2.12"), {change}), IsEmpty());
	EXPECT_THAT(chosen({.row = "more"}, {change, out}), ElementsAre("policy_apply"));
	EXPECT_THAT(chosen({.row = "mor"}, {change}), IsEmpty());
	EXPECT_THAT(chosen({.gate = "edge", .row = "more"}, {change}), IsEmpty()) << "a change is of no gate";
	EXPECT_THAT(chosen({.row = "row-1"}, {audit::line_of(audit::refused_connect(), {}, "row-1"), out}),
		    ElementsAre("connect"));
}

TEST(Filters, APeersNameHasTheAddressesThatRecordsSay)
{
	auto event = audit::refused_connect();
	audit::set_address(event.remote, "192.0.2.10");
	const auto refused = audit::line_of(event);
	const auto changed = made([](std::string &out) {
		audit::append_name_json(out,
					{.action = "name_changed",
					 .name = "researcher",
					 .host = "researcher.example.org",
					 .text = "changed",
					 .before = {"192.0.2.9"},
					 .after = {"192.0.2.10"}},
					"default", sample_time);
	});
	EXPECT_THAT(chosen({.peer_name = "researcher"}, {refused, changed, refused}),
		    ElementsAre("name_changed", "connect"));
	EXPECT_THAT(chosen({.peer_name = "researcher.example.org"}, {changed, refused}),
		    ElementsAre("name_changed", "connect"));
	EXPECT_THAT(chosen({.peer_name = "other"}, {changed, refused}), IsEmpty());
	EXPECT_THAT(chosen({.since = sample_time - 1, .kinds = {"violation"}, .peer_name = "researcher"},
			   {changed, refused}),
		    ElementsAre("connect"))
		<< "learned of what is not shown, too";
}

} // namespace
} // namespace weir::formats
