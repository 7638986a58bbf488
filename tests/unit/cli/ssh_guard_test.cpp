// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_guard.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

BoundRow row(std::uint8_t scope, std::uint16_t port, const char *peer, std::uint8_t zones = zone_network)
{
	BoundRow bound;
	bound.row.id = "ssh@" + std::to_string(scope) + std::to_string(port) + std::to_string(zones);
	bound.row.dir = Direction::in;
	bound.row.source = "admins";
	bound.row.destination = "host";
	bound.row.port = {.protocol = 6, .first = port, .last = port};
	bound.row.type = "host";
	bound.scope = scope;
	bound.zones = zones;
	bound.peers = {*Prefix::parse(peer)};
	return bound;
}

/// One cgroup and the edge; what the edge admits is an admins' network.
BoundPolicy with_edge()
{
	BoundPolicy policy;
	policy.scenario = "test";
	policy.scopes = {{.cgroup = "/sys/fs/cgroup/node", .components = {"node"}, .open_loopback = true},
			 {.cgroup = "", .components = {"host", "node"}, .open_loopback = false}};
	policy.edge.present = true;
	policy.rows = {row(0, 443, "192.0.2.0/24"), row(1, 22, "192.0.2.0/26")};
	return policy;
}

BoundPolicy without_edge()
{
	auto policy = with_edge();
	policy.scopes.pop_back();
	policy.rows.pop_back();
	policy.edge = {};
	return policy;
}

Connection from(const char *peer, std::uint16_t port = 22)
{
	return {.local = *Address::parse("192.0.2.2"),
		.peer = *Address::parse(peer),
		.local_port = port,
		.peer_port = 51234};
}

std::optional<std::uint8_t> cut(const BoundPolicy &policy, const Connection &connection, const Way &way)
{
	const auto image = compile(policy);
	if (!image)
		throw std::runtime_error(image.error().message);
	return where_cut(connection, way, policy, *image);
}

TEST(WhereCut, AtTheEdgeUnlessARowAdmitsThatVeryConnection)
{
	const auto policy = with_edge();
	const Way way{.zone = zone_network, .interface = "eth0", .passes_edge = true, .cgroups = {}};
	EXPECT_EQ(cut(policy, from("192.0.2.10"), way), std::nullopt);
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), 1) << "another address";
	EXPECT_EQ(cut(policy, from("192.0.2.10", 2222), way), 1) << "another port";
	EXPECT_EQ(cut(policy, from("2001:db8::1"), way), 1);
}

TEST(WhereCut, RowOfTheNetworkIsNoneForATunnel)
{
	auto policy = with_edge();
	const Way way{.zone = zone_tunnel, .interface = "wg0", .passes_edge = true, .cgroups = {}};
	EXPECT_EQ(cut(policy, from("192.0.2.10"), way), 1);
	policy.rows.push_back(row(1, 22, "192.0.2.10", zone_tunnel));
	EXPECT_EQ(cut(policy, from("192.0.2.10"), way), std::nullopt);
}

TEST(WhereCut, InEachCgroupThatHoldsTheServer)
{
	auto policy = without_edge();
	Way way{.zone = zone_network, .interface = "eth0", .passes_edge = true, .cgroups = {}};
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), std::nullopt) << "no cgroup of the policy holds it";
	way.cgroups = {0};
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), 0);
	policy.rows.push_back(row(0, 22, "192.0.2.66"));
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), std::nullopt);
}

TEST(WhereCut, BothHaveToAdmitIt)
{
	const auto policy = with_edge();
	EXPECT_EQ(cut(policy, from("192.0.2.10"),
		      {.zone = zone_network, .interface = "eth0", .passes_edge = true, .cgroups = {0}}),
		  0);
}

TEST(WhereCut, LoopbackIsOpen)
{
	const auto policy = with_edge();
	EXPECT_EQ(cut(policy, from("192.0.2.66"),
		      {.zone = zone_loopback, .interface = "lo", .passes_edge = false, .cgroups = {0}}),
		  std::nullopt);
}

TEST(WhereCut, ByAnInterfaceThatTheEdgeDoesNotHold)
{
	auto policy = with_edge();
	policy.edge.interfaces = {"eth1"};
	policy.rows.push_back(row(0, 22, "192.0.2.66"));
	Way way{.zone = zone_network, .interface = "eth0", .passes_edge = false, .cgroups = {}};
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), std::nullopt) << "nothing sees it";
	way.cgroups = {0};
	EXPECT_EQ(cut(policy, from("192.0.2.66"), way), 0) << "the packet gate does";
	const auto text = would_cut(from("192.0.2.66"), way, policy, 0).message;
	EXPECT_NE(text.find("it comes by eth0, which is not among the interfaces of [edge]"), std::string::npos)
		<< text;
}

TEST(WouldCut, SaysWhichConnectionWhereAndWhatToDo)
{
	const auto policy = with_edge();
	const Way way{.zone = zone_network, .interface = "eth0", .passes_edge = true, .cgroups = {0}};
	const auto edge = would_cut(from("192.0.2.66"), way, policy, 1);
	EXPECT_EQ(edge.code, Exit::would_cut);
	EXPECT_EQ(
		edge.message,
		"this policy would cut the SSH session in which it is applied, 192.0.2.66:51234 -> 192.0.2.2:22: at "
		"the "
		"edge, no row admits TCP/22 from 192.0.2.66. Nothing was applied.\n"
		"  Turn on the row \"ssh\" of host-services.toml: admins = \"192.0.2.66\", or the admins' network, in "
		"[names]\n"
		"  or apply it all the same: --cut-ssh");
	const auto cgroup = would_cut(from("192.0.2.66"), way, policy, 0).message;
	EXPECT_NE(cgroup.find("in the cgroup /sys/fs/cgroup/node"), std::string::npos) << cgroup;
	EXPECT_NE(cgroup.find("node = [\"ssh\"] in [services]"), std::string::npos) << cgroup;
	const auto bare = would_cut(from("192.0.2.66", 2222), way, without_edge(), 0).message;
	EXPECT_NE(bare.find("to the matrix: dir \"in\", port \"TCP/2222\""), std::string::npos) << bare;
	EXPECT_EQ(bare.find("[services]"), std::string::npos) << bare;
}

} // namespace
} // namespace weir::cli
