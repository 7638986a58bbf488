// SPDX-License-Identifier: Apache-2.0
// Policies and questions made at random, crowded so that prefixes nest, ranges overlap and edges are hit.
#pragma once

#include "compile/packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <random>
#include <string>

namespace weir::test {

class Maker {
public:
	explicit Maker(unsigned seed) : random_(seed) {}

	unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
	bool one_in(unsigned bound) { return below(bound) == 0; }

	BoundPolicy policy(unsigned most_rows, bool edges = false)
	{
		BoundPolicy policy;
		policy.scenario = "random";
		policy.scopes.resize(1 + below(3));
		for (std::size_t i = 0; i < policy.scopes.size(); ++i)
			policy.scopes[i] = {
				"/sys/fs/cgroup/" + std::to_string(i), {"c" + std::to_string(i)}, one_in(3)};
		if (edges && one_in(2)) {
			policy.edge.present = true;
			policy.edge.ethertypes = {0x88cc};
			policy.scopes.push_back({"", {"host"}, false});
		}
		const unsigned rows = 1 + below(most_rows);
		for (unsigned i = 0; i < rows; ++i)
			policy.rows.push_back(row("r" + std::to_string(i), policy));
		return policy;
	}

	/// Some rows become those of a user, some end, some need the journal; the edge knows no users.
	void add_conditions(BoundPolicy &policy)
	{
		for (auto &row : policy.rows) {
			if (!policy.scopes[row.scope].is_edge() && one_in(3))
				row.user = user();
			if (one_in(3)) {
				row.deadline = 1000 * (1 + below(3));
				row.window = "installation";
			}
			row.row.needs_journal = one_in(4);
		}
	}
	/// Who made the socket, when the packet goes (at deadlines, around them), and whether the journal is written then.
	void add_circumstances(Question &q)
	{
		q.journal = !one_in(3);
		if (!one_in(4))
			q.user = user();
		q.now = 1000 * below(5) + below(3);
		q.now -= q.now == 0 ? 0 : 1;
	}

	Question question(const BoundPolicy &policy)
	{
		Question q;
		const BoundRow &near = policy.rows[below(static_cast<unsigned>(policy.rows.size()))];
		q.scope = one_in(8) ? static_cast<std::uint8_t>(below(static_cast<unsigned>(policy.scopes.size())))
				    : near.scope;
		q.dir = one_in(8) ? dir() : near.row.dir;
		q.protocol = one_in(8) ? protocol() : near.row.port.protocol;
		const unsigned edges[] = {near.row.port.first, near.row.port.last, near.row.port.first - 1u,
					  near.row.port.last + 1u, below(65536)};
		q.port = static_cast<std::uint16_t>(edges[below(5)]);
		q.zone = zone_of(policy, q.scope);
		q.from_kernel = one_in(3);
		q.remote = address_near(near.peers[below(static_cast<unsigned>(near.peers.size()))]);
		return q;
	}

	Prefix prefix()
	{
		Address base;
		const bool v4 = one_in(2);
		if (v4) {
			base = Address::v4(one_in(6) ? static_cast<std::uint32_t>(random_())
						     : 0xc0000200u | below(8) << 28 | below(256));
		} else if (one_in(6)) {
			for (auto &byte : base.bytes)
				byte = static_cast<std::uint8_t>(random_());
		} else {
			base = *Address::parse("2001:db8::");
			base.bytes[7] = static_cast<std::uint8_t>(below(4));
			base.bytes[15] = static_cast<std::uint8_t>(below(256));
		}
		const unsigned shortest = v4 ? 96 : 0;
		const unsigned lengths[] = {shortest, 128, 127, 128 - below(9), 120, 64, 96 + below(33), below(129)};
		return cut(base, std::max(shortest, lengths[below(8)]));
	}

	static Prefix cut(Address address, unsigned length)
	{
		for (unsigned bit = length; bit < 128; ++bit)
			address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
		return {address, static_cast<std::uint8_t>(length)};
	}

private:
	std::uint32_t user()
	{
		const std::uint32_t some[] = {0, 1000, 4294967294};
		return some[below(3)];
	}
	Direction dir() { return one_in(2) ? Direction::out : Direction::in; }
	std::uint8_t protocol()
	{
		const std::uint8_t some[] = {IPPROTO_TCP,    IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP,
					     IPPROTO_ICMPV6, 47,          IPPROTO_SCTP};
		return some[below(7)];
	}
	/// One that a packet can have there: no loopback at the edge, no tunnel without one.
	std::uint8_t zone_of(const BoundPolicy &policy, std::uint8_t scope)
	{
		if (policy.edge.present && one_in(3))
			return zone_tunnel;
		return one_in(4) && !policy.scopes[scope].is_edge() ? zone_loopback : zone_network;
	}
	BoundRow row(const std::string &id, const BoundPolicy &policy)
	{
		BoundRow row;
		row.row.id = id;
		row.row.dir = dir();
		row.row.source = row.row.destination = "x";
		row.row.type = "backend";
		row.row.service = "s";
		row.scope = static_cast<std::uint8_t>(below(static_cast<unsigned>(policy.scopes.size())));
		const auto number = protocol();
		row.row.port = {number, 0, 0};
		if (number == IPPROTO_ICMP || number == IPPROTO_ICMPV6) {
			row.row.port.first = row.row.port.last = static_cast<std::uint16_t>(below(256));
		} else if (row.row.port.has_ports()) {
			const std::uint16_t some[] = {1,
						      65535,
						      443,
						      50051,
						      static_cast<std::uint16_t>(1 + below(65535)),
						      static_cast<std::uint16_t>(500 + below(30))};
			const auto one = some[below(6)];
			const auto other = one_in(2) ? one : some[below(6)];
			row.row.port.first = std::min(one, other);
			row.row.port.last = std::max(one, other);
		}
		const bool edge = policy.scopes[row.scope].is_edge();
		row.zones = static_cast<std::uint8_t>(edge                  ? (1 + below(3)) << 1
						      : policy.edge.present ? 1 + below(7)
									    : 1 + below(3));
		row.kernel_only = one_in(10);
		for (unsigned i = 0; i <= below(3); ++i)
			row.peers.push_back(prefix());
		std::ranges::sort(row.peers);
		row.peers.erase(std::ranges::unique(row.peers).begin(), row.peers.end());
		return row;
	}
	Address address_near(const Prefix &prefix)
	{
		Address address = prefix.address;
		switch (below(7)) {
		case 0: // first
			break;
		case 1: // last
			for (unsigned bit = prefix.length; bit < 128; ++bit)
				address.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80u >> (bit % 8));
			break;
		case 2: // beside it
			if (prefix.length > (prefix.is_v4() ? 96 : 0))
				address.bytes[(prefix.length - 1u) / 8] ^=
					static_cast<std::uint8_t>(0x80u >> ((prefix.length - 1u) % 8));
			break;
		case 3: // anywhere
			address = this->prefix().address;
			break;
		case 4: // another form of an IPv4 address
			if (prefix.is_v4())
				return embedded(address);
			break;
		default: // inside
			for (unsigned bit = prefix.length; bit < 128; ++bit)
				if (one_in(2))
					address.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80u >> (bit % 8));
		}
		return address;
	}
	Address embedded(const Address &v4)
	{
		const char *forms[] = {"64:ff9b::", "::", "::ffff:0:0:0", "2002::", "2001::", "64:ff9b:1::"};
		Address form = *Address::parse(forms[below(6)]);
		std::copy(v4.bytes.begin() + 12, v4.bytes.end(), form.bytes.begin() + 12);
		return form;
	}

	std::mt19937 random_;
};

} // namespace weir::test
