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
