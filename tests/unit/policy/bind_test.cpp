// SPDX-License-Identifier: Apache-2.0
#include "bad_file.h"
#include "policy/builtin.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

namespace weir::policy {
namespace {

using testing::ElementsAre;

constexpr std::string_view matrix_text = R"(format = 1
scenario = "s"
title = "T"
component = "node"
row = [
 {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", type = "backend", status = "mandatory"},
 {id = "gui", dir = "in", source = "localhost", destination = "gui", port = "TCP/8484", service = "h", type = "user", status = "optional"},
 {id = "web", dir = "out", source = "node", destination = "Internet", port = "TCP/443", service = "h", type = "host", status = "optional"},
 {id = "ping", dir = "out", source = "node", destination = "monitor", port = "ICMP/8", service = "p", type = "host", status = "optional"},
 {id = "ping6", dir = "out", source = "node", destination = "monitor", port = "ICMPv6/128", service = "p", type = "host", status = "optional"},
]
)";

constexpr std::string_view site_text = R"(format = 1
scenario = "s"
optional = []
[names]
researcher = "192.0.2.10"
[cgroups]
node = "/c/node"
)";

Result<BoundPolicy> bound(std::string_view matrix, std::string_view site)
{
	const auto parsed_matrix = parse_matrix(matrix, "m.toml");
	const auto parsed_site = parse_site(site, "s.toml");
	EXPECT_TRUE(parsed_matrix) << parsed_matrix.error().message;
	EXPECT_TRUE(parsed_site) << parsed_site.error().message;
	return bind({{*parsed_matrix}}, *parsed_site);
}

std::string changed(std::string_view text, std::string_view from, std::string_view to)
{
	return BadFile{"", from, to, ""}.text(text);
}

std::vector<std::string> ids(const BoundPolicy &policy)
{
	std::vector<std::string> out;
	for (const BoundRow &row : policy.rows)
		if (!row.kernel_only)
			out.push_back(row.row.id);
	return out;
}

std::vector<std::string> texts(const std::vector<Prefix> &prefixes)
{
	std::vector<std::string> out;
	for (const Prefix &prefix : prefixes)
		out.push_back(prefix.text());
	return out;
}

TEST(Bind, MandatoryRowsAreOnOptionalOnesWhenListed)
{
	auto policy = bound(matrix_text, site_text);
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_THAT(ids(*policy), ElementsAre("grpc"));
	EXPECT_EQ(policy->off.size(), 4u); // and "monitor" needs no address
	ASSERT_EQ(policy->scopes.size(), 1u);
	EXPECT_EQ(policy->scopes[0].cgroup, "/c/node");
	EXPECT_THAT(policy->scopes[0].components, ElementsAre("node"));

	policy = bound(matrix_text,
		       changed(changed(site_text, "[]", "[\"gui\", \"web\"]"), "node =", "gui = \"/c/gui\"\nnode ="));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_THAT(ids(*policy), ElementsAre("grpc", "gui", "web"));
	ASSERT_EQ(policy->scopes.size(), 2u); // by first appearance in the rows
	EXPECT_EQ(policy->scopes[0].cgroup, "/c/node");
	EXPECT_EQ(policy->scopes[1].cgroup, "/c/gui");
	EXPECT_EQ(policy->rows[1].scope, 1);
}

TEST(Bind, OneCgroupIsOneScope)
{
	const auto policy = bound(
		matrix_text, changed(changed(site_text, "[]", "[\"gui\"]"), "node =", "gui = \"/c/node\"\nnode ="));
	ASSERT_TRUE(policy) << policy.error().message;
	ASSERT_EQ(policy->scopes.size(), 1u);
	EXPECT_THAT(policy->scopes[0].components, ElementsAre("gui", "node"));
}

TEST(Bind, BuiltInNames)
{
	const auto policy = bound(matrix_text, changed(changed(site_text, "[]", "[\"gui\", \"web\"]"),
						       "node =", "gui = \"/c/gui\"\nnode ="));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->rows[0].zones, zone_network);
	EXPECT_THAT(texts(policy->rows[1].peers), ElementsAre("::/0", "0.0.0.0/0"));
	EXPECT_EQ(policy->rows[1].zones, zone_loopback);
	EXPECT_THAT(texts(policy->rows[2].peers), ElementsAre("::/0", "0.0.0.0/0"));
	EXPECT_EQ(policy->rows[2].zones, zone_network);
}

TEST(Bind, ZonesOfNames)
{
	const auto zones = [](std::string_view addresses, std::string_view mode) {
		const auto site = changed(changed(site_text, "\"192.0.2.10\"", addresses), "optional",
					  "loopback = \"" + std::string(mode) + "\"\noptional");
		const auto policy = bound(matrix_text, site);
		EXPECT_TRUE(policy) << policy.error().message;
		EXPECT_EQ(policy->scopes[0].open_loopback, mode == "open");
		return policy->rows[0].zones;
	};
	EXPECT_EQ(zones("\"192.0.2.10\"", "open"), zone_network);
	// An address of this very host is reached by loopback.
	EXPECT_EQ(zones("\"192.0.2.10\"", "matrix"), zone_network | zone_loopback);
	EXPECT_EQ(zones("\"127.0.0.53\"", "open"), zone_loopback);
	EXPECT_EQ(zones("[\"127.0.0.0/8\", \"::1\"]", "matrix"), zone_loopback);
	EXPECT_EQ(zones("[\"127.0.0.1\", \"192.0.2.1\"]", "open"), zone_network | zone_loopback);
}

TEST(Bind, NeighbourDiscoveryShipsWithWeir)
{
	const auto policy = bound(matrix_text, site_text);
	ASSERT_TRUE(policy);
	std::vector<std::string> lines;
	for (const BoundRow &bound : policy->rows) {
		if (!bound.kernel_only)
			continue;
		const Row &row = bound.row;
		std::string line = row.id + (row.dir == Direction::out ? " out " : " in ") + row.component() + ' ' +
				   row.port.text();
		for (const std::string &peer : texts(bound.peers))
			line += ' ' + peer;
		lines.push_back(line);
		EXPECT_EQ(row.type, "host");
		EXPECT_EQ(row.status, Status::mandatory);
		EXPECT_NE(row.comment, "");
		EXPECT_EQ(bound.zones, zone_network);
		EXPECT_EQ(bound.scope, 0);
	}
	EXPECT_THAT(lines,
		    ElementsAre("nd-router-solicit-out out node ICMPv6/133 fe80::/10 ff02::/16",
				"nd-solicit-out out node ICMPv6/135 ::/0", "nd-advert-out out node ICMPv6/136 ::/0",
				"nd-router-advert-in in node ICMPv6/134 fe80::/10",
				"nd-solicit-in in node ICMPv6/135 ::/0", "nd-advert-in in node ICMPv6/136 ::/0",
				"mld-report-out out node ICMPv6/131 ff02::/16",
				"mld-done-out out node ICMPv6/132 ff02::/16",
				"mld2-report-out out node ICMPv6/143 ff02::/16",
				"mld-query-in in node ICMPv6/130 fe80::/10"));
}

TEST(Bind, EachScopeHasItsNeighbourDiscovery)
{
	const auto policy = bound(matrix_text,
				  changed(changed(site_text, "[]", "[\"gui\"]"), "node =", "gui = \"/c/gui\"\nnode ="));
	ASSERT_TRUE(policy);
	ASSERT_EQ(policy->rows.size(), 22u);
	EXPECT_EQ(policy->rows[2].row.id, "nd-router-solicit-out@0");
	EXPECT_EQ(policy->rows[12].row.id, "nd-router-solicit-out@1");
	EXPECT_EQ(policy->rows[12].scope, 1);
}

TEST(Bind, NineCgroupsAreTooMany)
{
	std::string matrix = "format = 1\nscenario = \"s\"\ntitle = \"T\"\ncomponent = \"c1\"\nrow = [\n";
	std::string site = "format = 1\nscenario = \"s\"\n[cgroups]\n";
	const auto add = [&](int number) {
		const std::string name = "c" + std::to_string(number);
		matrix += "{id = \"" + name + "\", dir = \"out\", source = \"" + name +
			  "\", destination = \"Internet\", port = \"TCP/1\", service = \"x\", type = \"host\", status "
			  "= \"mandatory\"},\n";
		site += name + " = \"/c/" + name + "\"\n";
	};
	for (int number = 1; number <= 8; number++)
		add(number);
	EXPECT_TRUE(bound(matrix + ']', site));
	add(9);
	EXPECT_EQ(message_of(bound(matrix + ']', site)), R"(s.toml:12:1: error: more than 8 cgroups
   12 | c9 = "/c/c9"
      | ^
  let components share a cgroup, or use a second instance)");
}

class BadSiteForMatrix : public testing::TestWithParam<BadFile> {};

TEST_P(BadSiteForMatrix, IsToldToTheLetter)
{
	EXPECT_EQ(message_of(bound(matrix_text, GetParam().text(site_text))), GetParam().message);
}

constexpr BadFile bad_sites[] = {
	{"other_scenario", "\"s\"", "\"t\"", R"(s.toml:2:12: error: the site is for scenario "t", the matrix is "s"
    2 | scenario = "t"
      |            ^
  give the matrix of the site's scenario)"},
	{"unknown_optional", "[]", "[\"gui\", \"wbe\"]", R"(s.toml:3:20: error: the matrix has no row "wbe"
    3 | optional = ["gui", "wbe"]
      |                    ^
  did you mean "web"?)"},
	{"unknown_optional_far", "[]", "[\"jupyter\"]", R"(s.toml:3:13: error: the matrix has no row "jupyter"
    3 | optional = ["jupyter"]
      |             ^
  list ids of its optional rows)"},
	{"mandatory_listed", "[]", "[\"grpc\"]", R"(s.toml:3:13: error: row "grpc" is mandatory: it is always on
    3 | optional = ["grpc"]
      |             ^
  take it out of the list)"},
	{"name_not_bound", "researcher = \"192.0.2.10\"", "",
	 R"(m.toml:6:60: error: row "grpc": "researcher" is not bound
    6 |  {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", ty...
      |                                                            ^
  add to [names] in s.toml: researcher = "ADDRESS")"},
	{"name_mistyped", "researcher =", "reseacher =", R"(m.toml:6:60: error: row "grpc": "researcher" is not bound
    6 |  {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", ty...
      |                                                            ^
  [names] in s.toml has "reseacher": is that a typing error?)"},
	{"name_unused",
	 "researcher =", "nodes = \"192.0.2.1\"\nresearcher =", R"(s.toml:5:1: error: no row has the peer "nodes"
    5 | nodes = "192.0.2.1"
      | ^
  take it out of [names])"},
	{"no_cgroup", "node = \"/c/node\"", "", R"(m.toml:6:38: error: row "grpc": component "node" has no cgroup
    6 |  {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", ty...
      |                                      ^
  add to [cgroups] in s.toml: node = "/sys/fs/cgroup/...")"},
	{"cgroup_mistyped", "node =", "nod =", R"(m.toml:6:38: error: row "grpc": component "node" has no cgroup
    6 |  {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", ty...
      |                                      ^
  [cgroups] in s.toml has "nod": is that a typing error?)"},
	{"cgroup_of_the_peer", "node =", "researcher =",
	 R"(m.toml:6:38: error: row "grpc": "node" is not a component of this host, but its peer is
    6 |  {id = "grpc", dir = "out", source = "node", destination = "researcher", port = "TCP/50051", service = "g", ty...
      |                                      ^
  is dir = "in" meant?)"},
	{"cgroup_of_a_row_that_is_off",
	 "node =", "gui = \"/c/gui\"\nnode =", R"(s.toml:7:1: error: no row that is on is of component "gui"
    7 | gui = "/c/gui"
      | ^
  take it out of [cgroups], or turn a row on: optional = ["gui"])"},
	{"cgroup_of_nobody",
	 "node =", "database = \"/c/db\"\nnode =", R"(s.toml:7:1: error: no row that is on is of component "database"
    7 | database = "/c/db"
      | ^
  take it out of [cgroups])"},
	{"icmp_to_ipv6", "[]\n[names]", "[\"ping\"]\n[names]\nmonitor = \"2001:db8::1\"",
	 R"(m.toml:9:78: error: row "ping": can never match: ICMP is of IPv4, and "monitor" has IPv6 addresses only
    9 |  {id = "ping", dir = "out", source = "node", destination = "monitor", port = "ICMP/8", service = "p", type = "...
      |                                                                              ^
  use ICMPv6, or bind an IPv4 address)"},
	{"icmpv6_to_ipv4", "[]\n[names]", "[\"ping6\"]\n[names]\nmonitor = \"192.0.2.9\"",
	 R"(m.toml:10:79: error: row "ping6": can never match: ICMPv6 is of IPv6, and "monitor" has IPv4 addresses only
   10 |  {id = "ping6", dir = "out", source = "node", destination = "monitor", port = "ICMPv6/128", service = "p", typ...
      |                                                                               ^
  use ICMP, or bind an IPv6 address)"},
};

INSTANTIATE_TEST_SUITE_P(, BadSiteForMatrix, testing::ValuesIn(bad_sites), name_of);

TEST(Bind, NothingIsOn)
{
	const auto matrix = changed(matrix_text, "\"mandatory\"", "\"optional\"");
	EXPECT_EQ(message_of(bound(matrix, site_text)),
		  "s.toml: error: no row is on: there is nothing to hold anyone to\n"
		  "  turn on an optional row: optional = [\"ROW-ID\"]");
}

TEST(Bind, AnIdOfARowThatShipsWithWeir)
{
	const std::string message = message_of(bound(changed(matrix_text, "\"grpc\"", "\"nd-solicit-in\""), site_text));
	EXPECT_TRUE(message.starts_with(
		"m.toml:6:8: error: row \"nd-solicit-in\": a row that ships with weir has this id\n"))
		<< message;
}

TEST(Bind, WithoutFiles)
{
	Matrix matrix;
	matrix.rows.push_back({"a", Direction::out, "node", "r", {6, 1, 1}, "s", "host", Status::mandatory, "", {}});
	EXPECT_EQ(message_of(bind({{matrix}}, {})),
		  "error: row \"a\": component \"node\" has no cgroup\n"
		  "  add to [cgroups] in the site file: node = \"/sys/fs/cgroup/...\"");
	Site site;
	site.cgroups["node"] = "/c";
	EXPECT_EQ(message_of(bind({{matrix}}, site)), "error: row \"a\": \"r\" is not bound\n"
						      "  add to [names] in the site file: r = \"ADDRESS\"");
	site.names["r"] = {*Prefix::parse("192.0.2.1")};
	EXPECT_TRUE(bind({{matrix}}, site));
}

/// A row may say it, or a site for all rows of its scenarios. Not for what ships with weir.
TEST(Bind, RowsThatNeedTheJournal)
{
	const auto needing = [](const BoundPolicy &policy) {
		std::vector<std::string> out;
		for (const BoundRow &row : policy.rows)
			if (row.row.needs_journal)
				out.push_back(row.row.id);
		return out;
	};
	const std::string site = changed(site_text, "optional = []", R"(optional = ["web"])");
	EXPECT_THAT(needing(bound(matrix_text, site).value()), testing::IsEmpty());
	const std::string matrix =
		changed(matrix_text, R"(type = "backend", )", R"(type = "backend", journal = "required", )");
	EXPECT_THAT(needing(bound(matrix, site).value()), ElementsAre("grpc"));
	const auto all = bound(matrix_text, changed(site, "[names]", "journal = \"required\"\n[names]"));
	ASSERT_TRUE(all) << all.error().message;
	EXPECT_THAT(needing(*all), ElementsAre("grpc", "web"));
	const auto at_edge = bound(matrix, site + "[edge]\n");
	ASSERT_TRUE(at_edge) << at_edge.error().message;
	EXPECT_THAT(needing(*at_edge), ElementsAre("grpc", "grpc@edge"));
}

} // namespace
} // namespace weir::policy
