// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>

namespace weir::journal {
namespace {

using Writing = JournalTest;

TEST_F(Writing, WhatIsWrittenIsWellAndCounted)
{
	fill(5, 10, 2);
	const auto all = verdict();
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	EXPECT_EQ(all.records, 55U);
	EXPECT_EQ(all.checkpoints, 5U);
	EXPECT_EQ(all.last, 55U);
	EXPECT_EQ(all.covered, 55U);
	EXPECT_EQ(all.covered_at, "2026-11-25T12:00:01.000000000Z");
	EXPECT_EQ(segments().size(), 3U);
}

TEST_F(Writing, ALineIsTheRecordWithItsPlace)
{
	auto writer = open();
	writer.append(R"({"a":1})");
	ASSERT_TRUE(writer.write_out());
	EXPECT_EQ(read(segments().front().path),
		  R"({"a":1,"journal":{"sequence":1,"previous":")" + std::string(64, '0') + "\"}}\n");
}

TEST_F(Writing, TheKeyIsAnotherAfterEachCheckpointAndTheOldOneIsNowhere)
{
	const auto before = read(directory_ + "/key");
	auto writer = open();
	write(writer, 1);
	const auto after = read(directory_ + "/key");
	EXPECT_NE(before, after);
	EXPECT_EQ(after.size(), 129U);
	for (const auto &entry : std::filesystem::directory_iterator(directory_))
		EXPECT_EQ(read(entry.path()).find(before.substr(0, 64)), std::string::npos) << entry.path();
	struct stat status{};
	ASSERT_EQ(::stat((directory_ + "/key").c_str(), &status), 0);
	EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(Writing, GoesOnWhereItStopped)
{
	fill(1, 3, 1);
	{
		auto writer = open();
		EXPECT_FALSE(writer.mend());
		EXPECT_EQ(writer.sequence(), 4U);
		write(writer, 2);
		EXPECT_EQ(parse_head(writer.head())->sequence, 7U);
	}
	EXPECT_EQ(open().head(), verdict().head);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
}

TEST_F(Writing, OneAtATime)
{
	const auto first = open();
	const auto second = Writer::open(directory_, {});
	ASSERT_FALSE(second);
	EXPECT_NE(second.error().message.find("another process"), std::string::npos);
}

TEST_F(Writing, IsNotMadeOverAnother)
{
	EXPECT_FALSE(initialize(directory_));
	fill(1, 1, 1);
	std::filesystem::remove(directory_ + "/first-key");
	EXPECT_FALSE(initialize(directory_));
}

TEST_F(Writing, ALineThatACrashCutIsTakenOffAndSaid)
{
	fill(1, 3, 1);
	const auto path = segments().front().path;
	const auto whole = read(path);
	{
		auto writer = open();
		writer.append(record(5));
		writer.append(record(6));
		ASSERT_TRUE(writer.write_out());
	}
	put(path, read(path).substr(0, read(path).size() - 20));
	auto writer = open();
	ASSERT_TRUE(writer.mend());
	EXPECT_EQ(writer.mend()->after, 5U);
	EXPECT_EQ(writer.mend()->unsigned_records, 1U);
	EXPECT_GT(writer.mend()->bytes, 20U);
	write(writer, 1);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
	EXPECT_TRUE(read(path).starts_with(whole));
}

TEST_F(Writing, ASegmentThatWasMadeAndNotWrittenToIsGoneOnWith)
{
	fill(1, 3, 1);
	{
		auto writer = open();
		ASSERT_TRUE(writer.rotate());
	}
	auto writer = open();
	EXPECT_EQ(writer.sequence(), 4U);
	write(writer, 2);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
	EXPECT_EQ(segments().size(), 2U);
}

// As it may be of a file that was made: the directory could not be brought to the disk.
TEST_F(Writing, ASegmentThatIsThereIsTheOneThatIsWrittenTo)
{
	fill(1, 3, 1);
	auto writer = open();
	rlimit old{};
	::getrlimit(RLIMIT_NOFILE, &old);
	const int next = ::dup(0); // one more, and then none
	::close(next);
	const rlimit one{static_cast<rlim_t>(next) + 1, old.rlim_max};
	ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one), 0);
	(void)writer.rotate();
	const Fd another(::dup(0)); // in the place of the segment before
	writer.append(record(5));
	const bool written = writer.write_out();
	const auto synced = writer.sync();
	::setrlimit(RLIMIT_NOFILE, &old);
	EXPECT_TRUE(written);
	ASSERT_FALSE(synced) << "its name need not be there after a loss of power";
	EXPECT_NE(synced.error().message.find("Too many open files"), std::string::npos) << synced.error().message;
	EXPECT_EQ(segments().size(), 2U);
	EXPECT_TRUE(writer.sync());
	write(writer, 1);
	{
		const auto gone = std::move(writer);
	}
	auto again = open();
	EXPECT_EQ(again.sequence(), 7U);
	write(again, 1);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
}

// A clock that was set far forward makes nothing old: it may be set right again.
TEST_F(Writing, ByAgeOnlyWhatATrustedClockSaysIsRetired)
{
	fill(3, 5, 1);
	const auto tidied = [&](std::chrono::hours trusted_after) {
		Bounds bounds;
		bounds.clock_trusted_after = trusted_after;
		auto writer = open(bounds);
		while (writer.tidy(std::chrono::system_clock::now() + std::chrono::hours(24 * 500)).value())
			;
		return segments().size();
	};
	EXPECT_EQ(tidied(std::chrono::hours(24)), 3U);
	EXPECT_EQ(tidied(std::chrono::hours(0)), 1U);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
}

// Of the two key files one is right, at whatever step of a checkpoint the process died.
TEST_F(Writing, DeathAtEachStepOfACheckpointIsRecoveredFrom)
{
	fill(1, 2, 1);
	const auto old_key = read(directory_ + "/key");
	const auto path = segments().front().path;
	const auto old_text = read(path);
	{
		auto writer = open();
		write(writer, 2);
	}
	const auto new_key = read(directory_ + "/key");
	const auto new_text = read(path);

	// key.next is there, the checkpoint isn't: it is another key's turn.
	put(path, old_text);
	put(directory_ + "/key", old_key);
	put(directory_ + "/key.next", new_key);
	EXPECT_EQ(open().sequence(), 3U);
	EXPECT_FALSE(std::filesystem::exists(directory_ + "/key.next"));
	EXPECT_EQ(read(directory_ + "/key"), old_key);

	// The checkpoint is there, the keys aren't changed; or the old one is destroyed only.
	for (const auto &key : {old_key, std::string(128, '0') + "\n", std::string()}) {
		put(path, new_text);
		put(directory_ + "/key", key);
		put(directory_ + "/key.next", new_key);
		EXPECT_EQ(open().sequence(), 6U);
		EXPECT_EQ(read(directory_ + "/key"), new_key);
		EXPECT_FALSE(std::filesystem::exists(directory_ + "/key.next"));
	}

	// Neither is right: nothing is signed with a key that nobody announced.
	put(directory_ + "/key", old_key);
	const auto writer = Writer::open(directory_, {});
	ASSERT_FALSE(writer);
	EXPECT_NE(writer.error().message.find("weir journal verify"), std::string::npos);
}

TEST_F(Writing, OldSegmentsAreCompressedAndThenRetired)
{
	fill(6, 50, 1);
	Bounds bounds;
	bounds.kept_size = 1; // none but the one that is written to
	auto writer = open(bounds);
	const auto now = std::chrono::system_clock::now();
	bool compressed = false;
	while (writer.tidy(now).value()) {
		compressed = compressed || std::ranges::all_of(segments(), [this](const Segment &each) {
				     return each.compressed || each.path == segments().back().path;
			     });
		const auto all = verdict();
		EXPECT_TRUE(all.findings.empty()) << texts(all);
	}
	EXPECT_TRUE(compressed);
	EXPECT_EQ(segments().size(), 1U);
	const auto all = verdict();
	EXPECT_EQ(all.retired, 255U);
	EXPECT_EQ(all.first, 256U);
	write(writer, 3);
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
	// Without the record of what was retired the chain of keys can't be followed.
	std::filesystem::remove(directory_ + "/retired.jsonl");
	EXPECT_FALSE(verdict().findings.empty());
}

TEST_F(Writing, FullDiskLosesNothing)
{
	auto writer = open();
	write(writer, 2);
	const rlimit old = [] {
		rlimit limit{};
		::getrlimit(RLIMIT_FSIZE, &limit);
		return limit;
	}();
	const auto handler = ::signal(SIGXFSZ, SIG_IGN);
	const rlimit small{static_cast<rlim_t>(read(segments().front().path).size()) + 100, old.rlim_max};
	ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 10; ++i)
		writer.append(record(static_cast<std::uint64_t>(i)));
	EXPECT_FALSE(writer.write_out());
	EXPECT_FALSE(writer.problem().empty());
	EXPECT_FALSE(writer.checkpoint(checkpoint(10)));
	writer.append(record(99)); // behind the checkpoint that waits
	EXPECT_FALSE(writer.checkpoint(checkpoint(10)));
	::setrlimit(RLIMIT_FSIZE, &old);
	::signal(SIGXFSZ, handler);
	EXPECT_TRUE(writer.checkpoint(""));
	write(writer, 0);
	const auto all = verdict();
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	EXPECT_EQ(all.records, 2U + 1 + 10 + 1 + 1 + 1);
}

// A process that is killed at any moment: what sync() or checkpoint() covered is there, and what follows goes on.
TEST_F(Writing, KilledAtRandomNothingAcknowledgedIsLost)
{
	std::mt19937 random(7);
	for (int round = 0; round < 250; ++round) {
		if (round % 25 == 0) { // so that proving it all each time stays cheap
			std::filesystem::remove_all(directory_);
			key_ = initialize(directory_).value();
		}
		int pipe[2];
		ASSERT_EQ(::pipe(pipe), 0);
		const auto child = ::fork();
		if (child == 0) {
			::close(pipe[0]);
			Bounds bounds;
			bounds.segment_size = 4000;
			auto writer = Writer::open(directory_, bounds);
			for (unsigned i = 0; writer; ++i) {
				writer->append(record(writer->sequence() + 1));
				if (i % 3 != 2)
					continue;
				const auto records = writer->since_checkpoint();
				const bool signs = i % 2 == 0;
				const bool done = signs ? writer->checkpoint(checkpoint(records)).has_value()
							: writer->write_out() && writer->sync().has_value();
				const auto sequence = writer->sequence();
				if (!done || ::write(pipe[1], &sequence, sizeof(sequence)) != sizeof(sequence))
					break;
				if (signs && writer->is_full() && !writer->rotate())
					break;
			}
			::_exit(1);
		}
		::close(pipe[1]);
		::usleep(static_cast<useconds_t>(random() % 8000));
		::kill(child, SIGKILL);
		::waitpid(child, nullptr, 0);
		std::uint64_t acknowledged = 0;
		for (std::uint64_t sequence = 0; ::read(pipe[0], &sequence, sizeof(sequence)) == sizeof(sequence);)
			acknowledged = sequence;
		::close(pipe[0]);
		auto writer = open();
		EXPECT_GE(writer.sequence(), acknowledged);
		write(writer, 1);
		const auto all = verdict();
		ASSERT_TRUE(all.findings.empty()) << texts(all);
	}
}

// Power is lost: of what came after the last fdatasync() there is a part, or zeros where it was to be, or nothing.
TEST_F(Writing, AfterALossOfPowerWhatWasSyncedIsThere)
{
	std::mt19937 random(11);
	for (int round = 0; round < 250; ++round) {
		std::filesystem::remove_all(directory_);
		key_ = initialize(directory_).value();
		std::string path;
		std::string synced;
		std::uint64_t acknowledged = 0;
		{
			auto writer = open();
			for (unsigned i = 0; i < 1 + random() % 4; ++i)
				write(writer, static_cast<unsigned>(random() % 5));
			for (unsigned i = 0; i < random() % 4; ++i)
				writer.append(record(writer.sequence() + 1));
			ASSERT_TRUE(writer.write_out() && writer.sync());
			path = segments().back().path;
			synced = read(path);
			acknowledged = writer.sequence();
			for (unsigned i = 0; i < 1 + random() % 6; ++i)
				writer.append(record(writer.sequence() + 1));
			ASSERT_TRUE(writer.write_out());
		}
		auto left = read(path);
		left.resize(synced.size() + random() % (left.size() - synced.size() + 1));
		if (random() % 3 == 0) {
			const auto from = synced.size() + random() % (left.size() - synced.size() + 1);
			std::fill(left.begin() + static_cast<std::ptrdiff_t>(from), left.end(), '\0');
		}
		put(path, left);
		auto writer = open();
		ASSERT_GE(writer.sequence(), acknowledged) << "round " << round;
		write(writer, 1);
		ASSERT_TRUE(read(path).starts_with(synced)) << "round " << round;
		const auto all = verdict();
		ASSERT_TRUE(all.findings.empty()) << "round " << round << ": " << texts(all);
	}
}

} // namespace
} // namespace weir::journal
