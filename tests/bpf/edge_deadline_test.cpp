// SPDX-License-Identifier: Apache-2.0
// The edge gate: rows that end. What they admit is admitted to the packet and not to the flow.
#include "tests/bpf/edge_test.h"

#include <ctime>

namespace weir::test {
namespace {

using Table = EdgeGate::Table;

constexpr std::uint64_t long_ago = 1, much_later = ~0ULL;

std::uint64_t boot_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Of each protocol and direction; the admin's SSH is for good.
BoundPolicy window(std::uint64_t deadline)
{
	std::vector<EdgeRow> rows;
	for (const bool v6 : {false, true}) {
		const auto &peer = v6 ? there6 : there4;
		rows.push_back({Direction::in, "TCP/22", peer});
		for (const auto *service : {"TCP/443", "UDP/53", v6 ? "ICMPv6/128" : "ICMP/8"})
			rows.push_back({Direction::out, service, peer});
		for (const auto *service : {"TCP/22", "TCP/80", "UDP/123"})
			rows.push_back({Direction::in, service, v6 ? "2001:db8::/64" : "192.0.2.0/24"});
	}
	auto policy = edge_policy(rows);
	for (auto &row : policy.rows)
		if (row.row.port.first != ssh || row.peers[0].length < 128)
			row.deadline = deadline;
	return policy;
}

class EdgeDeadline : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(window(much_later)); }

	/// The generation stays the same, as it does when a deadline comes: what was kept by it would go on.
	static void publish(std::uint64_t deadline) { gate().publish(compile(window(deadline)).value()); }
	template <typename Check>
	static void everywhere(Check check)
	{
		for (const auto hook : ingress)
			for (const bool v6 : {false, true}) {
				gate().forget();
				publish(much_later);
				check(hook, v6 ? in6 : in4, v6 ? out6 : out4);
			}
	}
};

TEST_F(EdgeDeadline, NothingOfAFlowPassesAfterIt)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		const std::pair<Hook, Bytes> flows[] = {
			{Hook::tc_out, tcp_frame(out, ours, web, tcp_syn)},
			{hook, tcp_frame(in, web, ours, tcp_syn | tcp_ack)},
			{Hook::tc_out, tcp_frame(out, ours, web, tcp_ack, Bytes(9))},
			{hook, tcp_frame(in, web, ours, tcp_ack, Bytes(99))},
			{Hook::tc_out, udp_frame(out, ours, dns)},
			{hook, udp_frame(in, dns, ours)},
			{hook, error_frame(in, udp_frame(out, ours, dns))},
			{Hook::tc_out, echo_frame(out, 77)},
			{hook, echo_frame(in, 77, true)},
			{hook, tcp_frame(in, ours, 80, tcp_syn)},
			{Hook::tc_out, tcp_frame(out, 80, ours, tcp_syn | tcp_ack)},
			{hook, tcp_frame(in, ours, 80, tcp_ack)},
			{Hook::tc_out, tcp_frame(out, 80, ours, tcp_ack, Bytes(9))},
			{hook, udp_frame(in, ours, ntp)},
			{Hook::tc_out, udp_frame(out, ntp, ours)},
			{Hook::tc_out, error_frame(out, udp_frame(in, ours, ntp))},
		};
		for (int turn = 0; turn < 2; ++turn)
			for (const auto &[way, frame] : flows)
				admitted(way, frame);
		publish(long_ago);
		for (int turn = 0; turn < 2; ++turn)
			for (const auto &[way, frame] : flows) {
				EXPECT_FALSE(gate().run(way, frame)) << text_of(way) << " " << text_of(frame);
			}
		EXPECT_GE(gate().counter(Direction::out, WEIR_REASON_CLOSED).refused, 12U);
		EXPECT_GE(gate().counter(Direction::in, WEIR_REASON_CLOSED).refused, 4U);
	});
}

TEST_F(EdgeDeadline, WhatARowForGoodAdmitsGoesOn)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		admitted(hook, tcp_frame(in, ours, ssh, tcp_syn));
		admitted(hook, tcp_frame(in, ours, ssh, tcp_ack));
		EXPECT_EQ(gate().flows(Table::accepted)[0].second.generation, 1U) << "it is not asked about each time";
		publish(long_ago);
		admitted(hook, tcp_frame(in, ours, ssh, tcp_ack));
		admitted(Hook::tc_out, tcp_frame(out, ssh, ours, tcp_ack, Bytes(99)));
	});
}

/// The first part was sent in time, the others are late.
TEST_F(EdgeDeadline, LaterPartsEndWithIt)
{
	everywhere([](Hook hook, const Path &in, const Path &out) {
		for (const bool outward : {false, true}) {
			const auto &path = outward ? out : in;
			const auto way = outward ? Hook::tc_out : hook;
			const auto all = udp_datagram(path, ours, outward ? dns : ntp, Bytes(92, 'd'));
			const auto part = [&](unsigned units, bool more) {
				const Bytes payload(all.begin() + 8 * units,
						    more ? all.begin() + 8 * units + 32 : all.end());
				if (path.is_v6())
					return ethernet(ipv6(
						path, IPPROTO_FRAGMENT,
						fragment_header(IPPROTO_UDP, static_cast<std::uint16_t>(units), more) +
							payload));
				return ethernet(
					ipv4(path,
					     {.protocol = IPPROTO_UDP,
					      .fragment = static_cast<std::uint16_t>(units | (more ? 0x2000U : 0U))},
					     payload));
			};
			publish(much_later);
			admitted(way, part(0, true));
			admitted(way, part(4, true));
			publish(long_ago);
			refused(way, part(8, false), WEIR_REASON_CLOSED);
			publish(much_later);
			admitted(way, part(8, false));
		}
	});
}

/// By the kernel's own clock: a frame that is let through went before the deadline.
TEST_F(EdgeDeadline, IsKeptToTheMillisecond)
{
	for (const auto way : {Hook::xdp, Hook::tc_in, Hook::tc_out}) {
		gate().forget();
		const auto frame = way == Hook::tc_out ? udp_frame(out4, ours, dns) : udp_frame(in4, ours, ntp);
		const auto deadline = boot_clock() + 200'000'000;
		publish(deadline);
		std::uint64_t last = 0;
		unsigned passed = 0;
		for (;;) {
			const auto before = boot_clock();
			const bool passes = gate().run(way, frame);
			const auto after = boot_clock();
			if (passes) {
				EXPECT_LT(before, deadline) << "it went after the deadline";
				last = before;
				++passed;
				continue;
			}
			EXPECT_GE(after, deadline) << "it was refused before the deadline";
			break;
		}
		EXPECT_GT(passed, 5U);
		EXPECT_GT(last, 0U);
	}
}

} // namespace
} // namespace weir::test
