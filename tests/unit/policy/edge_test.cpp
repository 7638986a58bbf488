// SPDX-License-Identifier: Apache-2.0
// What the edge of a policy holds: rows of components, of the host, and those that ship with weir.
#include "bad_file.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace weir::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view matrix_text = R"(format = 1
scenario = "s"
title = "T"
component = "node"
row = [
 {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", type = "backend", status = "mandatory"},
 {id = "gui", dir = "in", source = "localhost", destination = "gui", port = "TCP/8484", service = "h", type = "user", status = "optional"},
 {id = "web", dir = "out", source = "node", destination = "Internet", port = "TCP/443", service = "h", type = "host", status = "optional"},
 {id = "web2", dir = "out", source = "gui", destination = "Internet", port = "TCP/443", service = "h", type = "host", status = "optional"},
 {id = "vpn", dir = "out", source = "node", destination = "inside", port = "TCP/50051", service = "g", type = "backend", status = "optional", zone = "tunnel"},
]
)";

constexpr std::string_view services_text = R"(format = 1
scenario = "host-services"
title = "Services"
component = "host"
row = [
 {id = "dns", dir = "out", source = "host", destination = "resolver", port = "UDP/53", service = "d", type = "host", status = "optional"},
 {id = "ssh", dir = "in", source = "admins", destination = "host", port = "TCP/22", service = "s", type = "host", status = "optional"},
 {id = "ask", dir = "out", source = "host", destination = "broadcast", port = "UDP/67", service = "d", type = "host", status = "optional"},
 {id = "ping", dir = "in", source = "monitor", destination = "host", port = "ICMP/8", service = "p", type = "host", status = "optional"},
 {id = "ping6", dir = "in", source = "monitor", destination = "host", port = "ICMPv6/128", service = "p", type = "host", status = "optional"},
]
)";

constexpr std::string_view site_text = R"(format = 1
scenario = "s"
optional = []
[names]
researcher = "192.0.2.10"
[cgroups]
node = "/c/node"
[edge]
)";

Result<BoundPolicy> bound(std::string_view site, std::string_view matrix = matrix_text,
			  std::string_view services = services_text)
{
	const auto parsed_matrix = parse_matrix(matrix, "m.toml");
	const auto parsed_services = parse_matrix(services, "h.toml");
	const auto parsed_site = parse_site(site, "s.toml");
	EXPECT_TRUE(parsed_matrix) << parsed_matrix.error().message;
	EXPECT_TRUE(parsed_services) << parsed_services.error().message;
	EXPECT_TRUE(parsed_site) << parsed_site.error().message;
	return bind({{*parsed_matrix}, {}, *parsed_services}, *parsed_site);
}

std::string changed(std::string_view text, std::string_view from, std::string_view to)
{
	return BadFile{"", from, to, ""}.text(text);
}

/// Of the rows that don't ship with weir: "ID:SCOPE:ZONES".
std::vector<std::string> told(const Result<BoundPolicy> &policy)
{
	if (!policy)
		return {policy.error().message};
	std::vector<std::string> out;
	for (const BoundRow &row : policy->rows)
		if (!row.kernel_only)
			out.push_back(row.row.id + ':' + std::to_string(row.scope) + ':' + std::to_string(row.zones));
	return out;
}

const BoundRow &row_of(const BoundPolicy &policy, std::string_view id)
{
	return *std::ranges::find(policy.rows, id, [](const BoundRow &row) { return std::string_view(row.row.id); });
}

TEST(EdgeTable, IsTheLastScopeAndHasACopyOfEachRow)
{
	const auto policy = bound(site_text);
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2", "grpc@edge:1:2"));
	ASSERT_EQ(policy->scopes.size(), 2u);
	EXPECT_EQ(policy->cgroups(), 1u);
	EXPECT_TRUE(policy->edge.present);
	EXPECT_TRUE(policy->scopes[1].is_edge());
	EXPECT_FALSE(policy->scopes[1].open_loopback);
	EXPECT_THAT(policy->scopes[1].components, ElementsAre("host", "node"));
}

TEST(EdgeTable, WithoutOneNothingIsNew)
{
	const auto policy = bound(changed(site_text, "[edge]\n", ""), matrix_text,
				  changed(services_text, "\"resolver\"", "\"researcher\""));
	ASSERT_EQ(policy.value().scopes.size(), 1u);
	EXPECT_FALSE(policy->edge.present);
}

TEST(EdgeTable, SeesNoLoopback)
{
	EXPECT_THAT(told(bound(changed(changed(site_text, "[]", "[\"gui\"]"), "node =", "gui = \"/c/gui\"\nnode ="))),
		    ElementsAre("grpc:0:2", "gui:1:1", "grpc@edge:2:2"));
	EXPECT_THAT(told(bound(changed(site_text, "optional", "loopback = \"matrix\"\noptional"))),
		    ElementsAre("grpc:0:3", "grpc@edge:1:2"));
	const auto policy = bound(changed(site_text, "\"192.0.2.10\"", "[\"127.0.0.1\", \"192.0.2.10\", \"::1\"]"));
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:3", "grpc@edge:1:2"));
	EXPECT_EQ(policy->rows[0].peers.size(), 3u);
	EXPECT_THAT(policy->rows[1].peers, ElementsAre(*Prefix::parse("192.0.2.10")));
}

TEST(EdgeTable, AComponentNeedsNoCgroup)
{
	const auto policy = bound(changed(site_text, "node = \"/c/node\"\n", ""));
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2"));
	EXPECT_EQ(policy->cgroups(), 0u);
	EXPECT_THAT(policy->scopes[0].components, ElementsAre("host", "node"));
	EXPECT_EQ(row_of(*policy, "nd-solicit-in").row.destination, "host");
}

TEST(EdgeTable, WhatTwoComponentsMayStandsThereOnce)
{
	EXPECT_THAT(told(bound(changed(changed(site_text, "[]", "[\"web\", \"web2\"]"),
				       "node =", "gui = \"/c/gui\"\nnode ="))),
		    ElementsAre("grpc:0:2", "web:0:2", "web2:1:2", "grpc@edge:2:2", "web@edge:2:2"));
}

TEST(EdgeTable, ATunnelsRowHoldsInsideIt)
{
	EXPECT_THAT(told(bound(changed(site_text, "[]\n[names]", "[\"vpn\"]\n[names]\ninside = \"10.222.0.2\""))),
		    ElementsAre("grpc:0:2", "vpn:0:4", "grpc@edge:1:2", "vpn@edge:1:4"));
	EXPECT_THAT(told(bound(changed(changed(site_text, "[]\n[names]", "[\"vpn\"]\n[names]\ninside = \"10.222.0.2\""),
				       "optional", "loopback = \"matrix\"\noptional"))),
		    ElementsAre("grpc:0:3", "vpn:0:4", "grpc@edge:1:2", "vpn@edge:1:4"));
}

TEST(EdgeTable, NeighbourDiscoveryOfBothZones)
{
	const auto policy = bound(site_text);
	for (const char *id : {"nd-solicit-in", "nd-solicit-in@edge"})
		EXPECT_EQ(row_of(policy.value(), id).zones, zone_network | zone_tunnel);
	EXPECT_EQ(row_of(*policy, "nd-solicit-in@edge").scope, 1);
	EXPECT_EQ(policy->rows.size(), 22u);
	const auto two = bound(changed(changed(site_text, "[]", "[\"gui\"]"), "node =", "gui = \"/c/gui\"\nnode ="));
	EXPECT_EQ(row_of(two.value(), "nd-solicit-in@1").scope, 1);
	EXPECT_EQ(row_of(*two, "nd-solicit-in@edge").scope, 2);
}

TEST(HostServices, AreOffUntilTheirPeerIsBound)
{
	auto policy = bound(site_text);
	EXPECT_EQ(std::ranges::count(policy.value().off, "host-services", &Row::type), 0);
	EXPECT_EQ(policy->off.size(), 4u + 5u);
	policy = bound(
		changed(site_text, "[names]", "[names]\nresolver = \"192.0.2.53\"\nadmins = \"198.51.100.0/24\""));
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2", "grpc@edge:1:2", "dns:1:2", "ssh:1:2"));
	EXPECT_EQ(policy->off.size(), 4u + 3u);
	EXPECT_EQ(row_of(*policy, "ssh").row.destination, "host");
}

TEST(HostServices, ABuiltInPeerIsTurnedOnByItsServers)
{
	const auto policy = bound(changed(site_text, "[names]", "[names]\ndhcp-servers = \"192.0.2.67\""));
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2", "grpc@edge:1:2", "ask:1:2"));
	EXPECT_THAT(row_of(*policy, "ask").peers, ElementsAre(*Prefix::parse("255.255.255.255")));
}

TEST(HostServices, ANameTurnsOnWhatItsAddressesCanDo)
{
	const auto with = [](std::string_view monitor) {
		return told(bound(changed(site_text, "[names]", "[names]\nmonitor = " + std::string(monitor))));
	};
	EXPECT_THAT(with("\"192.0.2.9\""), ElementsAre("grpc:0:2", "grpc@edge:1:2", "ping:1:2"));
	EXPECT_THAT(with("\"2001:db8::9\""), ElementsAre("grpc:0:2", "grpc@edge:1:2", "ping6:1:2"));
	EXPECT_THAT(with("[\"192.0.2.9\", \"2001:db8::9\"]"),
		    ElementsAre("grpc:0:2", "grpc@edge:1:2", "ping:1:2", "ping6:1:2"));
}

TEST(HostServices, AComponentUsesThemInItsCgroup)
{
	const auto policy = bound(changed(site_text, "[names]", "[names]\nresolver = \"192.0.2.53\"") +
				  "[services]\nnode = [\"dns\"]\n");
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2", "dns@node:0:2", "grpc@edge:1:2", "dns:1:2"));
	EXPECT_EQ(row_of(*policy, "dns@node").row.source, "node");
	EXPECT_EQ(row_of(*policy, "dns").row.source, "host");
}

TEST(HostServices, AComponentMayHaveNoRowsButThese)
{
	const auto policy = bound(changed(changed(site_text, "[names]", "[names]\nresolver = \"192.0.2.53\""),
					  "node =", "gui = \"/c/gui\"\nnode =") +
				  "[services]\ngui = [\"dns\"]\n");
	EXPECT_THAT(told(policy), ElementsAre("grpc:0:2", "dns@gui:1:2", "grpc@edge:2:2", "dns:2:2"));
}

// A resolver at 127.0.0.53: the component needs a row for it, the edge never sees it.
TEST(HostServices, OnLoopback)
{
	const std::string site = changed(changed(site_text, "[names]", "[names]\nresolver = \"127.0.0.53\""),
					 "optional", "loopback = \"matrix\"\noptional");
	EXPECT_THAT(told(bound(site + "[services]\nnode = [\"dns\"]\n")),
		    ElementsAre("grpc:0:3", "dns@node:0:1", "grpc@edge:1:2"));
	EXPECT_EQ(
		message_of(bound(site)),
		R"(h.toml:6:59: error: row "dns": by loopback nothing passes the edge, and component "host" has no cgroup
    6 |  {id = "dns", dir = "out", source = "host", destination = "resolver", port = "UDP/53", service = "d", type = "...
      |                                                           ^
  add to [cgroups] in s.toml: host = "/sys/fs/cgroup/...")");
}

TEST(HostServices, TheHostMayHaveACgroupItself)
{
	EXPECT_THAT(told(bound(changed(changed(site_text, "[names]", "[names]\nresolver = \"192.0.2.53\""),
				       "node =", "host = \"/c\"\nnode ="))),
		    ElementsAre("grpc:0:2", "dns:1:2", "grpc@edge:2:2", "dns@edge:2:2"));
}

TEST(HostServices, NothingElseIsNeeded)
{
	const std::string matrix = changed(matrix_text, "\"mandatory\"", "\"optional\"");
	const std::string site = "format = 1\nscenario = \"s\"\n[edge]\n";
	EXPECT_EQ(message_of(bound(site, matrix)),
		  "s.toml: error: no row is on: there is nothing to hold anyone to\n"
		  "  turn on an optional row: optional = [\"ROW-ID\"], or bind the peer of a host service");
	EXPECT_THAT(told(bound(site + "[names]\nadmins = \"192.0.2.0/24\"\n", matrix)), ElementsAre("ssh:0:2"));
}

TEST(EdgeTable, SevenCgroupsBesideIt)
{
	std::string matrix = "format = 1\nscenario = \"s\"\ntitle = \"T\"\ncomponent = \"c1\"\nrow = [\n";
	std::string site = "format = 1\nscenario = \"s\"\n[edge]\n[cgroups]\n";
	const auto add = [&](int number) {
		const std::string name = "c" + std::to_string(number);
		matrix += "{id = \"" + name + "\", dir = \"out\", source = \"" + name +
			  "\", destination = \"Internet\", port = \"TCP/1\", service = \"x\", type = \"host\", status "
			  "= \"mandatory\"},\n";
		site += name + " = \"/c/" + name + "\"\n";
	};
	for (int number = 1; number <= 7; number++)
		add(number);
	EXPECT_EQ(bound(site, matrix + ']').value().scopes.size(), 8u);
	add(8);
	EXPECT_EQ(message_of(bound(site, matrix + ']')), R"(s.toml:12:1: error: more than 7 cgroups beside the edge
   12 | c8 = "/c/c8"
      | ^
  let components share a cgroup, or use a second instance)");
}

class BadSiteWithEdge : public testing::TestWithParam<BadFile> {};

TEST_P(BadSiteWithEdge, IsToldToTheLetter)
{
	EXPECT_EQ(message_of(bound(GetParam().text(site_text))), GetParam().message);
}

constexpr BadFile bad_sites[] = {
	{"tunnel_without_edge", "[]\n[names]\nresearcher = \"192.0.2.10\"\n[cgroups]\nnode = \"/c/node\"\n[edge]",
	 "[\"vpn\"]\n[names]\nresearcher = \"192.0.2.10\"\ninside = \"10.0.0.1\"\n[cgroups]\nnode = \"/c/node\"",
	 R"(m.toml:10:150: error: row "vpn": a row inside a tunnel needs [edge]: no cgroup knows the interface
   10 | ... = "g", type = "backend", status = "optional", zone = "tunnel"},
      |                                                          ^
  add to s.toml: [edge])"},
	{"tunnel_to_loopback", "[]\n[names]", "[\"vpn\"]\n[names]\ninside = \"127.0.0.1\"",
	 R"(m.toml:10:150: error: row "vpn": can never match: "inside" has loopback addresses only
   10 | ... = "g", type = "backend", status = "optional", zone = "tunnel"},
      |                                                          ^
  take the zone out, or bind an address inside the tunnel)"},
	{"loopback_without_cgroup", "[]", "[\"gui\"]",
	 R"(m.toml:7:36: error: row "gui": by loopback nothing passes the edge, and component "gui" has no cgroup
    7 |  {id = "gui", dir = "in", source = "localhost", destination = "gui", port = "TCP/8484", service = "h", type = ...
      |                                    ^
  add to [cgroups] in s.toml: gui = "/sys/fs/cgroup/...")"},
	{"cgroup_mistyped", "node =", "nod =", R"(s.toml:7:1: error: no row that is on is of component "nod"
    7 | nod = "/c/node"
      | ^
  did you mean "node"?)"},
	{"service_in_optional", "[]", "[\"dns\"]",
	 R"(s.toml:3:13: error: row "dns" is a host service: it is on when "resolver" is bound
    3 | optional = ["dns"]
      |             ^
  take it out of the list, and bind the name in [names])"},
	{"name_of_a_service_mistyped", "[names]", "[names]\nadmin = \"192.0.2.0/24\"",
	 R"(s.toml:5:1: error: no row has the peer "admin"
    5 | admin = "192.0.2.0/24"
      | ^
  did you mean "admins"?)"},
	{"service_unknown_near", "[edge]", "[edge]\n[services]\nnode = [\"dsn\"]",
	 R"(s.toml:10:9: error: there is no host service "dsn"
   10 | node = ["dsn"]
      |         ^
  did you mean "dns"?)"},
	{"service_unknown_far", "[edge]", "[edge]\n[services]\nnode = [\"kerberos\"]",
	 R"(s.toml:10:9: error: there is no host service "kerberos"
   10 | node = ["kerberos"]
      |         ^
  there are: dns, ssh, ask, ping, ping6)"},
	{"service_that_is_off", "[edge]", "[edge]\n[services]\nnode = [\"dns\"]",
	 R"(s.toml:10:9: error: host service "dns" is off: "resolver" is not bound
   10 | node = ["dns"]
      |         ^
  add to [names]: resolver = "ADDRESS")"},
	{"service_of_no_cgroup", "[edge]", "[edge]\n[services]\ngui = [\"dns\"]",
	 R"(s.toml:10:1: error: component "gui" has no cgroup
   10 | gui = ["dns"]
      | ^
  take the line out: what is in no cgroup is held by the edge only, where the host's rows are enough)"},
	{"service_of_a_mistyped_component", "[edge]", "[edge]\n[services]\nnodes = [\"dns\"]",
	 R"(s.toml:10:1: error: component "nodes" has no cgroup
   10 | nodes = ["dns"]
      | ^
  [cgroups] in s.toml has "node": is that a typing error?)"},
	{"service_of_the_host", "[edge]", "[edge]\n[services]\nhost = [\"dns\"]",
	 R"(s.toml:10:1: error: the host uses every service that is on
   10 | host = ["dns"]
      | ^
  take the line out: [services] is for components in cgroups)"},
};

INSTANTIATE_TEST_SUITE_P(, BadSiteWithEdge, testing::ValuesIn(bad_sites), name_of);

class BadHostServices : public testing::TestWithParam<BadFile> {};

TEST_P(BadHostServices, IsToldToTheLetter)
{
	EXPECT_EQ(message_of(bound(site_text, matrix_text, GetParam().text(services_text))), GetParam().message);
}

constexpr BadFile bad_services[] = {
	{"other_scenario", "\"host-services\"", "\"hosts\"", R"(h.toml: error: the file is of scenario "hosts"
  host services have: scenario = "host-services")"},
	{"other_component", "source = \"host\"", "source = \"node\"",
	 R"(h.toml:6:37: error: row "dns" is no host service
    6 |  {id = "dns", dir = "out", source = "node", destination = "resolver", port = "UDP/53", service = "d", type = "...
      |                                     ^
  its component is the host itself: "host")"},
	{"other_type", "type = \"host\"", "type = \"user\"", R"(h.toml:6:110: error: row "dns" is no host service
    6 | ... = "resolver", port = "UDP/53", service = "d", type = "user", status = "optional"},
      |                                                          ^
  use: type = "host")"},
	{"mandatory", "\"optional\"", "\"mandatory\"", R"(h.toml:6:127: error: row "dns" is no host service
    6 | ...rt = "UDP/53", service = "d", type = "host", status = "mandatory"},
      |                                                          ^
  use: status = "optional"; it is on where the site binds its peer)"},
	{"id_of_the_matrix", "\"dns\"", "\"web\"", R"(m.toml:8:8: error: row "web": a host service has this id
    8 |  {id = "web", dir = "out", source = "node", destination = "Internet", port = "TCP/443", service = "h", type = ...
      |        ^
  give the row another one)"},
};

INSTANTIATE_TEST_SUITE_P(, BadHostServices, testing::ValuesIn(bad_services), name_of);

} // namespace
} // namespace weir::policy
