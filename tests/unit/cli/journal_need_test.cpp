// SPDX-License-Identifier: Apache-2.0
#include "cli/journal_need.h"

#include "cli/ssh_guard.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <filesystem>

namespace weir::cli {
namespace {

constexpr std::uint64_t second = 1'000'000'000, now = 5000 * second;

BoundRow row_in(std::uint16_t port, bool needs_journal)
{
	BoundRow row;
	row.row.id = "in-" + std::to_string(port);
	row.row.dir = Direction::in;
	row.row.port = {IPPROTO_TCP, port, port};
	row.row.needs_journal = needs_journal;
	row.peers = {*Prefix::parse("192.0.2.0/24")};
	return row;
}

BoundPolicy policy(bool ssh_needs_journal)
{
	BoundPolicy policy;
	policy.scenario = "s";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	policy.rows = {row_in(22, ssh_needs_journal), row_in(9000, true)};
	return policy;
}

weir_lease lease(std::uint64_t until, const std::string &problem = "")
{
	weir_lease lease{};
	lease.until = until;
	problem.copy(lease.problem, sizeof(lease.problem) - 1);
	return lease;
}

TEST(JournalNeed, SaysWhetherAndWhyAndWhatToDo)
{
	const auto asked = [](const weir_lease &lease, bool has_reader) {
		return need_of(policy(false), lease, has_reader, now, "default");
	};
	EXPECT_TRUE(asked(lease(now + 1), true).open);
	EXPECT_EQ(text_of(asked(lease(now + 1), true)), "1 row needs the journal: it is written");
	EXPECT_FALSE(asked(lease(now), true).open);
	EXPECT_EQ(text_of(asked(lease(now - 90 * second), true)),
		  "1 row needs the journal, and is CLOSED since 90 s: weir run does not say that it is written: it is "
		  "stopped, or waits for its disk\n  look at it: systemctl status weir-events@default");
	EXPECT_EQ(asked(lease(now, "No space left on device"), true).why, "No space left on device");
	EXPECT_EQ(text_of(asked(lease(0), false)),
		  "1 row needs the journal, and is CLOSED: no weir run is there to write it\n"
		  "  start it: systemctl start weir-events@default, or weir run --journal DIR");
	const auto facts = as_json(asked(lease(0), false));
	EXPECT_EQ(facts.at("open"), false);
	EXPECT_EQ(facts.at("rows"), 1);
	EXPECT_TRUE(need_of({}, lease(0), false, now, "default").open) << "who needs nothing lacks nothing";
}

TEST(JournalNeed, WarnsOfTheWayInAndOfAJournalThatIsNotThere)
{
	Context context;
	context.journal = testing::TempDir() + "weir-no-journal-" + std::to_string(::getpid());
	auto warnings = need_warnings(policy(true), context);
	ASSERT_EQ(warnings.size(), 2U);
	EXPECT_NE(warnings[0].find("row in-22 lets SSH in only while the journal is written"), std::string::npos);
	EXPECT_NE(warnings[1].find("weir journal init " + context.journal), std::string::npos) << warnings[1];
	EXPECT_EQ(need_warnings(policy(false), context).size(), 1U);
	EXPECT_TRUE(need_warnings({}, context).empty());
}

/// Whoever has to repair the journal comes by this connection.
TEST(JournalNeed, TheSshGuardDoesNotCountOnTheJournal)
{
	const Connection connection{*Address::parse("192.0.2.2"), *Address::parse("192.0.2.66"), 22, 51234};
	const Way way{.zone = zone_network, .interface = "eth0", .passes_edge = true, .cgroups = {0}};
	for (const bool needs : {false, true}) {
		const auto site = policy(needs);
		EXPECT_EQ(where_cut(connection, way, site, compile(site).value()).has_value(), needs);
	}
}

} // namespace
} // namespace weir::cli
