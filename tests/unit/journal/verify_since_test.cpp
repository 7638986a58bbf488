// SPDX-License-Identifier: Apache-2.0
// Verifying since a time: what stands behind the checkpoint that it rests on is held to everything, and the keys before
// it are followed.
#include "journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace weir::journal {
namespace {

constexpr std::int64_t hour = 3600ll * 1'000'000'000;
constexpr std::int64_t first_hour = 1795561200ll * 1'000'000'000; ///< 2026-11-24T23:00:00Z

/// Six checkpoints, one each hour from 00:00 on, of eight records each; two make a segment.
class Since : public JournalTest {
protected:
	void SetUp() override
	{
		JournalTest::SetUp();
		auto writer = open();
		for (unsigned i = 0; i < 6; ++i) {
			if (i == 2 || i == 4) {
				ASSERT_TRUE(writer.rotate());
			}
			for (unsigned each = 0; each < 8; ++each)
				writer.append(record(writer.sequence() + 1));
			ASSERT_TRUE(writer.checkpoint(
				fmt::format(R"({{"@timestamp":"2026-11-25T{:02}:00:00.000000000Z","event":{{"action":)"
					    R"("journal_checkpoint"}},"weir":{{"checkpoint":{{"records":8}}}}}})",
					    i)));
			heads_.push_back(parse_head(writer.head()).value());
		}
	}
	[[nodiscard]] Verdict since(std::int64_t time, std::vector<Head> heads = {}) const
	{
		return verify({directory_, key_, std::move(heads), time}).value();
	}
	/// The hour of the checkpoint.
	static std::int64_t at(unsigned checkpoint) { return first_hour + (checkpoint + 1) * hour; }
	/// Changes a line of the whole journal, from 1 on.
	void edit(std::uint64_t sequence, const std::string &from, const std::string &to) const
	{
		const auto segment = segments().at((sequence - 1) / 18);
		auto lines = lines_of(read(segment.path));
		auto &line = lines.at((sequence - 1) % 18);
		line.replace(line.find(from), from.size(), to);
		put(segment.path, joined(lines));
	}

	std::vector<Head> heads_;
};

TEST_F(Since, RestsOnTheLastCheckpointThatIsNotLater)
{
	const auto all = since(at(2) + hour / 2);
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	ASSERT_TRUE(all.rest);
	EXPECT_EQ(all.rest->checkpoint, 27u);
	EXPECT_EQ(all.rest->at, "2026-11-25T02:00:00.000000000Z");
	EXPECT_EQ(all.rest->followed, 3u);
	EXPECT_FALSE(all.rest->by_head);
	EXPECT_EQ(all.records, 27u);
	EXPECT_EQ(all.first, 28u);
	EXPECT_EQ(all.covered, 54u);
	EXPECT_EQ(since(at(2)).rest->checkpoint, 27u) << "that very moment";
	EXPECT_EQ(since(at(2) - 1).rest->checkpoint, 18u);
	EXPECT_EQ(since(at(9)).rest->checkpoint, 54u);
	EXPECT_EQ(since(at(9)).covered, 54u) << "nothing is behind it";
}

TEST_F(Since, WithoutACheckpointThatOldAllIsVerified)
{
	const auto all = since(at(0) - 1);
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	EXPECT_EQ(all.rest->checkpoint, 0u);
	EXPECT_EQ(all.records, 54u);
}

TEST_F(Since, RecordsBeforeItAreNotLookedAtAndThoseBehindAre)
{
	edit(5, "packet", "PACKET");
	EXPECT_FALSE(verdict().findings.empty());
	EXPECT_TRUE(since(at(2)).findings.empty());
	edit(30, "packet", "PACKET");
	const auto all = since(at(2));
	ASSERT_EQ(all.findings.size(), 1u) << texts(all);
	EXPECT_EQ(all.findings[0].fault, Fault::edited);
	EXPECT_EQ(all.findings[0].file, "0000000000000019.jsonl");
	EXPECT_EQ(all.findings[0].line, 13u);
}

TEST_F(Since, AForgedCheckpointBeforeItIsFound)
{
	edit(9, "T00:00:00", "T00:00:01");
	const auto all = since(at(3));
	ASSERT_FALSE(all.findings.empty());
	EXPECT_EQ(all.findings[0].fault, Fault::forged);
	EXPECT_EQ(all.findings[0].sequence, 9u);
}

TEST_F(Since, AMissingCheckpointBeforeItIsFound)
{
	std::filesystem::remove(segments().at(0).path);
	const auto all = since(at(3));
	ASSERT_FALSE(all.findings.empty());
	EXPECT_EQ(all.findings[0].fault, Fault::forged) << texts(all);
}

TEST_F(Since, TheRecordsRightBehindItAreHeldToIt)
{
	auto lines = lines_of(read(segments().at(1).path));
	lines.erase(lines.begin() + 9); // the first behind checkpoint 27
	put(segments().at(1).path, joined(lines));
	const auto all = since(at(2));
	ASSERT_FALSE(all.findings.empty());
	EXPECT_EQ(all.findings[0].fault, Fault::missing) << texts(all);
}

TEST_F(Since, AHeadThatWasKeptStandsForAllThatIsOlder)
{
	std::filesystem::remove(segments().at(0).path); // not even opened
	const auto all = since(at(3), {heads_[0], heads_[2], heads_[5]});
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	EXPECT_TRUE(all.rest->by_head);
	EXPECT_EQ(all.rest->checkpoint, 27u);
	EXPECT_EQ(all.rest->followed, 0u);
	EXPECT_EQ(all.records, 27u);
	// Of a later time it is nothing to begin at.
	EXPECT_FALSE(since(at(1), {heads_[2]}).findings.empty());
}

TEST_F(Since, AHeadOfAnotherLineIsNothingToRestOn)
{
	auto wrong = heads_[2];
	wrong.hash[0] ^= 1;
	const auto all = since(at(3), {wrong});
	EXPECT_FALSE(all.rest->by_head);
	ASSERT_EQ(all.findings.size(), 1u) << texts(all);
	EXPECT_EQ(all.findings[0].fault, Fault::other_head);
}

TEST_F(Since, OverRetiredAndCompressedSegments)
{
	Bounds bounds;
	bounds.kept_size = 1; // all closed ones but as many as it takes
	{
		auto writer = open(bounds);
		while (writer.tidy(std::chrono::system_clock::now()).value())
			;
	}
	ASSERT_TRUE(std::filesystem::exists(directory_ + "/retired.jsonl"));
	const auto left = segments().front().first;
	const auto all = since(at(4));
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	EXPECT_EQ(all.rest->checkpoint, 45u);
	EXPECT_EQ(all.rest->followed, 5u);
	EXPECT_EQ(all.retired, left - 1);
}

TEST_F(Since, EveryEditBehindItIsFoundAndNoneIsInvented)
{
	std::vector<std::pair<std::string, std::string>> whole;
	for (const auto &each : segments())
		whole.emplace_back(each.path, read(each.path));
	std::mt19937 random(20261125);
	for (int round = 0; round < 500; ++round) {
		const auto checkpoint = random() % 6;
		const auto time = at(static_cast<unsigned>(checkpoint)) + static_cast<std::int64_t>(random() % hour);
		ASSERT_TRUE(since(time).findings.empty());
		const auto segment = std::min<std::size_t>(random() % 3, 2);
		auto text = whole[segment].second;
		const auto offset = random() % text.size();
		const auto changed = static_cast<char>('0' + random() % 10);
		if (text[offset] == changed || text[offset] == '\n')
			continue;
		text[offset] = changed;
		put(whole[segment].first, text);
		const auto line = static_cast<std::uint64_t>(
			std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
		const bool behind = segment * 18 + line + 1 > (checkpoint + 1) * 9;
		const bool of_a_checkpoint = (line + 1) % 9 == 0;
		const auto all = since(time);
		if (behind)
			EXPECT_FALSE(all.findings.empty()) << "byte " << offset << " of segment " << segment;
		else if (!of_a_checkpoint)
			EXPECT_TRUE(all.findings.empty()) << texts(all);
		else // whatever is changed of a checkpoint, unless it is the one that it rests on then
			EXPECT_TRUE(!all.findings.empty() || all.rest->checkpoint < (checkpoint + 1) * 9) << texts(all);
		put(whole[segment].first, whole[segment].second);
	}
}

} // namespace
} // namespace weir::journal
