// SPDX-License-Identifier: Apache-2.0
// The daemon's journal: each record in it and behind it in the output, every refusal in the sums of its checkpoints.
#include "run_fixture.h"

#include "audit/event.h"
#include "daemon/keeper.h"
#include "journal/files.h"
#include "journal/verify.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstring>

namespace weir::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class RunJournal : public Run {
protected:
	void SetUp() override
	{
		Run::SetUp();
		journal_ = directory_ / "journal";
		const auto key = journal::initialize(journal_);
		ASSERT_TRUE(key) << key.error().message;
		key_ = *key;
	}
	Result<Exit> run(std::string output = "")
	{
		testing::internal::CaptureStderr();
		auto result = daemon::run(
			{.where = where_, .output = output.empty() ? file_.string() : output, .journal = journal_});
		said_ = testing::internal::GetCapturedStderr();
		return result;
	}
	/// Lines of the journal.
	[[nodiscard]] std::vector<std::string> lines() const
	{
		std::vector<std::string> all;
		const auto segments = journal::segments_of(journal_).value();
		for (const auto &each : segments)
			(void)journal::read_lines(each, [&](std::string_view line, bool) {
				all.emplace_back(line);
				return true;
			});
		return all;
	}
	[[nodiscard]] std::vector<Json> with(const std::string &action) const
	{
		std::vector<Json> all;
		for (const auto &line : lines())
			if (auto record = Json::parse(line); record["event"]["action"] == action)
				all.push_back(std::move(record));
		return all;
	}
	[[nodiscard]] std::vector<std::string> actions() const
	{
		std::vector<std::string> all;
		for (const auto &line : lines())
			all.push_back(Json::parse(line)["event"]["action"]);
		return all;
	}
	void expect_whole() const
	{
		const auto verdict = journal::verify({journal_, key_, {}});
		ASSERT_TRUE(verdict) << verdict.error().message;
		for (const auto &each : verdict->findings)
			ADD_FAILURE() << journal::name_of(each.fault) << ": " << each.text;
		EXPECT_EQ(verdict->covered, verdict->last);
	}
	/// Sums over all checkpoints, of a gate's number.
	[[nodiscard]] std::uint64_t stated(const char *gate, const char *what) const
	{
		std::uint64_t sum = 0;
		for (const auto &each : with("journal_checkpoint"))
			sum += each["weir"]["checkpoint"]["gates"][gate][what].get<std::uint64_t>();
		return sum;
	}

	std::string journal_;
	journal::PublicKey key_{};
};

TEST_F(RunJournal, EachRecordIsInTheJournalAndThenInTheOutput)
{
	fake().counter = {.refused = 3, .observed = 0, .reported = 3, .merged = 0, .summed = 0, .lost = 0};
	poll(3);
	ASSERT_TRUE(run().has_value()) << said_;
	expect_whole();
	std::vector<std::string> passed_on;
	std::ifstream in(file_);
	for (std::string line; std::getline(in, line);)
		passed_on.push_back(line);
	EXPECT_EQ(passed_on, lines());
	const auto events = records(file_);
	ASSERT_EQ(events.size(), 3U);
	EXPECT_EQ(events[2]["weir"]["kernel_sequence"], 2);
	EXPECT_EQ(stated("socket", "recorded"), 3U);
	EXPECT_EQ(stated("socket", "refused"), 3U);
}

TEST_F(RunJournal, WithoutOneItSaysWhatToDo)
{
	fs::remove_all(journal_);
	const auto result = run();
	ASSERT_FALSE(result);
	EXPECT_EQ(result.error().code, Exit::absent);
	EXPECT_THAT(result.error().message, HasSubstr("weir journal init " + journal_));
}

TEST_F(RunJournal, TheNextRunGoesOnWithTheSums)
{
	fake().counter = {.refused = 2, .observed = 0, .reported = 2, .merged = 0, .summed = 0, .lost = 0};
	const auto edge = weir_counter_index(1, WEIR_GATE_EDGE, WEIR_IN, WEIR_REASON_NO_ROW);
	fake().counters[edge] = {.refused = 40, .observed = 0, .reported = 0, .merged = 0, .summed = 40, .lost = 0};
	poll(2);
	ASSERT_TRUE(run().has_value()) << said_;
	fake().counter.refused = fake().counter.reported = 5;
	fake().counters[edge].refused = fake().counters[edge].summed = 42;
	poll(3);
	ASSERT_TRUE(run().has_value()) << said_;
	expect_whole();
	EXPECT_EQ(stated("socket", "recorded"), 5U);
	EXPECT_EQ(stated("edge", "recorded"), 42U) << "what an earlier run has said is not said again";
	EXPECT_EQ(stated("edge", "summed"), 42U);
	EXPECT_EQ(stated("socket", "missing"), 0U);
	EXPECT_THAT(with("recording_began")[1]["event"]["reason"].get<std::string>(), HasSubstr("that ended at"));
}

TEST_F(RunJournal, OutputThatIsGoneEndsNothing)
{
	int ends[2];
	ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
	const int out = ::dup(STDOUT_FILENO);
	::dup2(ends[1], STDOUT_FILENO);
	::close(ends[0]);
	::close(ends[1]);
	fake().counter = {.refused = 4, .observed = 0, .reported = 4, .merged = 0, .summed = 0, .lost = 0};
	poll(2);
	poll(2);
	const auto result = run("-");
	::dup2(out, STDOUT_FILENO);
	::close(out);
	ASSERT_TRUE(result.has_value()) << said_;
	expect_whole();
	EXPECT_EQ(stated("socket", "recorded"), 4U);
	EXPECT_THAT(said_, HasSubstr("the journal goes on"));
	EXPECT_THAT(said_, HasSubstr("were not passed on"));
}

TEST_F(RunJournal, InstanceThatIsRemovedLeavesItsSums)
{
	const auto edge = weir_counter_index(1, WEIR_GATE_EDGE, WEIR_IN, WEIR_REASON_NO_ROW);
	poll(1, [&] {
		fake().counter = {.refused = 1, .observed = 0, .reported = 1, .merged = 0, .summed = 0, .lost = 0};
		// In the table, which goes with it.
		fake().counters[edge] = {
			.refused = 7, .observed = 0, .reported = 0, .merged = 7, .summed = 0, .lost = 0};
		fake().loaded = false;
		fs::remove_all(where_.directory());
	});
	fake().polls.emplace_back([](const Handle &) { ::usleep(1'100'000); });
	ASSERT_TRUE(run().has_value()) << said_;
	expect_whole();
	EXPECT_EQ(stated("edge", "missing"), 7U);
	EXPECT_EQ(stated("socket", "recorded"), 1U);
}

TEST_F(RunJournal, InstanceLoadedAnewIsCountedFromNothing)
{
	fake().counter = {.refused = 2, .observed = 0, .reported = 2, .merged = 0, .summed = 0, .lost = 0};
	poll(2, [&] {
		fs::remove_all(where_.directory());
		fs::create_directories(directory_ / "another"); // so that the inode is not the same one
		fs::create_directories(where_.directory());
	});
	fake().polls.emplace_back([](const Handle &) { ::usleep(1'100'000); });
	fake().polls.emplace_back([](const Handle &) {
		fake().ring = "another ring";
		fake().counters_id = "other counters";
		fake().taken = fake().made = 0;
		fake().counter = {.refused = 1, .observed = 0, .reported = 1, .merged = 0, .summed = 0, .lost = 0};
	});
	poll(1);
	ASSERT_TRUE(run().has_value()) << said_;
	expect_whole();
	EXPECT_EQ(stated("socket", "recorded"), 3U);
	EXPECT_EQ(stated("socket", "refused"), 3U);
}

/// A full disk, as far as this process is concerned.
class SmallFiles {
public:
	explicit SmallFiles(std::uint64_t size)
	{
		::getrlimit(RLIMIT_FSIZE, &old_);
		const rlimit small{size, old_.rlim_max};
		::setrlimit(RLIMIT_FSIZE, &small);
	}
	SmallFiles(const SmallFiles &) = delete;
	SmallFiles &operator=(const SmallFiles &) = delete;
	~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &old_); }

private:
	rlimit old_{};
};

TEST_F(RunJournal, FullDiskIsSaidAndTheNextRunSaysWhatItCost)
{
	fake().counter = {.refused = 2000, .observed = 0, .reported = 2000, .merged = 0, .summed = 0, .lost = 0};
	poll(2000); // as many as the memory takes: more would wait for room
	{
		const SmallFiles full(100'000);
		const auto result = run();
		EXPECT_FALSE(result.has_value());
		EXPECT_THAT(said_, HasSubstr("cannot write"));
	}
	poll(0);
	poll(0, [] { ::usleep(1'100'000); });
	poll(0, [] { ::usleep(1'100'000); });
	poll(0, [] { ::usleep(1'100'000); });
	ASSERT_TRUE(run().has_value()) << said_;
	expect_whole();
	EXPECT_EQ(stated("socket", "recorded") + stated("socket", "missing"), 2000U);
	EXPECT_GT(stated("socket", "missing"), 1500U);
	EXPECT_EQ(with("recording_began").back()["weir"]["journal"]["unrecorded"], stated("socket", "missing"));
	EXPECT_GT(with("recording_began").back()["weir"]["journal"]["mended_bytes"], 0);
}

std::int64_t asleep_for = 0;
std::int64_t set_by = 0;
std::int64_t strange_clock(clockid_t clock)
{
	return clock_ns(clock) + asleep_for + (clock == CLOCK_REALTIME ? set_by : 0);
}

class KeeperTest : public RunJournal {
protected:
	void SetUp() override
	{
		RunJournal::SetUp();
		asleep_for = set_by = 0;
		start();
	}
	void start()
	{
		records_.reset();
		auto records = Records::open(file_, journal_);
		ASSERT_TRUE(records) << records.error().message;
		records_.emplace(std::move(*records));
		ring_.emplace(*kernel::Ring::of({}));
		keeper_.emplace("default", strange_clock);
		keeper_->begin(*records_, *ring_, merged_);
		keeper_->tick(*records_, *ring_, merged_);
	}
	/// Refusals, reported and recorded.
	void refuse(unsigned count)
	{
		for (unsigned i = 0; i < count; ++i) {
			fake().counter.refused++;
			fake().counter.reported++;
			audit::append_json(records_->line(), audit::refused_connect(), {}, "default", "", 0,
					   fake().taken++);
			fake().made = fake().taken;
			records_->put_event(WEIR_GATE_SOCKET);
		}
	}
	void tick() { keeper_->tick(*records_, *ring_, merged_); }
	void look() { keeper_->look(*records_, *ring_, merged_); }
	void end() { ASSERT_TRUE(keeper_->end(*records_, &*ring_, merged_, false)); }

	std::optional<Records> records_;
	std::optional<kernel::Ring> ring_;
	std::optional<Keeper> keeper_;
	Broker broker_{where_};
	RowNames rows_{broker_};
	Merged merged_{broker_, rows_};
};

TEST_F(KeeperTest, WhatAKilledProcessTookIsMissingWhenAllIsQuiet)
{
	refuse(3);
	look(); // signs, as the beginning is urgent
	refuse(4);
	ASSERT_TRUE(records_->write_out());
	refuse(5); // in memory only; and then it is killed
	start();
	tick();
	refuse(1);
	end();
	expect_whole();
	EXPECT_EQ(stated("socket", "missing"), 5U);
	EXPECT_EQ(stated("socket", "recorded"), 8U);
	EXPECT_EQ(with("recording_began").back()["weir"]["journal"]["unrecorded"], 5);
	EXPECT_EQ(with("recording_began").back()["event"]["outcome"], "failure");
}

TEST_F(KeeperTest, WhatItHadInHandWhenItWasKilledIsToldOnce)
{
	refuse(3);
	look();
	refuse(2);
	ASSERT_TRUE(records_->write_out());
	fake().taken--; // the ring has moved on only behind the one before
	records_.reset();
	poll(1, [] { fake().counter.refused++, fake().counter.reported++; }); // the same one again
	poll(1);
	const auto result = run();
	ASSERT_TRUE(result) << result.error().message;
	expect_whole();
	EXPECT_EQ(stated("socket", "recorded"), 6U);
	EXPECT_EQ(with("connect").size(), 6U);
}

TEST_F(KeeperTest, WhileRefusalsGoOnNothingIsMissingYet)
{
	look();
	refuse(2);
	ASSERT_TRUE(records_->write_out());
	refuse(2);
	start();
	for (int i = 0; i < 3; ++i) {
		refuse(1);
		tick();
	}
	end();
	expect_whole();
	EXPECT_EQ(stated("socket", "missing"), 0U);
	EXPECT_EQ(with("journal_checkpoint").back()["weir"]["checkpoint"]["gates"]["socket"]["waiting"], 2);
}

TEST_F(KeeperTest, EventsThatWaitInTheRingWait)
{
	fake().counter = {.refused = 9, .observed = 0, .reported = 9, .merged = 0, .summed = 0, .lost = 0};
	fake().made = 9;
	tick();
	tick();
	end();
	expect_whole();
	EXPECT_EQ(with("journal_checkpoint").back()["weir"]["checkpoint"]["gates"]["socket"]["waiting"], 9);
}

TEST_F(KeeperTest, AnotherJournalThanTheEarlierRunsHasThemMissing)
{
	fake().counter = {.refused = 9, .observed = 0, .reported = 9, .merged = 0, .summed = 0, .lost = 0};
	fake().made = fake().taken = 9;
	start();
	look();
	tick();
	tick();
	end();
	expect_whole();
	EXPECT_EQ(stated("socket", "missing"), 9U);
}

TEST_F(KeeperTest, AStopIsRecorded)
{
	asleep_for = 61 * second;
	tick();
	end();
	expect_whole();
	const auto paused = with("recording_paused");
	ASSERT_EQ(paused.size(), 1U);
	EXPECT_NEAR(paused[0]["weir"]["journal"]["seconds"].get<double>(), 61, 1);
	EXPECT_THAT(paused[0]["event"]["reason"].get<std::string>(), HasSubstr("did not run"));
}

TEST_F(KeeperTest, AFullDiskIsRecordedAsWhatItIs)
{
	keeper_->was_stuck("No space left on device");
	asleep_for = 30 * second;
	tick();
	end();
	EXPECT_THAT(with("recording_paused").at(0)["event"]["reason"].get<std::string>(),
		    HasSubstr("could be written: No space"));
}

TEST_F(KeeperTest, AClockThatIsSetIsRecorded)
{
	set_by = -3600 * second;
	tick();
	set_by = 5 * second;
	tick();
	tick();
	refuse(1);
	end();
	expect_whole();
	ASSERT_EQ(with("clock_set").size(), 2U);
	EXPECT_NEAR(with("clock_set")[0]["weir"]["journal"]["seconds"].get<double>(), -3600, 1);
	EXPECT_THAT(with("clock_set")[1]["event"]["reason"].get<std::string>(), HasSubstr("forward by 3605"));
	set_by = -7200 * second;
	start();
	EXPECT_THAT(with("clock_set"), testing::SizeIs(2));
	end();
	EXPECT_THAT(with("recording_began").back()["event"]["reason"].get<std::string>(),
		    HasSubstr("clock was set back"));
}

TEST_F(KeeperTest, AnIdleJournalIsSignedEachHour)
{
	look();
	const auto before = with("journal_checkpoint").size();
	asleep_for = 3590 * second;
	look();
	EXPECT_EQ(with("journal_checkpoint").size(), before);
	asleep_for = 3610 * second;
	look();
	EXPECT_EQ(with("journal_checkpoint").size(), before + 1);
	end();
	expect_whole();
}

} // namespace
} // namespace weir::daemon
