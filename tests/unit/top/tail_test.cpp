// SPDX-License-Identifier: Apache-2.0
#include "top/tail.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace weir::top {
namespace {

namespace fs = std::filesystem;

class TopTail : public ::testing::Test {
protected:
	void SetUp() override
	{
		char name[] = "/tmp/weir-tail-XXXXXX";
		ASSERT_NE(::mkdtemp(name), nullptr);
		directory_ = name;
	}
	void TearDown() override { fs::remove_all(directory_); }

	[[nodiscard]] std::string path(const std::string &name) const { return directory_ + "/" + name; }
	void add(const std::string &name, const std::string &text) const
	{
		std::ofstream(path(name), std::ios::app) << text;
	}
	/// Lines that came, those of the past in brackets.
	static std::string taken(Tail &tail)
	{
		std::string text;
		tail.take([&](std::string_view line, bool is_past) {
			text += is_past ? "[" + std::string(line) + "]" : std::string(line);
			text += ' ';
		});
		return text;
	}

	std::string directory_;
};

TEST_F(TopTail, WhatWasThereIsPastAndWhatComesIsNot)
{
	add("a.jsonl", "1\n2\nhalf");
	Tail tail({.journal = {}, .file = path("a.jsonl")});
	EXPECT_EQ(taken(tail), "[1] [2] ");
	EXPECT_EQ(taken(tail), "");
	add("a.jsonl", " a line\n3\n");
	EXPECT_EQ(taken(tail), "half a line 3 ");
	EXPECT_EQ(tail.path(), path("a.jsonl"));
	EXPECT_EQ(tail.problem(), "");
}

TEST_F(TopTail, OfALongFileTheEnd)
{
	for (int i = 0; i < 3000; i++)
		add("a.jsonl", std::string(999, 'x') + "\n");
	Tail tail({.journal = {}, .file = path("a.jsonl")});
	const auto text = taken(tail);
	EXPECT_GT(text.size(), 1'000'000U);
	EXPECT_LT(text.size(), 1'060'000U);
	EXPECT_EQ(text.find("[x]"), std::string::npos) << "a line that was cut is no line";
	EXPECT_EQ(text.find('['), 0U);
	EXPECT_EQ(tail.skipped(), 0U) << "the past is not what came too fast";
}

TEST_F(TopTail, WhatComesTooFastIsLeftOutAndCounted)
{
	add("a.jsonl", "1\n");
	Tail tail({.journal = {}, .file = path("a.jsonl")});
	EXPECT_EQ(taken(tail), "[1] ");
	std::string flood;
	for (int i = 0; i < 20'000; i++)
		flood += std::string(999, 'x') + "\n";
	add("a.jsonl", flood + "last\n");
	const auto text = taken(tail);
	EXPECT_TRUE(text.ends_with("last ")) << text.substr(text.size() - 20);
	EXPECT_EQ(tail.skipped(), flood.size() + 5 - (8u << 20));
}

TEST_F(TopTail, RotationAndAShortenedFile)
{
	add("a.jsonl", "1\n");
	Tail tail({.journal = {}, .file = path("a.jsonl")});
	EXPECT_EQ(taken(tail), "[1] ");
	add("a.jsonl", "2\n");
	fs::rename(path("a.jsonl"), path("a.jsonl.1"));
	add("a.jsonl", "3\n");
	EXPECT_EQ(taken(tail), "2 3 ");
	fs::resize_file(path("a.jsonl"), 0);
	EXPECT_EQ(taken(tail), "");
	add("a.jsonl", "4\n");
	EXPECT_EQ(taken(tail), "4 ");
}

TEST_F(TopTail, AJournalsSegments)
{
	fs::create_directory(path("journal"));
	add("journal/0000000000000001.jsonl", "old\n");
	add("journal/0000000000000003.jsonl", "1\n");
	Tail tail({.journal = path("journal"), .file = path("none.jsonl")});
	EXPECT_EQ(taken(tail), "[1] ");
	add("journal/0000000000000003.jsonl", "2\n");
	add("journal/0000000000000005.jsonl", "3\n");
	add("journal/0000000000000006.jsonl", "4\n");
	EXPECT_EQ(taken(tail), "2 3 4 ");
	EXPECT_EQ(tail.path(), path("journal/0000000000000006.jsonl"));
}

TEST_F(TopTail, OfTwoTheOneThatIsWritten)
{
	fs::create_directory(path("journal"));
	add("journal/0000000000000001.jsonl", "journal\n");
	add("a.jsonl", "file\n");
	const timespec old[2] = {{1000, 0}, {1000, 0}};
	ASSERT_EQ(::utimensat(AT_FDCWD, path("journal/0000000000000001.jsonl").c_str(), old, 0), 0);
	Tail tail({.journal = path("journal"), .file = path("a.jsonl")});
	EXPECT_EQ(taken(tail), "[file] ");
}

TEST_F(TopTail, WhatIsNotThereIsSaidAndWaitedFor)
{
	Tail tail({.journal = path("journal"), .file = path("a.jsonl")});
	EXPECT_EQ(taken(tail), "");
	EXPECT_EQ(tail.problem(),
		  "there is no " + path("a.jsonl") + " and no " + path("journal/*.jsonl") + ": `weir run` writes it");
	add("a.jsonl", "1\n");
	EXPECT_EQ(taken(tail), "1 ") << "nobody had it before";
	EXPECT_EQ(tail.problem(), "");
	Tail strange({.journal = {}, .file = directory_});
	EXPECT_EQ(taken(strange), "");
	EXPECT_NE(strange.problem().find("no regular file"), std::string::npos) << strange.problem();
}

} // namespace
} // namespace weir::top
