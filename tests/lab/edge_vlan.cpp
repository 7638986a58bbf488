// SPDX-License-Identifier: Apache-2.0
// VLAN tags hide nothing: one and two are looked through, both ways, a third is refused.
#include "tests/lab/edge_test.h"

namespace weir::test {
namespace {

constexpr const char *vlan_peer = "198.51.100.10";

const MatrixRow vlan_service_row{
	.id = "service", .dir = "in", .source = "admins", .destination = "node", .port = "UDP/9000", .type = "host"};

Bytes tag(std::uint16_t type, std::uint8_t id)
{
	return {static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type), 0, id};
}

struct Tags {
	const char *name;
	Bytes bytes;
	bool is_looked_through;
};

std::vector<Tags> every_tags()
{
	return {{"none", {}, true},
		{"a VLAN's", tag(0x8100, 5), true},
		{"priority only", tag(0x8100, 0), true},
		{"QinQ", tag(0x88a8, 7) + tag(0x8100, 5), true},
		{"two of a VLAN", tag(0x8100, 7) + tag(0x8100, 5), true},
		// The first tag may be told beside the frame, as cards do; three more are one too many either way.
		{"four", tag(0x88a8, 7) + tag(0x8100, 5) + tag(0x8100, 6) + tag(0x8100, 8), false},
		{"of an old kind", tag(0x9100, 5), false}};
}

class EdgeVlan : public LabTestWithEdge {
protected:
	static EdgeSite site(const std::string &edge = "")
	{
		return {.rows = {vlan_service_row}, .names = {{"admins", {researcher4}}}, .edge = edge};
	}
	static void send_from(const Spot &spot, const char *source, const Bytes &tags)
	{
		const Bytes card = hardware_address(lab().node());
		(void)run_at(spot, [&] {
			const Path path{source, node4};
			const FrameSender sender;
			for (int i = 0; i < many; ++i)
				sender.send(card + Bytes{2, 0, 0, 0, 0, 9} + tags + Bytes{8, 0} +
					    ipv4(path, {IPPROTO_UDP, 0, {}},
						 udp_datagram(path, 40123, 9000, Bytes(30, 'w'))));
			return std::string();
		});
	}
	static constexpr int many = 10;
	/// Each of so many is refused. What else the link says meanwhile is less.
	static bool is_refused(const char *source, const Bytes &tags)
	{
		const auto before = sum("refused");
		send_from(intruder(), source, tags);
		std::this_thread::sleep_for(Millis(20));
		return sum("refused") - before >= many;
	}
};

TEST_F(EdgeVlan, WhatComesInIsJudgedBehindItsTags)
{
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		apply(site(edge));
		for (const auto &tags : every_tags()) {
			EXPECT_TRUE(is_refused(intruder4, tags.bytes)) << tags.name << " " << edge;
			EXPECT_NE(is_refused(researcher4, tags.bytes), tags.is_looked_through)
				<< "what a row admits, behind " << tags.name << " " << edge;
		}
	}
}

TEST_F(EdgeVlan, DeviceOfAVlanIsHeldByWhatCarriesIt)
{
	if (!try_shell(lab().node(), "ip link add link eth0 name eth0.5 type vlan id 5"))
		GTEST_SKIP() << "this kernel has no VLAN devices";
	ASSERT_TRUE(try_shell(lab().researcher(), "ip link add link eth0 name eth0.5 type vlan id 5"));
	shell(lab().node(), "ip address add 198.51.100.2/24 dev eth0.5; ip link set eth0.5 up");
	shell(lab().researcher(), "ip address add 198.51.100.10/24 dev eth0.5; ip link set eth0.5 up");
	EXPECT_TRUE(is(tcp(lab().in_node(), vlan_peer, 443), Reach::connected)) << "without a policy";
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		EdgeSite with = site(edge);
		with.rows.push_back({.id = "beyond", .destination = "beyond"});
		with.names["beyond"] = {vlan_peer};
		apply(with);
		EXPECT_TRUE(is(tcp(lab().in_node(), vlan_peer, 50051), Reach::connected)) << edge;
		EXPECT_TRUE(is(tcp(lab().beside_node(), vlan_peer, 50051), Reach::connected)) << edge;
		EXPECT_TRUE(is(tcp(lab().in_node(), vlan_peer, 443), Reach::refused)) << edge;
		const Tap tap(lab().researcher());
		EXPECT_TRUE(is(tcp(lab().beside_node(), vlan_peer, 443), Reach::timeout)) << edge;
		const Server service(lab().beside_node(), {9000}, {9001});
		EXPECT_TRUE(is(tcp(researcher(), "198.51.100.2", 9000), Reach::timeout)) << edge;
		EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected))
			<< "beside the VLAN " << edge;
	}
	shell(lab().node(), "ip link delete eth0.5");
	shell(lab().researcher(), "ip link delete eth0.5");
}

TEST_F(EdgeVlan, DeviceOfAnotherNameForTheSameCardIsCarriedToo)
{
	if (!try_shell(lab().node(), "ip link add link eth0 name mac0 type macvlan mode bridge"))
		GTEST_SKIP() << "this kernel has no macvlan";
	shell(lab().node(), "ip address add 192.0.2.77/32 dev mac0; ip link set mac0 up;"
			    " ip route add 203.0.113.7 dev mac0 src 192.0.2.77 via 192.0.2.1 onlink");
	EXPECT_TRUE(is(tcp(lab().beside_node(), internet4, 443), Reach::connected)) << "without a policy";
	apply(site());
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(lab().beside_node(), internet4, 443), Reach::timeout));
	EXPECT_EQ(listed(witnesses().arrived()), "");
	shell(lab().node(), "ip link delete mac0");
}

} // namespace
} // namespace weir::test
