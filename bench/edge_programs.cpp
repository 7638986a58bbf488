// SPDX-License-Identifier: Apache-2.0
#include "bench/edge_programs.h"

#include "bench/world.h"
#include "compile/image.h"
#include "kernel/edge_hold.h"
#include "kernel/image_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <empty.skel.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <map>
#include <stdexcept>
#include <tuple>

namespace weir::bench {

namespace {

using namespace test;

template <typename T>
T must(Result<T> result)
{
	if (!result)
		throw std::runtime_error(result.error().message);
	if constexpr (!std::is_void_v<T>)
		return std::move(*result);
}

constexpr unsigned ports = 60'000;

std::uint16_t flow_port(unsigned flow)
{
	return static_cast<std::uint16_t>(1024 + flow % ports);
}

/// The host's own address, and for more flows than it has ports: others of it.
Address flow_address(unsigned flow)
{
	return flow < ports ? *Address::parse(node4) : Address::v4(0x0a800000u + flow / ports);
}

void add_flows(int opened, unsigned flows)
{
	timespec now{};
	::clock_gettime(CLOCK_MONOTONIC, &now);
	const weir_edge_flow flow{
		.seen = static_cast<__u64>(now.tv_sec) * 1'000'000'000, .generation = 1, .phase = WEIR_PHASE_ANSWERED};
	weir_edge_key key{};
	const auto remote = *Address::parse(researcher4);
	std::memcpy(key.remote, remote.bytes.data(), sizeof(key.remote));
	key.remote_port = served_port;
	key.protocol = IPPROTO_TCP;
	key.zone = zone_network;
	for (unsigned i = 0; i < flows; ++i) {
		std::memcpy(key.local, flow_address(i).bytes.data(), sizeof(key.local));
		key.local_port = flow_port(i);
		if (bpf_map_update_elem(opened, &key, &flow, BPF_ANY) != 0)
			raise("adding a flow");
	}
}

} // namespace

BoundPolicy edge_policy_of(unsigned rows, const std::string &researcher)
{
	auto policy = policy_of(rows);
	const Prefix peer = *Prefix::parse(researcher);
	for (auto &row : policy.rows)
		if (row.row.id.starts_with("researcher"))
			row.peers = {peer};
	policy.scopes = {{"", {"host", "node"}, false}};
	policy.edge.present = true;
	BoundRow in;
	in.row.id = "researcher-in";
	in.row.dir = Direction::in;
	in.row.source = "researcher";
	in.row.destination = "node";
	in.row.service = "bench";
	in.row.type = "backend";
	in.row.port = {IPPROTO_TCP, 22, 22};
	in.peers = {peer};
	policy.rows.push_back(std::move(in));
	return policy;
}

Timed time_program(int program, const Bytes &frame, int repeat)
{
	bpf_test_run_opts options{};
	options.sz = sizeof(options);
	options.data_in = frame.data();
	options.data_size_in = static_cast<__u32>(frame.size());
	options.repeat = repeat;
	if (bpf_prog_test_run_opts(program, &options) != 0)
		raise("BPF_PROG_TEST_RUN");
	return {options.retval, static_cast<double>(options.duration)};
}

Bytes frame_between(const std::string &source, const std::string &destination, std::uint8_t protocol,
		    std::uint16_t from, std::uint16_t to, std::uint8_t flags)
{
	const Path path{source, destination};
	const Ipv4 header{.protocol = protocol};
	Bytes frame(14);
	frame[12] = 0x08;
	return frame + ipv4(path, header,
			    protocol == IPPROTO_TCP ? tcp_segment(path, from, to, flags)
						    : udp_datagram(path, from, to, Bytes(12)));
}

Bytes frame_in(const std::string &source, std::uint8_t protocol, std::uint16_t from, std::uint16_t to,
	       std::uint8_t flags)
{
	return frame_between(source, node4, protocol, from, to, flags);
}

Bytes frame_out(std::uint8_t protocol, std::uint16_t from, std::uint16_t to, std::uint8_t flags)
{
	return frame_between(node4, researcher4, protocol, from, to, flags);
}

Bytes flow_frame(unsigned flow)
{
	return frame_between(researcher4, flow_address(flow).text(), IPPROTO_TCP, served_port, flow_port(flow),
			     tcp_ack);
}

LoadedEdge::LoadedEdge(unsigned rows, unsigned flows)
	: programs_(must(kernel::EdgePrograms::load(0,
						    Edge{.present = true,
							 .interfaces = {},
							 .tunnels = {},
							 .ethertypes = {},
							 .flows = std::max(65'536u, flows + flows / 4)},
						    must(kernel::this_netns()), {}))),
	  set_(must(programs_.of(zone_network, 14)))
{
	const auto maps = programs_.maps();
	const auto image = must(kernel::make_image_map(must(compile(edge_policy_of(rows)))));
	must(kernel::publish(kernel::map_of(maps, "images"), image.get()));
	must(kernel::prepare_merges(kernel::map_of(maps, "merges")));
	add_flows(kernel::map_of(maps, "opened"), flows);
}

void LoadedEdge::fill_merges() const
{
	for (unsigned i = 0; i < 2 * WEIR_MERGES; ++i)
		time_program(set_.xdp, frame_in(Address::v4(0x0b000000u + i).text(), IPPROTO_TCP, 4000, 22, tcp_syn),
			     1);
}

const LoadedEdge &loaded_edge(unsigned rows, unsigned flows, bool full)
{
	static std::map<std::tuple<unsigned, unsigned, bool>, std::unique_ptr<LoadedEdge>> all;
	auto &one = all[{rows, flows, full}];
	if (!one) {
		one = std::make_unique<LoadedEdge>(rows, flows);
		if (full)
			one->fill_merges();
	}
	return *one;
}

const weir_empty &empty_programs()
{
	static const auto *const skeleton = weir_empty__open_and_load();
	if (skeleton == nullptr)
		throw std::runtime_error("the empty programs do not load");
	return *skeleton;
}

} // namespace weir::bench
