// SPDX-License-Identifier: Apache-2.0
#include "policy/zones.h"

#include "policy/row_rules.h"

#include <algorithm>

namespace weir::policy {

bool is_loopback(const Prefix &prefix)
{
	static const Prefix loopback4 = *Prefix::parse("127.0.0.0/8");
	static const Prefix loopback6 = *Prefix::parse("::1");
	return loopback4.contains(prefix) || loopback6.contains(prefix);
}

// "From localhost" is what came in by the loopback interface. A name's addresses are looked for on the network;
// and on loopback, too, where it keeps to the rows: there an address of this very host travels. What belongs inside
// a tunnel is looked for nowhere else: that is why the tunnel can fall and nothing leaves in the clear.
std::uint8_t zones_of(const Row &row, const std::vector<Prefix> &peers, bool open_loopback)
{
	if (row.peer() == localhost_name) {
		return row.zone.empty() ? zone_loopback : 0;
	}
	// Of a DNS name that has no address yet there are none.
	const bool all_loopback = !peers.empty() && std::ranges::all_of(peers, is_loopback);
	if (!row.zone.empty()) {
		return all_loopback ? 0 : zone_tunnel;
	}
	if (row.peer() == internet_name) {
		return zone_network;
	}
	if (all_loopback) {
		return zone_loopback;
	}
	const bool both = !open_loopback || std::ranges::any_of(peers, is_loopback);
	return both ? zone_loopback | zone_network : zone_network;
}

} // namespace weir::policy
