// SPDX-License-Identifier: Apache-2.0
// Containers on the node: a namespace behind a bridge with masquerade, and published ports. What they send has no
// socket on the host, so only the edge sees it: after its address was translated, out as in.
#include "tests/lab/edge_test.h"

#include <csignal>

namespace weir::test {
namespace {

constexpr const char *container4 = "172.17.0.2";

const MatrixRow published_row{
	.id = "published", .dir = "in", .source = "admins", .destination = "node", .port = "TCP/8080", .type = "host"};

class EdgeContainers : public LabTestWithEdge {
protected:
	static void SetUpTestSuite()
	{
		LabTest::SetUpTestSuite();
		container_ = new_netns();
		const std::string there = "/proc/" + std::to_string(::getpid()) + "/fd/" +
					  std::to_string(container_.get());
		shell(lab().node(), "ip link add docker0 type bridge && ip address add 172.17.0.1/16 dev docker0"
				    " && ip link set docker0 up && ip link add vc0 type veth peer name eth0 netns " +
					    there +
					    " && ip link set vc0 master docker0 up"
					    " && echo 1 > /proc/sys/net/ipv4/ip_forward");
		shell(container_.get(),
		      "ip link set lo up && ip address add 172.17.0.2/16 dev eth0 && ip link set eth0 up"
		      " && ip route add default via 172.17.0.1");
		const Finished done = execute({"nft", "-f", "-"},
					      "table ip nat {\n"
					      " chain pre { type nat hook prerouting priority -100;\n"
					      "  iifname \"eth0\" tcp dport 8080 dnat to 172.17.0.2:80\n"
					      "  iifname \"eth0\" udp dport 8080 dnat to 172.17.0.2:80\n }\n"
					      " chain post { type nat hook postrouting priority 100;\n"
					      "  ip saddr 172.17.0.0/16 oifname \"eth0\" masquerade\n }\n"
					      "}\n",
					      {lab().node(), ""});
		has_nat_ = done.status == 0;
		inside_ = std::make_unique<Server>(Spot{container_.get(), ""}, std::vector<std::uint16_t>{80},
						   std::vector<std::uint16_t>{80});
		proxy_ = std::make_unique<Server>(internet(), std::vector<std::uint16_t>{3128},
						  std::vector<std::uint16_t>{});
	}
	static void TearDownTestSuite()
	{
		inside_.reset();
		proxy_.reset();
		container_ = Fd();
		LabTest::TearDownTestSuite();
	}
	void SetUp() override
	{
		if (!has_nat_)
			GTEST_SKIP() << "this kernel has no address translation by nft";
		drop_connections();
	}
	void TearDown() override
	{
		try_shell(lab().intruder(), "ip route del 172.17.0.0/16");
		LabTestWithEdge::TearDown();
	}
	/// What connection tracking remembers of a test is not for the next one.
	static void drop_connections() { try_shell(lab().node(), "command -v conntrack >/dev/null && conntrack -F"); }

	static Spot container() { return {container_.get(), lab().cgroup("outside")}; }
	static Spot named_container() { return {container_.get(), lab().cgroup("node")}; }
	static EdgeSite site() { return {.rows = {published_row}, .names = {{"admins", {researcher4}}}}; }
	static void expect_nothing_for(const std::string &address)
	{
		for (const auto &seen : witnesses().arrived(Millis(30)))
			EXPECT_NE(seen.destination, address) << seen.text();
	}

private:
	static inline Fd container_;
	static inline bool has_nat_ = false;
	static inline std::unique_ptr<Server> inside_;
	static inline std::unique_ptr<Server> proxy_;
};

TEST_F(EdgeContainers, OutboundIsHeldToTheRowsAfterTranslation)
{
	EXPECT_TRUE(is(tcp(container(), internet4, 443), Reach::connected)) << "without a policy";
	EXPECT_TRUE(is(attempt(container(), "udp4-sendto", internet4, 443), Reach::answered)) << "without a policy";
	apply(site());
	EXPECT_TRUE(is(tcp(container(), researcher4, 50051), Reach::connected));
	EXPECT_TRUE(is(attempt(container(), "udp4-sendto", resolver4, 53), Reach::answered));
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(container(), internet4, 443), Reach::timeout));
	EXPECT_TRUE(is(tcp(container(), researcher4, 443), Reach::timeout));
	(void)attempt(container(), "udp4-sendto", internet4, 443);
	(void)attempt(container(), "udp4-sendto", researcher4, 443);
	(void)attempt(container(), "icmp4-ping", internet4, 0);
	(void)attempt(container(), "raw4-gre", internet4, 0);
	const auto packets = witnesses().arrived(Millis(30));
	EXPECT_TRUE(packets.empty()) << listed(packets);
}

TEST_F(EdgeContainers, EveryRawWayOfAContainerIsHeld)
{
	apply(site());
	witnesses().quiet();
	const auto before = sum("refused");
	for (const Attempt &each : raw_attempts())
		if (each.family == 4)
			(void)attempt(container(), each, {internet4, 443});
	const auto packets = witnesses().arrived(Millis(30));
	EXPECT_TRUE(packets.empty()) << listed(packets);
	EXPECT_GT(sum("refused"), before + 10);
}

TEST_F(EdgeContainers, PublishedPortIsReachedOnlyFromWhereARowAdmits)
{
	EXPECT_TRUE(is(tcp(intruder(), node4, 8080), Reach::connected)) << "without a policy";
	EXPECT_TRUE(is(attempt(intruder(), "udp4-sendto", node4, 8080), Reach::answered)) << "without a policy";
	apply(site());
	EXPECT_TRUE(is(tcp(researcher(), node4, 8080), Reach::connected));
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(intruder(), node4, 8080), Reach::timeout));
	(void)attempt(intruder(), "udp4-sendto", node4, 8080);
	(void)attempt(researcher(), "udp4-sendto", node4, 8080);
	const auto packets = witnesses().arrived(Millis(30));
	EXPECT_TRUE(packets.empty()) << listed(packets);
	apply({});
	EXPECT_TRUE(is(tcp(researcher(), node4, 8080), Reach::timeout)) << "the row is gone";
}

TEST_F(EdgeContainers, ConnectionToAPublishedPortIsCutWithItsRow)
{
	apply(site());
	const Child client(researcher(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(fd.get(), {node4, 8080}).reach == Reach::connected ? "connected" : "not");
		while (channel.next())
			channel.send(echoes(fd.get(), 800) ? "yes" : "no");
	});
	ASSERT_EQ(client.answer(), "connected");
	EXPECT_EQ(client.ask("echo"), "yes");
	apply(site());
	EXPECT_EQ(client.ask("echo"), "yes") << "the same rows anew";
	apply({});
	EXPECT_EQ(client.ask("echo"), "no");
}

TEST_F(EdgeContainers, ContainersOwnAddressIsNotReachedAroundItsPublishedPort)
{
	// A neighbour that takes the node for its router: so ports published on 127.0.0.1 were reached (moby #45610).
	shell(lab().intruder(), std::string("ip route add 172.17.0.0/16 via ") + node4);
	EXPECT_TRUE(is(tcp(intruder(), container4, 80), Reach::connected)) << "without a policy";
	apply(site());
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(intruder(), container4, 80), Reach::timeout));
	(void)attempt(intruder(), "udp4-sendto", container4, 80);
	EXPECT_EQ(listed(witnesses().arrived(Millis(30))), "");
}

TEST_F(EdgeContainers, NodeIsNoRouterForItsNeighbours)
{
	// Forwarded from the uplink to the uplink: in without a row, so it does not even come so far.
	shell(lab().intruder(), std::string("ip route add 203.0.113.7 via ") + node4);
	apply(site());
	witnesses().quiet();
	EXPECT_TRUE(is_stopped(tcp(intruder(), internet4, 443)));
	expect_nothing_for(internet4);
	shell(lab().intruder(), "ip route del 203.0.113.7");
}

TEST_F(EdgeContainers, CgroupOfANamedContainerJudgesAgain)
{
	// The edge lets the host out to its proxy; the node, in a container of its own, has no such row.
	EdgeSite with = site();
	with.names["http-proxies"] = {internet4};
	apply(with);
	EXPECT_TRUE(is(tcp(container(), internet4, 3128), Reach::connected));
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(named_container(), internet4, 3128), Reach::refused));
	EXPECT_TRUE(is(tcp(named_container(), internet4, 443), Reach::refused));
	EXPECT_TRUE(is_stopped(attempt(named_container(), "raw4-udp", internet4, 443)));
	expect_nothing_for(internet4);
	EXPECT_TRUE(is(tcp(named_container(), researcher4, 50051), Reach::connected));
	EXPECT_TRUE(is(attempt(named_container(), "udp4-sendto", resolver4, 53), Reach::answered));
}

TEST_F(EdgeContainers, RelayOfTheHostIsHeldLikeAnyServer)
{
	// What docker-proxy does: a process of the host listens, and passes on to the container.
	const std::string relay = R"(
import socket, threading
server = socket.create_server(("0.0.0.0", 8081))
print("ready", flush=True)
def pump(a, b):
    while data := a.recv(4096):
        b.sendall(data)
while True:
    client, _ = server.accept()
    inside = socket.create_connection(("172.17.0.2", 80))
    threading.Thread(target=pump, args=(client, inside), daemon=True).start()
    threading.Thread(target=pump, args=(inside, client), daemon=True).start()
)";
	const Program program({"python3", "-c", relay}, "", lab().beside_node());
	ASSERT_TRUE(eventually([&] { return program.out_so_far() == "ready\n"; }, Millis(20000)));
	EXPECT_TRUE(is(tcp(intruder(), node4, 8081), Reach::connected)) << "without a policy";
	EdgeSite with = site();
	with.rows.front().port = "TCP/8081";
	apply(with);
	EXPECT_TRUE(is(tcp(researcher(), node4, 8081), Reach::connected));
	witnesses().quiet();
	EXPECT_TRUE(is(tcp(intruder(), node4, 8081), Reach::timeout));
	EXPECT_EQ(listed(witnesses().arrived(Millis(30))), "");
	apply({});
	EXPECT_TRUE(is(tcp(researcher(), node4, 8081), Reach::timeout));
}

TEST_F(EdgeContainers, BridgeAndItsPortsAreInside)
{
	apply(site());
	for (const auto &each : field(status(), "interfaces")) {
		if (each.at("name") == "docker0" || each.at("name") == "vc0") {
			EXPECT_EQ(each.at("standing"), "inside") << each;
		}
	}
	EXPECT_TRUE(is(tcp(lab().beside_node(), container4, 80), Reach::connected)) << "it does not leave the host";
}

} // namespace
} // namespace weir::test
