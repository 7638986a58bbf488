// SPDX-License-Identifier: Apache-2.0
#include "bench/world.h"

#include "kernel/instance.h"
#include "tests/support/peers.h"

#include <bpf/libbpf.h>
#include <empty.skel.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <fstream>
#include <stdexcept>
#include <thread>

namespace weir::bench {

namespace {

using namespace test;

void must(bool good, const std::string &what)
{
	if (!good)
		throw std::runtime_error(what);
}

Fd bound(int family, int type, const std::string &address, std::uint16_t port)
{
	Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
	must(static_cast<bool>(fd), "socket");
	const int on = 1;
	::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	const Endpoint end(address, port);
	must(::bind(fd.get(), end.get(), end.size) == 0, "bind");
	return fd;
}

/// Accepts, and reads what comes, of any number of connections at once.
void serve(const std::string &address)
{
	const Fd tcp = bound(AF_INET, SOCK_STREAM, address, served_port);
	must(::listen(tcp.get(), 1024) == 0, "listen");
	for (;;) {
		Fd peer(::accept4(tcp.get(), nullptr, nullptr, SOCK_CLOEXEC));
		// Most are over at once: those don't get a thread.
		pollfd ready{peer.get(), POLLIN, 0};
		if (!peer || (::poll(&ready, 1, 0) == 1 && ::recv(peer.get(), nullptr, 0, MSG_PEEK) < 0))
			continue;
		std::thread([peer = std::move(peer)] {
			std::vector<char> buffer(1u << 20);
			while (::recv(peer.get(), buffer.data(), buffer.size(), MSG_TRUNC) > 0)
				continue;
		}).detach();
	}
}

/// Everything in use by the filler rows is outside of the lab's own addresses.
Prefix filler(unsigned number)
{
	return {Address::v4(0x0a000000u + number * 5), 128};
}

std::uint16_t filler_port(unsigned number)
{
	return static_cast<std::uint16_t>(1 + number % 40'000);
}

} // namespace

BoundPolicy policy_of(unsigned rows, const std::string &cgroup)
{
	BoundPolicy policy;
	policy.scenario = "bench";
	policy.title = "Rows of a benchmark";
	policy.scopes = {{cgroup, {"node"}, true}};
	const auto add = [&](const std::string &id, std::uint8_t protocol, std::uint16_t port, const Prefix &peer) {
		BoundRow row;
		row.row.id = id;
		row.row.source = "node";
		row.row.destination = "researcher";
		row.row.service = "bench";
		row.row.type = "backend";
		row.row.port = {protocol, port, port};
		row.peers = {peer};
		policy.rows.push_back(std::move(row));
	};
	for (unsigned number = 1; number < rows; ++number)
		add("filler-" + std::to_string(number), IPPROTO_TCP, filler_port(number), filler(number));
	const Prefix researcher = *Prefix::parse(researcher4);
	add("researcher", IPPROTO_TCP, served_port, researcher);
	add("researcher-udp", IPPROTO_UDP, served_port, researcher);
	return policy;
}

World &World::get()
{
	static World world;
	return world;
}

World::World() : lab_(std::make_unique<Lab>())
{
	attach_empty(lab_->cgroup("empty"));
	for (const unsigned rows : row_counts) {
		const std::string name = "weir-" + std::to_string(rows);
		const kernel::Where where{lab_->bpffs(), name};
		const auto applied = kernel::apply(where, policy_of(rows, lab_->cgroup(name)), false);
		must(applied.has_value(), applied ? "" : applied.error().message);
	}
	const std::string outside = lab_->cgroup("outside");
	servers_.emplace_back(Spot{lab_->researcher(), outside}, [](Channel &) { serve(researcher4); });
	servers_.emplace_back(Spot{lab_->node(), outside}, [](Channel &) { serve("127.0.0.1"); });
	for (const auto &[host, rows] : {std::pair{lab_->intruder(), 1u}, {lab_->internet(), 100'000u}}) {
		servers_.emplace_back(Spot{host, outside}, [](Channel &) { serve("127.0.0.1"); });
		hold_by_nftables(host, rows);
	}
	const Spot beside = lab_->beside_node();
	must(eventually([&] {
		     return run_at(beside, [] {
				    const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
				    const Endpoint end(researcher4, served_port);
				    const bool up = fd && ::connect(fd.get(), end.get(), end.size) == 0;
				    return std::string(up ? "up" : "down");
			    }) == "up";
	     }),
	     "the servers do not come up");
}

World::~World()
{
	for (auto *link : links_)
		bpf_link__destroy(link);
	weir_empty__destroy(empty_);
	for (const unsigned rows : row_counts)
		static_cast<void>(kernel::remove({lab_->bpffs(), "weir-" + std::to_string(rows)}));
}

void World::attach_empty(const std::string &cgroup)
{
	empty_ = weir_empty__open_and_load();
	must(empty_ != nullptr, "the empty programs do not load");
	const Fd directory(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	bpf_program *const programs[] = {empty_->progs.empty_connect4,    empty_->progs.empty_connect6,
					 empty_->progs.empty_sendmsg4,    empty_->progs.empty_sendmsg6,
					 empty_->progs.empty_sock_create, empty_->progs.empty_egress,
					 empty_->progs.empty_ingress};
	for (std::size_t i = 0; i < links_.size(); ++i) {
		links_[i] = bpf_program__attach_cgroup(programs[i], directory.get());
		must(links_[i] != nullptr, "an empty program does not attach");
	}
}

// As a careful admin would write it: connection tracking, one set, whatever the number of rows.
void World::hold_by_nftables(int host, unsigned rows)
{
	std::string script =
		"flush ruleset\ntable inet held {\n set peers { type ipv4_addr . inet_service\n elements = { ";
	for (unsigned number = 1; number < rows; ++number)
		script += filler(number).address.text() + " . " + std::to_string(filler_port(number)) + ", ";
	script += fmt::format("{} . {} }}\n }}\n"
			      " chain out {{ type filter hook output priority 0; policy drop;\n"
			      "  oif lo accept\n  ct state established,related accept\n"
			      "  ip daddr . tcp dport @peers accept\n  ip daddr . udp dport @peers accept\n }}\n"
			      " chain in {{ type filter hook input priority 0; policy drop;\n"
			      "  iif lo accept\n  ct state established,related accept\n }}\n}}\n",
			      researcher4, served_port);
	const auto done = execute({"/usr/sbin/nft", "-f", "-"}, script, {host, ""}, Millis(60'000));
	must(done.status == 0, "nft: " + done.err);
}

Spot World::spot(const std::string &what)
{
	if (what.starts_with("nftables-")) {
		const int host = what == "nftables-1" ? lab_->intruder() : lab_->internet();
		return {host, lab_->cgroup("none")};
	}
	return {lab_->node(), lab_->cgroup(what)};
}

Inside::Inside(const Spot &spot) : netns_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC))
{
	std::ifstream now("/proc/self/cgroup");
	for (std::string line; std::getline(now, line);)
		if (line.starts_with("0::"))
			cgroup_ = cgroup2_mount() + line.substr(3);
	enter(spot);
}

Inside::~Inside()
{
	::setns(netns_.get(), CLONE_NEWNET);
	std::ofstream(cgroup_ + "/cgroup.procs") << 0;
}

} // namespace weir::bench
