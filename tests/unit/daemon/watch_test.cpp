// SPDX-License-Identifier: Apache-2.0
// Every change of the policy in force has a record, or is itself one.
#include "run_fixture.h"

#include "audit/note.h"
#include "daemon/read_back.h"
#include "daemon/watch.h"

#include <gmock/gmock.h>

namespace weir::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class WatchTest : public Run {
protected:
	void SetUp() override
	{
		Run::SetUp();
		journal_ = directory_ / "journal";
		ASSERT_TRUE(journal::initialize(journal_));
		fake().digest = "aa";
		start();
	}
	/// A new run, that has the journal's end in mind.
	void start(const std::string &ring = "boot:1")
	{
		records_.reset();
		auto records = Records::open(file_, journal_);
		ASSERT_TRUE(records) << records.error().message;
		records_.emplace(std::move(*records));
		records_->balance().begin(ring, 0);
		records_->balance().count(kernel::Counters(WEIR_COUNTERS), "boot:2");
		watch_.emplace(broker_, journal_);
		read_back_.emplace(where_, journal_);
	}
	void tick()
	{
		testing::internal::CaptureStderr();
		watch_->tick(*records_);
		read_back_->tick(*records_);
		said_ = testing::internal::GetCapturedStderr();
	}
	void sign()
	{
		auto &journal = *records_->journal();
		const auto statement = records_->balance().statement(journal.since_checkpoint(), 0);
		ASSERT_TRUE(journal.checkpoint(R"({"event":{"action":"journal_checkpoint"},"weir":{"checkpoint":)" +
					       journal::json_of(statement) + "}}"));
		records_->balance().stated(statement);
		records_->signed_off();
		ASSERT_TRUE(records_->write_out());
		tick();
	}
	/// weir apply, from one policy to another.
	void apply(const std::string &before, const std::string &after, std::uint32_t generation, bool publish = true)
	{
		const auto json = [](std::uint32_t number, const std::string &digest) {
			return R"({"generation":)" + std::to_string(number) + R"(,"digest":")" + digest + R"("})";
		};
		std::string line;
		audit::append_note_json(line,
					{.dataset = "weir.policy",
					 .action = "policy_apply",
					 .text = "by alice",
					 .facts = R"({"before":)" + json(before.empty() ? 0 : generation - 1, before) +
						  R"(,"after":)" + json(generation, after) + "}"},
					"default", 0);
		ASSERT_TRUE(journal::Spooled::begin(journal_, line)->finish(line));
		if (publish) {
			fake().digest = after;
			fake().generation = generation;
		}
	}
	[[nodiscard]] std::vector<std::string> actions()
	{
		EXPECT_TRUE(records_->write_out());
		std::vector<std::string> all;
		for (const auto *dataset : {"weir.policy", "weir.integrity"})
			for (const auto &each : records(file_, dataset))
				all.push_back(each["event"]["action"]);
		return all;
	}

	std::string journal_;
	std::optional<Records> records_;
	Broker broker_{where_};
	std::optional<Watch> watch_;
	std::optional<ReadBack> read_back_;
};

TEST_F(WatchTest, APolicyThatARecordExplains)
{
	apply("", "aa", 1);
	tick();
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply"));
	apply("aa", "bb", 2);
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_apply"));
	EXPECT_EQ(records_->balance().policy(), "2:bb");
}

TEST_F(WatchTest, OneThatNothingExplainsIsARecordOnce)
{
	tick();
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_unexplained"));
	fake().generation = 2;
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_unexplained", "policy_unexplained"));
	const auto record = records(file_, "weir.policy").back();
	EXPECT_EQ(record["weir"]["policy"]["before"]["generation"], 1);
	EXPECT_EQ(record["weir"]["policy"]["after"]["generation"], 2);
	EXPECT_EQ(record["event"]["outcome"], "unknown");
}

TEST_F(WatchTest, BetweenTwoThatAreExplainedOneThatIsNot)
{
	apply("", "aa", 1);
	tick();
	apply("xx", "bb", 3); // and nobody knows how xx came
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_apply", "policy_unexplained"));
	EXPECT_EQ(records(file_, "weir.policy").back()["weir"]["policy"]["after"]["digest"], "xx");
}

TEST_F(WatchTest, WhatItPublishedItselfIsExplained)
{
	apply("", "aa", 1);
	tick();
	fake().generation = 2;
	fake().digest = "bb";
	BoundRow row;
	row.row.id = "a";
	row.peers = {*Prefix::parse("192.0.2.10")};
	BoundPolicy after;
	after.scopes = {{.cgroup = "/sys/fs/cgroup/node", .components = {"node"}}};
	after.rows = {row};
	BoundPolicy before;
	for (const auto *id : {"idle", "busy", "web"})
		before.rows.emplace_back().row.id = id;
	before.rows.back().window = "installation";
	records_->published({.generation = 2, .digest = "bb", .policy = after, .before = before, .used = {0, 7, 5}});
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_followed"));
	const auto policy = records(file_, "weir.policy").back()["weir"]["policy"];
	EXPECT_EQ(policy["after"]["digest"], "bb");
	EXPECT_EQ(policy["opened"].size(), 1U) << policy;
	EXPECT_EQ(policy["closed"].size(), 0U);
	EXPECT_EQ(policy["used"],
		  Json::parse(R"([{"row":"busy","count":7},{"row":"web","count":5,"window":"installation"}])"))
		<< "by the counters of the policy that it replaced";
}

TEST_F(WatchTest, WhileACommandIsAtWorkItWaits)
{
	apply("", "aa", 1);
	tick();
	auto change = journal::Spooled::begin(journal_, "begun\n");
	fake().generation = 2;
	fake().problems = {"egress is not attached"};
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply"));
	change->drop();
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_unexplained"));
}

TEST_F(WatchTest, ARecordWaitsUntilItsCopyIsSigned)
{
	apply("", "aa", 1);
	tick();
	EXPECT_EQ(journal::spool_of(journal_)->changes.size(), 1U);
	start(); // killed: it comes again
	tick();
	sign();
	EXPECT_TRUE(journal::spool_of(journal_)->changes.empty());
	EXPECT_THAT(actions(), testing::Each("policy_apply"));
}

TEST_F(WatchTest, TheNextRunKnowsWhatWasInForce)
{
	apply("", "aa", 1);
	tick();
	sign();
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply"));
	sign();
	fake().generation = 2; // while no daemon runs
	start();
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_unexplained"));
}

TEST_F(WatchTest, ABootEndsWhatWasInForce)
{
	apply("", "aa", 1);
	tick();
	sign();
	apply("", "aa", 1);
	start("another boot:1");
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_apply", "policy_ended", "policy_apply"));
}

TEST_F(WatchTest, WhatIsNotAsPublishedIsFoundWhenItIsSeenTwice)
{
	apply("", "aa", 1);
	tick();
	fake().problems = {"egress is not attached"};
	start();
	tick();
	EXPECT_THAT(records(file_, "weir.integrity"), IsEmpty()) << "somebody may be changing it";
	::usleep(1'100'000);
	tick();
	EXPECT_THAT(said_, HasSubstr("egress is not attached"));
	ASSERT_TRUE(records_->write_out());
	ASSERT_EQ(records(file_, "weir.integrity").size(), 1U);
	EXPECT_EQ(records(file_, "weir.integrity")[0]["weir"]["integrity"]["problem"], "egress is not attached");
}

TEST_F(WatchTest, ARecordThatSomebodyForgedIsNotTakenForOne)
{
	ASSERT_TRUE(journal::Spooled::begin(journal_, "x")->finish("no record\n"));
	ASSERT_TRUE(journal::Spooled::begin(journal_, "x")->finish("{}\n{}\n"));
	tick();
	EXPECT_THAT(actions(), ElementsAre("policy_unexplained", "change_unreadable", "change_unreadable"));
}

} // namespace
} // namespace weir::daemon
