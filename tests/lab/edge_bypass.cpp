// SPDX-License-Identifier: Apache-2.0
// Every way of sending that anyone knows, from beside the node: from processes that no cgroup of the policy holds. And
// tunnels that the host makes itself.
#include "tests/lab/edge_test.h"

#include <set>

namespace weir::test {
namespace {

class EdgeBypass : public LabTestWithEdge {
protected:
	static std::vector<Attempt> every_attempt()
	{
		std::vector<Attempt> all;
		for (const auto some : {socket_attempts(), raw_attempts(), other_attempts()})
			all.insert(all.end(), some.begin(), some.end());
		return all;
	}
	/// Does something arrive, whatever the sender hears?
	static bool arrives(const Spot &spot, const Attempt &each, const Target &target, Millis wait)
	{
		witnesses().quiet();
		(void)attempt(spot, each, target);
		return !witnesses().arrived(wait).empty();
	}
	/// In several processes at once: most of an attempt is waiting for an answer that does not come.
	static constexpr std::size_t processes = 24;
	static void attempt_all(const Spot &spot, const std::vector<Attempt> &attempts, int family,
				const Target &target)
	{
		std::vector<Child> children;
		for (std::size_t first = 0; first < processes; ++first)
			children.emplace_back(spot, [&, first](Channel &channel) {
				for (std::size_t i = first; i < attempts.size(); i += processes)
					if (attempts[i].family == family)
						(void)attempts[i].run(target);
				channel.send("done");
			});
		for (const auto &child : children)
			EXPECT_EQ(child.answer(Millis(60000)), "done");
	}
};

TEST_F(EdgeBypass, EveryWayFromBesideTheNodeIsRefused)
{
	// io_uring waits for a connection as long as the kernel tries.
	shell(lab().node(), "echo 1 > /proc/sys/net/ipv4/tcp_syn_retries");
	std::vector<Attempt> working;
	for (const Attempt &each : every_attempt()) {
		if (arrives(lab().beside_node(), each, {each.family == 4 ? internet4 : internet6, 443}, Millis(10)))
			working.push_back(each);
		else
			std::puts((std::string("not on this kernel: ") + each.name).c_str());
	}
	EXPECT_GT(working.size(), 60U) << "without a policy nearly all of them work";
	for (const bool is_in_cgroup : {true, false}) {
		apply({.is_node_in_cgroup = is_in_cgroup});
		for (const int family : {4, 6}) {
			const auto of_family = std::ranges::count(working, family, &Attempt::family);
			witnesses().quiet();
			const auto before = sum("refused");
			attempt_all(lab().beside_node(), working, family, {family == 4 ? internet4 : internet6, 443});
			if (!is_emulated())
				attempt_all(lab().beside_node(), working, family,
					    {family == 4 ? researcher4 : researcher6, 443});
			const auto packets = witnesses().arrived(Millis(50));
			EXPECT_TRUE(packets.empty()) << "this arrived:\n" << listed(packets);
			EXPECT_GE(sum("refused"), before + static_cast<std::uint64_t>(of_family)) << "each is counted";
		}
	}
}

TEST_F(EdgeBypass, NodeWithoutACgroupIsHeldByTheEdge)
{
	apply({.is_node_in_cgroup = false});
	EXPECT_TRUE(is(tcp(lab().beside_node(), researcher4, 50051), Reach::connected));
	EXPECT_TRUE(is(tcp(lab().beside_node(), researcher6, 50051), Reach::connected));
	EXPECT_TRUE(is(attempt(lab().beside_node(), "udp4-sendto", resolver4, 53), Reach::answered));
	EXPECT_TRUE(is(attempt(lab().beside_node(), "udp6-sendto", resolver6, 53), Reach::answered));
	EXPECT_TRUE(is(tcp(lab().beside_node(), internet4, 443), Reach::timeout));
}

TEST_F(EdgeBypass, TunnelsThatTheHostMakesGoNowhere)
{
	struct Tunnel {
		const char *kind;
		std::string add;
	};
	const std::string ends = std::string(" local ") + node4 + " remote " + intruder4;
	const std::vector<Tunnel> tunnels{
		{"vxlan", "ip link add try0 type vxlan id 4 dstport 4789" + ends},
		{"gre", "ip link add try0 type gre" + ends},
		{"gretap", "ip link add try0 type gretap" + ends},
		{"ipip", "ip link add try0 type ipip" + ends},
		{"sit", "ip link add try0 type sit" + ends},
		{"geneve", std::string("ip link add try0 type geneve id 4 remote ") + intruder4},
		{"ip6tnl", std::string("ip link add try0 type ip6tnl local ") + node6 + " remote " + intruder6},
	};
	int tried = 0;
	for (const auto &tunnel : tunnels) {
		if (!try_shell(lab().node(), tunnel.add))
			continue;
		tried++;
		const bool is_v6_only = std::string(tunnel.kind) == "sit" || std::string(tunnel.kind) == "ip6tnl";
		const std::string peer = is_v6_only ? "2001:db8:9::2" : "10.9.0.2";
		shell(lab().node(), "ip address add " + std::string(is_v6_only ? "2001:db8:9::1/64" : "10.9.0.1/24") +
					    " dev try0; ip link set try0 up");
		const bool has_arp =
			execute({"ip", "neigh", "replace", peer, "lladdr", "02:00:00:00:00:01", "dev", "try0"}, "",
				{lab().node(), ""})
				.status == 0;
		(void)has_arp; // tunnels of IP have no neighbours
		const auto carried = [&] {
			witnesses().quiet();
			(void)attempt(lab().beside_node(), is_v6_only ? "udp6-sendto" : "udp4-sendto", peer, 50051);
			std::size_t outer = 0;
			for (const auto &seen : witnesses().arrived(Millis(50)))
				outer += seen.destination == intruder4 || seen.destination == intruder6 ? 1 : 0;
			return outer > 0;
		};
		EXPECT_TRUE(carried()) << tunnel.kind << " does not work without a policy";
		apply({});
		EXPECT_FALSE(carried()) << tunnel.kind;
		at_node({"remove"});
		// A row for what is inside admits nothing outside.
		apply({.scenario = "inner",
		       .rows = {{.id = "inner", .destination = "inside", .port = "UDP/50051", .zone = "tunnel"}},
		       .names = {{"inside", {peer}}}});
		EXPECT_FALSE(carried()) << tunnel.kind << " with a row for what is inside";
		at_node({"remove"});
		shell(lab().node(), "ip link delete try0");
	}
	EXPECT_GT(tried, 0) << "this kernel has no tunnels";
}

} // namespace
} // namespace weir::test
