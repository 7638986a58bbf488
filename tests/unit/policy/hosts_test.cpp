// SPDX-License-Identifier: Apache-2.0
#include "policy/hosts.h"

#include "bad_file.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

namespace weir::policy {
namespace {

std::vector<Prefix> prefixes(std::initializer_list<const char *> texts)
{
	std::vector<Prefix> out;
	for (const char *text : texts)
		out.push_back(*Prefix::parse(text));
	return out;
}

BoundRow row(const std::string &id, const std::string &peer)
{
	BoundRow out;
	out.row.id = id;
	out.row.source = "node";
	out.row.destination = peer;
	out.row.port = {6, 80, 80};
	out.row.type = "host";
	out.peers = prefixes({"192.0.2.1"});
	return out;
}

BoundPolicy policy()
{
	BoundPolicy out{"s", "T", {{"/c", {"node"}, true}}, {row("a", "r"), row("b", "other"), row("nd", "r")}, {}};
	out.rows[2].kernel_only = true;
	out.windows = {{"installation", 3600, {row("w@node", "r")}}};
	out.hosts = {{"r", {"r.example.org", prefixes({"192.0.2.0/24", "2001:db8::/32"}), prefixes({"192.0.2.1"})}}};
	return out;
}

TEST(Answer, WithinWhatTheSiteAllows)
{
	const HostName host = policy().hosts.at("r");
	const auto says = [&](const char *address, const char *complaint) {
		EXPECT_EQ(answer_complaint(host, *Address::parse(address)), complaint) << address;
	};
	says("192.0.2.0", "");
	says("192.0.2.255", "");
	says("2001:db8:ffff::1", "");
	says("192.0.3.0", "is outside 192.0.2.0/24, 2001:db8::/32");
	says("2001:db9::", "is outside 192.0.2.0/24, 2001:db8::/32");
	says("::ffff:192.0.2.7", "");
}

// However wide the range: a name that may be anything is still not this host, nor everybody.
TEST(Answer, NeverOneThatIsNoHost)
{
	const HostName any{"r", prefixes({"::/0", "0.0.0.0/0"}), {}};
	for (const char *address : {"127.0.0.1", "127.9.9.9", "::1"})
		EXPECT_EQ(answer_complaint(any, *Address::parse(address)), "is this host itself");
	for (const char *address : {"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"})
		EXPECT_EQ(answer_complaint(any, *Address::parse(address)), "is no address of a host") << address;
	for (const char *address : {"2002:c000:20a::1", "2001::1", "::192.0.2.1", "64:ff9b:1::1"})
		EXPECT_TRUE(answer_complaint(any, *Address::parse(address)).ends_with("which is never admitted"))
			<< address;
	EXPECT_EQ(answer_complaint(any, *Address::parse("64:ff9b::192.0.2.1")),
		  "is NAT64 (64:ff9b::/96), which is judged by the address inside");
	for (const char *address : {"192.0.2.1", "2001:db8::1", "fe80::1"})
		EXPECT_EQ(answer_complaint(any, *Address::parse(address)), "");
}

TEST(WithAddresses, EveryRowOfTheNameAndNoOther)
{
	const auto after = with_addresses(policy(), "r", prefixes({"2001:db8::9", "192.0.2.9", "192.0.2.9"}));
	ASSERT_TRUE(after) << after.error().message;
	const auto now = prefixes({"192.0.2.9", "2001:db8::9"});
	EXPECT_EQ(after->rows[0].peers, now);
	EXPECT_EQ(after->rows[1].peers, prefixes({"192.0.2.1"}));
	EXPECT_EQ(after->rows[2].peers, prefixes({"192.0.2.1"})); // neighbour discovery, with a name of its own
	EXPECT_EQ(after->windows[0].rows[0].peers, now);
	EXPECT_EQ(after->hosts.at("r").addresses, now);
	EXPECT_EQ(after->hosts.at("r").within, policy().hosts.at("r").within);
	EXPECT_EQ(canonical(with_addresses(*after, "r", prefixes({"192.0.2.1"})).value()), canonical(policy()));
}

TEST(WithAddresses, WhatIsRefused)
{
	const auto refused = [](const char *name, std::vector<Prefix> addresses) {
		return message_of(with_addresses(policy(), name, std::move(addresses)));
	};
	EXPECT_EQ(refused("other", prefixes({"192.0.2.1"})), "the policy in force has no DNS name for \"other\"");
	EXPECT_EQ(refused("r", {}), "\"r.example.org\" has no address: the last good ones stay");
	EXPECT_EQ(refused("r", prefixes({"192.0.2.1", "198.51.100.1"})),
		  "\"r.example.org\": 198.51.100.1 is outside 192.0.2.0/24, 2001:db8::/32");
	EXPECT_EQ(refused("r", prefixes({"192.0.2.0/25"})), "\"r.example.org\": 192.0.2.0/25 is not an address");
}

TEST(ApprovedText, IsTheSameWhateverDnsSays)
{
	const std::string approved = approved_text(policy());
	EXPECT_NE(approved, canonical(policy()));
	EXPECT_EQ(approved_text(with_addresses(policy(), "r", prefixes({"192.0.2.77"})).value()), approved);
	BoundPolicy wider = policy();
	wider.hosts.at("r").within = prefixes({"0.0.0.0/0"});
	EXPECT_NE(approved_text(wider), approved);
	BoundPolicy other = policy();
	other.rows[1].peers = prefixes({"192.0.2.77"});
	EXPECT_NE(approved_text(other), approved);
	BoundPolicy resolvers = policy();
	resolvers.resolvers = {"192.0.2.53"};
	EXPECT_NE(approved_text(resolvers), approved);
}

} // namespace
} // namespace weir::policy
