// SPDX-License-Identifier: Apache-2.0
// The edge gate: datagrams in parts. A first part is judged by what it shows; the others go with it, or fall.
#include "tests/bpf/edge_test.h"

namespace weir::test {
namespace {

constexpr std::uint16_t more = 0x2000;

class EdgeFragments : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(open_policy()); }

	struct Part {
		unsigned units = 0; ///< of 8 bytes: where it begins
		bool more = true;
		Bytes payload{};
		std::uint8_t protocol = IPPROTO_UDP;
		std::uint32_t id = 0x7ea1;
	};
	static Bytes part(const Path &path, const Part &p)
	{
		if (!path.is_v6()) {
			auto packet = ipv4(path,
					   {.protocol = p.protocol,
					    .fragment = static_cast<std::uint16_t>(p.units | (p.more ? more : 0))},
					   p.payload);
			packet[4] = static_cast<std::uint8_t>(p.id >> 8);
			packet[5] = static_cast<std::uint8_t>(p.id);
			return ethernet(packet);
		}
		auto header = fragment_header(p.protocol, static_cast<std::uint16_t>(p.units), p.more);
		for (int i = 0; i < 4; ++i)
			header[static_cast<std::size_t>(4 + i)] = static_cast<std::uint8_t>(p.id >> (24 - 8 * i));
		return ethernet(ipv6(path, IPPROTO_FRAGMENT, header + p.payload));
	}
	/// The first 32 bytes of a datagram of 100, from a port that no row names to one that all rows name.
	static Bytes head(const Path &path)
	{
		const auto all = udp_datagram(path, 40000, 53, Bytes(92, 'd'));
		return {all.begin(), all.begin() + 32};
	}
	static Bytes first(const Path &path) { return part(path, {.payload = head(path)}); }

	template <typename Check>
	static void everywhere(Check check)
	{
		for (const auto hook : every_hook)
			for (const bool v6 : {false, true}) {
				SetUpAgain();
				check(hook, path_of(hook, v6));
			}
	}
	static void SetUpAgain() { gate().forget(); }
};

TEST_F(EdgeFragments, LaterPartsGoWithTheirFirst)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		admitted(hook, part(path, {.units = 4, .payload = Bytes(32)}));
		admitted(hook, part(path, {.units = 8, .more = false, .payload = Bytes(36)}));
	});
}

TEST_F(EdgeFragments, LaterPartsWithoutTheirFirstFall)
{
	everywhere([](Hook hook, const Path &path) {
		refused(hook, part(path, {.units = 4, .payload = Bytes(32)}), WEIR_REASON_FRAGMENT);
		refused(hook, part(path, {.units = 8, .more = false, .payload = Bytes(36)}), WEIR_REASON_FRAGMENT);
		refused(hook, part(path, {.units = 0x1fff, .more = false, .payload = Bytes(3)}), WEIR_REASON_FRAGMENT);
		admitted(hook, first(path)); // out of order: what came before it is gone
		admitted(hook, part(path, {.units = 4, .payload = Bytes(32)}));
	});
}

TEST_F(EdgeFragments, OfAnotherDatagramFall)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		refused(hook, part(path, {.units = 4, .payload = Bytes(8), .id = 0x7ea2}), WEIR_REASON_FRAGMENT);
		const Path other{path.source, path.is_v6() ? "2001:db8::99" : "192.0.2.99"};
		refused(hook, part(other, {.units = 4, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
		const Path from{path.is_v6() ? "2001:db8::99" : "192.0.2.99", path.destination};
		refused(hook, part(from, {.units = 4, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
		if (!path.is_v6())
			refused(hook, part(path, {.units = 4, .payload = Bytes(8), .protocol = IPPROTO_TCP}),
				WEIR_REASON_FRAGMENT);
	});
}

TEST_F(EdgeFragments, TheOtherWayFall)
{
	for (const bool v6 : {false, true}) {
		admitted(Hook::tc_out, first(path_of(Hook::tc_out, v6)));
		const Path mirrored = path_of(Hook::tc_in, v6);
		for (const auto hook : ingress)
			refused(hook, part(mirrored, {.units = 4, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
	}
}

TEST_F(EdgeFragments, OverlapWithTheFirst)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		for (unsigned units = 1; units < 4; ++units)
			refused(hook, part(path, {.units = units, .payload = Bytes(64)}), WEIR_REASON_FRAGMENT);
		admitted(hook, part(path, {.units = 4, .payload = Bytes(64)}));
	});
}

TEST_F(EdgeFragments, TinyFirstPart)
{
	everywhere([](Hook hook, const Path &path) {
		const auto segment = tcp_segment(path, 40000, 50051, tcp_syn);
		for (const long size : {0, 8, 16}) { // ports without flags, flags without their end
			refused(hook,
				part(path, {.payload = Bytes(segment.begin(), segment.begin() + size),
					    .protocol = IPPROTO_TCP}),
				WEIR_REASON_MALFORMED);
			refused(hook, part(path, {.units = 1, .payload = Bytes(8), .protocol = IPPROTO_TCP}),
				WEIR_REASON_FRAGMENT);
		}
		refused(hook, part(path, {.payload = {}}), WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFragments, SecondPartOverTheFlagsOfTcp)
{
	// RFC 1858: the first part has a harmless header, and one at offset 8 writes other flags over it.
	everywhere([](Hook hook, const Path &path) {
		const auto segment = tcp_segment(path, 40000, 50051, tcp_ack) + Bytes(4);
		admitted(hook, part(path, {.payload = segment, .protocol = IPPROTO_TCP}));
		refused(hook, part(path, {.units = 1, .more = false, .payload = Bytes(16), .protocol = IPPROTO_TCP}),
			WEIR_REASON_FRAGMENT);
	});
}

TEST_F(EdgeFragments, FirstPartThatDoesNotEndAtEightBytes)
{
	everywhere([](Hook hook, const Path &path) {
		for (std::size_t odd = 1; odd < 8; ++odd)
			refused(hook, part(path, {.payload = head(path) + Bytes(odd)}), WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFragments, LaterPartThatDoesNotEndAtEightBytes)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		for (std::size_t odd = 1; odd < 8; ++odd)
			refused(hook, part(path, {.units = 4, .payload = Bytes(8 + odd)}), WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFragments, LaterPartPastTheEndOfAnyDatagram)
{
	everywhere([](Hook hook, const Path &path) { // the "ping of death"
		admitted(hook, first(path));
		refused(hook, part(path, {.units = 0x1fff, .more = false, .payload = Bytes(100)}),
			WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFragments, LaterPartCutShort)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		const auto whole = part(path, {.units = 4, .payload = Bytes(64)});
		for (std::size_t size = path.is_v6() ? 62 : 34; size < whole.size(); ++size)
			refused(hook, Bytes(whole.begin(), whole.begin() + static_cast<long>(size)),
				WEIR_REASON_MALFORMED);
	});
}

TEST_F(EdgeFragments, NothingIsHiddenBehindALaterPart)
{
	for (const bool v6 : {false, true}) {
		const Path path = path_of(Hook::tc_out, v6);
		admitted(Hook::tc_out, first(path));
		refused(Hook::tc_out, part(path, {.units = 4, .payload = Bytes(8)}) + Bytes(1000, 'x'),
			WEIR_REASON_MALFORMED);
	}
}

TEST_F(EdgeFragments, SourceRouteOfALaterPart)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, false);
		admitted(hook, first(path));
		const auto routed = ethernet(ipv4(
			path, {.protocol = IPPROTO_UDP, .fragment = more | 4, .options = source_route("192.0.2.66")},
			Bytes(8)));
		refused(hook, routed, WEIR_REASON_IP_OPTION);
	}
}

TEST_F(EdgeFragments, RoutingHeaderOfALaterPart)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		admitted(hook, first(path));
		refused(hook,
			ethernet(ipv6(path, IPPROTO_ROUTING,
				      routing_header(IPPROTO_FRAGMENT, "2001:db8::66") +
					      fragment_header(IPPROTO_UDP, 4, true) + Bytes(8))),
			WEIR_REASON_EXTENSION);
	}
}

TEST_F(EdgeFragments, TwoFragmentHeaders)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		for (const bool outer : {false, true})
			for (const bool inner : {false, true})
				refused(hook,
					ethernet(ipv6(path, IPPROTO_FRAGMENT,
						      fragment_header(IPPROTO_FRAGMENT, 0, outer) +
							      fragment_header(IPPROTO_UDP, 0, inner) + head(path))),
					WEIR_REASON_EXTENSION);
		refused(hook,
			ethernet(ipv6(path, IPPROTO_FRAGMENT,
				      fragment_header(IPPROTO_FRAGMENT, 0, true) +
					      fragment_header(IPPROTO_UDP, 4, true) + Bytes(8))),
			WEIR_REASON_EXTENSION);
	}
}

TEST_F(EdgeFragments, UpperHeaderLeftToTheSecondPart)
{
	// RFC 7112: the first part ends in the chain of headers, and the second brings the ports.
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		refused(hook, part(path, {.payload = options_header(IPPROTO_UDP), .protocol = IPPROTO_DSTOPTS}),
			WEIR_REASON_MALFORMED);
		refused(hook, part(path, {.units = 1, .more = false, .payload = head(path)}), WEIR_REASON_FRAGMENT);
	}
}

TEST_F(EdgeFragments, AtomicFragmentIsAWholePacket)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		const auto frame = part(path, {.more = false, .payload = udp_datagram(path, 40000, 53, Bytes(9))});
		admitted(hook, frame); // RFC 6946
		refused(hook, part(path, {.units = 2, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
	}
}

TEST_F(EdgeFragments, RefusedFirstPartOpensNothing)
{
	everywhere([](Hook hook, const Path &path) {
		refused(hook, part(path, {.payload = Bytes(32), .protocol = 47}), WEIR_REASON_NO_ROW);
		refused(hook, part(path, {.units = 4, .payload = Bytes(8), .protocol = 47}), WEIR_REASON_FRAGMENT);
	});
}

TEST_F(EdgeFragments, AreForgotten)
{
	everywhere([](Hook hook, const Path &path) {
		admitted(hook, first(path));
		gate().age_fragments(WEIR_LIFE_FRAGMENTS - 3);
		admitted(hook, part(path, {.units = 4, .payload = Bytes(8)}));
		gate().age_fragments(WEIR_LIFE_FRAGMENTS + 1);
		refused(hook, part(path, {.units = 5, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
	});
}

TEST_F(EdgeFragments, OfAPolicyThatWasReplaced)
{
	everywhere([](Hook hook, const Path &path) {
		gate().publish(compile(open_policy(), {.generation = 1}).value());
		admitted(hook, first(path));
		gate().publish(compile(open_policy(), {.generation = 2}).value());
		refused(hook, part(path, {.units = 4, .payload = Bytes(8)}), WEIR_REASON_FRAGMENT);
	});
	gate().publish(compile(open_policy(), {.generation = 1}).value());
}

TEST_F(EdgeFragments, MoreFirstPartsThanTheTableHolds)
{
	for (std::uint32_t id = 0; id < 3 * WEIR_FRAGMENTS; ++id)
		gate().run(Hook::xdp, part(in4, {.payload = head(in4), .id = id}));
	// The oldest are gone, and fall; the newest is there. None that had no first part is admitted.
	refused(Hook::xdp, part(in4, {.units = 4, .payload = Bytes(8), .id = 0}), WEIR_REASON_FRAGMENT);
	admitted(Hook::xdp, part(in4, {.units = 4, .payload = Bytes(8), .id = 3 * WEIR_FRAGMENTS - 1}));
	refused(Hook::xdp, part(in4, {.units = 4, .payload = Bytes(8), .id = 3 * WEIR_FRAGMENTS}),
		WEIR_REASON_FRAGMENT);
}

} // namespace
} // namespace weir::test
