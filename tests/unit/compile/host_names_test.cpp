// SPDX-License-Identifier: Apache-2.0
// Rows whose peer is a name in DNS: with the address that it has today, another one tomorrow, or none yet.
#include "compile/image.h"
#include "policy/hosts.h"
#include "policy/policy.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr const char *matrix_text = R"(format = 1
scenario = "two"
title = "T"
component = "node"
[[row]]
id = "a"
dir = "out"
source = "node"
destination = "r"
port = "TCP/1"
service = "x"
type = "host"
status = "mandatory"
[[row]]
id = "b"
dir = "out"
source = "node"
destination = "q"
port = "TCP/1"
service = "x"
type = "host"
status = "mandatory"
[[row]]
id = "ping"
dir = "out"
source = "node"
destination = "r"
port = "ICMP/8"
service = "x"
type = "host"
status = "mandatory"
)";

std::string site_text(const std::string &loopback, const std::string &more)
{
	return "format = 1\nscenario = \"two\"\nloopback = \"" + loopback +
	       "\"\n[names]\nr = { host = \"r.example\", within = \"192.0.2.0/24\" }\n"
	       "q = { host = \"q.example\", within = \"192.0.2.0/24\" }\n[cgroups]\nnode = \"/c/n\"\n" +
	       more;
}

Result<BoundPolicy> bound(const std::vector<Prefix> &addresses, bool later, const std::string &loopback = "open",
			  const std::string &more = "")
{
	const auto matrix = policy::parse_matrix(matrix_text, "two.toml");
	auto site = policy::parse_site(site_text(loopback, more), "site.toml");
	EXPECT_TRUE(matrix.has_value() && site.has_value());
	for (auto &[name, host] : site->hosts) {
		host.addresses = addresses;
		host.later = later;
	}
	return policy::bind({.scenarios = {*matrix}}, *site);
}

bool admits(const BoundPolicy &policy, std::uint8_t scope, const char *peer)
{
	Question question;
	question.scope = scope;
	question.protocol = 6;
	question.port = 1;
	question.remote = *Address::parse(peer);
	return ask(*compile(policy), question).allowed;
}

const std::vector<Prefix> one = {*Prefix::parse("192.0.2.7")};

TEST(HostNames, TwoMayHaveOneAddressAtPresent)
{
	const auto policy = bound(one, false);
	ASSERT_TRUE(policy.has_value()) << policy.error().message;
	const auto image = compile(*policy);
	ASSERT_TRUE(image.has_value()) << image.error().message;
	const auto apart = policy::with_addresses(*policy, "q", {*Prefix::parse("192.0.2.8")});
	ASSERT_TRUE(apart.has_value()) << apart.error().message;
	EXPECT_TRUE(compile(*apart).has_value());
}

TEST(HostNames, WithoutAnAddressIsAnErrorUnlessItComesLater)
{
	EXPECT_FALSE(bound({}, false).has_value());
	EXPECT_TRUE(bound({}, true).has_value());
}

/// The zone stays when the address comes: it must not be that of a row to loopback only, nor may it admit that.
TEST(HostNames, AddressThatComesLaterIsAdmittedWhereItWouldHaveBeen)
{
	for (const char *loopback : {"open", "matrix"})
		for (const char *more : {"", "[edge]\n"}) {
			const auto later = bound({}, true, loopback, more);
			const auto now = bound(one, false, loopback, more);
			ASSERT_TRUE(later.has_value() && now.has_value());
			EXPECT_TRUE(compile(*later).has_value());
			for (std::uint8_t scope = 0; scope < later->scopes.size(); ++scope)
				EXPECT_FALSE(admits(*later, scope, "192.0.2.7")) << more;
			auto come = policy::with_addresses(*later, "r", one);
			ASSERT_TRUE(come.has_value()) << come.error().message;
			come = policy::with_addresses(*come, "q", one);
			EXPECT_EQ(policy::canonical(*come), policy::canonical(*now)) << loopback << more;
		}
}

TEST(HostNames, ImageWithoutAddressesIsReadBack)
{
	const auto policy = bound({}, true);
	const auto text = text_of(*compile(*policy));
	ASSERT_TRUE(text.has_value());
	const auto again = policy::from_canonical(*text);
	ASSERT_TRUE(again.has_value()) << again.error().message;
	EXPECT_EQ(again->hosts, policy->hosts);
	EXPECT_TRUE(again->rows.front().peers.empty());
}

} // namespace
} // namespace weir
