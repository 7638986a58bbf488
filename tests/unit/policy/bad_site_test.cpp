// SPDX-License-Identifier: Apache-2.0
// What is wrong in a site file, and what is said of it, to the letter.
#include "bad_file.h"
#include "policy/policy.h"

namespace weir::policy {
namespace {

constexpr std::string_view good_site = R"(format = 1
scenario = "node-native"
optional = ["node-gui"]

[names]
researcher = "192.0.2.10"

[cgroups]
node = "/sys/fs/cgroup/node"
gui = "/sys/fs/cgroup/gui"
)";

constexpr BadFile bad_site_files[] = {
	{"unknown_key_near", "[names]", "[name]",
	 R"(s.toml:5:2: error: unknown key "name"
    5 | [name]
      |  ^
  did you mean "names"?)"},
	{"unknown_key_far", "[names]", "[peers]",
	 R"(s.toml:5:2: error: unknown key "peers"
    5 | [peers]
      |  ^
  a site file has "format", "scenario", "scenarios", "loopback", "journal", "optional", "resolvers", "names", "cgroups", "units", "containers", "users", "edge", "services" and "windows")"},
	{"no_scenario", R"(scenario = "node-native"
)",
	 "",
	 R"(s.toml:1:1: error: a site file without "scenario"
    1 | format = 1
      | ^
  such as: scenario = "node-native")"},
	{"scenario_with_slash", R"("node-native")", R"("a/b")",
	 R"(s.toml:2:12: error: "scenario" is not letters, digits, ".", "_" and "-" after a letter or a digit
    2 | scenario = "a/b"
      |            ^
  write it like "node-native")"},
	{"loopback_unknown", "optional", R"(loopback = "closed"
optional)",
	 R"(s.toml:3:12: error: "closed" is not a mode of loopback
    3 | loopback = "closed"
      |            ^
  use "open" or "matrix")"},
	{"loopback_boolean", "optional", R"(loopback = true
optional)",
	 R"(s.toml:3:12: error: "loopback" is a boolean, not a string
    3 | loopback = true
      |            ^
  put the value in quotes)"},
	{"optional_text", R"(["node-gui"])", R"("node-gui")",
	 R"(s.toml:3:12: error: "optional" is not a list
    3 | optional = "node-gui"
      |            ^
  list the ids of the rows to turn on, such as: optional = ["node-gui"])"},
	{"optional_number", R"(["node-gui"])", "[1]",
	 R"(s.toml:3:13: error: "optional" is an integer, not a string
    3 | optional = [1]
      |             ^
  put the value in quotes)"},
	{"optional_twice", R"(["node-gui"])", R"(["a", "a"])",
	 R"(s.toml:3:18: error: "a" is given twice
    3 | optional = ["a", "a"]
      |                  ^
  keep one of the two)"},
	{"host_bits", R"("192.0.2.10")", R"("192.0.2.10/24")",
	 R"(s.toml:6:14: error: "192.0.2.10/24" has bits set past its prefix length
    6 | researcher = "192.0.2.10/24"
      |              ^
  write 192.0.2.0/24, or 192.0.2.10 for the one address)"},
	{"host_bits_v6", R"("192.0.2.10")", R"("2001:db8::1/64")",
	 R"(s.toml:6:14: error: "2001:db8::1/64" has bits set past its prefix length
    6 | researcher = "2001:db8::1/64"
      |              ^
  write 2001:db8::/64, or 2001:db8::1 for the one address)"},
	{"prefix_33", R"("192.0.2.10")", R"("192.0.2.0/33")",
	 R"(s.toml:6:14: error: "33" is not a prefix length
    6 | researcher = "192.0.2.0/33"
      |              ^
  use 0 to 32)"},
	{"prefix_empty", R"("192.0.2.10")", R"("192.0.2.0/")",
	 R"(s.toml:6:14: error: "" is not a prefix length
    6 | researcher = "192.0.2.0/"
      |              ^
  use 0 to 32)"},
	{"prefix_129", R"("192.0.2.10")", R"("2001:db8::/129")",
	 R"(s.toml:6:14: error: "129" is not a prefix length
    6 | researcher = "2001:db8::/129"
      |              ^
  use 0 to 128)"},
	{"prefix_zeros", R"("192.0.2.10")", R"("192.0.2.0/024")",
	 R"(s.toml:6:14: error: "024" is not a prefix length
    6 | researcher = "192.0.2.0/024"
      |              ^
  use 0 to 32)"},
	{"bad_octet", R"("192.0.2.10")", R"("192.0.2.256")",
	 R"(s.toml:6:14: error: "192.0.2.256" is not an IPv4 or IPv6 address
    6 | researcher = "192.0.2.256"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"octal_octet", R"("192.0.2.10")", R"("192.0.2.010")",
	 R"(s.toml:6:14: error: "192.0.2.010" is not an IPv4 or IPv6 address
    6 | researcher = "192.0.2.010"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"short_address", R"("192.0.2.10")", R"("192.0.2")",
	 R"(s.toml:6:14: error: "192.0.2" is not an IPv4 or IPv6 address
    6 | researcher = "192.0.2"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"zone_id", R"("192.0.2.10")", R"("fe80::1%eth0")",
	 R"(s.toml:6:14: error: "fe80::1%eth0" is not an IPv4 or IPv6 address
    6 | researcher = "fe80::1%eth0"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"with_port", R"("192.0.2.10")", R"("192.0.2.10:50051")",
	 R"(s.toml:6:14: error: "192.0.2.10:50051" is not an IPv4 or IPv6 address
    6 | researcher = "192.0.2.10:50051"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"brackets", R"("192.0.2.10")", R"("[2001:db8::1]")",
	 R"(s.toml:6:14: error: "[2001:db8::1]" is not an IPv4 or IPv6 address
    6 | researcher = "[2001:db8::1]"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"dns_name", R"("192.0.2.10")", R"("researcher.example.org")",
	 R"(s.toml:6:14: error: "researcher.example.org" is a name, not an address
    6 | researcher = "researcher.example.org"
      |              ^
  give its addresses, or have DNS asked: { host = "...", within = ["192.0.2.0/24"] })"},
	{"localhost_as_address", R"("192.0.2.10")", R"("localhost")",
	 R"(s.toml:6:14: error: "localhost" is a name, not an address
    6 | researcher = "localhost"
      |              ^
  give its addresses, or have DNS asked: { host = "...", within = ["192.0.2.0/24"] })"},
	{"empty_address", R"("192.0.2.10")", R"("")",
	 R"(s.toml:6:14: error: "" is not an IPv4 or IPv6 address
    6 | researcher = ""
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"space_in_address", R"("192.0.2.10")", R"(" 192.0.2.10")",
	 R"(s.toml:6:14: error: " 192.0.2.10" is not an IPv4 or IPv6 address
    6 | researcher = " 192.0.2.10"
      |              ^
  write it like 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32)"},
	{"bare_address", R"("192.0.2.10")", "192.0.2.10",
	 R"(s.toml:6:19: error: this is not a floating-point: expected decimal digit or exponent, saw '.'
    6 | researcher = 192.0.2.10
      |                   ^
  put text in quotes, such as "192.0.2.10")"},
	{"bare_address_v6", R"("192.0.2.10")", "::1",
	 R"(s.toml:6:14: error: this is neither text in quotes nor a number
    6 | researcher = ::1
      |              ^
  put text in quotes, such as "192.0.2.10")"},
	{"bare_address_v6_like_a_time", R"("192.0.2.10")", "2001:db8::1",
	 R"(s.toml:6:16: error: this is not a time: expected ':', saw '0'
    6 | researcher = 2001:db8::1
      |                ^
  put text in quotes, such as "192.0.2.10")"},
	{"no_equals_sign", "researcher =", "researcher",
	 R"(s.toml:6:12: error: this is not KEY = VALUE
    6 | researcher "192.0.2.10"
      |            ^
  a key with a space, or with a sign of its own, stands in quotes)"},
	{"open_header", "[names]", "[names",
	 R"(s.toml:5:7: error: the header does not end on its line
    5 | [names
      |       ^
  close it with ])"},
	{"open_list", R"("192.0.2.10")", R"(["192.0.2.10")",
	 R"(s.toml:8:1: error: the list does not go on here
    8 | [cgroups]
      | ^
  between two values stands a comma; close the list with ])"},
	{"address_number", R"("192.0.2.10")", "19",
	 R"(s.toml:6:14: error: "researcher" is an integer, not an address
    6 | researcher = 19
      |              ^
  put the address in quotes, such as "192.0.2.10")"},
	{"address_list_empty", R"("192.0.2.10")", "[]",
	 R"(s.toml:6:14: error: "researcher" has no address
    6 | researcher = []
      |              ^
  give one, or take the name out)"},
	{"address_list_second_wrong", R"("192.0.2.10")", R"(["192.0.2.10", "x"])",
	 R"(s.toml:6:29: error: "x" is a name, not an address
    6 | researcher = ["192.0.2.10", "x"]
      |                             ^
  give its addresses, or have DNS asked: { host = "...", within = ["192.0.2.0/24"] })"},
	{"address_list_number", R"("192.0.2.10")", R"(["192.0.2.10", 7])",
	 R"(s.toml:6:29: error: "researcher" is an integer, not an address
    6 | researcher = ["192.0.2.10", 7]
      |                             ^
  put the address in quotes, such as "192.0.2.10")"},
	{"address_twice", R"("192.0.2.10")", R"(["192.0.2.10", "192.0.2.10/32"])",
	 R"(s.toml:6:29: error: 192.0.2.10 is given twice
    6 | researcher = ["192.0.2.10", "192.0.2.10/32"]
      |                             ^
  keep one of the two)"},
	{"address_any", R"("192.0.2.10")", R"("0.0.0.0")",
	 R"(s.toml:6:14: error: "0.0.0.0" is the address of nobody
    6 | researcher = "0.0.0.0"
      |              ^
  for every address write 0.0.0.0/0)"},
	{"address_any6", R"("192.0.2.10")", R"("::")",
	 R"(s.toml:6:14: error: "::" is the address of nobody
    6 | researcher = "::"
      |              ^
  for every address write ::/0)"},
	{"sixtofour", R"("192.0.2.10")", R"("2002:c000:20a::/48")",
	 R"(s.toml:6:14: error: "2002:c000:20a::/48" can never match: it is 6to4 (2002::/16)
    6 | researcher = "2002:c000:20a::/48"
      |              ^
  give the IPv4 address: packets in this form are refused)"},
	{"teredo", R"("192.0.2.10")", R"("2001:0:4136::")",
	 R"(s.toml:6:14: error: "2001:0:4136::" can never match: it is Teredo (2001::/32)
    6 | researcher = "2001:0:4136::"
      |              ^
  give the IPv4 address: packets in this form are refused)"},
	{"compatible", R"("192.0.2.10")", R"("::192.0.2.10")",
	 R"(s.toml:6:14: error: "::192.0.2.10" can never match: it is IPv4-compatible (::/96)
    6 | researcher = "::192.0.2.10"
      |              ^
  give the IPv4 address: packets in this form are refused)"},
	{"siit", R"("192.0.2.10")", R"("::ffff:0:192.0.2.10")",
	 R"(s.toml:6:14: error: "::ffff:0:c000:20a" can never match: it is IPv4-translated (::ffff:0:0:0/96)
    6 | researcher = "::ffff:0:192.0.2.10"
      |              ^
  give the IPv4 address: packets in this form are refused)"},
	{"nat64", R"("192.0.2.10")", R"("64:ff9b::192.0.2.10")",
	 R"(s.toml:6:14: error: "64:ff9b::c000:20a" can never match: it is NAT64 (64:ff9b::/96)
    6 | researcher = "64:ff9b::192.0.2.10"
      |              ^
  give the IPv4 address inside: NAT64 is judged by it)"},
	{"nat64_whole", R"("192.0.2.10")", R"("64:ff9b::/96")",
	 R"(s.toml:6:14: error: "64:ff9b::/96" can never match: it is NAT64 (64:ff9b::/96)
    6 | researcher = "64:ff9b::/96"
      |              ^
  give the IPv4 address inside: NAT64 is judged by it)"},
	{"nat64_local", R"("192.0.2.10")", R"("64:ff9b:1::/48")",
	 R"(s.toml:6:14: error: "64:ff9b:1::/48" can never match: it is local-use NAT64 (64:ff9b:1::/48)
    6 | researcher = "64:ff9b:1::/48"
      |              ^
  give the IPv4 address: packets in this form are refused)"},
	{"builtin_name", "researcher =", "localhost =",
	 R"(s.toml:6:1: error: "localhost" is built in
    6 | localhost = "192.0.2.10"
      | ^
  take the line out: it means the same on every site)"},
	{"builtin_cgroup", "node =", "Internet =",
	 R"(s.toml:9:1: error: "Internet" is built in
    9 | Internet = "/sys/fs/cgroup/node"
      | ^
  a cgroup belongs to a component of this host)"},
	{"name_with_a_point", "researcher =", "researcher.example.org =",
	 R"(s.toml:6:1: error: "researcher" is a table, not an address
    6 | researcher.example.org = "192.0.2.10"
      | ^
  put a name that has a point in quotes)"},
	{"name_twice", R"(researcher = "192.0.2.10")", R"(researcher = "192.0.2.10"
researcher = "192.0.2.11")",
	 R"(s.toml:7:14: error: "researcher" is given twice
    7 | researcher = "192.0.2.11"
      |              ^
  keep one of the two)"},
	{"empty_name", "researcher =", R"("" =)",
	 R"(s.toml:6:1: error: the name "" is empty
    6 | "" = "192.0.2.10"
      | ^
  give it a value)"},
	{"names_text", R"([names]
researcher = "192.0.2.10")",
	 R"(names = "x")",
	 R"(s.toml:5:9: error: "names" is not a table
    5 | names = "x"
      |         ^
  begin it with: [names])"},
	{"cgroup_relative", R"("/sys/fs/cgroup/node")", R"("system.slice")",
	 R"(s.toml:9:8: error: "system.slice" is not an absolute directory
    9 | node = "system.slice"
      |        ^
  give all of it, such as "/sys/fs/cgroup/system.slice/fedbiomed-node.service")"},
	{"cgroup_dots", R"("/sys/fs/cgroup/node")", R"("/sys/fs/cgroup/../node")",
	 R"(s.toml:9:8: error: "/sys/fs/cgroup/../node" has ".." in it
    9 | node = "/sys/fs/cgroup/../node"
      |        ^
  give the directory itself)"},
	{"cgroup_list", R"("/sys/fs/cgroup/node")", R"(["/sys"])",
	 R"(s.toml:9:8: error: "node" is an array, not a string
    9 | node = ["/sys"]
      |        ^
  give one value, in quotes and without brackets)"},
	{"cgroup_empty", R"("/sys/fs/cgroup/node")", R"("")",
	 R"(s.toml:9:8: error: "node" is empty
    9 | node = ""
      |        ^
  give it a value)"},
};

class BadSite : public testing::TestWithParam<BadFile> {};

TEST_P(BadSite, IsToldToTheLetter)
{
	const std::string text = GetParam().text(good_site);
	EXPECT_EQ(message_of(parse_site(text, "s.toml")), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(, BadSite, testing::ValuesIn(bad_site_files), name_of);

} // namespace
} // namespace weir::policy
