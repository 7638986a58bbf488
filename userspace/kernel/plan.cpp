// SPDX-License-Identifier: Apache-2.0
// Which interfaces the edge holds. What leads off the host is held where it does so; what is stacked on such a one
// is judged there; what only leads into this host isn't held at all.
#include "kernel/interfaces.h"

#include <fmt/format.h>
#include <net/if.h>
#include <linux/if_arp.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace weir::kernel {

namespace {

template <std::size_t Size>
bool is_one_of(const std::array<std::string_view, Size> &words, std::string_view word)
{
	return std::ranges::find(words, word) != words.end();
}

bool is_loopback(const Interface &one)
{
	return (one.flags & IFF_LOOPBACK) != 0 || one.link_type == ARPHRD_LOOPBACK;
}

/// It has no other end, or none that IP reaches. Their traffic is refused like that of any that isn't held.
bool leads_nowhere(const Interface &one)
{
	constexpr std::array<std::string_view, 8> kinds{"dummy", "ifb",   "nlmon", "vsockmon",
							"vcan",  "vxcan", "can",   "nullmdev"};
	return is_one_of(kinds, one.kind) || one.link_type == ARPHRD_CAN || one.link_type == ARPHRD_NETLINK ||
	       one.link_type == ARPHRD_VSOCKMON;
}

bool is_tunnel_kind(const Interface &one)
{
	constexpr std::array<std::string_view, 25> kinds{
		"wireguard", "amneziawg", "tun",    "ipip", "gre",  "gretap",   "ip6gre", "ip6gretap", "erspan",
		"ip6erspan", "sit",       "ip6tnl", "vti",  "vti6", "xfrm",     "vxlan",  "geneve",    "bareudp",
		"gtp",       "fou",       "l2tp",   "ppp",  "ovpn", "ovpn-dco", "lisp"};
	return is_one_of(kinds, one.kind) || one.link_type == ARPHRD_PPP;
}

/// The near end of a cable into a container or a virtual machine, when it is a port of a bridge.
bool is_cable_inside(const Interface &one)
{
	const bool tap = one.kind == "tun" && one.link_type == ARPHRD_ETHER;
	return tap || one.kind == "veth" || one.kind == "netkit";
}

class Planner {
public:
	Planner(const std::vector<Interface> &all, const Edge &edge) : all_(all), edge_(edge) {}

	struct Fate {
		std::uint32_t flags = 0;
		std::uint8_t zone = zone_network;
		bool unreadable = false; ///< it would be held, but for its frames
	};

	Fate fate(const Interface &one)
	{
		const auto [at, fresh] = known_.try_emplace(one.ifindex); // of a circle, which can't be: refused
		if (fresh)
			at->second = decide(one);
		return known_[one.ifindex];
	}

private:
	[[nodiscard]] bool is_named(const std::vector<std::string> &names, const Interface &one) const
	{
		return std::ranges::find(names, one.name) != names.end();
	}

	[[nodiscard]] const Interface *find(std::uint32_t ifindex) const
	{
		const auto at = std::ranges::find(all_, ifindex, &Interface::ifindex);
		return at == all_.end() ? nullptr : &*at;
	}

	Fate decide(const Interface &one)
	{
		const bool named_tunnel = is_named(edge_.tunnels, one);
		const std::uint8_t zone = named_tunnel || is_tunnel_kind(one) ? zone_tunnel : zone_network;
		const Fate held = link_header(one.link_type) ? Fate{WEIR_INTERFACE_HELD, zone} : Fate{0, zone, true};
		if (is_loopback(one))
			return {};
		if (named_tunnel || is_named(edge_.interfaces, one))
			return held;
		const Interface *master = one.master != 0 ? find(one.master) : nullptr;
		if (master != nullptr && master->kind == "bridge" && is_cable_inside(one))
			return {WEIR_INTERFACE_INSIDE, zone_network};
		if (one.kind == "bridge" || one.kind == "vrf")
			return carrier_of_ports(one, WEIR_INTERFACE_INSIDE);
		if (one.kind == "bond" || one.kind == "team")
			return carrier_of_ports(one, 0); // its first port may come any moment
		if (one.lower != 0) {
			const Interface *lower = find(one.lower);
			if (lower != nullptr)
				return carried_by(fate(*lower));
		}
		return edge_.interfaces.empty() && !leads_nowhere(one) ? held : Fate{};
	}

	static Fate carried_by(Fate lower)
	{
		if ((lower.flags & (WEIR_INTERFACE_HELD | WEIR_INTERFACE_CARRIED)) != 0)
			lower.flags = WEIR_INTERFACE_CARRIED;
		lower.unreadable = false;
		return lower;
	}

	Fate carrier_of_ports(const Interface &one, std::uint32_t without)
	{
		Fate sum{without, zone_network};
		for (const auto &port : all_) {
			if (port.master != one.ifindex)
				continue;
			const Fate carried = carried_by(fate(port));
			if (carried.flags != WEIR_INTERFACE_CARRIED) {
				// Of a list: a port that leads off and isn't held. Nothing that passes there is judged.
				if (carried.flags == 0 && !leads_nowhere(port) && sum.flags == WEIR_INTERFACE_INSIDE)
					sum.flags = 0;
				continue;
			}
			// A port that is no tunnel makes it no tunnel: rows that belong inside one don't hold there.
			const bool first = sum.flags != WEIR_INTERFACE_CARRIED;
			sum = {WEIR_INTERFACE_CARRIED, first || sum.zone == zone_tunnel ? carried.zone : sum.zone};
		}
		return sum;
	}

	const std::vector<Interface> &all_;
	const Edge &edge_;
	std::map<std::uint32_t, Fate> known_;
};

} // namespace

std::optional<std::uint32_t> link_header(std::uint16_t link_type)
{
	switch (link_type) {
	case ARPHRD_ETHER:
		return 14;
	case ARPHRD_NONE: // tun, WireGuard, xfrm
	case ARPHRD_RAWIP:
	case ARPHRD_PPP: // the driver adds and takes its header below tc
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return 0;
	default:
		return std::nullopt;
	}
}

std::vector<InterfaceState> plan(const std::vector<Interface> &all, const Edge &edge)
{
	Planner planner(all, edge);
	std::vector<InterfaceState> states;
	for (const auto &one : all) {
		if (is_loopback(one))
			continue;
		const auto fate = planner.fate(one);
		InterfaceState state{.name = one.name, .ifindex = one.ifindex, .zone = fate.zone, .flags = fate.flags};
		if (fate.unreadable)
			state.problem =
				fmt::format("{} can't be held, its link type {} is not one that weir reads: what "
					    "sockets send and get by it is refused, what has no socket passes",
					    one.name, one.link_type);
		states.push_back(std::move(state));
	}
	for (const auto &name : edge.interfaces)
		if (std::ranges::find(all, name, &Interface::name) == all.end())
			states.push_back({.name = name});
	return states;
}

} // namespace weir::kernel
