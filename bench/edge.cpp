// SPDX-License-Identifier: Apache-2.0
// What a frame costs in the edge gate's programs themselves, as the kernel times them (BPF_PROG_TEST_RUN), beside
// empty programs on the same hooks.
#include "bench/edge_programs.h"
#include "bench/turns.h"
#include "bench/world.h"

#include <bpf/libbpf.h>
#include <empty.skel.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <stdexcept>

namespace weir::bench {
namespace {

using namespace test;

constexpr unsigned gate_rounds = 40;
constexpr int repeat = 20'000;
constexpr std::uint16_t closed_port = 23, here = 40'000;
constexpr const char *forger = "198.51.100.9";

/// The same frame over and over: all that it touches is in the processor's caches.
Turn again(int program, Bytes frame, __u32 verdict)
{
	return [program, frame = std::move(frame), verdict] {
		const auto timed = time_program(program, frame, repeat);
		if (timed.verdict != verdict)
			throw std::runtime_error("the program returned " + std::to_string(timed.verdict));
		return timed.nanoseconds;
	};
}

/// Each time another frame, and a system call between: as cold as a single packet finds them.
Turn each(int program, std::function<Bytes(unsigned)> frame, __u32 verdict)
{
	return [program, frame = std::move(frame), verdict, number = 0u]() mutable {
		constexpr int frames = 200;
		double sum = 0;
		for (int i = 0; i < frames; ++i) {
			const auto timed = time_program(program, frame(number++), 1);
			if (timed.verdict != verdict)
				throw std::runtime_error("the program returned " + std::to_string(timed.verdict));
			sum += timed.nanoseconds;
		}
		return sum / frames;
	};
}

Bytes syn(std::uint16_t to = closed_port)
{
	return frame_in(forger, IPPROTO_TCP, here, to, tcp_syn);
}

int fd(const bpf_program *program)
{
	return bpf_program__fd(program);
}

Turns xdp()
{
	const int weir = loaded_edge(1, 1).programs().xdp;
	const int full = loaded_edge(1, 1, true).programs().xdp;
	return {
		{"empty", again(fd(empty_programs().progs.empty_drop), syn(), XDP_DROP)},
		{"weir-syn", again(weir, syn(), XDP_DROP)},
		{"weir-syn-full", again(full, syn(), XDP_DROP)},
		{"weir-ack", again(weir, frame_in(forger, IPPROTO_TCP, here, closed_port, tcp_ack), XDP_DROP)},
		{"weir-udp", again(weir, frame_in(forger, IPPROTO_UDP, here, closed_port), XDP_DROP)},
		{"weir-established", again(weir, flow_frame(0), XDP_PASS)},
		{"weir-admitted-syn", again(weir, frame_in(researcher4, IPPROTO_TCP, here, 22, tcp_syn), XDP_PASS)},
	};
}

Turns tc_in()
{
	const int weir = loaded_edge(1, 1).programs().in;
	const int full = loaded_edge(1, 1, true).programs().in;
	return {
		{"empty", again(fd(empty_programs().progs.empty_shot), syn(), TC_ACT_SHOT)},
		{"weir-syn", again(weir, syn(), TC_ACT_SHOT)},
		{"weir-syn-full", again(full, syn(), TC_ACT_SHOT)},
		{"weir-ack", again(weir, frame_in(forger, IPPROTO_TCP, here, closed_port, tcp_ack), TC_ACT_SHOT)},
		{"weir-udp", again(weir, frame_in(forger, IPPROTO_UDP, here, closed_port), TC_ACT_SHOT)},
		{"weir-established", again(weir, flow_frame(0), static_cast<__u32>(TC_ACT_UNSPEC))},
	};
}

Turns tc_out()
{
	const int weir = loaded_edge(1, 1).programs().out;
	const int empty = fd(empty_programs().progs.empty_next);
	constexpr auto next = static_cast<__u32>(TC_ACT_UNSPEC);
	const auto first = [](unsigned number) {
		return frame_out(IPPROTO_TCP, static_cast<std::uint16_t>(1024 + number % 60'000), served_port, tcp_syn);
	};
	return {
		{"empty", again(empty, first(0), next)},
		{"weir-established", again(weir, frame_out(IPPROTO_TCP, 1024, served_port, tcp_ack), next)},
		{"weir-first", again(weir, first(0), next)},
		{"empty-cold", each(empty, first, next)},
		{"weir-first-cold", each(weir, first, next)},
	};
}

Turns by_rows()
{
	Turns turns;
	for (const unsigned rows : row_counts) {
		const auto &programs = loaded_edge(rows, 1).programs();
		const auto name = [rows](const char *what) { return "weir-" + (what + ("-" + std::to_string(rows))); };
		turns.emplace_back(name("syn"), again(programs.xdp, syn(), XDP_DROP));
		turns.emplace_back(name("syn-22"), again(programs.xdp, syn(22), XDP_DROP));
		turns.emplace_back(name("established"), again(programs.xdp, flow_frame(0), XDP_PASS));
		turns.emplace_back(name("first"),
				   again(programs.out, frame_out(IPPROTO_TCP, here, served_port, tcp_syn),
					 static_cast<__u32>(TC_ACT_UNSPEC)));
	}
	return turns;
}

Turns by_flows()
{
	Turns turns;
	for (const unsigned flows : {1u, 1'000u, 100'000u, 1'000'000u}) {
		const int xdp = loaded_edge(1, flows).programs().xdp;
		const auto name = [flows](const char *what) {
			return "weir-" + (what + ("-" + std::to_string(flows)));
		};
		// Hops about in the table, so that neighbours do not warm each other.
		const auto any = [flows](unsigned number) { return flow_frame(number * 7'919 % flows); };
		turns.emplace_back(name("ack"),
				   again(xdp, frame_in(forger, IPPROTO_TCP, here, closed_port, tcp_ack), XDP_DROP));
		turns.emplace_back(name("established"), again(xdp, flow_frame(flows / 2), XDP_PASS));
		turns.emplace_back(name("cold"), each(xdp, any, XDP_PASS));
	}
	return turns;
}

} // namespace

void register_edge()
{
	register_turns("edge/xdp", xdp, gate_rounds);
	register_turns("edge/in", tc_in, gate_rounds);
	register_turns("edge/out", tc_out, gate_rounds);
	register_turns("edge/rows", by_rows, gate_rounds);
	register_turns("edge/flows", by_flows, gate_rounds);
}

} // namespace weir::bench
