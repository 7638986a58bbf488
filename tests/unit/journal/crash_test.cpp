// SPDX-License-Identifier: Apache-2.0
// Whatever becomes of the disk, the clock and the process, over hundreds of runs: what the writer said is written or on
// the disk is there when the next one opens the journal, once, in its order; and the journal is proved whole.
#include "journal.h"
#include "tests/support/disk.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <map>
#include <random>
#include <sys/wait.h>

namespace weir::journal {
namespace {

using namespace std::chrono_literals;
using test::Disk;

/// What a writer acknowledges: all records up to this one.
struct Said {
	enum class How : std::uint64_t { written, on_the_disk } how;
	std::uint64_t sequence;
};

struct Acknowledged {
	std::uint64_t written = 0; ///< survives the process
	std::uint64_t on_the_disk = 0; ///< survives the power
};

/// Seen by the writer's process.
struct Clock {
	std::atomic<std::int64_t> set_by_hours;
};

class Crash : public JournalTest {
protected:
	using Make = testing::AssertionResult (*)(Disk &, const std::string &, unsigned);

	void SetUp() override
	{
		JournalTest::SetUp();
		place_ = std::filesystem::path(directory_).parent_path().string();
		void *shared =
			::mmap(nullptr, sizeof(Clock), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(shared, MAP_FAILED);
		clock_ = new (shared) Clock{};
	}
	void TearDown() override
	{
		disk_.reset();
		::munmap(clock_, sizeof(Clock));
		std::filesystem::remove_all(place_);
	}

	void rounds(Make make, unsigned mebibytes, int many, unsigned seed);

private:
	void begin_anew();
	void round();
	/// Runs in a process of its own, until it is killed: as the daemon does it, it tries again what fails.
	void write_for_ever(int pipe, unsigned seed) const;
	void disturb();
	void end_of(pid_t writer, const Fd &said);
	void hear(const Fd &said);
	void look();
	void each_record_is_there(std::uint64_t at_least) const;
	[[nodiscard]] Bounds bounds() const
	{
		return {.segment_size = 4000, .records_between = 100000, .time_between = 10s, .kept_size = 0};
	}
	[[nodiscard]] std::chrono::system_clock::time_point now() const
	{
		return std::chrono::system_clock::now() + std::chrono::hours(clock_->set_by_hours);
	}
	/// Between the two, any order of magnitude as likely as the others.
	double log_uniform(double least, double most)
	{
		return std::exp(std::uniform_real_distribution(std::log(least), std::log(most))(random_));
	}
	void note(const std::string &what)
	{
		happened_[what]++;
		story_ += ", " + what;
	}
	void pause() { ::usleep(static_cast<useconds_t>(log_uniform(20, 4000))); }

	std::string place_;
	std::optional<Disk> disk_;
	Clock *clock_ = nullptr;
	std::mt19937 random_;
	Acknowledged acknowledged_;
	int heard_ = 0;
	bool is_full_ = false;
	bool is_forbidden_ = false;
	std::map<std::string, int> happened_; ///< so that a test that tests nothing is found
	std::string story_; ///< of this round
};

void Crash::write_for_ever(int pipe, unsigned seed) const
{
	std::mt19937 random(seed);
	const auto acknowledge = [&](Said::How how, std::uint64_t sequence) {
		const Said said{how, sequence};
		if (::write(pipe, &said, sizeof(said)) != sizeof(said))
			::_exit(1);
	};
	auto writer = Writer::open(directory_, bounds());
	for (; !writer; ::usleep(200))
		writer = Writer::open(directory_, bounds());
	for (;;) {
		for (unsigned i = random() % 4; i > 0; --i)
			writer->append(record(writer->sequence() + 1));
		switch (random() % 4) {
		case 0:
			while (!writer->write_out())
				::usleep(200);
			acknowledge(Said::How::written, writer->sequence());
			break;
		case 1:
			while (!writer->write_out() || !writer->sync())
				::usleep(200);
			acknowledge(Said::How::on_the_disk, writer->sequence());
			break;
		default: {
			const auto records = writer->since_checkpoint();
			while (!writer->checkpoint(checkpoint(records)))
				::usleep(200);
			acknowledge(Said::How::on_the_disk, writer->sequence());
			if (writer->is_full())
				(void)writer->rotate(); // else behind another checkpoint
			(void)writer->tidy(now());
		}
		}
	}
}

/// One of the things that happen to a host while the writer goes on.
void Crash::disturb()
{
	switch (random_() % 4) {
	case 0:
		if (is_full_)
			disk_->make_room();
		else
			disk_->fill();
		is_full_ = !is_full_ || is_forbidden_;
		note("disk full");
		break;
	case 1:
		ASSERT_TRUE(is_forbidden_ ? disk_->allow_paths() : disk_->forbid_paths());
		is_forbidden_ = !is_forbidden_;
		note("paths read-only");
		break;
	case 2:
		clock_->set_by_hours = std::uniform_int_distribution(-24 * 3650, 24 * 3650)(random_);
		note("clock set");
		break;
	default:
		break;
	}
}

void Crash::hear(const Fd &said)
{
	for (Said one{}; ::read(said.get(), &one, sizeof(one)) == sizeof(one); heard_++) {
		acknowledged_.written = one.sequence;
		if (one.how == Said::How::on_the_disk)
			acknowledged_.on_the_disk = one.sequence;
	}
}

/// By SIGKILL; where the disk can fail it does so before.
void Crash::end_of(pid_t writer, const Fd &said)
{
	const auto how = disk_->can_fail() ? random_() % 3 : 0;
	// Only what was said before: of one that is under way in that very moment, fdatasync() of ext4 says that all is well.
	hear(said);
	ASSERT_TRUE(how == 0   ? testing::AssertionSuccess()
		    : how == 1 ? disk_->fail_to_read_only()
			       : disk_->lose_power());
	note(how == 0 ? "killed" : how == 1 ? "disk failed to read-only" : "power lost");
	if (how != 0)
		pause();
	::kill(writer, SIGKILL);
	::waitpid(writer, nullptr, 0);
	if (how == 0)
		hear(said);
	if (is_forbidden_) {
		if (how == 0) {
			const auto refused = Writer::open(directory_, bounds());
			ASSERT_FALSE(refused);
			EXPECT_NE(refused.error().message.find("Read-only file system"), std::string::npos)
				<< refused.error().message;
		}
		ASSERT_TRUE(disk_->allow_paths());
		is_forbidden_ = false;
	}
	if (how != 0) {
		acknowledged_.written = acknowledged_.on_the_disk;
		ASSERT_TRUE(disk_->start_again());
	}
}

void Crash::each_record_is_there(std::uint64_t at_least) const
{
	std::uint64_t sequence = 0;
	for (const auto &segment : segments())
		ASSERT_TRUE(read_lines(segment, [&](std::string_view line, bool has_end) {
			sequence++;
			const auto link = link_of(line);
			const bool is_it =
				has_end && link && link->sequence == sequence &&
				(link->is_checkpoint || line.contains(R"("n":)" + std::to_string(sequence) + ","));
			EXPECT_TRUE(is_it) << "record " << sequence << " is not there, but " << line;
			return is_it;
		}));
	EXPECT_GE(sequence, at_least) << "so many were acknowledged";
}

/// The next writer goes on, on a disk that may be full yet; and all is proved.
void Crash::look()
{
	{
		auto writer = Writer::open(directory_, bounds());
		if (!writer && is_full_) {
			note("not opened on a full disk");
		} else {
			ASSERT_TRUE(writer) << writer.error().message;
			EXPECT_GE(writer->sequence(), acknowledged_.written);
		}
	}
	disk_->make_room();
	is_full_ = false;
	{
		auto writer = Writer::open(directory_, bounds());
		ASSERT_TRUE(writer) << writer.error().message;
		write(*writer, 1);
		acknowledged_.written = acknowledged_.on_the_disk = writer->sequence();
	}
	const auto all = verdict();
	EXPECT_TRUE(all.findings.empty()) << texts(all);
	each_record_is_there(acknowledged_.written);
}

void Crash::round()
{
	int pipe[2];
	ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
	::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
	const Fd said(pipe[0]);
	const auto seed = static_cast<unsigned>(random_());
	const auto writer = ::fork();
	if (writer == 0) {
		::close(pipe[0]);
		write_for_ever(pipe[1], seed);
	}
	::close(pipe[1]);
	pause();
	for (auto times = random_() % 5; times > 0; --times) {
		disturb();
		pause();
	}
	end_of(writer, said);
	look();
}

void Crash::begin_anew()
{
	std::filesystem::remove_all(directory_);
	const auto key = initialize(directory_);
	ASSERT_TRUE(key) << key.error().message;
	key_ = *key;
	acknowledged_ = {};
}

void Crash::rounds(Make make, unsigned mebibytes, int many, unsigned seed)
{
	std::filesystem::remove_all(directory_);
	disk_.emplace();
	if (auto made = make(*disk_, place_, mebibytes); !made)
		GTEST_SKIP() << made.message();
	random_.seed(seed);
	for (int i = 0; i < many && !HasFailure(); ++i) {
		if (i % 20 == 0) // so that proving it all each time stays cheap
			begin_anew();
		story_.clear();
		round();
		if (HasFailure())
			ADD_FAILURE() << "in round " << i << story_;
	}
	for (const auto &[what, times] : happened_)
		RecordProperty(what, times);
	for (const auto *what : {"disk full", "paths read-only", "clock set", "killed"})
		EXPECT_GT(happened_[what], many / 10) << what;
	EXPECT_GT(heard_, many / 4) << "acknowledgements";
}

TEST_F(Crash, OnADiskThatIsFullOrReadOnlyWithAClockThatIsSet)
{
	rounds(Disk::make_tmpfs, 1, 300, 20261128);
}

TEST_F(Crash, OnADiskThatFailsOrLosesItsPower)
{
	rounds(Disk::make_ext4, 4, 150, 5);
}

/// A disk that failed for a while: each error of it is told once, and what it was of is gone all the same.
class JournalOnAThinDisk : public JournalTest {
protected:
	void SetUp() override
	{
		JournalTest::SetUp();
		disk_.emplace();
		const auto place = std::filesystem::path(directory_).parent_path().string();
		if (auto made = Disk::make_thin(*disk_, place, 16); !made)
			GTEST_SKIP() << made.message();
		const auto key = initialize(directory_);
		ASSERT_TRUE(key) << key.error().message;
		key_ = *key;
		writer_ = open();
		write(*writer_, 10);
		disk_->starve();
		for (int i = 0; i < 2000; ++i)
			writer_->append(record(writer_->sequence() + 1));
		ASSERT_TRUE(writer_->write_out()) << writer_->problem();
		const auto written = writer_->sync();
		ASSERT_FALSE(written) << "the disk takes it";
		EXPECT_NE(written.error().message.find("cannot bring to the disk"), std::string::npos)
			<< written.error().message;
		disk_->feed();
	}
	void TearDown() override
	{
		writer_.reset();
		disk_.reset();
		JournalTest::TearDown();
	}
	void is_whole_on_the_disk()
	{
		const auto records = writer_->sequence();
		writer_.reset();
		ASSERT_TRUE(disk_->start_again()) << "so what was in memory only is gone";
		const auto all = verdict();
		EXPECT_TRUE(all.findings.empty()) << texts(all);
		EXPECT_EQ(all.records, records);
	}

	std::optional<Disk> disk_;
	std::optional<Writer> writer_;
};

TEST_F(JournalOnAThinDisk, AllIsWrittenOnceMore)
{
	const auto done = writer_->checkpoint(checkpoint(2000));
	ASSERT_TRUE(done) << done.error().message;
	EXPECT_EQ(writer_->sequence(), 10 + 1 + 2000 + 1);
	is_whole_on_the_disk();
}

TEST_F(JournalOnAThinDisk, TheNextWriterGoesByWhatIsOnTheDisk)
{
	writer_.reset(); // killed, as it were, before it tried again
	writer_ = open();
	EXPECT_TRUE(writer_->mend()) << "the failure left its end as it was";
	EXPECT_LT(writer_->sequence(), 2011);
	write(*writer_, 1);
	is_whole_on_the_disk();
}

} // namespace
} // namespace weir::journal
