// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include "policy/builtin.h"
#include "policy/policy.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::policy {
namespace {

BoundPolicy example()
{
	BoundPolicy policy{"node-native", "Running", {{"/c/node", {"gui", "node"}, true}}, {}, {}};
	BoundRow grpc;
	grpc.row = {"grpc",
		    Direction::out,
		    "node",
		    "researcher",
		    {6, 50051, 50051},
		    "gRPC/TLS",
		    "backend",
		    Status::mandatory,
		    "a | b",
		    {}};
	grpc.peers = {*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::1")};
	policy.rows = {grpc};
	policy.off = {
		{"gui", Direction::in, "localhost", "gui", {6, 8484, 8484}, "HTTP", "user", Status::optional, "é", {}}};
	return policy;
}

TEST(Render, Table)
{
	EXPECT_EQ(as_table(example()), R"(node-native: Running

  gui, node  /c/node  loopback is open

  #    id    dir  source     destination  port       service   type     status     comment
  0    grpc  out  node       researcher   TCP/50051  gRPC/TLS  backend  mandatory  a | b
  off  gui   in   localhost  gui          TCP/8484   HTTP      user     optional   é

  researcher  192.0.2.0/24, 2001:db8::1

  off: optional rows that the site has not turned on
)");
}

TEST(Render, LoopbackThatKeepsToTheRows)
{
	BoundPolicy policy = example();
	policy.scopes[0].open_loopback = false;
	EXPECT_NE(as_table(policy).find("gui, node  /c/node  loopback keeps to the rows\n"), std::string::npos);
}

TEST(Render, Markdown)
{
	EXPECT_EQ(as_markdown(example()), "| dir | source machine | destination machine | destination port | service  "
					  "| type    | status    | comment |\n"
					  "| --- | -------------- | ------------------- | ---------------- | -------- "
					  "| ------- | --------- | ------- |\n"
					  "| out | node           | researcher          | TCP/50051        | gRPC/TLS "
					  "| backend | mandatory | a \\| b  |\n");
}

BoundPolicy example_with_edge()
{
	BoundPolicy policy = example();
	policy.edge = {true, {"eth0"}, {"tun5"}, "tc", {0x88cc, 0x88f7}, 4096};
	policy.scopes.push_back({"", {"gui", "host", "node"}, false});
	BoundRow copy = policy.rows[0];
	copy.row.id += "@edge";
	copy.row.comment = "";
	copy.scope = 1;
	copy.zones = zone_network | zone_tunnel;
	policy.rows.push_back(copy);
	policy.off.push_back(
		{"ssh", Direction::in, "admins", "host", {6, 22, 22}, "SSH", "host", Status::optional, "", {}});
	policy.off.push_back(
		{"ask", Direction::out, "host", "broadcast", {17, 67, 67}, "DHCP", "host", Status::optional, "", {}});
	return policy;
}

TEST(Render, TableOfAnEdge)
{
	EXPECT_EQ(as_table(example_with_edge()), R"(node-native: Running

  gui, node        /c/node  loopback is open
  gui, host, node  edge     eth0; tunnels: tun5; passes unjudged: LLDP, 0x88f7; ingress by tc; up to 4096 flows each way

/c/node
  #  id    zone     dir  source  destination  port       service   type     status     comment
  0  grpc  network  out  node    researcher   TCP/50051  gRPC/TLS  backend  mandatory  a | b

edge
  #  id         zone             dir  source  destination  port       service   type     status     comment
  1  grpc@edge  network, tunnel  out  node    researcher   TCP/50051  gRPC/TLS  backend  mandatory

off
  #    id   zone  dir  source     destination  port      service  type  status    comment
  off  gui  -     in   localhost  gui          TCP/8484  HTTP     user  optional  é
  off  ssh  -     in   admins     host         TCP/22    SSH      host  optional
  off  ask  -     out  host       broadcast    UDP/67    DHCP     host  optional

  researcher  192.0.2.0/24, 2001:db8::1

  off: optional rows that the site has not turned on

  off: host services; [names] turns them on: admins, dhcp-servers
)");
}

TEST(Render, MarkdownOfAnEdge)
{
	EXPECT_EQ(as_markdown(example_with_edge()), R"(## /c/node (gui, node)

| dir | source machine | destination machine | destination port | service  | type    | status    | comment | zone    |
| --- | -------------- | ------------------- | ---------------- | -------- | ------- | --------- | ------- | ------- |
| out | node           | researcher          | TCP/50051        | gRPC/TLS | backend | mandatory | a \| b  | network |

## edge (gui, host, node)

| dir | source machine | destination machine | destination port | service  | type    | status    | comment | zone            |
| --- | -------------- | ------------------- | ---------------- | -------- | ------- | --------- | ------- | --------------- |
| out | node           | researcher          | TCP/50051        | gRPC/TLS | backend | mandatory |         | network, tunnel |

## off

| dir | source machine | destination machine | destination port | service | type | status   | comment |
| --- | -------------- | ------------------- | ---------------- | ------- | ---- | -------- | ------- |
| in  | localhost      | gui                 | TCP/8484         | HTTP    | user | optional | é       |
| in  | admins         | host                | TCP/22           | SSH     | host | optional |         |
| out | host           | broadcast           | UDP/67           | DHCP    | host | optional |         |
)");
}

TEST(Render, JsonOfAnEdge)
{
	const auto facts = nlohmann::json::parse(as_json(example_with_edge()));
	EXPECT_EQ(facts.at("edge").at("interfaces"), nlohmann::json{"eth0"});
	EXPECT_EQ(facts.at("edge").at("ethertypes"), (nlohmann::json{"LLDP", "0x88f7"}));
	EXPECT_TRUE(facts.at("scopes").at(1).at("edge"));
	EXPECT_EQ(facts.at("rows").at(0).at("where"), "/c/node");
	EXPECT_EQ(facts.at("rows").at(1).at("where"), "edge");
	EXPECT_EQ(facts.at("rows").at(1).at("zones"), (nlohmann::json{"network", "tunnel"}));
	EXPECT_FALSE(facts.at("off").at(0).contains("on_when_bound"));
	EXPECT_EQ(facts.at("off").at(1).at("on_when_bound"), "admins");
	EXPECT_EQ(facts.at("off").at(2).at("on_when_bound"), "dhcp-servers");
	BoundPolicy every = example_with_edge();
	every.edge.interfaces.clear();
	EXPECT_EQ(nlohmann::json::parse(as_json(every)).at("edge").at("interfaces"), "auto");
	EXPECT_FALSE(nlohmann::json::parse(as_json(example())).contains("edge"));
}

BoundPolicy example_with_everything()
{
	BoundPolicy policy = example();
	policy.rows[0].row.user = "node";
	policy.rows[0].user = 1001;
	policy.rows[0].peers = {*Prefix::parse("192.0.2.7")};
	policy.off[0].on_page = false;
	BoundRow web = policy.rows[0];
	web.row.id = "web@node";
	web.row.destination = "Internet";
	web.row.user = "0";
	web.row.comment = "";
	web.user = 0;
	web.peers = {*Prefix::parse("0.0.0.0/0")};
	policy.windows = {{"installation", 5400, {web}}};
	web.window = "installation";
	web.deadline = 17;
	policy.rows.push_back(web);
	policy.openings = {{"installation", 1, 2, 17, "alice", "because"}};
	policy.hosts = {
		{"researcher", {"r.example.org", {*Prefix::parse("192.0.2.0/24")}, {*Prefix::parse("192.0.2.7")}}}};
	policy.resolvers = {"192.0.2.53"};
	return policy;
}

TEST(Render, TableOfEverything)
{
	EXPECT_EQ(as_table(example_with_everything()), R"(node-native: Running

  gui, node  /c/node  loopback is open

  #    id        dir  source     destination  port       service   type     status     comment  user         page  window
  0    grpc      out  node       researcher   TCP/50051  gRPC/TLS  backend  mandatory  a | b    node (1001)
  1    web@node  out  node       Internet     TCP/50051  gRPC/TLS  backend  mandatory           0                  installation
  off  gui       in   localhost  gui          TCP/8484   HTTP      user     optional   é                     no

window installation, open for at most 1h30m at a time
  where    id        zone     dir  source  destination  port       service   type     status     comment  user  page  window
  /c/node  web@node  network  out  node    Internet     TCP/50051  gRPC/TLS  backend  mandatory           0

  researcher  192.0.2.7 (r.example.org, within 192.0.2.0/24)
  Internet    0.0.0.0/0

  names are looked up at: 192.0.2.53

  off: optional rows that the site has not turned on
)");
}

TEST(Render, MarkdownOfEverything)
{
	BoundPolicy policy = example_with_everything();
	policy.rows.pop_back();
	EXPECT_EQ(
		as_markdown(policy),
		R"(| dir | source machine | destination machine | destination port | service  | type    | status    | comment | user        | page |
| --- | -------------- | ------------------- | ---------------- | -------- | ------- | --------- | ------- | ----------- | ---- |
| out | node           | researcher          | TCP/50051        | gRPC/TLS | backend | mandatory | a \| b  | node (1001) |      |

## window installation (at most 1h30m)

| dir | source machine | destination machine | destination port | service  | type    | status    | comment | user | page |
| --- | -------------- | ------------------- | ---------------- | -------- | ------- | --------- | ------- | ---- | ---- |
| out | node           | Internet            | TCP/50051        | gRPC/TLS | backend | mandatory |         | 0    |      |
)");
}

TEST(Render, JsonOfEverything)
{
	const auto facts = nlohmann::json::parse(as_json(example_with_everything()));
	const auto &grpc = facts.at("rows").at(0);
	EXPECT_EQ(grpc.at("user"), "node");
	EXPECT_EQ(grpc.at("uid"), 1001);
	EXPECT_FALSE(grpc.contains("deadline"));
	EXPECT_FALSE(grpc.contains("page"));
	const auto &web = facts.at("rows").at(1);
	EXPECT_EQ(web.at("window"), "installation");
	EXPECT_EQ(web.at("deadline"), 17);
	EXPECT_EQ(web.at("uid"), 0);
	EXPECT_FALSE(facts.at("off").at(0).at("page"));
	EXPECT_EQ(facts.at("windows").at(0).at("longest"), 5400);
	EXPECT_EQ(facts.at("windows").at(0).at("rows").at(0).at("id"), "web@node");
	EXPECT_EQ(facts.at("openings").at(0).at("by"), "alice");
	EXPECT_FALSE(facts.at("openings").at(0).contains("closed"));
	EXPECT_EQ(facts.at("hosts").at(0).at("host"), "r.example.org");
	EXPECT_EQ(facts.at("hosts").at(0).at("within"), nlohmann::json{"192.0.2.0/24"});
	EXPECT_EQ(facts.at("resolvers"), nlohmann::json{"192.0.2.53"});
	const auto plain = nlohmann::json::parse(as_json(example()));
	for (const char *key : {"windows", "openings", "hosts", "resolvers"})
		EXPECT_FALSE(plain.contains(key));
	EXPECT_FALSE(plain.at("rows").at(0).contains("user"));
}

TEST(Render, RowsThatShipWithWeirAreShown)
{
	BoundPolicy policy = example();
	append_builtin_rows(policy, 0);
	for (const std::string &text : {as_table(policy), as_markdown(policy), as_json(policy)}) {
		EXPECT_NE(text.find("ICMPv6/135"), std::string::npos);
		EXPECT_NE(text.find("neighbour solicitation"), std::string::npos);
	}
}

TEST(Render, Json)
{
	const auto facts = nlohmann::json::parse(as_json(example()));
	EXPECT_EQ(facts.at("scenario"), "node-native");
	EXPECT_EQ(facts.at("scopes").at(0).at("loopback"), "open");
	const auto &row = facts.at("rows").at(0);
	EXPECT_EQ(row.at("id"), "grpc");
	EXPECT_EQ(row.at("port"), "TCP/50051");
	EXPECT_EQ(row.at("peers"), (nlohmann::json{"192.0.2.0/24", "2001:db8::1"}));
	EXPECT_EQ(row.at("zones"), nlohmann::json{"network"});
	EXPECT_EQ(facts.at("off").at(0).at("id"), "gui");
}

} // namespace
} // namespace weir::policy
