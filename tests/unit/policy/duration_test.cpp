// SPDX-License-Identifier: Apache-2.0
#include "policy/duration.h"

#include "bad_file.h"

namespace weir::policy {
namespace {

TEST(Duration, Forms)
{
	EXPECT_EQ(parse_duration("90s"), 90u);
	EXPECT_EQ(parse_duration("30m"), 1800u);
	EXPECT_EQ(parse_duration("4h"), 14400u);
	EXPECT_EQ(parse_duration("1h30m"), 5400u);
	EXPECT_EQ(parse_duration("1h0m5s"), 3605u);
	EXPECT_EQ(parse_duration("1h5s"), 3605u);
	EXPECT_EQ(parse_duration("24h"), 86400u);
	EXPECT_EQ(parse_duration("86400s"), 86400u);
	EXPECT_EQ(parse_duration("1s"), 1u);
}

TEST(Duration, NothingElse)
{
	constexpr const char *forms = "\nwrite it like \"90s\", \"30m\", \"4h\" or \"1h30m\"";
	const auto says = [&](const std::string &text, const std::string &what) {
		EXPECT_EQ(message_of(parse_duration(text)), '"' + text + "\" " + what + forms);
	};
	for (const char *text : {"", "h", "x", " 1h", "1 h", "1h ", "1H", "1d", "1.5h", "+1h", "1m1h", "1h1h", "0x1h",
				 "1ms", "h1", "1h-1m", "forever", "1,5h", "\xff"})
		EXPECT_EQ(parse_duration(text).error().message.substr(parse_duration(text).error().message.find('\n')),
			  forms)
			<< text;
	says("", "is not a duration");
	says("1d", "is not a duration");
	says("1m1h", "is not a duration");
	says("90", "has no unit");
	says("1h30", "has no unit");
	says("-5m", "is negative");
	says("0s", "is no time at all");
	says("0h0m", "is no time at all");
}

TEST(Duration, NoLongerThanADay)
{
	for (const char *text :
	     {"25h", "24h1s", "86401s", "1441m", "99999999999999999999999h", "18446744073709551615s"})
		EXPECT_EQ(message_of(parse_duration(text)), '"' + std::string(text) +
								    "\" is longer than a day\n"
								    "a window is an exception: use at most \"24h\"");
}

TEST(Duration, TextReadsBack)
{
	EXPECT_EQ(duration_text(5400), "1h30m");
	EXPECT_EQ(duration_text(90), "1m30s");
	EXPECT_EQ(duration_text(86400), "24h");
	EXPECT_EQ(duration_text(0), "0s");
	for (std::uint32_t seconds = 1; seconds <= longest_window; seconds += 7)
		ASSERT_EQ(parse_duration(duration_text(seconds)), seconds);
}

} // namespace
} // namespace weir::policy
