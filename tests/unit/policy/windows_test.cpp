// SPDX-License-Identifier: Apache-2.0
#include "policy/windows.h"

#include "bad_file.h"
#include "policy/hosts.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

namespace weir::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t booted = 5000 * second; ///< now, on the boot clock
constexpr std::int64_t today = 1'790'000'000LL * 1'000'000'000; ///< now

BoundRow row(const std::string &id)
{
	BoundRow out;
	out.row.id = id;
	out.row.source = "node";
	out.row.destination = "r";
	out.row.port = {6, 80, 80};
	out.row.type = "host";
	out.peers = {*Prefix::parse("192.0.2.1")};
	return out;
}

BoundPolicy windows_policy()
{
	BoundPolicy out{"s", "T", {{"/c", {"node"}, true}}, {row("a"), row("b")}, {}};
	out.windows = {{"installation", 3600, {row("http@node"), row("https@node")}},
		       {"key-negotiation", 600, {row("key@node")}}};
	return out;
}

WindowRequest request(const std::string &name, std::uint32_t seconds, std::uint64_t later = 0)
{
	return {name,
		seconds,
		"alice",
		"because",
		false,
		today + static_cast<std::int64_t>(later * second),
		booted + later * second};
}

WindowRequest extension(const std::string &name, std::uint32_t seconds, std::uint64_t later)
{
	WindowRequest out = request(name, seconds, later);
	out.extend = true;
	out.by = "bob";
	out.reason = "not done";
	return out;
}

BoundPolicy opened(const BoundPolicy &before, const WindowRequest &how)
{
	auto after = open_window(before, how);
	EXPECT_TRUE(after) << after.error().message;
	return after.value_or(before);
}

/// "ID" of a row that holds for good, "ID+SECONDS" from `booted` of one of a window.
std::vector<std::string> told(const BoundPolicy &policy)
{
	std::vector<std::string> out;
	for (const BoundRow &bound : policy.rows)
		out.push_back(bound.deadline == 0
				      ? bound.row.id
				      : bound.row.id + '+' + std::to_string((bound.deadline - booted) / second));
	return out;
}

std::string refusal(const Result<BoundPolicy> &result, Exit code = Exit::policy)
{
	if (result)
		return "no error";
	EXPECT_EQ(result.error().code, code);
	return result.error().message;
}

TEST(Window, ItsRowsComeBehindAllOthersWithTheirEnd)
{
	const BoundPolicy after = opened(windows_policy(), request("installation", 1800));
	EXPECT_THAT(told(after), ElementsAre("a", "b", "http@node+1800", "https@node+1800"));
	EXPECT_EQ(after.rows[2].window, "installation");
	EXPECT_EQ(after.windows[0].rows[0].deadline, 0u); // may be opened again
	ASSERT_EQ(after.openings.size(), 1u);
	const Opening &opening = after.openings[0];
	EXPECT_EQ(opening.window, "installation");
	EXPECT_EQ(opening.opened, today);
	EXPECT_EQ(opening.ends, today + 1800LL * 1'000'000'000);
	EXPECT_EQ(opening.deadline, booted + 1800 * second);
	EXPECT_EQ(opening.by, "alice");
	EXPECT_EQ(opening.reason, "because");
	EXPECT_EQ(opening.closed, 0);
}

TEST(Window, OfWhatTheSiteDoesNotAllow)
{
	EXPECT_EQ(refusal(open_window(windows_policy(), request("instalation", 60))),
		  "the policy in force has no window \"instalation\"\n  did you mean \"installation\"?");
	EXPECT_EQ(refusal(open_window(windows_policy(), request("x", 60))),
		  "the policy in force has no window \"x\"\n  there are: installation, key-negotiation");
	BoundPolicy none = windows_policy();
	none.windows.clear();
	EXPECT_EQ(refusal(open_window(none, request("x", 60))),
		  "the policy in force has no window \"x\"\n  a site allows one: [windows.x]");
	EXPECT_EQ(refusal(open_window(windows_policy(), request("key-negotiation", 601))),
		  "10m1s is longer than the site allows for \"key-negotiation\"\n  open it for at most 10m");
	EXPECT_TRUE(open_window(windows_policy(), request("key-negotiation", 600)));
	EXPECT_EQ(refusal(open_window(windows_policy(), request("installation", 0)), Exit::usage),
		  "a window of no time is none\n  say how long, such as: --for 30m");
	WindowRequest silent = request("installation", 60);
	for (const char *reason : {"", "a\nb", "\x1b[2J", "\xff"}) {
		silent.reason = reason;
		EXPECT_TRUE(refusal(open_window(windows_policy(), silent), Exit::usage).starts_with("the reason "))
			<< reason;
	}
}

TEST(Window, AnOverlappingOneExtendsNothing)
{
	const BoundPolicy open = opened(windows_policy(), request("installation", 1800));
	EXPECT_EQ(refusal(open_window(open, request("installation", 3600, 60))),
		  "the window \"installation\" is open already, by alice: because\n"
		  "  close it, or give it another end with --extend");
	// Another window has an end of its own.
	const BoundPolicy both = opened(open, request("key-negotiation", 600, 60));
	EXPECT_THAT(told(both), ElementsAre("a", "b", "http@node+1800", "https@node+1800", "key@node+660"));
}

TEST(Window, ExtendingReplacesTheEnd)
{
	const BoundPolicy open = opened(windows_policy(), request("installation", 1800));
	const BoundPolicy later = opened(open, extension("installation", 3600, 600));
	EXPECT_THAT(told(later), ElementsAre("a", "b", "http@node+4200", "https@node+4200"));
	const BoundPolicy sooner = opened(open, extension("installation", 60, 600));
	EXPECT_THAT(told(sooner), ElementsAre("a", "b", "http@node+660", "https@node+660"));
	// Never past what is allowed from now, however often.
	EXPECT_EQ(refusal(open_window(open, extension("installation", 3601, 600))),
		  "1h1s is longer than the site allows for \"installation\"\n  open it for at most 1h");
	ASSERT_EQ(later.openings.size(), 2u);
	EXPECT_EQ(later.openings[0].closed_by, "bob");
	EXPECT_EQ(later.openings[0].closed_reason, "another end: not done");
	EXPECT_EQ(later.openings[1].opened, today); // open since then
	EXPECT_EQ(later.openings[1].ends, today + 4200LL * 1'000'000'000);
	EXPECT_EQ(later.openings[1].by, "bob");
	EXPECT_EQ(open_now(later, booted + 601 * second).size(), 1u);
}

TEST(Window, WhatIsNotOpenIsNotExtended)
{
	constexpr const char *message = "the window \"installation\" is not open: there is nothing to extend\n"
					"  open it without --extend";
	EXPECT_EQ(refusal(open_window(windows_policy(), extension("installation", 60, 0))), message);
	// Nor what has expired, even where its rows were not taken out yet.
	const BoundPolicy open = opened(windows_policy(), request("installation", 60));
	EXPECT_EQ(refusal(open_window(open, extension("installation", 60, 60))), message);
	const auto closed = close_window(open, "installation", "alice", "done", today);
	EXPECT_EQ(refusal(open_window(closed.value(), extension("installation", 60, 1))), message);
}

TEST(Window, OpenedAgainAfterItExpired)
{
	const BoundPolicy open = opened(windows_policy(), request("installation", 60));
	const BoundPolicy again = opened(open, request("installation", 60, 60));
	EXPECT_THAT(told(again), ElementsAre("a", "b", "http@node+120", "https@node+120"));
	EXPECT_EQ(again.openings.size(), 2u);
	EXPECT_EQ(again.openings[1].opened, today + 60LL * 1'000'000'000);
	EXPECT_EQ(open_now(again, booted + 61 * second).size(), 1u);
}

TEST(Window, Closed)
{
	const BoundPolicy both =
		opened(opened(windows_policy(), request("installation", 1800)), request("key-negotiation", 600));
	const auto after = close_window(both, "installation", "carol", "done", today + 7);
	ASSERT_TRUE(after) << after.error().message;
	EXPECT_THAT(told(*after), ElementsAre("a", "b", "key@node+600"));
	EXPECT_EQ(after->openings[0].closed, today + 7);
	EXPECT_EQ(after->openings[0].closed_by, "carol");
	EXPECT_EQ(after->openings[0].closed_reason, "done");
	EXPECT_EQ(after->openings[1].closed, 0);
	EXPECT_EQ(open_now(*after, booted).size(), 1u);
	EXPECT_EQ(refusal(close_window(*after, "installation", "carol", "done", today + 8)),
		  "the window \"installation\" is not open\n  weir window list shows which are");
	EXPECT_EQ(refusal(close_window(*after, "instalation", "carol", "done", today + 8)),
		  "the policy in force has no window \"instalation\"\n  did you mean \"installation\"?");
}

TEST(Window, ExpiresAtItsEndAndNotBefore)
{
	const BoundPolicy both =
		opened(opened(windows_policy(), request("installation", 1800)), request("key-negotiation", 600));
	EXPECT_FALSE(without_expired(both, booted + 600 * second - 1));
	const auto one = without_expired(both, booted + 600 * second);
	ASSERT_TRUE(one);
	EXPECT_THAT(told(*one), ElementsAre("a", "b", "http@node+1800", "https@node+1800"));
	EXPECT_EQ(one->openings[1].closed, 0); // nobody closed it
	EXPECT_FALSE(without_expired(*one, booted + 600 * second));
	const auto none = without_expired(*one, ~std::uint64_t{0});
	ASSERT_TRUE(none);
	EXPECT_EQ(canonical(*none).substr(0, canonical(windows_policy()).size() - 1),
		  canonical(windows_policy()).substr(0, canonical(windows_policy()).size() - 1));
	EXPECT_FALSE(without_expired(windows_policy(), ~std::uint64_t{0}));
	EXPECT_THAT(open_now(both, booted + 600 * second), testing::SizeIs(1));
	EXPECT_THAT(open_now(both, booted + 1800 * second), IsEmpty());
}

TEST(CarriedWindow, KeepsItsEnd)
{
	const BoundPolicy old = opened(windows_policy(), request("installation", 1800));
	BoundPolicy fresh = windows_policy();
	fresh.rows = {row("c")};
	fresh.windows[0].rows = {row("other@node")}; // as the new policy has it
	const BoundPolicy after = carry_windows(old, fresh, booted + 60 * second, today + 60);
	EXPECT_THAT(told(after), ElementsAre("c", "other@node+1800"));
	EXPECT_EQ(after.openings.size(), 1u);
	EXPECT_EQ(after.openings[0].deadline, old.openings[0].deadline);
	EXPECT_EQ(after.openings[0].ends, old.openings[0].ends);
	// As often as one likes: it is never open for longer.
	EXPECT_THAT(told(carry_windows(after, fresh, booted + 120 * second, today + 120)),
		    ElementsAre("c", "other@node+1800"));
}

TEST(CarriedWindow, NoLongerThanTheNewPolicyAllows)
{
	const BoundPolicy old = opened(windows_policy(), request("installation", 1800));
	BoundPolicy fresh = windows_policy();
	fresh.windows[0].longest = 600;
	const BoundPolicy after = carry_windows(old, fresh, booted + 60 * second, today);
	EXPECT_THAT(told(after), ElementsAre("a", "b", "http@node+660", "https@node+660"));
	EXPECT_EQ(after.openings[0].deadline, booted + 660 * second);
	EXPECT_EQ(after.openings[0].ends, today + 660LL * 1'000'000'000);
	// And what ends sooner does not get longer by it.
	EXPECT_THAT(told(carry_windows(old, fresh, booted + 1700 * second, today)),
		    ElementsAre("a", "b", "http@node+1800", "https@node+1800"));
}

TEST(CarriedWindow, IsClosedWhereTheNewPolicyHasNone)
{
	const BoundPolicy old = opened(windows_policy(), request("installation", 1800));
	BoundPolicy fresh = windows_policy();
	fresh.windows.erase(fresh.windows.begin());
	const BoundPolicy after = carry_windows(old, fresh, booted + 60 * second, today + 60);
	EXPECT_THAT(told(after), ElementsAre("a", "b"));
	ASSERT_EQ(after.openings.size(), 1u);
	EXPECT_EQ(after.openings[0].closed, today + 60);
	EXPECT_EQ(after.openings[0].closed_by, "weir apply");
	EXPECT_EQ(after.openings[0].closed_reason, "the policy that was applied has no such window");
	// A third policy that has it again does not open it.
	EXPECT_THAT(told(carry_windows(after, windows_policy(), booted + 61 * second, today + 61)),
		    ElementsAre("a", "b"));
}

TEST(CarriedWindow, NotWhatIsOver)
{
	const BoundPolicy expired = opened(windows_policy(), request("installation", 60));
	EXPECT_THAT(told(carry_windows(expired, windows_policy(), booted + 60 * second, today)), ElementsAre("a", "b"));
	const auto closed = close_window(expired, "installation", "alice", "done", today);
	const BoundPolicy after = carry_windows(closed.value(), windows_policy(), booted + 1, today);
	EXPECT_THAT(told(after), ElementsAre("a", "b"));
	EXPECT_EQ(after.openings.size(), 1u); // the history stays
	const BoundPolicy extended =
		opened(opened(windows_policy(), request("installation", 60)), extension("installation", 120, 30));
	EXPECT_THAT(told(carry_windows(extended, windows_policy(), booted + 40 * second, today)),
		    ElementsAre("a", "b", "http@node+150", "https@node+150")); // once
}

TEST(WindowHistory, IsBoundAndForgetsTheOldestThatIsOver)
{
	BoundPolicy now = opened(windows_policy(), request("installation", 3600));
	for (std::uint64_t round = 0; round < 40; round++) {
		now = opened(now, request("key-negotiation", 1, 10 * round));
		now = without_expired(now, booted + (10 * round + 1) * second).value();
	}
	EXPECT_EQ(now.openings.size(), most_openings);
	EXPECT_EQ(now.openings[0].window, "installation"); // it is open, however long since
	EXPECT_EQ(now.openings[1].opened, today + 250LL * 1'000'000'000);
	EXPECT_EQ(now.openings.back().opened, today + 390LL * 1'000'000'000);
	const BoundPolicy after = carry_windows(now, windows_policy(), booted + 400 * second, today);
	EXPECT_EQ(after.openings.size(), most_openings);
	EXPECT_THAT(told(after), ElementsAre("a", "b", "http@node+3600", "https@node+3600"));
}

TEST(WindowHistory, ThereAndBack)
{
	BoundPolicy now = opened(windows_policy(), request("installation", 3600));
	now = close_window(now, "installation", "carol", "done \"early\"", today + 5).value();
	now = opened(now, request("key-negotiation", 60, 10));
	const auto back = from_canonical(canonical(now));
	ASSERT_TRUE(back) << back.error().message;
	EXPECT_EQ(canonical(*back), canonical(now));
	EXPECT_EQ(told(*back), told(now));
	EXPECT_EQ(back->openings[0].closed, today + 5);
	EXPECT_EQ(back->openings[0].closed_reason, "done \"early\"");
	EXPECT_EQ(back->windows[0].longest, 3600u);
	EXPECT_EQ(back->windows[1].rows[0].row.id, "key@node");
}

TEST(ApprovedText, DoesNotChangeByItself)
{
	const std::string approved = approved_text(windows_policy());
	EXPECT_EQ(approved, canonical(windows_policy()));
	const BoundPolicy open = opened(windows_policy(), request("installation", 3600));
	EXPECT_EQ(approved_text(open), approved);
	EXPECT_EQ(approved_text(close_window(open, "installation", "a", "b", 1).value()), approved);
	BoundPolicy longer = windows_policy();
	longer.windows[0].longest++;
	EXPECT_NE(approved_text(longer), approved);
	BoundPolicy wider = windows_policy();
	wider.windows[0].rows[0].peers = {*Prefix::parse("0.0.0.0/0")};
	EXPECT_NE(approved_text(wider), approved);
}

} // namespace
} // namespace weir::policy
