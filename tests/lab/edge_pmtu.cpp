// SPDX-License-Identifier: Apache-2.0
// Path MTU discovery under enforcement: the router's "too big" comes in where it quotes a flow that lives, and a
// forged one that quotes none does not.
#include "tests/lab/edge_test.h"

#include <poll.h>

namespace weir::test {
namespace {

// Behind the internet's router, a link of 1300 bytes, and another router.
constexpr const char *far4 = "198.19.0.2";
constexpr const char *far6 = "2001:db8:3::2";

class EdgePmtu : public LabTestWithEdge {
protected:
	static void SetUpTestSuite()
	{
		LabTest::SetUpTestSuite();
		router_ = new_netns();
		far_ = new_netns();
		const std::string self = "/proc/" + std::to_string(::getpid()) + "/fd/";
		const std::string forward = " && echo 1 > /proc/sys/net/ipv4/ip_forward"
					    " && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
					    " && echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"
					    " && echo 0 > /proc/sys/net/ipv6/icmp/ratelimit";
		shell(lab().internet(),
		      "ip link add narrow type veth peer name narrow netns " + self + std::to_string(router_.get()) +
			      " && ip link set narrow mtu 1300 up && ip address add 198.18.0.1/24 dev narrow"
			      " && ip address add 2001:db8:2::1/64 dev narrow nodad"
			      " && ip route add 198.19.0.0/24 via 198.18.0.2" +
			      forward);
		shell(router_.get(),
		      "ip link add wide type veth peer name eth0 netns " + self + std::to_string(far_.get()) +
			      " && ip link set narrow mtu 1300 up && ip address add 198.18.0.2/24 dev narrow"
			      " && ip address add 2001:db8:2::2/64 dev narrow nodad && ip link set wide up"
			      " && ip address add 198.19.0.1/24 dev wide && ip address add 2001:db8:3::1/64 dev wide "
			      "nodad"
			      " && ip route add default via 198.18.0.1 && ip -6 route add default via 2001:db8:2::1" +
			      forward);
		shell(lab().internet(), "ip -6 route add 2001:db8:3::/64 via 2001:db8:2::2");
		shell(far_.get(), "ip link set lo up && ip link set eth0 up && ip address add 198.19.0.2/24 dev eth0"
				  " && ip address add 2001:db8:3::2/64 dev eth0 nodad"
				  " && ip route add default via 198.19.0.1 advmss 1460"
				  " && ip -6 route add default via 2001:db8:3::1 advmss 1440");
		server_ = std::make_unique<Server>(Spot{far_.get(), ""}, std::vector<std::uint16_t>{50051},
						   std::vector<std::uint16_t>{53});
	}
	static void TearDownTestSuite()
	{
		server_.reset();
		far_ = Fd();
		router_ = Fd();
		LabTest::TearDownTestSuite();
	}
	void SetUp() override { forget_paths(); }

	static void forget_paths() { try_shell(lab().node(), "ip route flush cache; ip -6 route flush cache"); }
	static EdgeSite site(const std::string &edge = "")
	{
		return {.rows = {{.id = "far", .destination = "far"},
				 {.id = "far-dns", .destination = "far", .port = "UDP/53", .type = "host"}},
			.names = {{"far", {far4, far6}}},
			.edge = edge};
	}
	/// What the node believes of the path: "1300", or "" for nothing learned.
	static std::string learned(const std::string &address)
	{
		const std::string out = shell(lab().node(), "ip route get " + address);
		const auto at = out.find(" mtu ");
		return at == std::string::npos ? "" : out.substr(at + 5, out.find(' ', at + 5) - at - 5);
	}
	/// So many bytes there and back by TCP; true: all came.
	static bool transfers(const Spot &spot, const std::string &address, std::size_t size)
	{
		return run_at(
			       spot,
			       [&] {
				       const Endpoint to(address, 50051);
				       const Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK, 0));
				       (void)::connect(fd.get(), to.get(), to.size);
				       const std::string data(65536, 'w');
				       std::size_t sent = 0;
				       std::size_t back = 0;
				       const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
				       while (back < size && std::chrono::steady_clock::now() < end) {
					       // No more on the way than the echo server buffers.
					       const bool more = sent < size && sent - back < 32768;
					       pollfd wait{fd.get(), static_cast<short>(POLLIN | (more ? POLLOUT : 0)),
							   0};
					       ::poll(&wait, 1, 1000);
					       std::array<char, 65536> in{};
					       ssize_t step = 0;
					       if ((step = ::recv(fd.get(), in.data(), in.size(), MSG_DONTWAIT)) > 0)
						       back += static_cast<std::size_t>(step);
					       if (more &&
						   (step = ::send(fd.get(), data.data(), 8192, MSG_DONTWAIT)) > 0)
						       sent += static_cast<std::size_t>(step);
				       }
				       return std::string(back >= size ? "all" : "stalled");
			       },
			       Millis(30000)) == "all";
	}
	/// A datagram of 1450 bytes that must not be cut: at last with what the kernel learned. true: an answer came.
	static bool asks(const Spot &spot, const std::string &address)
	{
		return run_at(spot, [&] {
			       const Endpoint to(address, 53);
			       const bool v6 = to.family() == AF_INET6;
			       const Fd fd(::socket(to.family(), SOCK_DGRAM, 0));
			       const int want = v6 ? int{IPV6_PMTUDISC_WANT} : int{IP_PMTUDISC_WANT};
			       ::setsockopt(fd.get(), v6 ? int{IPPROTO_IPV6} : int{IPPROTO_IP},
					    v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &want, sizeof(want));
			       const std::string data(1400, 'w');
			       for (int i = 0; i < 4; ++i) {
				       (void)::sendto(fd.get(), data.data(), data.size(), 0, to.get(), to.size);
				       std::array<char, 2048> in{};
				       pollfd wait{fd.get(), POLLIN, 0};
				       if (::poll(&wait, 1, is_emulated() ? 1000 : 100) == 1 &&
					   ::recv(fd.get(), in.data(), in.size(), MSG_DONTWAIT) > 0)
					       return std::string("answered");
			       }
			       return std::string("never");
		       }) == "answered";
	}
	/// "Too big", by whoever plays the router, that quotes a datagram of the node's to port 53 of `quoted`.
	static void forge(const Spot &by, const std::string &quoted, std::uint16_t port)
	{
		(void)run_at(by, [&] {
			const bool v6 = quoted.find(':') != std::string::npos;
			const Path asked{v6 ? node6 : node4, quoted};
			const Path back{v6 ? intruder6 : intruder4, asked.source};
			const Bytes datagram = udp_datagram(asked, port, 53, Bytes(64, 'q'));
			const Bytes error = icmp_too_big(back, 1290,
							 v6 ? ipv6(asked, IPPROTO_UDP, datagram)
							    : ipv4(asked, {IPPROTO_UDP, 0, {}}, datagram));
			const Bytes packet = v6 ? ipv6(back, IPPROTO_ICMPV6, error)
						: ipv4(back, {IPPROTO_ICMP, 0, {}}, error);
			const Endpoint to(back.destination, 0);
			const Fd fd(::socket(to.family(), SOCK_RAW, IPPROTO_RAW));
			if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
				raise("forging");
			return std::string();
		});
		std::this_thread::sleep_for(Millis(20));
	}
	/// A socket of the node that any error to its port is for.
	static Child waiting_socket(std::uint16_t port)
	{
		Child child(lab().beside_node(), [=](Channel &channel) {
			const Fd v6(::socket(AF_INET6, SOCK_DGRAM, 0));
			const Endpoint here("::", port);
			if (::bind(v6.get(), here.get(), here.size) != 0)
				raise("bind");
			channel.send("ready");
			(void)channel.next();
		});
		(void)child.answer();
		return child;
	}

private:
	static inline Fd router_;
	static inline Fd far_;
	static inline std::unique_ptr<Server> server_;
};

TEST_F(EdgePmtu, TcpFindsItsWayThroughANarrowHop)
{
	const std::size_t size = is_emulated() ? 65536 : 1U << 20;
	for (const char *edge : {"none", "", "ingress = \"tc\"\n"}) {
		if (std::string(edge) != "none")
			apply(site(edge));
		for (const char *address : {far4, far6})
			for (const auto &spot : {lab().in_node(), lab().beside_node()}) {
				forget_paths();
				EXPECT_TRUE(transfers(spot, address, size)) << address << " " << edge << spot.cgroup;
				EXPECT_EQ(learned(address), "1300") << address << " " << edge;
			}
	}
}

TEST_F(EdgePmtu, UdpFindsItsWayThroughANarrowHop)
{
	for (const char *edge : {"none", "", "ingress = \"tc\"\n"}) {
		if (std::string(edge) != "none")
			apply(site(edge));
		for (const char *address : {far4, far6})
			for (const auto &spot : {lab().in_node(), lab().beside_node()}) {
				forget_paths();
				EXPECT_TRUE(asks(spot, address)) << address << " " << edge << spot.cgroup;
				EXPECT_EQ(learned(address), "1300") << address << " " << edge;
			}
	}
}

TEST_F(EdgePmtu, ForgedErrorThatQuotesNoFlowChangesNothing)
{
	const Child socket = waiting_socket(9000);
	for (const char *quoted : {internet4, internet6}) {
		forge(intruder(), quoted, 9000);
		EXPECT_EQ(learned(quoted), "1290") << "without a policy the node believes it";
	}
	forget_paths();
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		apply(site(edge));
		const auto before = sum("refused");
		for (const char *quoted : {internet4, internet6, far4, far6, researcher4, resolver6}) {
			forge(intruder(), quoted, 9000);
			EXPECT_EQ(learned(quoted), "") << edge;
		}
		EXPECT_GE(sum("refused"), before + 6) << edge;
	}
}

TEST_F(EdgePmtu, ErrorThatQuotesALiveFlowOfAnotherHostIsNotForThisOne)
{
	// The quote names a flow that lives, but as somebody else's: source and destination of the error do not fit it.
	apply(site());
	ASSERT_TRUE(asks(lab().beside_node(), far4));
	forget_paths();
	const auto before = sum("refused");
	(void)run_at(intruder(), [] {
		const Path asked{far4, node4}; // as if the far host had sent what it quotes
		const Path back{intruder4, node4};
		const Bytes error = icmp_too_big(
			back, 1290, ipv4(asked, {IPPROTO_UDP, 0, {}}, udp_datagram(asked, 53, 9000, Bytes(64, 'q'))));
		const Bytes packet = ipv4(back, {IPPROTO_ICMP, 0, {}}, error);
		const Endpoint to(node4, 0);
		const Fd fd(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
		if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
			raise("forging");
		return std::string();
	});
	EXPECT_TRUE(eventually([&] { return sum("refused") > before; }));
	EXPECT_EQ(learned(far4), "");
}

} // namespace
} // namespace weir::test
