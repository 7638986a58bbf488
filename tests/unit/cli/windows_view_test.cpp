// SPDX-License-Identifier: Apache-2.0
#include "cli/windows_view.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace weir::cli {
namespace {

constexpr std::uint64_t one_second = 1'000'000'000;
constexpr Moment moment{.unix_ns = 1795521783LL * 1'000'000'000, .boot_ns = 5000 * one_second};

BoundPolicy policy()
{
	BoundPolicy policy;
	BoundRow row;
	row.row.id = "install-https";
	row.row.source = "node";
	row.row.destination = "Internet";
	row.row.port = {6, 443, 443};
	policy.windows = {{"installation", 14400, {row}}};
	row.window = "installation";
	row.deadline = 5090 * one_second;
	policy.rows = {row};
	policy.openings = {
		{"installation", moment.unix_ns - 900'000'000'000, moment.unix_ns, 4100 * one_second, "alice",
		 "the first time"},
		{"keys", moment.unix_ns - 800'000'000'000, moment.unix_ns, 9000 * one_second, "bob", "keys",
		 moment.unix_ns, "carol", "done"},
		{"installation", moment.unix_ns - 10'000'000'000, 0, 5090 * one_second, "alice", "the second time"}};
	return policy;
}

TEST(WindowsView, ForMachines)
{
	const auto facts = windows_json(policy(), moment);
	ASSERT_EQ(facts["open"].size(), 1U) << facts;
	EXPECT_EQ(facts["open"][0]["seconds_left"], 90);
	EXPECT_EQ(facts["open"][0]["until"], "2026-11-24T12:04:33.000000000Z") << "by the clocks of now";
	EXPECT_EQ(facts["open"][0]["rows"][0]["id"], "install-https");
	ASSERT_EQ(facts["ended"].size(), 2U) << facts;
	EXPECT_EQ(facts["ended"][0]["how"], "expired");
	EXPECT_EQ(facts["ended"][0]["ended"], "2026-11-24T11:48:03.000000000Z");
	EXPECT_EQ(facts["ended"][1]["how"], "closed");
	EXPECT_EQ(facts["ended"][1]["closed_by"], "carol");
	EXPECT_EQ(facts["allowed"][0]["longest_seconds"], 14400);
}

TEST(WindowsView, ForPeople)
{
	::setenv("TZ", "UTC", 1);
	::tzset();
	EXPECT_EQ(open_windows_text(policy(), moment),
		  "  installation: open until 2026-11-24 12:04:33 UTC, 1m30s left; since 2026-11-24 12:02:53 UTC\n"
		  "    by alice: the second time\n");
	EXPECT_EQ(allowed_windows_text(policy()),
		  "  installation: for at most 4h\n    install-https: out node -> Internet TCP/443\n");
	EXPECT_NE(ended_windows_text(policy(), moment).find("closed by carol: done"), std::string::npos);
	EXPECT_EQ(open_windows_text({}, moment), "");
}

TEST(WindowRequest, HasTheMomentAndTheWords)
{
	const auto request = window_request("installation", "1h30m", "upgrade", true, "alice", moment);
	ASSERT_TRUE(request.has_value()) << request.error().message;
	EXPECT_EQ(request->seconds, 5400U);
	EXPECT_EQ(request->boot_ns, moment.boot_ns);
	EXPECT_TRUE(request->extend);
}

TEST(WindowRequest, WhatIsWrongIsTheCommandLine)
{
	struct Wrong {
		const char *name, *length, *reason, *says;
	};
	for (const auto &[name, length, reason, says] :
	     {Wrong{"", "1h", "r", "name"}, Wrong{"a b", "1h", "r", "name"}, Wrong{"a", "", "r", "--for"},
	      Wrong{"a", "-1h", "r", "negative"}, Wrong{"a", "0h", "r", "no time"}, Wrong{"a", "1", "r", "unit"},
	      Wrong{"a", "25h", "r", "longer than a day"}, Wrong{"a", "1h", "", "--reason"},
	      Wrong{"a", "1h", " x", "--reason"}, Wrong{"a", "1h", "\x7f", "--reason"},
	      Wrong{"a", "1h", "\xe2\x80\xae", "--reason"}, Wrong{"a", "1h", "\xc3", "--reason"}}) {
		const auto request = window_request(name, length, reason, false, "alice", moment);
		ASSERT_FALSE(request.has_value()) << name << length << reason;
		EXPECT_EQ(request.error().code, Exit::usage);
		EXPECT_NE(request.error().message.find(says), std::string::npos) << request.error().message;
		EXPECT_NE(request.error().message.find("\n  "), std::string::npos)
			<< "what to do: " << request.error().message;
	}
	EXPECT_TRUE(check_reason(std::string(200, 'x')).has_value());
	EXPECT_FALSE(check_reason(std::string(201, 'x')).has_value());
}

} // namespace
} // namespace weir::cli
