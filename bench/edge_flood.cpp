// SPDX-License-Identifier: Apache-2.0
// A flood of forged packets across a veth: what a packet that is dropped costs whoever drops it, and how many it gets
// rid of. The sender makes frames as a driver does (XDP on live frames), so the receiver has them from its ring as
// from a network card's, and works them off in a thread of the kernel whose time is told apart from the sender's.
#include "bench/edge_programs.h"
#include "bench/street.h"
#include "bench/turns.h"
#include "bench/world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <flood.skel.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <stdexcept>

namespace weir::bench {
namespace {

using namespace test;

constexpr unsigned flood_rounds = 20;
constexpr double turn_ns = 40e6; ///< a turn lasts so long
constexpr int flood_batch = 256;

struct Flood {
	std::uint8_t protocol;
	std::uint8_t flags;
	std::uint32_t sources; ///< a mask
};

const Street &street()
{
	static const Street street({"none", "empty", "empty-tc", "weir-1", "weir-100000", "weir-tc-1", "nftables-1",
				    "nftables-100000", "iptables-1"},
				   true);
	return street;
}

std::uint32_t words(const Bytes &frame, std::size_t from, std::size_t to)
{
	std::uint32_t sum = 0;
	for (std::size_t at = from; at + 1 < to; at += 2)
		sum += static_cast<std::uint32_t>(frame[at] << 8 | frame[at + 1]);
	return sum;
}

/// The frame of a flood at a host, and in the sender's program what it has to know of it.
Bytes prepare(weir_flood &sender, const Flood &flood, const House &house)
{
	constexpr std::size_t link = 14, header = 20;
	Bytes frame = frame_between("0.0.0.0", house.address(), flood.protocol, 0, 22, flood.flags);
	const auto number = static_cast<std::uint8_t>(std::stoi(house.address().substr(7)));
	const Bytes addresses{2, 0, 0, 0, number, 2, 2, 0, 0, 0, number, 1};
	std::ranges::copy(addresses, frame.begin());
	const std::size_t checksum = link + header + (flood.protocol == IPPROTO_TCP ? 16 : 6);
	for (const std::size_t at : {link + 10, checksum})
		frame[at] = frame[at + 1] = 0;
	frame.resize(60); // as Ethernet pads it
	const auto length = static_cast<std::size_t>(frame[link + 2] << 8 | frame[link + 3]);
	sender.bss->target = house.street_ifindex();
	sender.bss->sources = flood.sources;
	sender.bss->ip_sum = words(frame, link, link + header);
	sender.bss->tcp_sum = words(frame, link + 12, link + length) + flood.protocol +
			      static_cast<std::uint32_t>(length - header);
	return frame;
}

/// Sends for the length of a turn from the first processor; gives the time that it took.
double send(const weir_flood &sender, const Bytes &frame)
{
	cpu_set_t before, first;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	::sched_getaffinity(0, sizeof(before), &before);
	::sched_setaffinity(0, sizeof(first), &first);
	const double begin = now_ns();
	while (now_ns() - begin < turn_ns) {
		bpf_test_run_opts options{};
		options.sz = sizeof(options);
		options.data_in = frame.data();
		options.data_size_in = static_cast<__u32>(frame.size());
		options.repeat = 20'000;
		options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
		options.batch_size = flood_batch;
		if (bpf_prog_test_run_opts(bpf_program__fd(sender.progs.forge), &options) != 0)
			raise("BPF_PROG_TEST_RUN on live frames");
	}
	const double took = now_ns() - begin;
	::sched_setaffinity(0, sizeof(before), &before);
	return took;
}

enum class Measure : std::uint8_t { cost, rate };

double attack(const Flood &flood, const House &house, Measure measure)
{
	static weir_flood *const sender = weir_flood__open_and_load();
	if (sender == nullptr)
		throw std::runtime_error("the sender's program does not load");
	const auto frame = prepare(*sender, flood, house);
	House::Counters before, after;
	double took = 0, received = 0;
	// On a machine that does other things the receiver may not get to it for a whole turn.
	for (int tries = 0; received < 1'000; ++tries) {
		if (tries == 10)
			throw std::runtime_error("the flood does not arrive");
		before = house.counters();
		in_netns(street().netns(), [&] { took = send(*sender, frame); });
		::usleep(2'000); // what is in the ring yet
		after = house.counters();
		received = static_cast<double>(after.received - before.received);
	}
	if (house.what() != "none" && after.reached != before.reached)
		throw std::runtime_error("not all was dropped");
	if (house.what() == "none" && after.reached == before.reached)
		throw std::runtime_error("what is forged is no packet");
	return measure == Measure::rate ? took / received
					: static_cast<double>(after.cpu_ns - before.cpu_ns) / received;
}

} // namespace

void register_flood()
{
	const std::pair<const char *, Flood> floods[] = {
		{"syn", {IPPROTO_TCP, tcp_syn, 0xffffff}},
		{"syn-alike", {IPPROTO_TCP, tcp_syn, 0}},
		{"ack", {IPPROTO_TCP, tcp_ack, 0xffffff}},
		{"udp", {IPPROTO_UDP, 0, 0xffffff}},
	};
	for (const auto &[name, flood] : floods)
		for (const auto &[suffix, measure] : {std::pair{"cost", Measure::cost}, {"rate", Measure::rate}})
			register_turns(
				std::string("flood/") + name + "/" + suffix,
				[flood, measure] {
					Turns turns;
					for (const auto &house : street().houses())
						turns.emplace_back(house->what(), [&house = *house, flood, measure] {
							return attack(flood, house, measure);
						});
					return turns;
				},
				flood_rounds);
}

} // namespace weir::bench
