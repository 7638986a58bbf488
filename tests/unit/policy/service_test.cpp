// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

TEST(Service, TextOfWhatWasParsed)
{
	for (const char *text :
	     {"TCP/50051", "TCP/1", "TCP/65535", "TCP/1-65535", "UDP/14000-14999", "SCTP/1", "DCCP/5", "UDP-Lite/9",
	      "ICMP/0", "ICMP/8", "ICMP/255", "ICMPv6/128-129", "IP/47", "IP/50", "IP/255", "IP/41"}) {
		const auto service = parse_service(text);
		ASSERT_TRUE(service) << text;
		EXPECT_EQ(service->text(), text);
	}
	EXPECT_EQ(parse_service("TCP/80-80")->text(), "TCP/80");
}

TEST(Service, Numbers)
{
	EXPECT_EQ(*parse_service("TCP/50051"), (Service{6, 50051, 50051}));
	EXPECT_EQ(*parse_service("UDP/14000-14999"), (Service{17, 14000, 14999}));
	EXPECT_EQ(*parse_service("SCTP/1"), (Service{132, 1, 1}));
	EXPECT_EQ(*parse_service("DCCP/1"), (Service{33, 1, 1}));
	EXPECT_EQ(*parse_service("UDP-Lite/1"), (Service{136, 1, 1}));
	EXPECT_EQ(*parse_service("ICMP/8"), (Service{1, 8, 8}));
	EXPECT_EQ(*parse_service("ICMPv6/128"), (Service{58, 128, 128}));
	EXPECT_EQ(*parse_service("IP/47"), (Service{47, 0, 0}));
}

TEST(Service, Ports)
{
	EXPECT_TRUE(parse_service("ICMP/8")->has_ports());
	EXPECT_TRUE(parse_service("TCP/1")->has_ports());
	EXPECT_FALSE(parse_service("IP/47")->has_ports());
}

TEST(Service, TheErrorIsAPhraseAndWhatToDo)
{
	const auto service = parse_service("TCP/0");
	ASSERT_FALSE(service);
	EXPECT_EQ(service.error().message, "port 0 is not a port\nuse 1 to 65535, or a range such as TCP/14000-14999");
}

} // namespace
} // namespace weir::policy
