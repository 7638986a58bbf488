// SPDX-License-Identifier: Apache-2.0
#include "policy/text.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

TEST(Text, DidYouMean)
{
	const std::vector<std::string> names = {"localhost", "Internet", "researcher", "node"};
	EXPECT_EQ(did_you_mean("reseacher", names), "did you mean \"researcher\"?");
	EXPECT_EQ(did_you_mean("Localhost", names), "did you mean \"localhost\"?");
	EXPECT_EQ(did_you_mean("ndoe", names), "did you mean \"node\"?"); // neighbours that changed places
	EXPECT_EQ(did_you_mean("nodes", names), "did you mean \"node\"?");
	EXPECT_EQ(did_you_mean("vpnserver", names), "");
	EXPECT_EQ(did_you_mean("", names), "");
	EXPECT_EQ(did_you_mean("node", {}), "");
	EXPECT_EQ(did_you_mean(std::string(1000000, 'x'), names), "");
}

TEST(Text, QuotesShowWhatCannotBeSeen)
{
	EXPECT_EQ(in_quotes("a\x1b[2J\n"), "\"a\\x1b[2J\\x0a\"");
	EXPECT_EQ(in_quotes("a\xff"), "\"a\\xff\"");
	EXPECT_EQ(in_quotes("\u202e\u200b"), "\"\\u{202e}\\u{200b}\"");
	EXPECT_EQ(in_quotes("é"), "\"é\"");
	EXPECT_EQ(in_quotes(std::string(100, 'x')), '"' + std::string(80, 'x') + "...\"");
}

TEST(Text, Squeezed)
{
	EXPECT_EQ(squeezed("  a \t b\u00a0\n"), "a b");
	EXPECT_EQ(squeezed(" \n"), "");
}

TEST(Text, WidthIsInCharacters)
{
	EXPECT_EQ(width("é日"), 2u);
}

TEST(Text, Ids)
{
	for (const char *id : {"a", "node-gui", "A.b_c-9", "0"})
		EXPECT_EQ(id_complaint(id), "") << id;
	for (const char *id : {"", ".hidden", "-x", "a b", "a/b", "..", "é", "a@1"})
		EXPECT_NE(id_complaint(id), "") << id;
	EXPECT_EQ(id_complaint(std::string(64, 'a')), "");
	EXPECT_NE(id_complaint(std::string(65, 'a')), "");
}

} // namespace
} // namespace weir::policy
