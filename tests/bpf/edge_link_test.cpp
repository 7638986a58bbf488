// SPDX-License-Identifier: Apache-2.0
// The edge gate: what stands before the IP header, and frames that are not IP.
#include "tests/bpf/edge_test.h"

namespace weir::test {
namespace {

constexpr std::uint16_t lldp = 0x88cc, eapol = 0x888e;

class EdgeLink : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(open_policy({lldp})); }
	static Bytes packet(Hook hook, bool v6)
	{
		const Path path = path_of(hook, v6);
		return ip(path, IPPROTO_TCP, tcp_segment(path, 40000, 50051, tcp_syn));
	}
	static std::uint16_t type(bool v6) { return v6 ? eth_ipv6 : eth_ipv4; }
	static void refused_frames(const Bytes &frame, weir_reason reason)
	{
		for (const auto hook : every_hook)
			refused(hook, frame, reason);
	}
	static void admitted_frames(const Bytes &frame)
	{
		for (const auto hook : every_hook)
			admitted(hook, frame);
	}
};

TEST_F(EdgeLink, PlainFramesAreAdmitted)
{
	admitted_everywhere([](Hook hook, bool v6) { return ethernet(packet(hook, v6)); });
}

TEST_F(EdgeLink, TagsAreLookedThrough)
{
	admitted_everywhere(
		[](Hook hook, bool v6) { return ethernet(eth_vlan, vlan_tag(7, type(v6), packet(hook, v6))); });
	admitted_everywhere([](Hook hook, bool v6) { // a priority tag: VLAN 0
		return ethernet(eth_vlan, vlan_tag(0xe000, type(v6), packet(hook, v6)));
	});
	admitted_everywhere([](Hook hook, bool v6) {
		return ethernet(eth_qinq, vlan_tag(7, eth_vlan, vlan_tag(8, type(v6), packet(hook, v6))));
	});
}

TEST_F(EdgeLink, ATagHidesNothing)
{
	refused_everywhere(
		[](Hook hook, bool v6) {
			const Path path = path_of(hook, v6);
			return ethernet(eth_vlan, vlan_tag(7, type(v6), ip(path, 47, Bytes(16))));
		},
		WEIR_REASON_NO_ROW);
}

TEST_F(EdgeLink, AThirdTag)
{
	for (const auto inner : {eth_vlan, eth_qinq})
		refused_everywhere(
			[&](Hook hook, bool v6) {
				return ethernet(eth_qinq,
						vlan_tag(1, eth_vlan,
							 vlan_tag(2, inner, vlan_tag(3, type(v6), packet(hook, v6)))));
			},
			WEIR_REASON_ETHERTYPE);
}

TEST_F(EdgeLink, ATagThatEndsTheFrame)
{
	for (std::size_t size = 1; size < 4; ++size)
		refused_frames(ethernet(eth_vlan, Bytes(size)), WEIR_REASON_MALFORMED);
	refused_frames(ethernet(eth_qinq, vlan_tag(1, eth_vlan, {0, 1, 8})), WEIR_REASON_MALFORMED);
}

TEST_F(EdgeLink, VersionThatIsNotTheEtherTypes)
{
	for (const auto hook : every_hook) {
		refused(hook, ethernet(eth_ipv6, packet(hook, false)), WEIR_REASON_MALFORMED);
		refused(hook, ethernet(eth_ipv4, packet(hook, true)), WEIR_REASON_MALFORMED);
		for (unsigned version = 0; version < 16; ++version)
			for (const bool v6 : {false, true}) {
				auto odd = packet(hook, v6);
				odd[0] = static_cast<std::uint8_t>(version << 4 | (v6 ? 0 : 5));
				if (version == (v6 ? 6 : 4))
					admitted(hook, ethernet(type(v6), odd));
				else
					refused(hook, ethernet(type(v6), odd), WEIR_REASON_MALFORMED);
			}
	}
}

TEST_F(EdgeLink, EtherTypesThatNobodyListed)
{
	const Bytes payload(46, 'w');
	// IPX, MPLS, PPPoE, EAPOL, RARP, old QinQ, FCoE, AVTP, MACsec, transparent bridging, NSH, ...
	for (const std::uint16_t other : std::initializer_list<std::uint16_t>{
		     0x8137, 0x8847, 0x8848, 0x8863, 0x8864, 0x888e, 0x8035, 0x9100, 0x9200, 0x8906, 0x22f0, 0x88e5,
		     0x6558, 0x894f, 0xffff, 0x07ff, 0x0801, 0x0600})
		refused_frames(ethernet(other, payload), WEIR_REASON_ETHERTYPE);
}

TEST_F(EdgeLink, LengthInThePlaceOfAnEtherType)
{
	// 802.3 with LLC; 0 is the value of a place in the list that the site left empty.
	for (std::uint16_t length = 0; length < 0x600; ++length)
		refused_frames(ethernet(length, Bytes(46, 0xaa)), WEIR_REASON_ETHERTYPE);
	refused_frames(ethernet(eth_vlan, vlan_tag(7, 0, Bytes(46, 'w'))), WEIR_REASON_ETHERTYPE);
}

TEST_F(EdgeLink, IpInLogicalLinkControl)
{
	refused_everywhere(
		[](Hook hook, bool v6) {
			const Bytes snap = Bytes{0xaa,
						 0xaa,
						 3,
						 0,
						 0,
						 0,
						 static_cast<std::uint8_t>(type(v6) >> 8),
						 static_cast<std::uint8_t>(type(v6))} +
					   packet(hook, v6);
			return ethernet(static_cast<std::uint16_t>(snap.size()), snap);
		},
		WEIR_REASON_ETHERTYPE);
}

TEST_F(EdgeLink, WhatTheSiteLists)
{
	admitted_frames(ethernet(lldp, Bytes(46)));
	admitted_frames(ethernet(eth_vlan, vlan_tag(7, lldp, Bytes(46))));
	refused_frames(ethernet(eapol, Bytes(46)), WEIR_REASON_ETHERTYPE);
	gate().publish(compile(open_policy({eapol, lldp, 0x88f7, 0x8899})).value());
	for (const std::uint16_t listed : {eapol, lldp, std::uint16_t{0x88f7}, std::uint16_t{0x8899}})
		admitted_frames(ethernet(listed, Bytes(46)));
	gate().publish(compile(open_policy({lldp})).value());
}

TEST_F(EdgeLink, EtherTypeIsInTheReport)
{
	gate().run(Hook::tc_out, ethernet(0x4321, Bytes(46)));
	for (const auto &event : gate().events())
		if (event.reason == WEIR_REASON_ETHERTYPE && event.remote_port == 0x4321)
			return;
	FAIL() << "not reported";
}

TEST_F(EdgeLink, ArpIsAdmitted)
{
	for (const std::uint16_t operation : {std::uint16_t{1}, std::uint16_t{2}}) {
		admitted_frames(ethernet(eth_arp, arp(out4, operation)));
		admitted_frames(ethernet(eth_vlan, vlan_tag(7, eth_arp, arp(out4, operation))));
		admitted_frames(ethernet(eth_arp, arp(out4, operation) + Bytes(18))); // padded to 60
	}
}

TEST_F(EdgeLink, ArpOfOtherForm)
{
	for (const auto operation :
	     std::initializer_list<std::uint16_t>{0, 3, 4, 8, 9, 10, 0x101, 0xffff}) // RARP, InARP, ...
		refused_frames(ethernet(eth_arp, arp(out4, operation)), WEIR_REASON_ETHERTYPE);
	for (std::size_t at = 0; at < 6; ++at) { // hardware, protocol, sizes
		auto odd = arp(out4);
		odd[at] ^= 0x10;
		refused_frames(ethernet(eth_arp, odd), WEIR_REASON_ETHERTYPE);
	}
}

TEST_F(EdgeLink, ArpCutShort)
{
	const auto whole = arp(out4);
	for (std::size_t size = 1; size < whole.size(); ++size)
		refused_frames(ethernet(eth_arp, Bytes(whole.begin(), whole.begin() + static_cast<long>(size))),
			       WEIR_REASON_MALFORMED);
}

TEST_F(EdgeLink, ArpCarriesNoPayload)
{
	refused_frames(ethernet(eth_arp, arp(out4) + Bytes(19)), WEIR_REASON_MALFORMED); // past the shortest frame
	refused_frames(ethernet(eth_arp, arp(out4) + Bytes(1000, 'x')), WEIR_REASON_MALFORMED);
	refused_frames(ethernet(eth_vlan, vlan_tag(7, eth_arp, arp(out4) + Bytes(200, 'x'))), WEIR_REASON_MALFORMED);
}

TEST_F(EdgeLink, ArpHidesNothingInThePaddingOfAShortFrame)
{
	for (std::size_t at = 0; at < 18; ++at) {
		auto padded = ethernet(eth_arp, arp(out4) + Bytes(18));
		padded[14 + 28 + at] = 'x';
		refused(Hook::tc_out, padded, WEIR_REASON_MALFORMED);
	}
}

TEST_F(EdgeLink, ArpHidesNothingInAnotherPacketsPlace)
{
	// An ARP frame whose payload is IP, and an IP frame whose payload is ARP.
	for (const auto hook : every_hook)
		refused(hook, ethernet(eth_arp, packet(hook, false)), WEIR_REASON_ETHERTYPE);
	refused_frames(ethernet(eth_ipv4, arp(out4)), WEIR_REASON_MALFORMED);
}

/// Interfaces whose packets have no header before IP.
class EdgeNoLink : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(open_policy({lldp}), {.zone = zone_tunnel, .link_header = 0}); }
	static Bytes packet(Hook hook, bool v6)
	{
		const Path path = path_of(hook, v6);
		return ip(path, IPPROTO_TCP, tcp_segment(path, 40000, 50051, tcp_syn));
	}
};

TEST_F(EdgeNoLink, PacketsAreAdmitted)
{
	admitted_everywhere([](Hook hook, bool v6) { return packet(hook, v6); });
}

TEST_F(EdgeNoLink, EveryOtherVersionIsRefused)
{
	for (unsigned version = 0; version < 16; ++version)
		if (version != 4 && version != 6)
			for (unsigned low = 0; low < 16; ++low)
				for (const auto hook : every_hook) {
					auto odd = packet(hook, false);
					odd[0] = static_cast<std::uint8_t>(version << 4 | low);
					refused(hook, odd, WEIR_REASON_MALFORMED);
				}
}

TEST_F(EdgeNoLink, FramesAreNotTakenForPackets)
{
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true})
			refused(hook, ethernet(packet(hook, v6)), WEIR_REASON_MALFORMED);
}

TEST_F(EdgeNoLink, NoPaddingGoesOut)
{
	refused(Hook::tc_out, packet(Hook::tc_out, false) + Bytes{'x'}, WEIR_REASON_MALFORMED);
	refused(Hook::tc_out, packet(Hook::tc_out, true) + Bytes{'x'}, WEIR_REASON_MALFORMED);
}

} // namespace
} // namespace weir::test
