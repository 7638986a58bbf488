// SPDX-License-Identifier: Apache-2.0
// What the matrix lists goes through, both ways, as if there were no policy.
#include "tests/lab/lab_test.h"

namespace weir::test {
namespace {

class Allowed : public LabTest {
protected:
	void SetUp() override { lab().apply_native(); }

	/// Connect, then a megabyte there and back.
	static std::string bulk(const std::string &address)
	{
		return run_at(lab().in_node(), [&]() -> std::string {
			const Target target{address, 50051};
			const Fd fd(::socket(Endpoint(address, 0).family(), SOCK_STREAM, 0));
			const Outcome outcome = connect_stream(fd.get(), target);
			if (outcome.reach != Reach::connected)
				return outcome.text();
			const timeval patience{2, 0};
			::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
			const std::string block(16384, 'w');
			std::array<char, 16384> back{};
			for (int i = 0; i < 64; ++i) {
				if (::send(fd.get(), block.data(), block.size(), MSG_NOSIGNAL) < 0)
					return "send stopped at block " + std::to_string(i);
				for (std::size_t got = 0; got < block.size();) {
					const ssize_t size = ::recv(fd.get(), back.data(), back.size(), 0);
					if (size <= 0)
						return "answer stopped at block " + std::to_string(i);
					got += static_cast<std::size_t>(size);
				}
			}
			return "all";
		});
	}
};

TEST_F(Allowed, ResearcherOverIpv4CarriesDataBothWays)
{
	EXPECT_EQ(bulk(researcher4), "all");
}
TEST_F(Allowed, ResearcherOverIpv6CarriesDataBothWays)
{
	EXPECT_EQ(bulk(researcher6), "all");
}

TEST_F(Allowed, ResearcherByEveryWayOfConnecting)
{
	for (const char *name :
	     {"tcp4", "tcp4-mapped", "tcp4-fastopen", "mptcp4", "thread4", "grandchild4", "io-uring-connect4"}) {
		const Outcome outcome = attempt(lab().in_node(), name, researcher4, 50051);
		EXPECT_TRUE(outcome.reach == Reach::skipped || is(outcome, Reach::connected))
			<< name << " " << outcome.text();
	}
	for (const char *name : {"tcp6", "tcp6-fastopen", "mptcp6", "io-uring-connect6"}) {
		const Outcome outcome = attempt(lab().in_node(), name, researcher6, 50051);
		EXPECT_TRUE(outcome.reach == Reach::skipped || is(outcome, Reach::connected))
			<< name << " " << outcome.text();
	}
}

TEST_F(Allowed, ClosedPortIsToldAtOnce)
{
	// The researcher isn't up yet: the node must get its RST, as it retries on that and not on a time-out.
	lab().apply(lab_site(lab(), {{.id = "closed", .port = "TCP/50052"}}));
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50052), Reach::reset));
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher6, 50052), Reach::reset));
}

TEST_F(Allowed, FiveConnectionsAtOnce)
{
	EXPECT_EQ(run_at(lab().in_node(),
			 [&]() -> std::string {
				 std::vector<Fd> all;
				 for (int i = 0; i < 5; ++i) {
					 all.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
					 const Outcome outcome = connect_stream(all.back().get(), {researcher4, 50051});
					 if (outcome.reach != Reach::connected)
						 return outcome.text();
				 }
				 for (const auto &fd : all)
					 if (!echoes(fd.get()))
						 return "no echo";
				 return "all";
			 }),
		  "all");
}

TEST_F(Allowed, OtherAddressesAndPortsAreRefusedAtOnce)
{
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 443), Reach::refused));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 50051), Reach::refused));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet6, 50051), Reach::refused));
	EXPECT_TRUE(is(tcp(lab().in_node(), intruder4, 50051), Reach::refused));
}

TEST_F(Allowed, ProcessesOutsideTheCgroupAreNotTouched)
{
	EXPECT_TRUE(is(tcp(lab().beside_node(), internet4, 443), Reach::connected));
	EXPECT_TRUE(is(attempt(lab().beside_node(), "udp4-sendto", internet4, 443), Reach::answered));
}

TEST_F(Allowed, NestedCgroupsAreHeldToIt)
{
	const Spot nested{lab().node(), lab().cgroup("node/worker/training")};
	EXPECT_TRUE(is(tcp(nested, researcher4, 50051), Reach::connected));
	EXPECT_TRUE(is(tcp(nested, internet4, 443), Reach::refused));
	EXPECT_TRUE(is(attempt(nested, "raw4-protocol", internet4, 443), Reach::refused));
}

// ---- loopback

class Loopback : public LabTest {
protected:
	/// The GUI's server in the node's cgroup, as gunicorn has it, and something else that listens.
	static Server gui() { return {lab().in_node(), {8484, 9999}, {9998}, ""}; }
	static SiteFile matrix_mode()
	{
		SiteFile site = lab().native_site();
		site.optional = {"node-gui"};
		site.loopback = "matrix";
		site.cgroups["gui"] = lab().cgroup("node");
		return site;
	}
};

TEST_F(Loopback, GuiAnswersOnLocalhost)
{
	const Server server = gui();
	SiteFile site = lab().native_site();
	site.optional = {"node-gui"};
	site.cgroups["gui"] = lab().cgroup("node");
	lab().apply(site);
	EXPECT_TRUE(is(tcp(lab().beside_node(), "127.0.0.1", 8484), Reach::connected));
	EXPECT_TRUE(is(tcp(lab().beside_node(), "::1", 8484), Reach::connected));
	EXPECT_TRUE(is(attempt(lab().beside_node(), "udp4-sendto", "127.0.0.1", 9998), Reach::answered));
}

TEST_F(Loopback, GuiDoesNotAnswerTheNetwork)
{
	const Server server = gui();
	SiteFile site = lab().native_site();
	site.optional = {"node-gui"};
	site.cgroups["gui"] = lab().cgroup("node");
	lab().apply(site);
	EXPECT_TRUE(is_stopped(tcp(intruder(), node4, 8484)));
	EXPECT_TRUE(is_stopped(tcp(intruder(), node6, 8484)));
	EXPECT_TRUE(is_stopped(tcp(researcher(), node4, 8484)));
}

TEST_F(Loopback, InMatrixModeOnlyTheGuisPortAnswers)
{
	const Server server = gui();
	lab().apply(matrix_mode());
	EXPECT_TRUE(is(tcp(lab().beside_node(), "127.0.0.1", 8484), Reach::connected));
	EXPECT_TRUE(is(tcp(lab().beside_node(), "::1", 8484), Reach::connected));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), "127.0.0.1", 9999)));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), "::1", 9999)));
	EXPECT_FALSE(attempt(lab().beside_node(), "udp4-sendto", "127.0.0.1", 9998).reach == Reach::answered);
}

TEST_F(Loopback, InMatrixModeTheUnspecifiedAddressIsLoopback)
{
	const Server elsewhere({lab().node(), lab().cgroup("outside")}, {9997}, {9997});
	lab().apply(lab().native_site());
	EXPECT_TRUE(is(tcp(lab().in_node(), "0.0.0.0", 9997), Reach::connected)) << "loopback is open";
	EXPECT_TRUE(is(tcp(lab().in_node(), "::", 9997), Reach::connected)) << "loopback is open";
	const std::string open = lab().write("open.toml", lab().native_site().text());
	const std::string matrix = lab().write("matrix.toml", matrix_mode().text());
	for (const char *peer : {"0.0.0.0:9997", "[::]:9997"}) {
		EXPECT_EQ(lab().weir({"explain", open, "--out", "tcp", peer}).status, 0) << peer;
		EXPECT_EQ(lab().weir({"explain", matrix, "--out", "tcp", peer}).status, 4) << peer;
	}
	lab().apply(matrix_mode());
	for (const char *address : {"0.0.0.0", "::", "127.0.0.1", "127.8.9.10", "::1"})
		EXPECT_TRUE(is(tcp(lab().in_node(), address, 9997), Reach::refused)) << address;
	for (const char *address : {"0.0.0.0", "127.0.0.1"})
		EXPECT_TRUE(is(attempt(lab().in_node(), "udp4-sendto", address, 9997), Reach::refused)) << address;
	EXPECT_TRUE(is(attempt(lab().in_node(), "udp6-sendto", "::", 9997), Reach::refused));
}

TEST_F(Loopback, OpenLoopbackOpensNothingElse)
{
	lab().apply(lab().native_site());
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	EXPECT_TRUE(is(attempt(lab().in_node(), "tcp4-mapped", internet4, 443), Reach::refused));
}

} // namespace
} // namespace weir::test
