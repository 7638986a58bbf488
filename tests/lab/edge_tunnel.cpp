// SPDX-License-Identifier: Apache-2.0
// WireGuard between the node and the VPN server: the outer row on the uplink, the inner row inside the tunnel, and
// nothing for the tunnel's addresses in the clear, least of all when it falls.
#include "tests/lab/edge_test.h"

#include <csignal>
#include <filesystem>

namespace weir::test {
namespace {

constexpr const char *server4 = "192.0.2.1";
constexpr const char *inner_node = "10.221.0.2";
constexpr const char *inner_researcher = "10.222.0.2";
constexpr const char *inner_other = "10.221.0.66"; ///< another peer of the same server

class EdgeTunnel : public LabTestWithEdge, public ::testing::WithParamInterface<const char *> {
protected:
	void SetUp() override
	{
		if (!have("wg"))
			GTEST_SKIP() << "there is no wg";
		if (is_userspace() && !have("wireguard-go"))
			GTEST_SKIP() << "there is no wireguard-go";
		if (is_userspace() && !std::filesystem::exists("/dev/net/tun"))
			GTEST_SKIP() << "this kernel has no tun";
		if (!is_userspace() && !has_kernel_wireguard())
			GTEST_SKIP() << "this kernel has no WireGuard";
		turn_++;
		for (const char *who : {"node", "server"}) {
			const std::string file = key_file(who);
			shell(-1, "umask 077; [ -s " + file + " ] || wg genkey > " + file + "; wg pubkey < " + file +
					  " > " + file + ".pub");
		}
		start_end(node_end(), lab().in_node(), "node",
			  "peer \"$(cat " + key_file("server") +
				  ".pub)\" endpoint 192.0.2.1:51820 allowed-ips 10.220.0.0/14",
			  {inner_node});
		start_end(server_end(), internet(), "server",
			  "peer \"$(cat " + key_file("node") + ".pub)\" allowed-ips 10.221.0.2/32",
			  {inner_researcher, inner_other});
		shell(lab().node(), "ip route add 10.220.0.0/14 dev " + node_end());
		shell(lab().internet(), "ip route add 10.221.0.2 dev " + server_end());
	}
	void TearDown() override
	{
		LabTestWithEdge::TearDown();
		node_daemon_.reset();
		server_daemon_.reset();
		try_shell(lab().node(), "ip link delete " + node_end());
		try_shell(lab().internet(), "ip link delete " + server_end());
	}

	static bool is_userspace() { return std::string(GetParam()) == "userspace"; }
	/// Of each test its own: a daemon that ends takes the socket of its interface's name with it, also a successor's.
	static std::string own(const std::string &name)
	{
		return name + std::to_string(::getpid() % 100000) + "-" + std::to_string(turn_);
	}
	static std::string node_end() { return own("wgn"); }
	static std::string server_end() { return own("wgs"); }
	static std::string key_file(const std::string &who) { return lab().directory() + "/" + who + ".key"; }
	static bool has_kernel_wireguard()
	{
		const bool has = try_shell(lab().intruder(), "ip link add wgtry type wireguard");
		try_shell(lab().intruder(), "ip link delete wgtry");
		return has;
	}
	void start_end(const std::string &name, const Spot &spot, const std::string &who, const std::string &peer,
		       const std::vector<std::string> &addresses)
	{
		if (is_userspace()) {
			auto &daemon = who == "node" ? node_daemon_ : server_daemon_;
			daemon = std::make_unique<Program>(std::vector<std::string>{"wireguard-go", "-f", name}, "",
							   spot);
			ASSERT_TRUE(
				eventually([&] { return try_shell(spot.netns, "wg show " + name); }, Millis(20000)));
		} else {
			shell(spot.netns, "ip link add " + name + " type wireguard");
		}
		shell(spot.netns, "wg set " + name + " listen-port 51820 private-key " + key_file(who) + " " + peer);
		for (const auto &address : addresses)
			shell(spot.netns, "ip address add " + address + "/32 dev " + name);
		shell(spot.netns, "ip link set " + name + " mtu 1420 up");
	}
	/// The tunnel falls: its interface, and in user space its daemon, is gone.
	void fall()
	{
		if (is_userspace()) {
			node_daemon_->kill(SIGKILL);
			node_daemon_->wait();
			node_daemon_.reset();
		} else {
			shell(lab().node(), "ip link delete " + node_end());
		}
		EXPECT_TRUE(eventually([] { return !try_shell(lab().node(), "ip link show " + node_end()); }));
	}
	static EdgeSite site()
	{
		return {.scenario = "vpn",
			.rows = {{.id = "outer", .destination = "vpnserver", .port = "UDP/51820"},
				 {.id = "inner", .destination = "inside", .zone = "tunnel"}},
			.names = {{"vpnserver", {server4}}, {"inside", {inner_researcher}}}};
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
	static bool connects(const Spot &spot, const std::string &address = inner_researcher,
			     std::uint16_t port = 50051)
	{
		return eventually([&] { return tcp(spot, address, port).reach == Reach::connected; },
				  Millis(is_emulated() ? 30000 : 6000));
	}
	static Outcome from_address(const std::string &source, const std::string &to, std::uint16_t port)
	{
		const std::string text = run_at(internet(), [&] {
			const Endpoint here(source, 0);
			const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
			if (::bind(fd.get(), here.get(), here.size) != 0)
				raise("bind to " + source);
			return std::to_string(static_cast<int>(connect_stream(fd.get(), {to, port}).reach));
		});
		return {static_cast<Reach>(std::stoi(text)), 0, ""};
	}
	static inline unsigned turn_ = 0;
	std::unique_ptr<Program> node_daemon_;
	std::unique_ptr<Program> server_daemon_;
};

TEST_P(EdgeTunnel, InnerRowWorksInsideAndNothingElse)
{
	ASSERT_TRUE(connects(lab().in_node())) << "without a policy";
	ASSERT_TRUE(connects(lab().in_node(), inner_researcher, 443)) << "without a policy";
	apply(site());
	EXPECT_TRUE(connects(lab().in_node()));
	EXPECT_TRUE(connects(lab().beside_node()));
	EXPECT_TRUE(is(tcp(lab().in_node(), inner_researcher, 443), Reach::refused));
	EXPECT_TRUE(is(tcp(lab().beside_node(), inner_researcher, 443), Reach::timeout));
	EXPECT_TRUE(is(tcp(lab().in_node(), inner_other, 50051), Reach::refused));
	EXPECT_TRUE(is(tcp(lab().beside_node(), inner_other, 50051), Reach::timeout));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), internet4, 443)));
	for (const auto &each : field(status(), "interfaces"))
		if (each.at("name") == node_end()) {
			EXPECT_EQ(each.at("zone"), "tunnel") << each;
			EXPECT_EQ(each.at("standing"), "held") << each;
		}
}

TEST_P(EdgeTunnel, WhenItFallsNothingLeavesInTheClear)
{
	ASSERT_TRUE(connects(lab().in_node())) << "without a policy";
	apply(site());
	ASSERT_TRUE(connects(lab().in_node()));
	// A connection that was inside goes on sending, by the default route now.
	const Child lasting(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(fd.get(), {inner_researcher, 50051}).reach == Reach::connected ? "yes"
													   : "no");
		while (!channel.receive(Millis(5)))
			(void)::send(fd.get(), "secret", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	});
	ASSERT_EQ(lasting.answer(), "yes");
	fall();
	witnesses().quiet();
	EXPECT_TRUE(is_stopped(tcp(lab().in_node(), inner_researcher, 50051)));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), inner_researcher, 50051)));
	(void)attempt(lab().beside_node(), "udp4-sendto", inner_researcher, 53);
	(void)attempt(lab().beside_node(), "raw4-tcp-syn", inner_researcher, 50051);
	std::this_thread::sleep_for(Millis(400)); // the lasting connection says it again and again
	EXPECT_EQ(in_the_clear(), "");
	at_node({"remove"});
	EXPECT_TRUE(eventually([] {
		(void)tcp(lab().beside_node(), inner_researcher, 50051);
		return !in_the_clear().empty();
	})) << "without a policy it does, or the test proves nothing";
}

TEST_P(EdgeTunnel, RouteToTheUplinkDoesNotHelp)
{
	apply(site());
	ASSERT_TRUE(connects(lab().in_node()));
	const Child lasting(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(fd.get(), {inner_researcher, 50051}).reach == Reach::connected ? "yes"
													   : "no");
		while (!channel.receive(Millis(5)))
			(void)::send(fd.get(), "secret", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	});
	ASSERT_EQ(lasting.answer(), "yes");
	shell(lab().node(), "ip route add 10.222.0.2/32 via 192.0.2.1 dev eth0");
	witnesses().quiet();
	EXPECT_TRUE(is_stopped(tcp(lab().in_node(), inner_researcher, 50051)));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), inner_researcher, 50051)));
	std::this_thread::sleep_for(Millis(300));
	EXPECT_EQ(in_the_clear(), "");
	shell(lab().node(), "ip route del 10.222.0.2/32 dev eth0");
	EXPECT_TRUE(connects(lab().in_node())) << "and back";
}

TEST_P(EdgeTunnel, RowOfTheNetworkDoesNotHoldInside)
{
	// The researcher's address of the network, sent into the tunnel.
	apply(site());
	shell(lab().node(), std::string("ip route add ") + researcher4 + "/32 dev " + node_end());
	EXPECT_TRUE(is_stopped(tcp(lab().in_node(), researcher4, 50051)));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), researcher4, 50051)));
	shell(lab().node(), std::string("ip route del ") + researcher4 + "/32 dev " + node_end());
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
}

TEST_P(EdgeTunnel, OtherPeersDoNotReachTheNode)
{
	const Server service(lab().beside_node(), {9000}, {});
	ASSERT_TRUE(connects(lab().in_node()));
	EXPECT_TRUE(is(from_address(inner_other, inner_node, 9000), Reach::connected)) << "without a policy";
	apply(site());
	ASSERT_TRUE(connects(lab().in_node()));
	EXPECT_TRUE(is(from_address(inner_other, inner_node, 9000), Reach::timeout));
	EXPECT_TRUE(is(from_address(inner_researcher, inner_node, 9000), Reach::timeout));
	EXPECT_TRUE(is(from_address(inner_other, inner_node, 4444), Reach::timeout)) << "no reset either";
}

TEST_P(EdgeTunnel, TunnelThatAppearsLaterIsHeldByRun)
{
	if (!is_userspace())
		GTEST_SKIP() << "shown with wireguard-go";
	fall();
	apply(site());
	Program run(lab().command({"run", "--output", lab().directory() + "/events.jsonl"}), "", {lab().node(), ""});
	start_end(node_end(), lab().in_node(), "node",
		  "peer \"$(cat " + key_file("server") + ".pub)\" endpoint 192.0.2.1:51820 allowed-ips 10.220.0.0/14",
		  {inner_node});
	shell(lab().node(), "ip route add 10.220.0.0/14 dev " + node_end());
	EXPECT_TRUE(connects(lab().in_node()));
	EXPECT_TRUE(is(tcp(lab().in_node(), inner_other, 50051), Reach::refused));
	run.kill(SIGTERM);
	EXPECT_EQ(run.wait().status, 0);
}

INSTANTIATE_TEST_SUITE_P(WireGuard, EdgeTunnel, ::testing::Values("userspace", "kernel"),
			 [](const auto &each) { return std::string(each.param); });

} // namespace
} // namespace weir::test
