// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/scenario_test.h"

#include <fstream>
#include <set>
#include <sys/utsname.h>

namespace weir::test {
namespace {

/// "6.12"
std::string kernel_release()
{
	utsname name{};
	::uname(&name);
	const std::string release = name.release;
	return release.substr(0, release.find('.', release.find('.') + 1));
}

} // namespace

std::vector<std::string> LabTestOfScenario::command_at(const Host &host, const std::vector<std::string> &words)
{
	lab().instance = host.name;
	const std::vector<std::string> command = lab().command(words);
	lab().instance = "lab";
	return command;
}

Finished LabTestOfScenario::weir_at(const Host &host, const std::vector<std::string> &words)
{
	return execute(command_at(host, words), "", {host.netns, ""}, Millis(60000));
}

Program LabTestOfScenario::daemon_at(const Host &host)
{
	return {command_at(host, {"run", "--output", lab().directory() + "/" + host.name + ".jsonl"}),
		"",
		{host.netns, ""}};
}

void LabTestOfScenario::in_force(const Host &host, const std::string &lines)
{
	held_.push_back(host);
	const Finished done = weir_at(host, {"apply", lab().write(host.name + "-site.toml", "format = 1\n" + lines)});
	ASSERT_EQ(done.status, 0) << done.err << done.out;
}

void LabTestOfScenario::TearDown()
{
	for (const Host &host : held_)
		EXPECT_EQ(weir_at(host, {"remove"}).status % 7, 0); // 7: it was gone already
	held_.clear();
	const char *file = std::getenv("WEIR_ROWS_TABLE");
	if (IsSkipped()) {
		notes_.clear();
		note("", "skipped", "");
	}
	if (file != nullptr && !HasFailure())
		std::ofstream(file, std::ios::app) << notes_;
}

void LabTestOfScenario::note(const std::string &row, const std::string &kind, const std::string &what)
{
	const auto *test = ::testing::UnitTest::GetInstance()->current_test_info();
	const std::string suite = test->test_suite_name();
	notes_ += nlohmann::json{{"scenario", scenario_},
				 {"row", row},
				 {"kind", kind},
				 {"what", what},
				 {"test", suite.substr(suite.find('/') + 1) + "." + test->name()},
				 {"kernel", kernel_release()}}
			  .dump() +
		  "\n";
}

void LabTestOfScenario::allowed(const std::string &row, const std::string &software, const std::string &problem)
{
	EXPECT_EQ(problem, "") << row;
	note(row, "allowed", software);
}

void LabTestOfScenario::expect_open(const std::vector<Beside> &all)
{
	for (const Beside &each : all) {
		const Outcome outcome = each.attempt();
		EXPECT_TRUE(outcome.reach == Reach::connected || outcome.reach == Reach::answered)
			<< "without a policy, " << each.what << ": " << outcome.text();
	}
}

std::uint64_t LabTestOfScenario::refusals() const
{
	std::uint64_t sum = 0;
	std::set<std::string> counted;
	for (const Host &host : held_)
		if (counted.insert(host.name).second)
			sum += field(nlohmann::json::parse(weir_at(host, {"--json", "status"}).out), "events.refused")
				       .get<std::uint64_t>();
	return sum;
}

void LabTestOfScenario::expect_refused(const std::vector<Beside> &all)
{
	for (const Beside &each : all) {
		const auto before = refusals();
		const Outcome outcome = each.attempt();
		EXPECT_GT(refusals(), before) << each.row << ", beside it " << each.what;
		// A datagram that was dropped on the way is sent, as far as its sender can tell.
		EXPECT_TRUE(outcome.is_stopped() || outcome.reach == Reach::sent)
			<< each.row << ", beside it " << each.what << ": " << outcome.text();
		note(each.row, "refused", each.what);
	}
}

} // namespace weir::test
