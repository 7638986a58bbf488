// SPDX-License-Identifier: Apache-2.0
// Sinks behind the daemon: copies of what the output gets, and no more than that.
#include "run_fixture.h"

#include "journal/writer.h"
#include "sinks/address.h"

#include <sstream>

namespace weir::daemon {
namespace {

std::string content(const fs::path &file)
{
	std::ostringstream text;
	text << std::ifstream(file).rdbuf();
	return text.str();
}

class RunSinks : public Run {
protected:
	Result<Exit> run_with(const std::vector<std::string> &addresses)
	{
		std::vector<sinks::Address> all;
		for (const auto &text : addresses)
			all.push_back(sinks::parse_address(text).value());
		testing::internal::CaptureStderr();
		auto result = daemon::run({.where = where_, .output = file_, .sinks = std::move(all)});
		said_ = testing::internal::GetCapturedStderr();
		return result;
	}
};

TEST_F(RunSinks, GetEveryRecord)
{
	const auto copy = directory_ / "copy.jsonl", cef = directory_ / "copy.cef";
	fake().counter = {.refused = 10, .observed = 0, .reported = 7, .merged = 0, .summed = 0, .lost = 3};
	poll(70);
	poll(7);
	ASSERT_TRUE(run_with({"file:" + copy.string(), "file:" + cef.string() + "?format=cef"}).has_value()) << said_;
	EXPECT_EQ(records(file_).size(), 77u);
	EXPECT_EQ(content(copy), content(file_));
	EXPECT_EQ(records(copy, "weir.loss").size(), 1u);
	const auto lines = content(cef);
	EXPECT_EQ(std::ranges::count(lines, '\n'), 78);
}

TEST_F(RunSinks, BehindAJournalTheyGetItsEndAndTheSignature)
{
	const auto copy = directory_ / "copy.jsonl";
	const auto kept = directory_ / "journal";
	ASSERT_TRUE(journal::initialize(kept));
	poll(7);
	testing::internal::CaptureStderr();
	ASSERT_TRUE(daemon::run({.where = where_,
				 .output = file_,
				 .journal = kept,
				 .sinks = {*sinks::parse_address("file:" + copy.string())}})
			    .has_value());
	testing::internal::GetCapturedStderr();
	EXPECT_EQ(content(copy), content(file_));
	const auto last = content(copy).substr(content(copy).rfind('\n', content(copy).size() - 2) + 1);
	EXPECT_TRUE(last.contains(R"("action":"journal_checkpoint")")) << last;
}

TEST_F(RunSinks, FiguresAreWrittenForPrometheus)
{
	poll(5);
	const auto file = directory_ / "weir.prom";
	testing::internal::CaptureStderr();
	ASSERT_TRUE(daemon::run({.where = where_, .output = file_, .metrics = file}).has_value());
	testing::internal::GetCapturedStderr();
	EXPECT_NE(content(file).find("weir_run_records_total{instance=\"default\"} 5\n"), std::string::npos)
		<< content(file);
	EXPECT_NE(content(file).find("weir_loaded{instance=\"default\"} 1\n"), std::string::npos);
}

TEST_F(RunSinks, OneThatTakesNothingIsRecordedAndCostsTheOutputNothing)
{
	poll(5);
	const auto result = run_with({"file:" + (directory_ / "missing" / "copy").string()});
	ASSERT_TRUE(result.has_value()) << result.error().message;
	EXPECT_EQ(records(file_).size(), 5u);
	const auto said = records(file_, "weir.sink");
	ASSERT_FALSE(said.empty());
	EXPECT_EQ(said.back()["event"]["action"], "sink_dropped");
	EXPECT_GE(said.back()["weir"]["sink"]["dropped"], 5);
	EXPECT_NE(said_.find("did not get"), std::string::npos) << said_;
}

} // namespace
} // namespace weir::daemon
