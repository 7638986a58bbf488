// SPDX-License-Identifier: Apache-2.0
// Which interfaces the edge holds: each kind that a host may have. No kernel is asked.
#include "kernel/interfaces.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_arp.h>

#include <map>

namespace weir::kernel {
namespace {

constexpr std::uint32_t held = WEIR_INTERFACE_HELD;
constexpr std::uint32_t carried = WEIR_INTERFACE_CARRIED;
constexpr std::uint32_t inside = WEIR_INTERFACE_INSIDE;

/// A host's interfaces, as text.
class Host {
public:
	Host() { all_.push_back({.ifindex = 1, .name = "lo", .link_type = ARPHRD_LOOPBACK, .flags = IFF_LOOPBACK}); }

	Host &add(const std::string &name, const std::string &kind = "", std::uint16_t link_type = ARPHRD_ETHER)
	{
		all_.push_back({.ifindex = static_cast<std::uint32_t>(all_.size() + 1),
				.name = name,
				.kind = kind,
				.link_type = link_type});
		return *this;
	}
	Host &on(const std::string &lower)
	{
		all_.back().lower = find(lower);
		return *this;
	}
	Host &port_of(const std::string &master)
	{
		all_.back().master = find(master);
		return *this;
	}
	[[nodiscard]] std::map<std::string, InterfaceState> plan(const Edge &edge = {}) const
	{
		std::map<std::string, InterfaceState> states;
		for (auto &state : kernel::plan(all_, edge))
			states[state.name] = state;
		return states;
	}

private:
	[[nodiscard]] std::uint32_t find(const std::string &name) const
	{
		for (const auto &one : all_)
			if (one.name == name)
				return one.ifindex;
		ADD_FAILURE() << name;
		return 0;
	}
	std::vector<Interface> all_;
};

Edge listing(const std::vector<std::string> &names)
{
	Edge edge;
	edge.interfaces = names;
	return edge;
}

TEST(Plan, HardwareIsHeldInTheNetwork)
{
	const auto states = Host().add("eth0").plan();
	EXPECT_EQ(states.size(), 1U) << "loopback is none of the edge's";
	EXPECT_EQ(states.at("eth0").flags, held);
	EXPECT_EQ(states.at("eth0").zone, zone_network);
	EXPECT_EQ(states.at("eth0").problem, "");
}

TEST(Plan, WhatHasNoOtherEndIsNotHeldAndNoProblem)
{
	Host host;
	for (const char *kind : {"dummy", "ifb", "nlmon", "vcan"})
		host.add(kind, kind, std::string(kind) == "vcan" ? ARPHRD_CAN : ARPHRD_ETHER);
	host.add("can0", "", ARPHRD_CAN);
	for (const auto &[name, state] : host.plan()) {
		EXPECT_EQ(state.flags, 0U) << name;
		EXPECT_EQ(state.problem, "") << name;
	}
}

TEST(Plan, TunnelsAreHeldInAZoneOfTheirOwn)
{
	Host host;
	for (const char *kind : {"wireguard", "xfrm", "ovpn"})
		host.add(kind, kind, ARPHRD_NONE);
	for (const char *kind : {"gretap", "vxlan", "geneve", "l2tp"})
		host.add(kind, kind);
	host.add("tun0", "tun", ARPHRD_NONE).add("tap0", "tun").add("ppp0", "ppp", ARPHRD_PPP);
	host.add("tunl0", "ipip", ARPHRD_TUNNEL).add("sit0", "sit", ARPHRD_SIT).add("gre0", "gre", ARPHRD_IPGRE);
	host.add("ip6tnl0", "ip6tnl", ARPHRD_TUNNEL6).add("ip6gre0", "ip6gre", ARPHRD_IP6GRE);
	host.add("vti0", "vti", ARPHRD_TUNNEL);
	for (const auto &[name, state] : host.plan()) {
		EXPECT_EQ(state.flags, held) << name;
		EXPECT_EQ(state.zone, zone_tunnel) << name;
	}
}

TEST(Plan, TheSiteMayCallAnInterfaceATunnel)
{
	Edge edge;
	edge.tunnels = {"corp0"};
	const auto states = Host().add("eth0").add("corp0", "veth").plan(edge);
	EXPECT_EQ(states.at("corp0").zone, zone_tunnel);
	EXPECT_EQ(states.at("corp0").flags, held);
	EXPECT_EQ(states.at("eth0").zone, zone_network);
}

TEST(Plan, VethAndUnknownKindsAreHeld)
{
	const auto states = Host().add("eth0", "veth").add("x0", "there-is-no-such-kind").plan();
	EXPECT_EQ(states.at("eth0").flags, held);
	EXPECT_EQ(states.at("x0").flags, held);
}

TEST(Plan, WhatIsStackedOnAHeldOneIsCarried)
{
	Host host;
	host.add("eth0").add("eth0.7", "vlan").on("eth0").add("q", "vlan").on("eth0.7");
	host.add("m", "macvlan").on("eth0").add("i", "ipvlan").on("eth0").add("t", "macvtap").on("eth0");
	const auto states = host.plan();
	for (const char *name : {"eth0.7", "q", "m", "i", "t"})
		EXPECT_EQ(states.at(name).flags, carried) << name;
}

TEST(Plan, WhatIsStackedOnAnInterfaceOfAnotherNamespaceIsHeldItself)
{
	EXPECT_EQ(Host().add("eth0", "macvlan").plan().at("eth0").flags, held);
	EXPECT_EQ(Host().add("eth0", "vlan").plan().at("eth0").flags, held);
}

TEST(Plan, WhatIsStackedOnATunnelIsOfItsZone)
{
	const auto states = Host().add("vx", "vxlan").add("vx.7", "vlan").on("vx").plan();
	EXPECT_EQ(states.at("vx.7").flags, carried);
	EXPECT_EQ(states.at("vx.7").zone, zone_tunnel);
}

TEST(Plan, BondIsCarriedByItsPortsAndRefusedWithoutOne)
{
	Host host;
	host.add("bond0", "bond").add("eth0").port_of("bond0").add("eth1").port_of("bond0").add("bond1", "bond");
	host.add("team0", "team").add("eth2").port_of("team0").add("bond0.7", "vlan").on("bond0");
	const auto states = host.plan();
	EXPECT_EQ(states.at("bond0").flags, carried);
	EXPECT_EQ(states.at("team0").flags, carried);
	EXPECT_EQ(states.at("bond0.7").flags, carried);
	EXPECT_EQ(states.at("eth0").flags, held);
	EXPECT_EQ(states.at("eth1").flags, held);
	EXPECT_EQ(states.at("bond1").flags, 0U);
}

TEST(Plan, BridgeOfContainersIsInside)
{
	Host host;
	host.add("eth0").add("docker0", "bridge").add("veth1", "veth").port_of("docker0");
	host.add("virbr0", "bridge").add("vnet0", "tun").port_of("virbr0").add("empty", "bridge");
	host.add("docker0.7", "vlan").on("docker0");
	const auto states = host.plan();
	for (const char *name : {"docker0", "veth1", "virbr0", "vnet0", "empty", "docker0.7"})
		EXPECT_EQ(states.at(name).flags, inside) << name;
	EXPECT_EQ(states.at("eth0").flags, held);
}

TEST(Plan, BridgeWithAPortThatLeadsOffIsCarried)
{
	Host host;
	host.add("br0", "bridge").add("eth0").port_of("br0").add("vnet0", "tun").port_of("br0");
	host.add("br1", "bridge").add("vx", "vxlan").port_of("br1");
	host.add("br2", "bridge").add("eth1").port_of("br2").add("vy", "vxlan").port_of("br2");
	const auto states = host.plan();
	EXPECT_EQ(states.at("br0").flags, carried);
	EXPECT_EQ(states.at("br0").zone, zone_network);
	EXPECT_EQ(states.at("eth0").flags, held);
	EXPECT_EQ(states.at("vnet0").flags, inside);
	EXPECT_EQ(states.at("br1").flags, carried);
	EXPECT_EQ(states.at("br1").zone, zone_tunnel);
	EXPECT_EQ(states.at("vx").flags, held);
	EXPECT_EQ(states.at("br2").zone, zone_network) << "what belongs inside a tunnel doesn't belong there";
}

TEST(Plan, UnreadableLinkTypeIsNamedAndCarriesNothing)
{
	Host host;
	host.add("bond0", "bond").add("ib0", "", ARPHRD_INFINIBAND).port_of("bond0");
	const auto states = host.plan();
	EXPECT_EQ(states.at("ib0").flags, 0U);
	EXPECT_NE(states.at("ib0").problem.find("ib0"), std::string::npos);
	EXPECT_EQ(states.at("bond0").flags, 0U);
}

TEST(Plan, OfAListOnlyThoseAreHeld)
{
	Host host;
	host.add("eth0").add("eth0.7", "vlan").on("eth0").add("eth1").add("eth1.7", "vlan").on("eth1");
	host.add("wg0", "wireguard", ARPHRD_NONE).add("docker0", "bridge").add("veth1", "veth").port_of("docker0");
	host.add("br0", "bridge").add("eth2").port_of("br0").add("wg1", "wireguard", ARPHRD_NONE);
	const auto states = host.plan(listing({"eth0", "wg1", "gone0"}));
	EXPECT_EQ(states.at("eth0").flags, held);
	EXPECT_EQ(states.at("eth0.7").flags, carried);
	EXPECT_EQ(states.at("eth1").flags, 0U);
	EXPECT_EQ(states.at("eth1.7").flags, 0U);
	EXPECT_EQ(states.at("wg0").flags, 0U);
	EXPECT_EQ(states.at("wg1").flags, held);
	EXPECT_EQ(states.at("wg1").zone, zone_tunnel);
	EXPECT_EQ(states.at("docker0").flags, inside);
	EXPECT_EQ(states.at("br0").flags, 0U) << "its port leads off, and nothing judges there";
	EXPECT_EQ(states.at("gone0").ifindex, 0U) << "it may come";
	for (const auto &[name, state] : states)
		EXPECT_EQ(state.problem, "") << name;
}

TEST(Plan, ListedInterfaceIsHeldWhateverItIs)
{
	Host host;
	host.add("br0", "bridge").add("eth0", "veth").port_of("br0").add("dummy0", "dummy");
	const auto ports = host.plan(listing({"eth0"}));
	EXPECT_EQ(ports.at("eth0").flags, held) << "a container's uplink, in its own bridge";
	EXPECT_EQ(ports.at("br0").flags, carried);
	const auto bridge = host.plan(listing({"br0", "dummy0", "lo"}));
	EXPECT_EQ(bridge.at("br0").flags, held);
	EXPECT_EQ(bridge.at("dummy0").flags, held);
	EXPECT_FALSE(bridge.contains("lo"));
}

TEST(Plan, CircleEndsAndIsRefused)
{
	std::vector<Interface> all{{.ifindex = 2, .name = "a", .kind = "vlan", .lower = 3},
				   {.ifindex = 3, .name = "b", .kind = "vlan", .lower = 2}};
	for (const auto &state : plan(all, {}))
		EXPECT_EQ(state.flags, 0U) << state.name;
}

} // namespace
} // namespace weir::kernel
