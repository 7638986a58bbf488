// SPDX-License-Identifier: Apache-2.0
#include "daemon/kept_addresses.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::daemon {
namespace {

constexpr std::int64_t keep = 100;

std::vector<Prefix> list(std::initializer_list<unsigned> last)
{
	std::vector<Prefix> all;
	for (const auto each : last)
		all.push_back({Address::v4(0xc0000200u + each), 128});
	return all;
}

TEST(KeptAddresses, WhatNoAnswerHadIsNotThere)
{
	KeptAddresses kept(keep);
	EXPECT_EQ(kept.after(list({2, 1}), 0), list({1, 2}));
}

TEST(KeptAddresses, NewOneIsThereAtOnceAndTheOldOneStays)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1}), 0);
	EXPECT_EQ(kept.after(list({2}), 10), list({1, 2}));
}

TEST(KeptAddresses, GoesWhenThreeAnswersLackedItAndTheTimeIsOver)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1}), 0);
	EXPECT_EQ(kept.after(list({2}), 50), list({1, 2}));
	EXPECT_EQ(kept.after(list({2}), 100), list({1, 2})) << "two answers";
	EXPECT_EQ(kept.after(list({2}), 101), list({2}));
}

TEST(KeptAddresses, ManyAnswersInShortTimeAreNotEnough)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1}), 0);
	for (std::int64_t now = 1; now < keep; now++)
		ASSERT_EQ(kept.after(list({2}), now), list({1, 2})) << now;
	EXPECT_EQ(kept.after(list({2}), keep), list({2}));
}

TEST(KeptAddresses, RotationLosesNone)
{
	KeptAddresses kept(keep);
	(void)kept.after(list({1, 2}), 0);
	for (unsigned turn = 0; turn < 1000; turn++) { // two of four at a time, an answer each 60
		const auto first = turn * 2 % 4;
		const auto all = kept.after(list({first + 1, first + 2}), 60 * turn);
		if (turn > 0) {
			ASSERT_EQ(all, list({1, 2, 3, 4})) << turn;
		}
	}
}

TEST(KeptAddresses, SeenAgainItCountsAnew)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1}), 0);
	(void)kept.after(list({2}), 40);
	(void)kept.after(list({2}), 80);
	EXPECT_EQ(kept.after(list({1, 2}), 120), list({1, 2}));
	EXPECT_EQ(kept.after(list({2}), 200), list({1, 2}));
}

TEST(KeptAddresses, AdoptingDoesNotMakeItYounger)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1}), 0);
	for (const std::int64_t now : {40, 80}) {
		const auto all = kept.after(list({2}), now);
		kept.adopt(all, now); // each publication is read back
	}
	EXPECT_EQ(kept.after(list({2}), 120), list({2}));
}

TEST(KeptAddresses, WhatIsNotInForceAnyMoreIsForgotten)
{
	KeptAddresses kept(keep);
	kept.adopt(list({1, 2}), 0);
	kept.adopt(list({3}), 10); // somebody applied
	EXPECT_EQ(kept.after(list({3}), 20), list({3}));
}

TEST(KeptAddresses, NeverMoreThanTheBoundAndNeverWithoutTheLastAnswer)
{
	KeptAddresses kept(keep);
	for (unsigned turn = 0; turn < 40; turn++) {
		std::vector<Prefix> answer;
		for (unsigned i = 0; i < 48; i++) // liars do not reach past the bound
			answer.push_back({Address::v4(0x0a000000u + turn * 48 + i), 128});
		const auto all = kept.after(answer, turn);
		ASSERT_LE(all.size(), KeptAddresses::most);
		for (const auto &each : answer)
			ASSERT_TRUE(std::ranges::binary_search(all, each)) << turn;
	}
}

} // namespace
} // namespace weir::daemon
