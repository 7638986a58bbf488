// SPDX-License-Identifier: Apache-2.0
#include "policy/dns_name.h"

#include "bad_file.h"

namespace weir::policy {
namespace {

TEST(DnsName, InLowerCaseAndWithoutTheLastPoint)
{
	EXPECT_EQ(parse_dns_name("Researcher.Example.ORG."), "researcher.example.org");
	EXPECT_EQ(parse_dns_name("researcher"), "researcher");
	EXPECT_EQ(parse_dns_name("3com.example"), "3com.example");
	EXPECT_EQ(parse_dns_name("xn--bcher-kva.example"), "xn--bcher-kva.example");
	EXPECT_EQ(parse_dns_name(std::string(63, 'a') + ".b"), std::string(63, 'a') + ".b");
}

TEST(DnsName, NothingElse)
{
	const std::string label(63, 'a');
	const std::string long_name = label + '.' + label + '.' + label + '.' + label; // 255
	for (const std::string &text :
	     {std::string(), std::string("."), std::string("a..b"), std::string("-a.b"), std::string("a-.b"),
	      std::string("a_b.c"), std::string("a b"), std::string("*.example.org"), std::string("a.1"),
	      std::string("http://a.b"), std::string("a.b:53"), std::string("a\nb"), std::string(64, 'a'), long_name,
	      std::string("a.b.."), std::string("192.0.2.256")})
		EXPECT_TRUE(message_of(parse_dns_name(text)).ends_with("\nwrite it like \"researcher.example.org\""))
			<< text;
	EXPECT_EQ(message_of(parse_dns_name("192.0.2.1")),
		  "\"192.0.2.1\" is an address, not a name in DNS\nwrite it without host and within");
	EXPECT_EQ(message_of(parse_dns_name("bücher.example")),
		  "\"bücher.example\" is not the form that DNS has it in\nwrite its labels as xn--..., as RFC 5891 has "
		  "them");
}

TEST(Resolver, Forms)
{
	const auto is = [](std::string_view text, std::string_view address, std::uint16_t port) {
		const auto resolver = parse_resolver(text);
		ASSERT_TRUE(resolver) << resolver.error().message;
		EXPECT_EQ(resolver->address.text(), address);
		EXPECT_EQ(resolver->port, port);
	};
	is("192.0.2.53", "192.0.2.53", 53);
	is("192.0.2.53:5353", "192.0.2.53", 5353);
	is("2001:db8::53", "2001:db8::53", 53);
	is("[2001:db8::53]:1", "2001:db8::53", 1);
	is("[2001:db8::53]:65535", "2001:db8::53", 65535);
}

TEST(Resolver, NothingElse)
{
	for (const char *text :
	     {"", "dns.example.org", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "192.0.2.53:053",
	      "192.0.2.53:x", "[192.0.2.53]:53", "[2001:db8::53]", "[2001:db8::53", "[2001:db8::53]53",
	      "[2001:db8::53]:", "]", "[]:53", "192.0.2.0/24", "fe80::1%eth0", ":53", "[:]:53", "::1:53"})
		EXPECT_EQ(message_of(parse_resolver(text)),
			  '"' + std::string(text) +
				  "\" is not a resolver\nwrite its address, such as \"192.0.2.53\", or "
				  "\"[2001:db8::53]:5353\" with a port");
}

} // namespace
} // namespace weir::policy
