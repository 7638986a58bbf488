// SPDX-License-Identifier: Apache-2.0
// "Running with VPN/containers": a node, a researcher and the VPN server between them, all three held at once, and one
// more peer of the tunnel that is not. Each host's namespace is what its container has inside: the tunnel's process
// and the component share a cgroup there and are told apart by their users.
#include "tests/lab/scenario_test.h"

#include <csignal>
#include <filesystem>

namespace weir::test {
namespace {

constexpr unsigned node_user = 1001;
constexpr const char *server4 = "192.0.2.1";
constexpr const char *inside_node = "10.221.0.2";
constexpr const char *inside_other = "10.221.0.66";
constexpr const char *inside_researcher = "10.222.0.2";

class ScenarioVpn : public LabTestOfScenario, public ::testing::WithParamInterface<const char *> {
protected:
	static inline unsigned ends_ = 0;
	/// One end of the tunnel, on a host.
	struct End {
		std::string who;
		Spot spot;
		std::string address; ///< inside
		/// Of each end its own: a daemon that ends takes the socket of its interface's name with it, also a successor's.
		std::string interface = "wg" + who.substr(0, 1) + std::to_string(::getpid() % 100000) + "-" +
					std::to_string(++ends_);
		std::unique_ptr<Program> daemon{};
	};

	void SetUp() override
	{
		if (is_userspace() && !std::filesystem::exists("/dev/net/tun"))
			GTEST_SKIP() << "this kernel has no tun";
		if (!is_userspace() && !try_shell(lab().intruder(), "ip link add wgtry type wireguard"))
			GTEST_SKIP() << "this kernel has no WireGuard";
		try_shell(lab().intruder(), "ip link delete wgtry");
		for (End *end : ends())
			shell(-1, "umask 077; [ -s " + key(*end) + " ] || wg genkey > " + key(*end) + "; wg pubkey < " +
					  key(*end) + " > " + key(*end) + ".pub");
		for (End *end : ends())
			start(*end);
	}
	void TearDown() override
	{
		LabTestOfScenario::TearDown();
		for (End *end : ends())
			stop(*end);
	}

	static bool is_userspace() { return std::string(GetParam()) == "userspace"; }
	static std::string wireguard() { return is_userspace() ? "wireguard-go" : "the kernel's WireGuard"; }
	static std::string key(const End &end) { return lab().directory() + "/" + end.who + ".key"; }
	std::vector<End *> ends() { return {&server_, &node_, &researcher_, &other_}; }

	void start(End &end)
	{
		if (is_userspace()) {
			end.daemon = std::make_unique<Program>(
				std::vector<std::string>{"wireguard-go", "-f", end.interface}, "", end.spot);
			ASSERT_TRUE(eventually([&] { return try_shell(end.spot.netns, "wg show " + end.interface); },
					       Millis(20000)))
				<< end.daemon->out_so_far();
		} else {
			shell(end.spot.netns, "ip link add " + end.interface + " type wireguard");
		}
		std::string peers;
		if (&end == &server_) {
			for (const End *peer : ends())
				if (peer != &end)
					peers += " peer \"$(cat " + key(*peer) + ".pub)\" allowed-ips " +
						 peer->address + "/32";
		} else {
			peers = " peer \"$(cat " + key(server_) + ".pub)\" endpoint " + server4 +
				":51820 allowed-ips 10.220.0.0/14 persistent-keepalive 1"; // so that the server knows where it is
		}
		shell(end.spot.netns, "wg set " + end.interface + " listen-port 51820 private-key " + key(end) + peers +
					      " && ip address add " + end.address + "/32 dev " + end.interface +
					      " && ip link set " + end.interface + " mtu 1420 up" +
					      " && ip route add 10.220.0.0/14 dev " + end.interface +
					      " && echo 1 > /proc/sys/net/ipv4/ip_forward");
	}
	static void stop(End &end)
	{
		if (end.daemon) {
			end.daemon->kill(SIGTERM);
			end.daemon->wait();
			end.daemon.reset();
		}
		try_shell(end.spot.netns, "ip link delete " + end.interface);
	}

	static Spot gui_spot() { return {lab().node(), lab().cgroup("gui")}; }
	Spot node_spot() { return node_.spot; }
	Spot researcher_spot() { return researcher_.spot; }

	void hold_node(const std::string &more = "")
	{
		in_force(node(), "scenario = \"node-vpn\"\noptional = [\"node-gui\"]\n" + more +
					 "[names]\nvpnserver = \"192.0.2.1\"\nresearcher = \"10.222.0.2\"\n"
					 "[users]\nnode = 1001\n[edge]\n[cgroups]\n" +
					 cgroup_line("node", "node") + cgroup_line("gui", "gui"));
	}
	void hold_researcher(const std::string &more = "")
	{
		in_force(the_researcher(),
			 "scenario = \"researcher-vpn\"\noptional = [\"jupyter\", \"tensorboard\"]\n" + more +
				 "[names]\nvpnserver = \"192.0.2.1\"\nnodes = \"10.221.0.2\"\n[edge]\n[cgroups]\n" +
				 cgroup_line("researcher", "researcher"));
	}
	void hold_server()
	{
		in_force({"vpnserver", lab().internet()},
			 "scenario = \"vpnserver\"\noptional = [\"forwarded-in\", \"forwarded-out\"]\n"
			 "[names]\n\"node hosts\" = \"192.0.2.2\"\n\"researcher hosts\" = \"192.0.2.10\"\n"
			 "nodes = \"10.221.0.2\"\nresearcher = \"10.222.0.2\"\n[edge]\n[cgroups]\n" +
				 cgroup_line("vpnserver", "vpnserver"));
	}

	/// One attempt by a process of that user.
	static Outcome by(unsigned user, const Spot &spot, const std::string &name, const std::string &address,
			  std::uint16_t port)
	{
		const std::string text = run_at(spot, [&] {
			if (::setresuid(user, user, user) != 0)
				raise("setresuid");
			const Outcome outcome = find_attempt(name)->run({address, port});
			return std::to_string(static_cast<int>(outcome.reach)) + " " + std::to_string(outcome.error);
		});
		Outcome outcome;
		std::size_t at = 0;
		outcome.reach = static_cast<Reach>(std::stoi(text, &at));
		outcome.error = std::stoi(text.substr(at));
		return outcome;
	}
	static bool tunnel_carries(const Spot &spot, const std::string &address, std::uint16_t port)
	{
		return eventually([&] { return by(node_user, spot, "tcp4", address, port).reach == Reach::connected; },
				  Millis(is_emulated() ? 30000 : 8000));
	}
	static GrpcNode living(const Spot &spot)
	{
		return {spot,
			std::string(inside_researcher) + ":50051",
			{"setpriv", "--reuid", std::to_string(node_user), "--regid", std::to_string(node_user),
			 "--clear-groups"}};
	}
	static std::string fed(GrpcNode &node) { return node.goes_on() ? "" : "the node is not fed: " + node.said(); }
	static std::string shook_hands(const End &end)
	{
		const std::string said =
			shell(end.spot.netns, "wg show " + end.interface + " latest-handshakes | awk '$2 > 0'");
		return said.empty() ? "no handshake" : "";
	}
	/// An address of the tunnel on the wire, in the clear.
	static std::string in_the_clear()
	{
		std::string text;
		for (const auto &seen : witnesses().arrived(Millis(is_emulated() ? 200 : 50)))
			if (seen.destination.starts_with("10.22") || seen.source.starts_with("10.22"))
				text += seen.text() + "\n";
		return text;
	}

	End server_{"server", {lab().internet(), lab().cgroup("vpnserver")}, "10.220.0.1"};
	End node_{"node", {lab().node(), lab().cgroup("node")}, inside_node};
	End researcher_{"researcher", {lab().researcher(), lab().cgroup("researcher")}, inside_researcher};
	End other_{"other", {lab().intruder(), lab().cgroup("outside")}, inside_other};
};

TEST_P(ScenarioVpn, NodeSpeaksInsideTheTunnelAndNowhereElse)
{
	scenario("node-vpn");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher_spot(), {50052}, {});
	const Server other_service({lab().intruder(), lab().cgroup("outside")}, {50051}, {51820 + 1});
	const Server at_server(internet(), {51820}, {51821});
	const Server own(node_spot(), {9000}, {});
	const Spot here = node_spot();
	ASSERT_TRUE(tunnel_carries(here, inside_researcher, 50051)) << "without a policy";
	const std::vector<Beside> beside{
		{"node-wireguard", "UDP/51821 of the VPN server",
		 [&] { return attempt(here, "udp4-sendto", server4, 51821); }},
		{"node-wireguard", "TCP/51820 of the VPN server", [&] { return tcp(here, server4, 51820); }},
		{"node-wireguard", "UDP/51821 of another host",
		 [&] { return attempt(here, "udp4-sendto", intruder4, 51821); }},
		{"researcher-grpc", "TCP/50051 of the researcher in the tunnel, by root",
		 [&] { return tcp(here, inside_researcher, 50051); }},
		{"researcher-grpc", "TCP/50052 of the researcher in the tunnel",
		 [&] { return by(node_user, here, "tcp4", inside_researcher, 50052); }},
		{"researcher-grpc", "TCP/50051 of another peer of the tunnel",
		 [&] { return by(node_user, here, "tcp4", inside_other, 50051); }},
		{"researcher-grpc", "TCP/50051 of the researcher in the clear",
		 [&] { return by(node_user, here, "tcp4", researcher4, 50051); }},
		{"researcher-grpc", "in from another peer of the tunnel",
		 [&] { return tcp(other_.spot, inside_node, 9000); }},
		{"researcher-grpc", "TCP/50051 in the tunnel, from the GUI",
		 [&] { return by(node_user, gui_spot(), "tcp4", inside_researcher, 50051); }},
	};
	expect_open(beside);
	hold_node();
	ASSERT_TRUE(tunnel_carries(here, inside_researcher, 50051));
	GrpcNode node = living(here);
	allowed("node-wireguard", wireguard() + " by root, in the node's cgroup",
		tunnel_carries(here, inside_researcher, 50051) ? shook_hands(node_)
							       : "nothing goes through the tunnel");
	allowed("researcher-grpc", "gRPC over TLS inside the tunnel, by the node's user", fed(node));
	expect_refused(beside);
	// A socket of the node's own at the tunnel's port: the server would not answer, so the errno has to tell.
	EXPECT_TRUE(is(by(node_user, here, "udp4-sendto", server4, 51820), Reach::refused));
	refused("node-wireguard", "UDP/51820 of the VPN server, by the node's user");
	EXPECT_TRUE(is(attempt(here, "udp4-sendto", intruder4, 51820), Reach::refused));
	refused("node-wireguard", "UDP/51820 of another host");
	EXPECT_TRUE(node.goes_on()) << node.said();
}

TEST_P(ScenarioVpn, NodeSaysNothingInTheClearWhenTheTunnelIsDown)
{
	scenario("node-vpn");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	hold_node();
	Program run = daemon_at(node()); // what takes hold of a tunnel that comes back
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051));
	GrpcNode node_service = living(node_spot());
	ASSERT_TRUE(node_service.goes_on()) << node_service.said();
	stop(node_);
	witnesses().quiet();
	EXPECT_TRUE(is_stopped(by(node_user, node_spot(), "tcp4", inside_researcher, 50051)));
	EXPECT_TRUE(is_stopped(by(0, node_spot(), "tcp4", inside_researcher, 50051)));
	EXPECT_TRUE(is_stopped(by(node_user, node_spot(), "tcp4", researcher4, 50051)));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), inside_researcher, 50051)));
	std::this_thread::sleep_for(Millis(400)); // the lasting request is sent again and again
	EXPECT_EQ(in_the_clear(), "");
	refused("researcher-grpc", "TCP/50051 in the clear while the tunnel is down");
	start(node_);
	EXPECT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051)) << "and up again";
	run.kill(SIGTERM);
	EXPECT_EQ(run.wait().status, 0);
}

TEST_P(ScenarioVpn, GuiIsForTheHostsOwnUsers)
{
	scenario("node-vpn");
	const Service gui = node_gui(gui_spot(), 8443, lab().directory());
	const Server next(gui_spot(), {8444}, {});
	const std::vector<Beside> beside{
		{"node-gui", "TCP/8443 from a neighbour", [] { return tcp(intruder(), node4, 8443); }},
		{"node-gui", "TCP/8443 from a peer of the tunnel", [&] { return tcp(other_.spot, inside_node, 8443); }},
		{"node-gui", "TCP/8444 from localhost (loopback = \"matrix\")",
		 [] { return tcp(lab().beside_node(), "127.0.0.1", 8444); }},
	};
	ASSERT_TRUE(tunnel_carries(other_.spot, inside_node, 8443)) << "without a policy";
	expect_open(beside);
	hold_node("loopback = \"matrix\"\n");
	allowed("node-gui", "GUI by gunicorn and Flask over TLS, curl",
		fetch(lab().beside_node(), "https://127.0.0.1:8443/"));
	expect_refused(beside);
}

TEST_P(ScenarioVpn, ResearcherAnswersItsNodesInsideTheTunnel)
{
	scenario("researcher-vpn");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher_spot(), {50052}, {});
	const Server at_server(internet(), {51820}, {51821});
	const Server at_node(node_spot(), {50051}, {});
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051)) << "without a policy";
	ASSERT_TRUE(tunnel_carries(other_.spot, inside_researcher, 50051)) << "without a policy";
	const std::vector<Beside> beside{
		{"nodes-grpc", "TCP/50052 from a node, in the tunnel",
		 [&] { return tcp(node_spot(), inside_researcher, 50052); }},
		{"nodes-grpc", "TCP/50051 from a peer that is no node",
		 [&] { return tcp(other_.spot, inside_researcher, 50051); }},
		{"nodes-grpc", "TCP/50051 from a node, in the clear",
		 [&] { return tcp(node_spot(), researcher4, 50051); }},
		{"nodes-grpc", "TCP/50051 out, to a node in the tunnel",
		 [&] { return tcp(researcher_spot(), inside_node, 50051); }},
		{"researcher-wireguard", "UDP/51821 of the VPN server",
		 [&] { return attempt(researcher_spot(), "udp4-sendto", server4, 51821); }},
		{"researcher-wireguard", "TCP/51820 of the VPN server",
		 [&] { return tcp(researcher_spot(), server4, 51820); }},
	};
	expect_open(beside);
	hold_researcher();
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051)) << "once it has sent something itself";
	GrpcNode node = living(node_spot());
	allowed("nodes-grpc", "gRPC over TLS inside the tunnel", fed(node));
	allowed("researcher-wireguard", wireguard() + " by root, in the researcher's cgroup", shook_hands(researcher_));
	expect_refused(beside);
	EXPECT_TRUE(is(by(node_user, researcher_spot(), "udp4-sendto", server4, 51820), Reach::refused));
	refused("researcher-wireguard", "UDP/51820 of the VPN server, by another user");
	EXPECT_TRUE(node.goes_on()) << node.said();
}

TEST_P(ScenarioVpn, NotebooksAreForTheHostsOwnUsers)
{
	scenario("researcher-vpn");
	const Service notebook = jupyter(researcher_spot(), lab().directory());
	const Service board = http_server(researcher_spot(), 6006, lab().directory());
	const Spot user{lab().researcher(), lab().cgroup("outside")};
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 8888)) << "without a policy";
	const Server next(researcher_spot(), {8889, 6007}, {});
	const std::vector<Beside> beside{
		{"jupyter", "TCP/8888 from a node, in the tunnel",
		 [&] { return tcp(node_spot(), inside_researcher, 8888); }},
		{"jupyter", "TCP/8888 from a neighbour", [] { return tcp(intruder(), researcher4, 8888); }},
		{"jupyter", "TCP/8889 from localhost (loopback = \"matrix\")",
		 [&] { return tcp(user, "127.0.0.1", 8889); }},
		{"tensorboard", "TCP/6006 from a node, in the tunnel",
		 [&] { return tcp(node_spot(), inside_researcher, 6006); }},
		{"tensorboard", "TCP/6006 from a neighbour", [] { return tcp(intruder(), researcher4, 6006); }},
		{"tensorboard", "TCP/6007 from localhost (loopback = \"matrix\")",
		 [&] { return tcp(user, "127.0.0.1", 6007); }},
	};
	expect_open(beside);
	hold_researcher("loopback = \"matrix\"\n");
	allowed("jupyter", "jupyter-notebook, curl",
		fetch(user, "http://127.0.0.1:8888/api/status", {"--header", "Authorization: token secret"}));
	allowed("tensorboard", "an HTTP server in TensorBoard's place, curl", fetch(user, "http://127.0.0.1:6006/"));
	expect_refused(beside);
}

TEST_P(ScenarioVpn, ServerCarriesItsPeersAndForwardsTheirOneConversation)
{
	scenario("vpnserver");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher_spot(), {50052}, {});
	const Server of_server(server_.spot, {51820, 22}, {51821});
	const Server at_node(node_spot(), {9000, 50051}, {});
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051)) << "without a policy";
	ASSERT_TRUE(tunnel_carries(other_.spot, inside_node, 9000)) << "without a policy";
	const std::vector<Beside> beside{
		{"nodes-wireguard", "UDP/51821 from a node's host",
		 [] { return attempt(lab().beside_node(), "udp4-sendto", server4, 51821); }},
		{"nodes-wireguard", "TCP/51820 from a node's host",
		 [] { return tcp(lab().beside_node(), server4, 51820); }},
		{"nodes-wireguard", "TCP/22 from a neighbour", [] { return tcp(intruder(), server4, 22); }},
		{"researchers-wireguard", "UDP/51821 from the researcher's host",
		 [] { return attempt(researcher(), "udp4-sendto", server4, 51821); }},
		{"researchers-wireguard", "TCP/51820 from the researcher's host",
		 [] { return tcp(researcher(), server4, 51820); }},
		{"forwarded-in", "TCP/50052 from a node to the researcher",
		 [&] { return tcp(node_spot(), inside_researcher, 50052); }},
		{"forwarded-in", "TCP/50051 from a peer that is no node",
		 [&] { return tcp(other_.spot, inside_researcher, 50051); }},
		{"forwarded-out", "TCP/9000 from a peer to a node",
		 [&] { return tcp(other_.spot, inside_node, 9000); }},
		{"forwarded-out", "TCP/50051 from the researcher to a node",
		 [&] { return tcp(researcher_spot(), inside_node, 50051); }},
	};
	expect_open(beside);
	hold_server();
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051));
	GrpcNode node = living(node_spot());
	const std::string problem = fed(node);
	allowed("nodes-wireguard", wireguard(), shook_hands(server_));
	allowed("researchers-wireguard", wireguard(), shook_hands(server_));
	allowed("forwarded-in", "gRPC over TLS from the node, forwarded", problem);
	allowed("forwarded-out", "gRPC over TLS to the researcher, forwarded", problem);
	expect_refused(beside);
	EXPECT_TRUE(node.goes_on()) << node.said();
}

TEST_P(ScenarioVpn, AllThreeHeldAtOnce)
{
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	hold_server();
	hold_researcher();
	hold_node();
	ASSERT_TRUE(tunnel_carries(node_spot(), inside_researcher, 50051));
	GrpcNode node = living(node_spot());
	EXPECT_TRUE(node.goes_on()) << node.said();
	for (int i = 0; i < rounds(8); ++i) {
		hold_node(i % 2 == 0 ? "loopback = \"matrix\"\n" : "");
		hold_researcher();
		hold_server();
	}
	EXPECT_TRUE(node.goes_on()) << node.said();
	EXPECT_EQ(node.said().find("broken"), std::string::npos) << node.said();
}

INSTANTIATE_TEST_SUITE_P(WireGuard, ScenarioVpn, ::testing::Values("userspace", "kernel"),
			 [](const auto &each) { return std::string(each.param); });

} // namespace
} // namespace weir::test
