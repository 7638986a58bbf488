// SPDX-License-Identifier: Apache-2.0
#include "names/resolvers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace weir::names {
namespace {

using testing::HasSubstr;

std::string conf(const std::string &text)
{
	auto path = testing::TempDir() + "weir-resolv.conf";
	std::ofstream(path) << text;
	return path;
}

std::vector<std::string> texts(const Result<std::vector<Resolver>> &all)
{
	std::vector<std::string> out;
	if (!all)
		return {all.error().message};
	for (const auto &each : *all)
		out.push_back(each.text());
	return out;
}

TEST(Resolvers, TextIsReadBack)
{
	for (const char *text : {"192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"}) {
		const auto resolver = policy::parse_resolver(text);
		ASSERT_TRUE(resolver.has_value()) << resolver.error().message;
		EXPECT_EQ(resolver->text(), text);
	}
	EXPECT_EQ(policy::parse_resolver("192.0.2.53:53")->text(), "192.0.2.53");
	for (const char *text : {"0.0.0.0", "::"})
		EXPECT_FALSE(policy::parse_resolver(text).has_value()) << text;
}

TEST(Resolvers, ThoseOfTheSiteStandForTheMachines)
{
	EXPECT_THAT(texts(resolvers({"192.0.2.54", "192.0.2.53"}, conf("nameserver 198.51.100.1\n"))),
		    testing::ElementsAre("192.0.2.54", "192.0.2.53"));
	EXPECT_THAT(texts(resolvers({"nobody"}, conf("nameserver 198.51.100.1\n"))),
		    testing::ElementsAre(HasSubstr("nobody")));
}

TEST(Resolvers, ElseTheFirstThreeOfResolvConf)
{
	EXPECT_THAT(texts(resolvers({}, conf("# nameserver 192.0.2.1\nsearch example.org\nnameserver 198.51.100.1\n"
					     "nameserver\tfe80::1%eth0\nnameserver 2001:db8::1 # the second\n"
					     "nameserver 198.51.100.3\nnameserver 198.51.100.4\n"))),
		    testing::ElementsAre("198.51.100.1", "2001:db8::1", "198.51.100.3"));
}

TEST(Resolvers, NoneAtAllIsAnErrorThatSaysWhatToDo)
{
	EXPECT_THAT(texts(resolvers({}, conf("search example.org\n"))),
		    testing::ElementsAre(testing::AllOf(HasSubstr("names none"), HasSubstr("resolvers = "))));
	EXPECT_THAT(texts(resolvers({}, conf("nameserver fe80::1%eth0\n"))),
		    testing::ElementsAre(HasSubstr("fe80::1%eth0")));
	EXPECT_THAT(texts(resolvers({}, "/nonexistent/resolv.conf")), testing::ElementsAre(HasSubstr("can't be read")));
}

} // namespace
} // namespace weir::names
