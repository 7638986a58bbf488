// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include "journal/spool.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::journal {
namespace {

class SpoolTest : public JournalTest {
protected:
	[[nodiscard]] Spool spool() const { return spool_of(directory_).value(); }
};

TEST_F(SpoolTest, NothingWaitsWhereNothingWasChanged)
{
	EXPECT_TRUE(spool().changes.empty());
	EXPECT_FALSE(spool().at_work);
}

TEST_F(SpoolTest, WhileItIsAtWorkNothingIsTaken)
{
	auto change = Spooled::begin(directory_, "begun\n");
	ASSERT_TRUE(change) << change.error().message;
	EXPECT_TRUE(spool().at_work);
	EXPECT_TRUE(spool().changes.empty());
	ASSERT_TRUE(change->finish("done\n"));
	EXPECT_FALSE(spool().at_work);
	ASSERT_EQ(spool().changes.size(), 1U);
	EXPECT_EQ(spool().changes[0].record, "done\n");
	forget(spool().changes[0]);
	EXPECT_TRUE(spool().changes.empty());
	EXPECT_TRUE(std::filesystem::is_empty(spool_directory(directory_)));
}

TEST_F(SpoolTest, WhatADeadCommandBeganIsFound)
{
	const auto child = ::fork();
	if (child == 0) {
		const auto change = Spooled::begin(directory_, "begun\n");
		::_exit(change ? 0 : 1);
	}
	int status = 0;
	::waitpid(child, &status, 0);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(spool().changes.size(), 1U);
	EXPECT_EQ(spool().changes[0].record, "begun\n");
	forget(spool().changes[0]);
	EXPECT_TRUE(spool().changes.empty());
}

TEST_F(SpoolTest, WhoDiesBetweenTheTwoHasDoneIt)
{
	{
		auto change = Spooled::begin(directory_, "begun\n");
		ASSERT_TRUE(change->finish("done\n"));
	}
	const auto done = spool().changes.at(0).path;
	put(done.substr(0, done.rfind('.')) + ".begun", "begun\n");
	ASSERT_EQ(spool().changes.size(), 1U);
	EXPECT_EQ(spool().changes[0].record, "done\n");
	forget(spool().changes[0]);
	EXPECT_TRUE(std::filesystem::is_empty(spool_directory(directory_)));
}

TEST_F(SpoolTest, WhatChangedNothingLeavesNothing)
{
	auto change = Spooled::begin(directory_, "begun\n");
	ASSERT_TRUE(change);
	change->drop();
	EXPECT_TRUE(std::filesystem::is_empty(spool_directory(directory_)));
}

TEST_F(SpoolTest, NoLinkIsFollowed)
{
	const auto elsewhere = directory_ + "-elsewhere";
	std::filesystem::create_directory(elsewhere);
	std::filesystem::create_directory_symlink(elsewhere, spool_directory(directory_));
	EXPECT_FALSE(Spooled::begin(directory_, "begun\n"));
	EXPECT_TRUE(std::filesystem::is_empty(elsewhere));
	std::filesystem::remove(elsewhere);
}

TEST_F(SpoolTest, InADirectoryOfAnotherUserItIsThatUsers)
{
	if (::geteuid() != 0)
		GTEST_SKIP() << "only root gives files away";
	constexpr uid_t writer = 65534;
	ASSERT_EQ(::chown(directory_.c_str(), writer, writer), 0);
	const auto change = Spooled::begin(directory_, "begun\n");
	ASSERT_TRUE(change) << change.error().message;
	struct stat status{};
	for (const auto &each : std::filesystem::directory_iterator(spool_directory(directory_))) {
		ASSERT_EQ(::stat(each.path().c_str(), &status), 0);
		EXPECT_EQ(status.st_uid, writer) << each.path();
	}
	ASSERT_EQ(::stat(spool_directory(directory_).c_str(), &status), 0);
	EXPECT_EQ(status.st_uid, writer);
}

TEST_F(SpoolTest, InTheirOrder)
{
	for (const auto *text : {"1\n", "2\n", "3\n"})
		ASSERT_TRUE(Spooled::begin(directory_, "begun\n")->finish(text));
	ASSERT_EQ(spool().changes.size(), 3U);
	EXPECT_EQ(spool().changes[0].record + spool().changes[1].record + spool().changes[2].record, "1\n2\n3\n");
}

} // namespace
} // namespace weir::journal
