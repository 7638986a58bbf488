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
