// SPDX-License-Identifier: Apache-2.0
// [edge] and [services] of a site file: what they say, and what is said of what is wrong, to the letter.
#include "bad_file.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

namespace weir::policy {
namespace {

using testing::ElementsAre;

constexpr std::string_view good = R"(format = 1
scenario = "s"
[edge]
interfaces = ["eth0", "tun5"]
tunnels = ["tun5"]
ingress = "tc"
ethertypes = ["LLDP", "EAPOL", "0x88f7"]
flows = 4096
[services]
node = ["dns-udp", "dns-tcp"]
)";

TEST(EdgeOfASite, EveryKey)
{
	const auto site = parse_site(good, "s.toml");
	ASSERT_TRUE(site) << site.error().message;
	EXPECT_TRUE(site->edge.present);
	EXPECT_THAT(site->edge.interfaces, ElementsAre("eth0", "tun5"));
	EXPECT_THAT(site->edge.tunnels, ElementsAre("tun5"));
	EXPECT_EQ(site->edge.ingress, "tc");
	EXPECT_THAT(site->edge.ethertypes, ElementsAre(0x888e, 0x88cc, 0x88f7)); // sorted
	EXPECT_EQ(site->edge.flows, 4096u);
	EXPECT_THAT(site->services.at("node"), ElementsAre("dns-udp", "dns-tcp"));
}

TEST(EdgeOfASite, TheTableIsEnough)
{
	const auto site = parse_site("format = 1\nscenario = \"s\"\n[edge]\n", "s.toml");
	ASSERT_TRUE(site) << site.error().message;
	const Edge edge{true, {}, {}, "auto", {}, 65536};
	EXPECT_EQ(site->edge, edge);
	EXPECT_EQ(parse_site("format = 1\nscenario = \"s\"\n[edge]\ninterfaces = \"auto\"\n", "s.toml")->edge, edge);
	EXPECT_FALSE(parse_site("format = 1\nscenario = \"s\"\n", "s.toml")->edge.present);
}

constexpr BadFile bad_files[] = {
	{"no_table", "[edge]", "edge = true\n[x]", R"(s.toml:4:2: error: unknown key "x"
    4 | [x]
      |  ^
  a site file has "format", "scenario", "scenarios", "loopback", "journal", "optional", "resolvers", "names", "cgroups", "units", "containers", "users", "edge", "services" and "windows")"},
	{"unknown_key_near", "flows", "flow", R"(s.toml:8:1: error: unknown key "flow"
    8 | flow = 4096
      | ^
  did you mean "flows"?)"},
	{"unknown_key_far", "flows", "zones", R"(s.toml:8:1: error: unknown key "zones"
    8 | zones = 4096
      | ^
  [edge] has "interfaces", "tunnels", "ingress", "ethertypes" and "flows")"},
	{"interfaces_one", R"(["eth0", "tun5"])", R"("eth0")",
	 R"(s.toml:4:14: error: "eth0" is not a list of interfaces
    4 | interfaces = "eth0"
      |              ^
  write "auto", or a list such as ["eth0", "eth1"])"},
	{"interfaces_number", R"(["eth0", "tun5"])", "2", R"(s.toml:4:14: error: "interfaces" is an integer, not a list
    4 | interfaces = 2
      |              ^
  write "auto", or a list such as ["eth0", "eth1"])"},
	{"interfaces_none", R"(["eth0", "tun5"])", "[]", R"(s.toml:4:14: error: "interfaces" has no interface
    4 | interfaces = []
      |              ^
  write "auto", or a list such as ["eth0", "eth1"])"},
	{"interface_number", R"("eth0")", "0", R"(s.toml:4:15: error: "interfaces" is an integer, not a string
    4 | interfaces = [0, "tun5"]
      |               ^
  put the value in quotes)"},
	{"interface_empty", R"("eth0")", R"("")", R"(s.toml:4:15: error: "" is no name of an interface
    4 | interfaces = ["", "tun5"]
      |               ^
  write it like "eth0")"},
	{"interface_dots", R"("eth0")", R"("..")", R"(s.toml:4:15: error: ".." is no name of an interface
    4 | interfaces = ["..", "tun5"]
      |               ^
  write it like "eth0")"},
	{"interface_long", R"("eth0")", R"("a234567890123456")",
	 R"(s.toml:4:15: error: "a234567890123456" is longer than a name of an interface
    4 | interfaces = ["a234567890123456", "tun5"]
      |               ^
  Linux gives them up to 15 bytes)"},
	{"interface_slash", R"("eth0")", R"("eth/0")",
	 R"(s.toml:4:15: error: "eth/0" is no name of an interface: it has a space, "/" or ":" in it
    4 | interfaces = ["eth/0", "tun5"]
      |               ^
  write it like "eth0")"},
	{"interface_space", R"("eth0")", R"("eth0 ")",
	 R"(s.toml:4:15: error: "eth0 " is no name of an interface: it has a space, "/" or ":" in it
    4 | interfaces = ["eth0 ", "tun5"]
      |               ^
  write it like "eth0")"},
	{"interface_loopback", R"("eth0")", R"("lo")", R"(s.toml:4:15: error: "lo" does not lead off the host
    4 | interfaces = ["lo", "tun5"]
      |               ^
  take it out: loopback is not the network, see: loopback = "matrix")"},
	{"interface_auto", R"("eth0")", R"("auto")", R"(s.toml:4:15: error: "auto" stands in a list
    4 | interfaces = ["auto", "tun5"]
      |               ^
  every interface that leads off the host is: interfaces = "auto")"},
	{"interface_twice", R"("eth0")", R"("tun5")", R"(s.toml:4:23: error: "tun5" is given twice
    4 | interfaces = ["tun5", "tun5"]
      |                       ^
  keep one of the two)"},
	{"tunnels_one", R"(["tun5"])", R"("tun5")", R"(s.toml:5:11: error: "tunnels" is not a list
    5 | tunnels = "tun5"
      |           ^
  such as: tunnels = ["tun5"])"},
	{"tunnel_not_held", R"(["tun5"])", R"(["tun6"])",
	 R"(s.toml:5:12: error: "tun6" is not among the interfaces that are held
    5 | tunnels = ["tun6"]
      |            ^
  add it to "interfaces", too)"},
	{"ingress_unknown", R"("tc")", R"("xdp")", R"(s.toml:6:11: error: "xdp" is not a mode of ingress
    6 | ingress = "xdp"
      |           ^
  use "auto", "tc" or "xdp-generic")"},
	{"ethertypes_one", R"(["LLDP", "EAPOL", "0x88f7"])", R"("LLDP")",
	 R"(s.toml:7:14: error: "ethertypes" is not a list
    7 | ethertypes = "LLDP"
      |              ^
  such as: ethertypes = ["LLDP"])"},
	{"ethertype_number", R"("LLDP")", "0x88cc", R"(s.toml:7:15: error: "ethertypes" is an integer, not an EtherType
    7 | ethertypes = [0x88cc, "EAPOL", "0x88f7"]
      |               ^
  write "LLDP", "EAPOL", or a number such as "0x88f7")"},
	{"ethertype_near", R"("LLDP")", R"("LLPD")", R"(s.toml:7:15: error: "LLPD" is not an EtherType
    7 | ethertypes = ["LLPD", "EAPOL", "0x88f7"]
      |               ^
  did you mean "LLDP"?)"},
	{"ethertype_far", R"("LLDP")", R"("0x88cg")", R"(s.toml:7:15: error: "0x88cg" is not an EtherType
    7 | ethertypes = ["0x88cg", "EAPOL", "0x88f7"]
      |               ^
  write "LLDP", "EAPOL", or a number such as "0x88f7")"},
	{"ethertype_short", R"("LLDP")", R"("0x88")", R"(s.toml:7:15: error: "0x88" is not an EtherType
    7 | ethertypes = ["0x88", "EAPOL", "0x88f7"]
      |               ^
  write "LLDP", "EAPOL", or a number such as "0x88f7")"},
	{"ethertype_length", R"("LLDP")", R"("0x05ff")", R"(s.toml:7:15: error: "0x05ff" is a length, not an EtherType
    7 | ethertypes = ["0x05ff", "EAPOL", "0x88f7"]
      |               ^
  EtherTypes begin at 0x0600)"},
	{"ethertype_ipv6", R"("LLDP")", R"("0x86dd")", R"(s.toml:7:15: error: "0x86dd" is IPv6
    7 | ethertypes = ["0x86dd", "EAPOL", "0x88f7"]
      |               ^
  take it out: the rows say what passes)"},
	{"ethertype_arp", R"("LLDP")", R"("0x0806")", R"(s.toml:7:15: error: "0x0806" is ARP
    7 | ethertypes = ["0x0806", "EAPOL", "0x88f7"]
      |               ^
  take it out: ARP passes anyway)"},
	{"ethertype_vlan", R"("LLDP")", R"("0x8100")", R"(s.toml:7:15: error: "0x8100" is a VLAN tag
    7 | ethertypes = ["0x8100", "EAPOL", "0x88f7"]
      |               ^
  take it out: weir looks through tags, and judges what is inside)"},
	{"ethertype_twice", R"("EAPOL")", R"("0x88cc")", R"(s.toml:7:23: error: LLDP is given twice
    7 | ethertypes = ["LLDP", "0x88cc", "0x88f7"]
      |                       ^
  keep one of the two)"},
	{"ethertypes_many", R"("0x88f7"])", R"("0x88f7", "0x88f8", "0x88f9"])",
	 R"(s.toml:7:52: error: more than 4 EtherTypes
    7 | ethertypes = ["LLDP", "EAPOL", "0x88f7", "0x88f8", "0x88f9"]
      |                                                    ^
  keep those that the host cannot do without)"},
	{"flows_text", "4096", R"("4096")", R"(s.toml:8:9: error: "flows" is a string, not an integer
    8 | flows = "4096"
      |         ^
  such as: flows = 65536)"},
	{"flows_few", "4096", "1023", R"(s.toml:8:9: error: 1023 is no bound on flows
    8 | flows = 1023
      |         ^
  use 1024 to 16777216)"},
	{"flows_many", "4096", "16777217", R"(s.toml:8:9: error: 16777217 is no bound on flows
    8 | flows = 16777217
      |         ^
  use 1024 to 16777216)"},
	{"flows_negative", "4096", "-1", R"(s.toml:8:9: error: -1 is no bound on flows
    8 | flows = -1
      |         ^
  use 1024 to 16777216)"},
	{"service_text", R"(["dns-udp", "dns-tcp"])", R"("dns-udp")", R"(s.toml:10:8: error: "node" is not a list
   10 | node = "dns-udp"
      |        ^
  list ids of host services, such as: node = ["dns-udp"])"},
	{"service_none", R"(["dns-udp", "dns-tcp"])", "[]", R"(s.toml:10:8: error: "node" has no service
   10 | node = []
      |        ^
  list ids of host services, such as: node = ["dns-udp"])"},
	{"service_twice", R"("dns-tcp")", R"("dns-udp")", R"(s.toml:10:20: error: "dns-udp" is given twice
   10 | node = ["dns-udp", "dns-udp"]
      |                    ^
  keep one of the two)"},
	{"service_no_id", R"("dns-tcp")", R"("dns tcp")",
	 R"(s.toml:10:20: error: "node" is not letters, digits, ".", "_" and "-" after a letter or a digit
   10 | node = ["dns-udp", "dns tcp"]
      |                    ^
  write it like "node-native")"},
	{"service_of_localhost", "node =", "localhost =", R"(s.toml:10:1: error: "localhost" is built in
   10 | localhost = ["dns-udp", "dns-tcp"]
      | ^
  services are used by components of this host)"},
};

class BadEdge : public testing::TestWithParam<BadFile> {};

TEST_P(BadEdge, IsToldToTheLetter)
{
	EXPECT_EQ(message_of(parse_site(GetParam().text(good), "s.toml")), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(, BadEdge, testing::ValuesIn(bad_files), name_of);

TEST(EdgeOfASite, NoTables)
{
	EXPECT_EQ(message_of(parse_site("format = 1\nscenario = \"s\"\nedge = true\n", "s.toml")),
		  R"(s.toml:3:8: error: "edge" is not a table
    3 | edge = true
      |        ^
  begin it with: [edge])");
	EXPECT_EQ(message_of(parse_site("format = 1\nscenario = \"s\"\n[services]\nnode = [\"ntp\"]\n", "s.toml")),
		  R"(s.toml:3:1: error: [services] needs [edge]
    3 | [services]
      | ^
  host services are rows of the edge: add [edge], or take [services] out)");
}

} // namespace
} // namespace weir::policy
