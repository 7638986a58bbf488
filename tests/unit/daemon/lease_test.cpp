// SPDX-License-Identifier: Apache-2.0
// The journal's lease: renewed while it is written, and only then.
#include "run_fixture.h"

#include "daemon/lease.h"
#include "journal/files.h"

#include <thread>

namespace weir::daemon {
namespace {

class Leasing : public Run {
protected:
	void SetUp() override
	{
		Run::SetUp();
		journal_ = directory_ / "journal";
		ASSERT_TRUE(journal::initialize(journal_));
		fake().journal_needed = true;
	}
	[[nodiscard]] Records records(const std::string &journal) const
	{
		auto records = Records::open(file_, journal);
		if (!records)
			throw std::runtime_error(records.error().message);
		return std::move(*records);
	}
	static std::uint64_t now() { return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME)); }
	static bool holds() { return fake().lease.until > now(); }
	/// As if a while had passed: what is looked at once in a pause is due.
	std::string look(Records &records) const
	{
		testing::internal::CaptureStderr();
		Broker broker(where_);
		Lease(broker).look(records);
		return testing::internal::GetCapturedStderr();
	}

	/// In the journal.
	[[nodiscard]] int records_of(const std::string &action) const
	{
		int count = 0;
		const auto segments = journal::segments_of(journal_).value();
		for (const auto &each : segments)
			(void)journal::read_lines(each, [&](std::string_view line, bool) {
				count += line.contains("\"action\":\"" + action + "\"") ? 1 : 0;
				return true;
			});
		return count;
	}

	std::string journal_;
};

TEST_F(Leasing, IsRenewedForSomeSeconds)
{
	auto all = records(journal_);
	const auto before = now();
	(void)look(all);
	EXPECT_TRUE(holds());
	EXPECT_GE(fake().lease.until, before + Lease::length);
	EXPECT_LE(fake().lease.until, now() + Lease::length);
	EXPECT_STREQ(fake().lease.problem, "");
}

TEST_F(Leasing, IsLookedAtOnceInAPause)
{
	auto all = records(journal_);
	Broker broker(where_);
	Lease lease(broker);
	lease.look(all);
	ASSERT_TRUE(holds());
	fake().lease = {};
	lease.look(all);
	EXPECT_FALSE(holds());
	std::this_thread::sleep_for(std::chrono::nanoseconds(Lease::pause));
	lease.look(all);
	EXPECT_TRUE(holds());
}

TEST_F(Leasing, NobodyNeedsItNobodyPays)
{
	fake().journal_needed = false;
	auto all = records(journal_);
	(void)look(all);
	EXPECT_EQ(fake().lease.until, 0U);
	EXPECT_FALSE(fs::exists(journal_ + "/probe"));
}

TEST_F(Leasing, IsWithdrawnAtOnceAndSaidOnce)
{
	auto all = records(journal_);
	(void)look(all);
	ASSERT_TRUE(all.write_out());
	fs::rename(journal_, journal_ + ".away");
	const auto said = look(all);
	EXPECT_FALSE(holds());
	EXPECT_NE(fake().lease.until, 0U) << "since when it is so";
	EXPECT_NE(std::string(fake().lease.problem).find("No such file or directory"), std::string::npos);
	EXPECT_NE(said.find("rows that need the journal are closed"), std::string::npos) << said;
	fs::rename(journal_ + ".away", journal_);
	EXPECT_NE(look(all).find("open again"), std::string::npos);
	EXPECT_TRUE(holds());
	ASSERT_TRUE(all.write_out());
	EXPECT_EQ(records_of("rows_opened"), 2);
	EXPECT_EQ(records_of("rows_closed"), 1);
}

TEST_F(Leasing, WithoutAJournalThereIsNone)
{
	auto all = records("");
	(void)look(all);
	EXPECT_FALSE(holds());
	EXPECT_NE(std::string(fake().lease.problem).find("without --journal"), std::string::npos);
}

/// A daemon that is started anew while the lease lasts has closed nothing.
TEST_F(Leasing, LastsOverARestart)
{
	{
		auto all = records(journal_);
		(void)look(all);
		ASSERT_TRUE(all.write_out());
	}
	ASSERT_TRUE(holds());
	auto all = records(journal_);
	(void)look(all);
	ASSERT_TRUE(all.write_out());
	EXPECT_EQ(records_of("rows_opened"), 1);
}

TEST_F(Leasing, OfTheDaemonItself)
{
	poll(0);
	ASSERT_TRUE(daemon::run({.where = where_, .output = file_.string(), .journal = journal_}).has_value());
	EXPECT_TRUE(holds());
	EXPECT_EQ(records_of("rows_opened"), 1);
}

} // namespace
} // namespace weir::daemon
