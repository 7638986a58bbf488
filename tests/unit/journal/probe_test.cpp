// SPDX-License-Identifier: Apache-2.0
// Can the journal be written? What would keep the next record from being found is in the way, too.
#include "tests/unit/journal/journal.h"

#include <csignal>
#include <sys/resource.h>

namespace weir::journal {
namespace {

namespace fs = std::filesystem;

class Probe : public JournalTest {
protected:
	static std::string problem(const Writer &writer)
	{
		const auto proved = writer.prove_writable();
		return proved ? "" : proved.error().message;
	}
	[[nodiscard]] std::string segment() const { return segments_of(directory_).value().back().path; }
};

TEST_F(Probe, IsWellAndLeavesNothingInTheChain)
{
	auto writer = open();
	EXPECT_EQ(problem(writer), "");
	writer.append(record(1));
	ASSERT_TRUE(writer.checkpoint(checkpoint(1)));
	EXPECT_EQ(problem(writer), "") << "with the next key";
	EXPECT_EQ(fs::file_size(directory_ + "/probe"), 0U) << "it takes no room";
	const auto verdict = verify({directory_, key_, {}});
	ASSERT_TRUE(verdict) << verdict.error().message;
	EXPECT_TRUE(verdict->findings.empty());
}

TEST_F(Probe, FindsADiskThatTakesNothing)
{
	auto writer = open();
	rlimit before{};
	ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
	const auto old = std::signal(SIGXFSZ, SIG_IGN);
	const rlimit small{1000, before.rlim_max};
	ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
	const auto found = problem(writer);
	ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
	std::signal(SIGXFSZ, old);
	EXPECT_NE(found.find("cannot write to " + directory_ + "/probe"), std::string::npos) << found;
	EXPECT_EQ(problem(writer), "");
}

TEST_F(Probe, FindsWhatWasPutAway)
{
	auto writer = open();
	fs::rename(directory_, directory_ + ".away");
	EXPECT_NE(problem(writer).find("No such file or directory"), std::string::npos);
	fs::rename(directory_ + ".away", directory_);
	EXPECT_EQ(problem(writer), "");

	const auto path = segment();
	fs::copy_file(path, path + ".copy");
	fs::rename(path, path + ".old");
	fs::rename(path + ".copy", path);
	EXPECT_NE(problem(writer).find("no longer the file that is written"), std::string::npos);
	fs::rename(path + ".old", path);

	fs::rename(directory_ + "/key", directory_ + "/other");
	EXPECT_NE(problem(writer).find("/key"), std::string::npos);
	std::ofstream(directory_ + "/key") << "nonsense\n";
	EXPECT_NE(problem(writer).find("not the key of the next checkpoint"), std::string::npos);
	fs::rename(directory_ + "/other", directory_ + "/key");
	EXPECT_EQ(problem(writer), "");
}

} // namespace
} // namespace weir::journal
