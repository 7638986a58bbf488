// SPDX-License-Identifier: Apache-2.0
// What was there before the policy goes on if a row admits it, what a new policy no longer admits ends, and no swap
// costs a byte. Datagrams in parts; interfaces that appear.
#include "tests/lab/edge_test.h"
#include "tests/lab/quoted_error.h"

#include "kernel/instance.h"
#include "policy/policy.h"

#include <csignal>
#include <netinet/tcp.h>
#include <poll.h>

namespace weir::test {
namespace {

const MatrixRow push_row{.id = "push", .port = "TCP/50060"};
const MatrixRow service_row{
	.id = "service", .dir = "in", .source = "admins", .destination = "node", .port = "TCP/9000", .type = "host"};

bool is_readable(int fd, int timeout_ms)
{
	pollfd wait{fd, POLLIN, 0};
	return ::poll(&wait, 1, timeout_ms) == 1;
}

/// Listens, says "ready", accepts one connection, says "accepted", and speaks when it is told to.
Child speaker(const Spot &spot, const std::string &address, std::uint16_t port)
{
	Child child(spot, [=](Channel &channel) {
		const Endpoint here(address, port);
		const Fd listener(::socket(here.family(), SOCK_STREAM, 0));
		const int on = 1;
		::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (::bind(listener.get(), here.get(), here.size) != 0 || ::listen(listener.get(), 4) != 0)
			raise("listen");
		channel.send("ready");
		const Fd fd(::accept(listener.get(), nullptr, nullptr));
		channel.send("accepted");
		while (const auto word = channel.next())
			channel.send(::send(fd.get(), word->data(), word->size(), MSG_NOSIGNAL) > 0 ? "said"
												    : "failed");
	});
	(void)child.answer();
	return child;
}

/// Connects; "hear": what the peer says within a second, "": nothing; "echo": does what it says come back?
Child talker(const Spot &spot, const std::string &address, std::uint16_t port)
{
	Child child(spot, [=](Channel &channel) {
		const Endpoint to(address, port);
		const Fd fd(::socket(to.family(), SOCK_STREAM, 0));
		if (::connect(fd.get(), to.get(), to.size) != 0)
			raise("connect");
		channel.send("connected");
		while (const auto word = channel.next()) {
			std::array<char, 256> data{};
			if (*word == "echo") {
				channel.send(echoes(fd.get(), 1000) ? "yes" : "no");
			} else if (!is_readable(fd.get(), 1000)) {
				channel.send("nothing");
			} else {
				const ssize_t size = ::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT);
				channel.send(size > 0 ? std::string(data.data(), static_cast<std::size_t>(size))
						      : "end");
			}
		}
	});
	(void)child.answer();
	return child;
}

class EdgeFlows : public LabTestWithEdge {
protected:
	static EdgeSite all_rows(const std::string &edge = "")
	{
		return {.scenario = "all",
			.rows = {push_row, service_row},
			.names = {{"admins", {researcher4, researcher6, resolver6}}},
			.edge = edge};
	}
	/// A policy as the daemon's neighbour would load it, for swaps by the hundred.
	static BoundPolicy loaded(const std::string &name, const std::vector<MatrixRow> &more)
	{
		SiteFile site = lab_site(lab(), more, name);
		site.names["admins"] = {researcher4, researcher6, resolver6};
		auto bound = policy::load(lab().write(name + ".site.toml", site.text() + "[edge]\n"),
					  lab().command({}).back());
		if (!bound)
			throw std::runtime_error(bound.error().message);
		return *bound;
	}
	static void swap(const BoundPolicy &policy)
	{
		in_netns(lab().node(), [&] {
			const auto applied = kernel::apply({lab().bpffs(), lab().instance}, policy, false);
			ASSERT_TRUE(applied.has_value()) << applied.error().message;
		});
	}
	/// What the node sent to the researcher's port within the time.
	static std::size_t sent_to_researcher(std::uint16_t port, Millis time)
	{
		(void)witnesses().arrived(Millis(1)); // what came before; a stream is never quiet
		std::size_t count = 0;
		for (const auto &seen : witnesses().arrived(time))
			count += seen.destination_port == port ? 1 : 0;
		return count;
	}
};

TEST_F(EdgeFlows, ConnectionsOlderThanThePolicyGoOn)
{
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		for (const bool v6 : {false, true}) {
			const char *peer = v6 ? researcher6 : researcher4;
			const char *here = v6 ? node6 : node4;
			const Child opened = talker(lab().in_node(), peer, 50051);
			const Child quiet_server = speaker(researcher(), v6 ? "::" : "0.0.0.0", 50060);
			const Child hears = talker(lab().in_node(), peer, 50060);
			(void)quiet_server.answer();
			const Child quiet_service = speaker(lab().in_node(), v6 ? "::" : "0.0.0.0", 9000);
			const Child client = talker(researcher(), here, 9000);
			(void)quiet_service.answer();

			apply(all_rows(edge));
			EXPECT_EQ(opened.ask("echo"), "yes") << "the node opened it, and speaks " << peer << edge;
			EXPECT_EQ(quiet_server.ask("from the peer"), "said");
			EXPECT_EQ(hears.ask("hear"), "from the peer") << "the node opened it, the peer speaks " << edge;
			EXPECT_EQ(quiet_service.ask("from the node"), "said");
			EXPECT_EQ(client.ask("hear"), "from the node")
				<< "the peer opened it, the node speaks " << edge;
			at_node({"remove"});
		}
	}
}

TEST_F(EdgeFlows, PeerThatOpenedAConnectionBeforeThePolicySpeaksNext)
{
	const Server service(lab().in_node(), {9000}, {});
	for (const char *here : {node4, node6}) {
		const Child client = talker(researcher(), here, 9000);
		const Child stranger = talker(intruder(), here, 9000);
		apply(all_rows());
		EXPECT_EQ(client.ask("echo"), "yes") << here;
		EXPECT_EQ(stranger.ask("echo"), "no") << "no row admits this one " << here;
		at_node({"remove"});
	}
}

TEST_F(EdgeFlows, StreamWhoseRowIsTakenAwayIsCutWithinASecond)
{
	const auto with = loaded("with", {push_row});
	const auto without = loaded("without", {});
	swap(with);
	const Child server = speaker(researcher(), "0.0.0.0", 50060);
	const Child stream(lab().in_node(), [](Channel &channel) {
		const Endpoint to(researcher4, 50060);
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		if (::connect(fd.get(), to.get(), to.size) != 0)
			raise("connect");
		const int on = 1; // each word a segment, or it waits for the last one's late acknowledgement
		::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		channel.send("connected");
		while (!channel.receive(Millis(2)))
			(void)::send(fd.get(), "more", 4, MSG_NOSIGNAL | MSG_DONTWAIT);
	});
	(void)stream.answer();
	(void)server.answer();
	ASSERT_TRUE(eventually([] { return sent_to_researcher(50060, Millis(200)) > 0; }));
	swap(without);
	std::this_thread::sleep_for(Millis(100)); // a second is the promise
	EXPECT_EQ(sent_to_researcher(50060, Millis(700)), 0U);
	(void)server.ask("still there?"); // nor does the peer come in any more: nothing acknowledges it
	EXPECT_EQ(sent_to_researcher(50060, Millis(300)), 0U);
}

TEST_F(EdgeFlows, StreamThatKeepsItsRowLosesNothingOverSwaps)
{
	const auto one = loaded("one", {push_row});
	const auto two = loaded("two", {service_row});
	swap(one);
	const Child stream(lab().beside_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		if (connect_stream(fd.get(), {researcher4, 50051}).reach != Reach::connected)
			raise("connect");
		channel.send("connected");
		int rounds = 0;
		int lost = 0;
		while (!channel.receive(Millis(0))) {
			rounds++;
			lost += echoes(fd.get(), 3000) ? 0 : 1;
		}
		tcp_info info{};
		socklen_t size = sizeof(info);
		::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
		channel.send(std::to_string(lost) + " lost, " + std::to_string(info.tcpi_total_retrans) + " again" +
			     (rounds < 20 ? ", too few to prove anything" : ""));
	});
	(void)stream.answer();
	for (int i = 0; i < rounds(200); ++i)
		swap(i % 2 == 0 ? two : one);
	EXPECT_EQ(stream.ask("stop"), "0 lost, 0 again");
}

TEST_F(EdgeFlows, LargeDatagramsPassInPartsBothWays)
{
	const auto ask = [](const Spot &spot, const char *address) {
		return run_at(spot, [=] {
			const Endpoint to(address, 53);
			const Fd fd(::socket(to.family(), SOCK_DGRAM, 0));
			const std::string text(5000, 'w');
			if (::sendto(fd.get(), text.data(), text.size(), 0, to.get(), to.size) < 0)
				return std::string("not sent");
			std::array<char, 8192> data{};
			if (!is_readable(fd.get(), 1000))
				return std::string("no answer");
			return std::to_string(::recv(fd.get(), data.data(), data.size(), MSG_DONTWAIT));
		});
	};
	for (const char *edge : {"none", "", "ingress = \"tc\"\n"}) {
		if (std::string(edge) != "none")
			apply(all_rows(edge));
		for (const char *resolver : {resolver4, resolver6}) {
			EXPECT_EQ(ask(lab().in_node(), resolver), "5000") << edge;
			EXPECT_EQ(ask(lab().beside_node(), resolver), "5000") << edge;
		}
	}
	EXPECT_NE(ask(lab().beside_node(), internet4), "5000");
}

TEST_F(EdgeFlows, PartsWithoutAnAdmittedFirstOneDoNotComeIn)
{
	// A datagram whose first part a row would refuse, and later parts of one whose first never came.
	const Child listener(lab().beside_node(), [](Channel &channel) {
		const Endpoint here("0.0.0.0", 9001);
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		if (::bind(fd.get(), here.get(), here.size) != 0)
			raise("bind");
		channel.send("ready");
		while (channel.next()) {
			std::array<char, 8192> data{};
			channel.send(is_readable(fd.get(), 300) && ::recv(fd.get(), data.data(), data.size(), 0) > 0
					     ? "heard"
					     : "nothing");
		}
	});
	(void)listener.answer();
	const auto send = [] {
		(void)run_at(intruder(), [] {
			const Endpoint to(node4, 9001);
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const std::string text(4000, 'w');
			(void)::sendto(fd.get(), text.data(), text.size(), 0, to.get(), to.size);
			return std::string();
		});
	};
	send();
	EXPECT_EQ(listener.ask("heard?"), "heard") << "without a policy";
	apply(all_rows());
	const auto before = sum("refused");
	send();
	EXPECT_EQ(listener.ask("heard?"), "nothing");
	EXPECT_GE(sum("refused"), before + 3) << "each part";
}

TEST_F(EdgeFlows, ErrorThatQuotesWhatNobodySentReachesNoSocket)
{
	// A residual of the packet gate (Residuals.AnIcmpErrorBringsItsQuoteToASocketThatAsksForErrors).
	const auto heard = [](const Spot &spot) {
		return quoted_to(spot, intruder(), {intruder4, node4}, internet4) + ", " +
		       quoted_to(spot, intruder(), {intruder6, node6}, internet6);
	};
	EXPECT_EQ(heard(lab().in_node()), "weir, weir") << "without a policy";
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		apply(all_rows(edge));
		EXPECT_EQ(heard(lab().in_node()), "nothing, nothing") << edge;
		EXPECT_EQ(heard(lab().beside_node()), "nothing, nothing") << edge;
	}
}

TEST_F(EdgeFlows, InterfaceThatAppearsIsRefusedUntilItIsHeld)
{
	EdgeSite site = all_rows();
	site.rows.push_back({.id = "beyond", .destination = "beyond", .port = "TCP/443"});
	site.names["beyond"] = {"198.51.100.1"};
	apply(site);
	shell(lab().node(), "ip link add eth1 type veth peer name eth1 netns /proc/" + std::to_string(::getpid()) +
				    "/fd/" + std::to_string(lab().intruder()) +
				    " && ip address add 198.51.100.2/24 dev eth1 && ip link set eth1 up");
	shell(lab().intruder(), "ip address add 198.51.100.1/24 dev eth1 && ip link set eth1 up");
	const Tap tap(lab().intruder(), "eth1");
	EXPECT_TRUE(is_stopped(tcp(lab().in_node(), "198.51.100.1", 443)));
	EXPECT_TRUE(is_stopped(attempt(lab().in_node(), "raw4-tcp-syn", "198.51.100.1", 443)));
	for (const auto &frame : tap.take())
		EXPECT_FALSE(frame.size() > 23 && frame[12] == 8 && frame[13] == 0 && frame[23] == IPPROTO_TCP);
	{
		Program run(lab().command({"run", "--output", lab().directory() + "/events.jsonl"}), "",
			    {lab().node(), ""});
		EXPECT_TRUE(
			eventually([] { return tcp(lab().in_node(), "198.51.100.1", 443).reach == Reach::connected; },
				   Millis(is_emulated() ? 60000 : 5000)));
		EXPECT_TRUE(is(tcp(lab().in_node(), "198.51.100.1", 50051), Reach::refused));
		EXPECT_TRUE(is(tcp(lab().beside_node(), "198.51.100.1", 50051), Reach::timeout));
		run.kill(SIGTERM);
		EXPECT_EQ(run.wait().status, 0);
	}
	shell(lab().node(), "ip link delete eth1");
}

} // namespace
} // namespace weir::test
