// SPDX-License-Identifier: Apache-2.0
#include "policy/address.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir {
namespace {

Address address(std::string_view text)
{
	const auto parsed = Address::parse(text);
	EXPECT_TRUE(parsed) << text;
	return parsed.value_or(Address{});
}

Prefix prefix(std::string_view text)
{
	const auto parsed = Prefix::parse(text);
	EXPECT_TRUE(parsed) << text;
	return parsed.value_or(Prefix{});
}

TEST(Address, TextOfWhatWasParsed)
{
	// The right column: RFC 5952 section 4.
	const std::pair<const char *, const char *> cases[] = {
		{"192.0.2.10", "192.0.2.10"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:DB8::1", "2001:db8::1"},
		{"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"::", "::"},
		{"::1", "::1"},
		{"::ffff:192.0.2.10", "192.0.2.10"},
		{"::ffff:c000:20a", "192.0.2.10"},
	};
	for (const auto &[text, expected] : cases)
		EXPECT_EQ(address(text).text(), expected);
}

TEST(Address, NothingElseIsAnAddress)
{
	using namespace std::string_view_literals;
	for (const std::string_view text :
	     {""sv, " "sv, "192.0.2"sv, "192.0.2.010"sv, "192.0.2.256"sv, "0xc0.0.2.10"sv, "3221225994"sv,
	      "192.0.2.10 "sv, "192.0.2.10:80"sv, "192.0.2.10/32"sv, "[::1]"sv, "::1%lo"sv, ":::"sv, "1::2::3"sv,
	      "12345::"sv, "::1\0"sv, "192.0.2.10\0.evil"sv, "localhost"sv})
		EXPECT_FALSE(Address::parse(text)) << text;
	EXPECT_FALSE(Address::parse(std::string(100000, ':')));
}

TEST(Address, V4IsMapped)
{
	EXPECT_EQ(Address::v4(0xc000020a), address("192.0.2.10"));
	EXPECT_TRUE(address("192.0.2.10").is_v4());
	EXPECT_FALSE(address("::192.0.2.10").is_v4());
	EXPECT_FALSE(address("2001:db8::1").is_v4());
}

TEST(Prefix, LengthIsOfThe128BitForm)
{
	EXPECT_EQ(prefix("192.0.2.0/24").length, 120);
	EXPECT_EQ(prefix("192.0.2.10").length, 128);
	EXPECT_EQ(prefix("0.0.0.0/0").length, 96);
	EXPECT_EQ(prefix("::/0").length, 0);
	EXPECT_EQ(prefix("::ffff:192.0.2.0/120"), prefix("192.0.2.0/24"));
}

TEST(Prefix, TextOfWhatWasParsed)
{
	for (const char *text : {"192.0.2.0/24", "192.0.2.10", "0.0.0.0/0", "128.0.0.0/1", "2001:db8::/32", "::/0",
				 "::1", "2001:db8::2/127", "8000::/1"})
		EXPECT_EQ(prefix(text).text(), text);
	EXPECT_EQ(prefix("192.0.2.10/32").text(), "192.0.2.10");
	EXPECT_EQ(prefix("2001:db8::1/128").text(), "2001:db8::1");
}

TEST(Prefix, NothingElseIsAPrefix)
{
	for (const char *text : {"192.0.2.1/24", "2001:db8::1/64", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1",
				 "192.0.2.0/+8", "192.0.2.0/024", "2001:db8::/129", "/24", "192.0.2.0/24/24",
				 "192.0.2.0/ 24", "192.0.2.0/99999999999", "::ffff:192.0.2.0/90", "x/8"})
		EXPECT_FALSE(Prefix::parse(text)) << text;
}

TEST(Prefix, ContainsWithinItsFamilyOnly)
{
	EXPECT_TRUE(prefix("192.0.2.0/24").contains(address("192.0.2.255")));
	EXPECT_FALSE(prefix("192.0.2.0/24").contains(address("192.0.3.0")));
	EXPECT_TRUE(prefix("::/0").contains(address("2001:db8::1")));
	EXPECT_FALSE(prefix("::/0").contains(address("192.0.2.1")));
	EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("2001:db8::1")));
	EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("255.255.255.255")));
	EXPECT_TRUE(prefix("0.0.0.0/0").contains(prefix("10.0.0.0/8")));
	EXPECT_FALSE(prefix("::/0").contains(prefix("0.0.0.0/0")));
	EXPECT_TRUE(prefix("10.0.0.0/8").contains(prefix("10.0.0.0/8")));
	EXPECT_FALSE(prefix("10.0.0.0/8").contains(prefix("10.0.0.0/7")));
}

TEST(Prefix, ContainsAsBitsSay)
{
	std::mt19937_64 random(1);
	for (int round = 0; round < 20000; round++) {
		Address a;
		Address b;
		for (std::size_t index = 0; index < 16; index++) {
			a.bytes[index] = static_cast<std::uint8_t>(random());
			b.bytes[index] = random() % 4 == 0 ? static_cast<std::uint8_t>(random()) : a.bytes[index];
		}
		const auto bit = [](const Address &of, unsigned at) { return of.bytes[at / 8] >> (7 - at % 8) & 1; };
		const auto length = static_cast<std::uint8_t>(random() % 129);
		bool same = true;
		Prefix of{a, length};
		for (unsigned at = 0; at < 128; at++) {
			same = same && (at >= length || bit(a, at) == bit(b, at));
			if (at >= length)
				of.address.bytes[at / 8] =
					static_cast<std::uint8_t>(of.address.bytes[at / 8] & ~(0x80u >> at % 8));
		}
		if (a.is_v4() || b.is_v4())
			continue;
		EXPECT_EQ(of.contains(b), same);
		EXPECT_EQ(Prefix::parse(of.text()), of) << of.text();
		EXPECT_EQ(Address::parse(a.text()), a) << a.text();
	}
}

TEST(RefusedForm, HidesAnIPv4Address)
{
	EXPECT_EQ(refused_form(address("::192.0.2.10")), "IPv4-compatible (::/96)");
	EXPECT_EQ(refused_form(address("::2")), "IPv4-compatible (::/96)");
	EXPECT_EQ(refused_form(address("::ffff:0:192.0.2.10")), "IPv4-translated (::ffff:0:0:0/96)");
	EXPECT_EQ(refused_form(address("2002:c000:20a::1")), "6to4 (2002::/16)");
	EXPECT_EQ(refused_form(address("2001:0:4136:e378:8000:63bf:3fff:fdd2")), "Teredo (2001::/32)");
	EXPECT_EQ(refused_form(address("64:ff9b:1::1")), "local-use NAT64 (64:ff9b:1::/48)");
	EXPECT_EQ(refused_form(address("64:ff9b:1:ffff:ffff::")), "local-use NAT64 (64:ff9b:1::/48)");
}

TEST(RefusedForm, NothingElse)
{
	for (const char *text : {"::", "::1", "192.0.2.10", "0.0.0.0", "2001:db8::1", "2001:1::1", "2003::1",
				 "64:ff9b::1", "64:ff9b:2::1", "::1:0:0:1", "::fffe:0:0", "fe80::1", "ff02::1"})
		EXPECT_EQ(refused_form(address(text)), "") << text;
}

TEST(JudgedForm, Nat64IsTheAddressInside)
{
	EXPECT_EQ(judged_form(address("64:ff9b::192.0.2.10")), address("192.0.2.10"));
	EXPECT_EQ(judged_form(address("64:ff9b::")), address("0.0.0.0"));
	for (const char *text : {"192.0.2.10", "2001:db8::1", "64:ff9b:0:0:0:1::", "64:ff9b:1::1", "::"})
		EXPECT_EQ(judged_form(address(text)), address(text));
}

} // namespace
} // namespace weir
