// SPDX-License-Identifier: Apache-2.0
// What the tests of the edge gate share: small policies, a gate for each suite, and what is expected of a frame.
#pragma once

#include "policy/policy.h"
#include "tests/support/edge_gate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <netinet/in.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace weir::test {

constexpr std::uint16_t ours = 40000, web = 443, ssh = 22, dns = 53, ntp = 123; ///< ports

/// How many of something: fewer on an emulated processor (scripts/vm).
inline int many(int here, int emulated)
{
	return std::getenv("WEIR_TEST_EMULATED") == nullptr ? here : emulated;
}

struct EdgeRow {
	Direction dir;
	std::string service; ///< "TCP/443"
	std::string peer;    ///< a prefix
	bool kernel_only = false;
};

/// One scope, the edge; the rows hold in both of its zones unless said otherwise.
inline BoundPolicy edge_policy(const std::vector<EdgeRow> &rows, std::uint8_t zones = zone_network | zone_tunnel)
{
	BoundPolicy policy;
	policy.scenario = "edge";
	policy.scopes = {{"", {"host"}, false}};
	policy.edge.present = true;
	for (const auto &row : rows) {
		BoundRow bound;
		bound.row.id = std::to_string(policy.rows.size());
		bound.row.dir = row.dir;
		bound.row.port = policy::parse_service(row.service).value();
		bound.zones = zones;
		bound.kernel_only = row.kernel_only;
		bound.peers = {Prefix::parse(row.peer).value()};
		policy.rows.push_back(bound);
	}
	return policy;
}

/// Admits all that has a form: what it refuses is refused for that.
inline BoundPolicy open_policy(std::vector<std::uint16_t> ethertypes = {})
{
	std::vector<EdgeRow> rows;
	for (const char *service : {"TCP/1-65535", "UDP/1-65535", "ICMP/8", "ICMPv6/128"})
		for (const auto dir : {Direction::out, Direction::in})
			for (const char *peer : {"0.0.0.0/0", "::/0"})
				rows.push_back({dir, service, peer});
	auto policy = edge_policy(rows);
	policy.edge.ethertypes = std::move(ethertypes);
	return policy;
}

inline const std::string here4 = "192.0.2.2", there4 = "192.0.2.10", here6 = "2001:db8::2", there6 = "2001:db8::10";
inline const Path in4{there4, here4}, out4{here4, there4}, in6{there6, here6}, out6{here6, there6};

inline Path path_of(Hook hook, bool v6)
{
	return v6 ? (hook == Hook::tc_out ? out6 : in6) : (hook == Hook::tc_out ? out4 : in4);
}

inline constexpr Hook every_hook[] = {Hook::xdp, Hook::tc_in, Hook::tc_out};
inline constexpr Hook ingress[] = {Hook::xdp, Hook::tc_in};

inline std::string text_of(Hook hook)
{
	return hook == Hook::xdp ? "XDP" : hook == Hook::tc_in ? "tc ingress" : "tc egress";
}

inline std::string text_of(const Bytes &frame)
{
	static constexpr char digits[] = "0123456789abcdef";
	std::string text;
	for (const auto byte : frame)
		(text += digits[byte >> 4]) += digits[byte & 15];
	return text;
}

/// One gate for a suite.
class EdgeSuite : public ::testing::Test {
protected:
	static void set_up(const BoundPolicy &policy, const EdgeGate::Options &options = {},
			   const CompileOptions &how = {})
	{
		gate_ = std::make_unique<EdgeGate>(options);
		gate_->publish(compile(policy, how).value());
	}
	static void TearDownTestSuite() { gate_.reset(); }
	void SetUp() override
	{
		gate_->forget();
		gate_->take_merged();
		gate_->events();
	}

	static EdgeGate &gate() { return *gate_; }

	static void admitted(Hook hook, const Bytes &frame)
	{
		EXPECT_TRUE(gate().run(hook, frame)) << text_of(hook) << " refused " << text_of(frame);
	}
	static void refused(Hook hook, const Bytes &frame, weir_reason reason)
	{
		const auto before = gate().counter(direction_of(hook), reason).refused;
		EXPECT_FALSE(gate().run(hook, frame)) << text_of(hook) << " admitted " << text_of(frame);
		EXPECT_EQ(gate().counter(direction_of(hook), reason).refused, before + 1)
			<< text_of(hook) << " refused for another reason than " << reason << ": " << text_of(frame);
	}
	/// As `frame` makes it for each hook: source and destination are those of its direction.
	using Make = std::function<Bytes(Hook, bool v6)>;
	static void admitted_everywhere(const Make &make)
	{
		for (const auto hook : every_hook)
			for (const bool v6 : {false, true})
				admitted(hook, make(hook, v6));
	}
	static void refused_everywhere(const Make &make, weir_reason reason)
	{
		for (const auto hook : every_hook)
			for (const bool v6 : {false, true})
				refused(hook, make(hook, v6), reason);
	}

private:
	static inline std::unique_ptr<EdgeGate> gate_;
};

/// IPv4 or IPv6, without extras.
inline Bytes ip(const Path &path, std::uint8_t protocol, const Bytes &payload)
{
	return path.is_v6() ? ipv6(path, protocol, payload) : ipv4(path, {.protocol = protocol}, payload);
}

inline std::uint8_t icmp_of(const Path &path)
{
	return path.is_v6() ? std::uint8_t{IPPROTO_ICMPV6} : std::uint8_t{IPPROTO_ICMP};
}

inline Bytes tcp_frame(const Path &path, std::uint16_t from, std::uint16_t to, std::uint8_t flags,
		       const Bytes &data = {})
{
	return ethernet(ip(path, IPPROTO_TCP, tcp_segment(path, from, to, flags, data)));
}

inline Bytes udp_frame(const Path &path, std::uint16_t from, std::uint16_t to, const Bytes &data = {1, 2, 3, 4})
{
	return ethernet(ip(path, IPPROTO_UDP, udp_datagram(path, from, to, data)));
}

inline Bytes echo_frame(const Path &path, std::uint16_t id, bool reply = false)
{
	return ethernet(ip(path, icmp_of(path), icmp_echo(path, id, reply)));
}

/// "Port unreachable" about a packet, given as its frame.
inline Bytes error_frame(const Path &path, const Bytes &about)
{
	return ethernet(ip(path, icmp_of(path), icmp_unreachable(path, Bytes(about.begin() + 14, about.end()))));
}

} // namespace weir::test
