// SPDX-License-Identifier: Apache-2.0
// The daemon and the components: what is told of those that come and go, and how often.
#include "run_fixture.h"

namespace weir::daemon {
namespace {

using What = kernel::ComponentChange::What;

class RunComponents : public Run {
protected:
	static kernel::Followed one(What what, std::string text)
	{
		kernel::Followed followed;
		followed.policy.scopes = {{"container:node-*", {"node"}}};
		followed.changes.push_back({.what = what,
					    .scope = 0,
					    .cgroup = what == What::gone ? "" : "/sys/fs/cgroup/node-1",
					    .text = std::move(text),
					    .gap_ns = 1'234'567,
					    .processes = 2,
					    .sockets = 1});
		return followed;
	}
	[[nodiscard]] std::vector<Json> told() const { return records(file_, "weir.component"); }
};

TEST_F(RunComponents, HeldIsTheRecordOfTheGap)
{
	fake().follows.emplace_back(one(What::held, "holds it"));
	poll(1);
	ASSERT_TRUE(run().has_value());
	ASSERT_EQ(told().size(), 1u);
	const auto record = told()[0];
	EXPECT_EQ(record["event"]["action"], "component_held");
	EXPECT_EQ(record["event"]["outcome"], "success");
	EXPECT_EQ(record["event"]["reason"], "holds it");
	EXPECT_EQ(record["event"]["duration"], 1'234'567);
	EXPECT_EQ(record["weir"]["component"], (Json{{"name", {"node"}},
						     {"where", "container:node-*"},
						     {"cgroup", "/sys/fs/cgroup/node-1"},
						     {"gap_us", 1234},
						     {"processes_before", 2},
						     {"sockets_before", 1}}));
	EXPECT_EQ(record["weir"]["instance"], "default");
	EXPECT_NE(said_.find("components: holds it"), std::string::npos) << said_;
}

TEST_F(RunComponents, GoneHasNeitherCgroupNorGap)
{
	fake().follows.emplace_back(one(What::gone, "it was removed"));
	poll(1);
	ASSERT_TRUE(run().has_value());
	ASSERT_EQ(told().size(), 1u);
	EXPECT_EQ(told()[0]["event"]["action"], "component_gone");
	EXPECT_EQ(told()[0]["weir"]["component"], (Json{{"name", {"node"}}, {"where", "container:node-*"}}));
}

TEST_F(RunComponents, ProblemIsToldOnceAndItsEndToo)
{
	for (int i = 0; i < 3; i++)
		fake().follows.emplace_back(one(What::ambiguous, "two match"));
	// One look at the start; the others each second, or by the fake kernel's clock: so let the daemon tick.
	poll(1, [] { ::sleep(1); });
	poll(1, [] { ::sleep(1); });
	poll(1, [] { ::sleep(1); });
	poll(1);
	ASSERT_TRUE(run().has_value());
	const auto all = told();
	ASSERT_EQ(all.size(), 2u) << said_;
	EXPECT_EQ(all[0]["event"]["action"], "component_ambiguous");
	EXPECT_EQ(all[0]["event"]["outcome"], "failure");
	EXPECT_EQ(all[1]["event"]["action"], "component_solved");
}

TEST_F(RunComponents, FailureToFollowIsToldAndAbsenceIsNot)
{
	fake().follows.emplace_back(fail("no cgroup2"));
	poll(1);
	ASSERT_TRUE(run().has_value());
	ASSERT_EQ(told().size(), 1u);
	EXPECT_EQ(told()[0]["event"]["action"], "component_unheld");
	EXPECT_NE(told()[0]["event"]["reason"].get<std::string>().find("no cgroup2"), std::string::npos);

	fs::remove(file_);
	fake() = {};
	fake().follows.emplace_back(fail(Exit::absent, "not loaded"));
	poll(1);
	ASSERT_TRUE(run().has_value());
	EXPECT_TRUE(told().empty());
}

TEST_F(RunComponents, WithoutAWatchItLooksEachSecondAndSaysSo)
{
	fake().no_component_watch = true;
	poll(1);
	ASSERT_TRUE(run().has_value());
	EXPECT_GE(fake().followed, 1);
	EXPECT_NE(said_.find("looks for them each second: no inotify here"), std::string::npos) << said_;
}

TEST_F(RunComponents, RecordsAreShownToPeople)
{
	fake().follows.emplace_back(one(What::ambiguous, "two match:\n  a\n  b"));
	poll(1);
	ASSERT_TRUE(run().has_value());
	const auto line = audit::for_people(told().at(0).dump(), false);
	ASSERT_TRUE(line.has_value()) << line.error().message;
	EXPECT_NE(line->find("PLACE    two match: a; b"), std::string::npos) << *line;
}

} // namespace
} // namespace weir::daemon
