// SPDX-License-Identifier: Apache-2.0
// The edge gate: everything is admitted by rows here, so what is refused is refused for its form.
#include "tests/bpf/edge_test.h"

namespace weir::test {
namespace {

class EdgeForm : public EdgeSuite {
protected:
	static void SetUpTestSuite() { set_up(open_policy()); }
	static Bytes syn(const Path &path, const Bytes &data = {})
	{
		return tcp_segment(path, 40000, 50051, tcp_syn, data);
	}
	static Bytes whole(Hook hook, bool v6)
	{
		return ethernet(ip(path_of(hook, v6), IPPROTO_TCP, syn(path_of(hook, v6))));
	}
	static Bytes cut(const Bytes &frame, std::size_t size)
	{
		return {frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)};
	}
	/// Kernels put no less before the program, on this hook: that is no question to the gate.
	static std::size_t shortest(Hook hook, bool v6) { return hook == Hook::xdp ? 14 : v6 ? 14 + 40 : 14 + 20; }
	static constexpr std::size_t at = 14; ///< of the IP header
};

TEST_F(EdgeForm, EveryTruncationIsRefused)
{
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true}) {
			const Path path = path_of(hook, v6);
			for (const auto &frame : {whole(hook, v6), udp_frame(path, 1, 2), echo_frame(path, 7),
						  tcp_frame(path, 1, 2, tcp_syn, Bytes(100)),
						  ethernet(v6 ? ipv6(path, IPPROTO_HOPOPTS,
								     options_header(IPPROTO_DSTOPTS) +
									     options_header(IPPROTO_TCP) + syn(path))
							      : ipv4(path, {.options = Bytes(12, 1)}, syn(path)))})
				for (std::size_t size = shortest(hook, v6); size < frame.size(); ++size)
					refused(hook, cut(frame, size), WEIR_REASON_MALFORMED);
		}
}

TEST_F(EdgeForm, LinkHeaderAlone)
{
	refused(Hook::xdp, cut(whole(Hook::xdp, false), 14), WEIR_REASON_MALFORMED);
	refused(Hook::xdp, cut(whole(Hook::xdp, true), 14), WEIR_REASON_MALFORMED);
}

TEST_F(EdgeForm, TotalLengthThatLies)
{
	for (const auto hook : every_hook) {
		auto frame = whole(hook, false);
		for (unsigned total = 0; total < 65536; total += total < 200 ? 1 : 1009) {
			frame[at + 2] = static_cast<std::uint8_t>(total >> 8);
			frame[at + 3] = static_cast<std::uint8_t>(total);
			if (total != 40)
				refused(hook, frame, WEIR_REASON_MALFORMED);
		}
		frame = whole(hook, true);
		for (unsigned payload = 0; payload < 65536; payload += payload < 200 ? 1 : 1009) {
			frame[at + 4] = static_cast<std::uint8_t>(payload >> 8);
			frame[at + 5] = static_cast<std::uint8_t>(payload);
			if (payload != 20)
				refused(hook, frame, WEIR_REASON_MALFORMED);
		}
	}
}

TEST_F(EdgeForm, HeaderLengthThatLies)
{
	for (const auto hook : every_hook)
		for (unsigned words = 0; words < 16; ++words) {
			auto frame = whole(hook, false);
			frame[at] = static_cast<std::uint8_t>(0x40 | words);
			// Behind a longer header there is no TCP: its bytes are taken for options.
			EXPECT_EQ(gate().run(hook, frame), words == 5) << words;
		}
}

TEST_F(EdgeForm, DataOffsetThatLies)
{
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true})
			for (unsigned words = 0; words < 16; ++words) {
				auto frame = whole(hook, v6);
				frame[frame.size() - 8] = static_cast<std::uint8_t>(words << 4);
				if (words == 5)
					admitted(hook, frame);
				else
					refused(hook, frame, WEIR_REASON_MALFORMED);
			}
}

TEST_F(EdgeForm, UdpLengthThatLies)
{
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true}) {
			auto frame = udp_frame(path_of(hook, v6), 40000, 53, Bytes(20));
			const auto length_at = frame.size() - 20 - 4;
			for (unsigned length = 0; length < 65536; length += length < 60 ? 1 : 1009) {
				frame[length_at] = static_cast<std::uint8_t>(length >> 8);
				frame[length_at + 1] = static_cast<std::uint8_t>(length);
				if (length == 28)
					admitted(hook, frame);
				else
					refused(hook, frame, WEIR_REASON_MALFORMED);
			}
		}
}

TEST_F(EdgeForm, NothingIsHiddenBehindThePacket)
{
	for (const bool v6 : {false, true})
		for (const std::size_t extra : {1, 6, 7, 26, 27, 100, 1000}) {
			const auto frame = whole(Hook::tc_out, v6) + Bytes(extra, 'x');
			if (frame.size() <= 60)
				admitted(Hook::tc_out, frame); // padding of a short frame
			else
				refused(Hook::tc_out, frame, WEIR_REASON_MALFORMED);
			for (const auto hook : ingress) // some networks add it
				admitted(hook, whole(hook, v6) + Bytes(extra, 'x'));
		}
}

TEST_F(EdgeForm, HeadersThatStandInThePadding)
{
	// The packet ends before its TCP header does; what follows in the frame would complete it.
	for (const auto hook : every_hook)
		for (unsigned total = 20; total < 40; ++total) {
			auto frame = whole(hook, false);
			frame[at + 3] = static_cast<std::uint8_t>(total);
			refused(hook, frame, WEIR_REASON_MALFORMED);
			frame = whole(hook, true);
			frame[at + 5] = static_cast<std::uint8_t>(total - 20);
			refused(hook, frame, WEIR_REASON_MALFORMED);
		}
}

TEST_F(EdgeForm, JumbogramsAreRefused)
{
	const Bytes jumbo{IPPROTO_TCP, 0, 0xc2, 4, 0, 1, 0, 0}; // RFC 2675
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		auto frame = ethernet(ipv6(path, IPPROTO_HOPOPTS, jumbo + syn(path)));
		frame[at + 4] = frame[at + 5] = 0;
		refused(hook, frame, WEIR_REASON_MALFORMED);
	}
}

TEST_F(EdgeForm, PacketsThatTheKernelJoinedMayBeLongerThanTheySay)
{
	for (const auto hook : {Hook::tc_in, Hook::tc_out})
		for (const bool v6 : {false, true}) {
			const Path path = path_of(hook, v6);
			auto frame = ethernet(ip(path, IPPROTO_TCP, syn(path, Bytes(3000))));
			EXPECT_TRUE(gate().run(hook, frame, 1, 3));
			frame[at + (v6 ? 4 : 2)] = frame[at + (v6 ? 5 : 3)] = 0; // past 64 KiB
			EXPECT_TRUE(gate().run(hook, frame, 1, 3));
			EXPECT_FALSE(gate().run(hook, frame, 1, 1));
			EXPECT_FALSE(gate().run(hook, cut(frame, at + (v6 ? 40 : 20) + 19), 1, 3));
		}
}

TEST_F(EdgeForm, ScansWithFlagsThatNoTcpSends)
{
	unsigned plain = 0;
	for (unsigned flags = 0; flags < 256; ++flags) {
		const auto core = flags & 0x17; // without PSH, URG, ECE, CWR
		const bool sane = core == tcp_syn || core == (tcp_syn | tcp_ack) || core == tcp_ack ||
				  core == (tcp_fin | tcp_ack) || core == tcp_rst || core == (tcp_rst | tcp_ack);
		plain += sane ? 1 : 0;
		for (const auto hook : every_hook)
			for (const bool v6 : {false, true}) {
				const auto frame =
					tcp_frame(path_of(hook, v6), 40000, 50051, static_cast<std::uint8_t>(flags));
				if (sane)
					EXPECT_TRUE(gate().run(hook, frame)) << flags;
				else
					refused(hook, frame, WEIR_REASON_MALFORMED);
			}
	}
	EXPECT_EQ(plain, 6U * 16);
}

TEST_F(EdgeForm, SourceRoutesAreRefused)
{
	for (const auto hook : every_hook) {
		const Path four = path_of(hook, false), six = path_of(hook, true);
		auto strict = source_route("192.0.2.66");
		strict[0] = 137;
		for (const auto &route : {source_route("192.0.2.66"), strict, Bytes(4, 1) + source_route("192.0.2.66")})
			refused(hook, ethernet(ipv4(four, {.options = route}, syn(four))), WEIR_REASON_IP_OPTION);
		refused(hook,
			ethernet(ipv6(six, IPPROTO_ROUTING, routing_header(IPPROTO_TCP, "2001:db8::66") + syn(six))),
			WEIR_REASON_EXTENSION);
		refused(hook,
			ethernet(ipv6(six, IPPROTO_HOPOPTS,
				      options_header(IPPROTO_ROUTING) + routing_header(IPPROTO_TCP, "2001:db8::66") +
					      syn(six))),
			WEIR_REASON_EXTENSION);
	}
}

TEST_F(EdgeForm, OptionsThatCannotBeRead)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, false);
		for (const auto &options : {Bytes{7, 0, 0, 0}, Bytes{7, 1, 0, 0}, Bytes(40, 1)})
			refused(hook, ethernet(ipv4(path, {.options = options}, syn(path))), WEIR_REASON_IP_OPTION);
		for (const auto &options : {Bytes{0x94, 4, 0, 0}, Bytes(12, 1), Bytes{0, 131, 7, 4}})
			admitted(hook, ethernet(ipv4(path, {.options = options}, syn(path))));
	}
}

TEST_F(EdgeForm, ExtensionChainsHaveABound)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		Bytes chain = syn(path);
		std::uint8_t next = IPPROTO_TCP;
		for (int headers = 1; headers <= 10; ++headers) {
			chain = options_header(next) + chain;
			next = IPPROTO_DSTOPTS;
			if (headers <= 6)
				admitted(hook, ethernet(ipv6(path, next, chain)));
			else
				refused(hook, ethernet(ipv6(path, next, chain)), WEIR_REASON_EXTENSION);
		}
	}
}

TEST_F(EdgeForm, ExtensionHeaderThatClaimsToCoverTheRest)
{
	for (const auto hook : every_hook) {
		const Path path = path_of(hook, true);
		for (unsigned length = 1; length < 256; ++length) {
			auto header = options_header(IPPROTO_TCP);
			header[1] = static_cast<std::uint8_t>(length);
			EXPECT_FALSE(gate().run(hook, ethernet(ipv6(path, IPPROTO_DSTOPTS, header + syn(path)))))
				<< length;
			header[0] = 59; // no next header
			EXPECT_FALSE(gate().run(hook, ethernet(ipv6(path, IPPROTO_DSTOPTS, header + syn(path)))))
				<< length;
		}
	}
}

TEST_F(EdgeForm, ProtocolBehindExtensionsIsTheOneThatIsJudged)
{
	for (const auto hook : every_hook)
		for (const std::uint8_t other :
		     std::initializer_list<std::uint8_t>{4, 41, 47, 50, 51, 59, 135, 139, 140, 253})
			refused(hook,
				ethernet(ipv6(path_of(hook, true), IPPROTO_DSTOPTS, options_header(other) + Bytes(16))),
				WEIR_REASON_NO_ROW);
}

TEST_F(EdgeForm, TunnelsWithoutARow)
{
	// 6in4, IPIP, GRE, ESP, AH, L2TP, EtherIP, OSPF, SCTP, UDP-Lite, DCCP: what is in them is not looked at.
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true})
			for (const std::uint8_t protocol :
			     std::initializer_list<std::uint8_t>{4, 41, 47, 50, 51, 115, 97, 89, 132, 136, 33, 2, 255})
				refused(hook, ethernet(ip(path_of(hook, v6), protocol, whole(hook, v6))),
					WEIR_REASON_NO_ROW);
}

TEST_F(EdgeForm, EmbeddedAddressesAreRefused)
{
	for (const char *form : {"::192.0.2.1", "::ffff:0:192.0.2.1", "2002:c000:201::1", "2001:0:c000:201::1",
				 "64:ff9b:1::1", "::ffff:192.0.2.1"}) {
		refused(Hook::tc_out, tcp_frame({here6, form}, 40000, 50051, tcp_syn), WEIR_REASON_EMBEDDED);
		for (const auto hook : ingress)
			refused(hook, tcp_frame({form, here6}, 40000, 50051, tcp_syn), WEIR_REASON_EMBEDDED);
	}
}

TEST_F(EdgeForm, IcmpOfTheOtherFamily)
{
	for (const auto hook : every_hook)
		for (const bool v6 : {false, true}) {
			const Path path = path_of(hook, v6);
			const std::uint8_t protocol = icmp_of(path_of(hook, !v6));
			// Rows for echo hold, whichever header stands before it, but what it quotes is no flow.
			const Bytes error = Bytes{std::uint8_t(v6 ? 3 : 1), 1, 0, 0, 0, 0, 0, 0} + whole(hook, v6);
			EXPECT_FALSE(gate().run(hook, ethernet(ip(path, protocol, error))));
		}
}

} // namespace
} // namespace weir::test
