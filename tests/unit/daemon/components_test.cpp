// SPDX-License-Identifier: Apache-2.0
// The daemon and the components: what is told of those that come and go, and how often.
#include "daemon/components.h"
#include "run_fixture.h"

#include <sys/stat.h>

#include <optional>

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

/// A run that is killed between holding one and writing the record of it leaves it to the next.
class LeftComponents : public RunComponents {
protected:
	void SetUp() override
	{
		RunComponents::SetUp();
		fake().notes = directory_;
		there_ = directory_ / "cgroup";
		fs::create_directory(there_);
		records_.emplace(*Sink::open(file_));
	}
	[[nodiscard]] std::string intent(const std::string &cgroup) const
	{
		struct stat status{};
		::stat(there_.c_str(), &status);
		return "0 " + std::to_string(status.st_ino) + " " + cgroup + "\n";
	}
	void leave(const std::string &text) { std::ofstream(directory_ / kernel::components_note) << text; }
	[[nodiscard]] std::string left() const
	{
		std::ifstream in(directory_ / kernel::components_note);
		return {std::istreambuf_iterator<char>(in), {}};
	}
	/// With one scope, and what changed.
	static kernel::Followed found(std::vector<kernel::ComponentChange> changes = {})
	{
		auto followed = one(What::held, "");
		followed.changes = std::move(changes);
		return followed;
	}
	/// A look, by a run of its own, that writes what it puts if it is not killed before.
	void run_once(bool killed = false)
	{
		Components components{kernel::Where{}};
		components.tick(*records_);
		if (killed) {
			records_->line().clear();
			return;
		}
		ASSERT_TRUE(records_->write_out().value());
		components.written();
	}

	fs::path there_;
	std::optional<Records> records_;
};

TEST_F(LeftComponents, ARecordThatWasNotWrittenIsWrittenByTheNext)
{
	fake().follows = {one(What::held, "holds it"), one(What::gone, "it was removed")};
	run_once(true);
	EXPECT_TRUE(told().empty());
	run_once();
	ASSERT_EQ(told().size(), 2u);
	EXPECT_EQ(told()[0]["event"]["reason"], "holds it");
	EXPECT_EQ(told()[0]["weir"]["component"]["gap_us"], 1234) << "as the one knew it that held it";
	EXPECT_EQ(told()[1]["event"]["action"], "component_gone");
	EXPECT_EQ(left(), "");
	run_once();
	EXPECT_EQ(told().size(), 2u) << "once";
}

TEST_F(LeftComponents, WhatWasHeldWithoutARecordIsTold)
{
	leave(intent(there_));
	fake().follows = {found()};
	run_once();
	ASSERT_EQ(told().size(), 1u);
	EXPECT_EQ(told()[0]["event"]["action"], "component_held");
	EXPECT_EQ(told()[0]["weir"]["component"],
		  (Json{{"name", {"node"}}, {"where", "container:node-*"}, {"cgroup", there_.string()}}))
		<< "how long it was unheld is not known";
	EXPECT_EQ(left(), "");
}

TEST_F(LeftComponents, WhatIsToldOfNowOrIsNoMoreIsNotToldTwice)
{
	leave(intent(there_) + intent("/nowhere") + intent(directory_) + "7 1 /tmp\nnonsense\n");
	fake().follows = {
		found({{.what = What::held, .scope = 0, .cgroup = there_.string(), .text = "holds it", .gap_ns = 1}})};
	run_once();
	ASSERT_EQ(told().size(), 1u);
	EXPECT_EQ(told()[0]["event"]["reason"], "holds it");
}

TEST_F(LeftComponents, ALookThatFailsHalfwayLeavesItToTheNext)
{
	Components components{kernel::Where{}};
	fake().follows = {one(What::held, "holds it"), fail("no cgroup2"), found()};
	components.tick(*records_);
	leave(left() + intent(there_));
	components.tick(*records_);
	components.tick(*records_);
	ASSERT_TRUE(records_->write_out().value());
	std::vector<std::string> reasons;
	for (const auto &each : told())
		if (each["event"]["action"] == "component_held")
			reasons.push_back(each["event"]["reason"]);
	ASSERT_EQ(reasons.size(), 2u) << Json(reasons);
	EXPECT_EQ(reasons[0], "holds it") << "which is not written yet, and is told once";
	EXPECT_NE(reasons[1].find("is not known"), std::string::npos);
}

TEST_F(LeftComponents, WithoutRoomTheyWait)
{
	Components components{kernel::Where{}};
	fake().follows = {one(What::held, "holds it")};
	records_->line().append(Sink::bound, '\n');
	components.tick(*records_);
	components.written(); // what was put before
	EXPECT_NE(left().find("holds it"), std::string::npos);
	records_->line().clear();
	components.tick(*records_);
	ASSERT_TRUE(records_->write_out().value());
	EXPECT_EQ(told().size(), 1u);
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
