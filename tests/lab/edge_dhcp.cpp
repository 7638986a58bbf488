// SPDX-License-Identifier: Apache-2.0
// Leases over the edge with the rows of policies/host-services.toml: gained, renewed, and a rogue server's refused.
#include "tests/lab/edge_test.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::test {
namespace {

class EdgeDhcp : public LabTestWithEdge {
protected:
	void SetUp() override
	{
		if (!have("dnsmasq"))
			GTEST_SKIP() << "there is no dnsmasq";
		if (!have("udhcpc"))
			GTEST_SKIP() << "there is no udhcpc";
		// What udhcpc calls with what happened: it takes the address, and notes it.
		lab().write("lease",
			    "#!/bin/sh\n"
			    "echo \"$1 $ip\" >> " +
				    log() +
				    "\n"
				    "[ \"$1\" != bound ] || ip address replace \"$ip/24\" dev \"$interface\"\n");
		std::filesystem::permissions(lab().directory() + "/lease", std::filesystem::perms::owner_all);
		std::filesystem::remove(log());
	}
	void TearDown() override
	{
		LabTestWithEdge::TearDown();
		try_shell(lab().node(),
			  "for i in $(seq 100 109) $(seq 200 209); do ip address del 192.0.2.$i/24 dev eth0; done");
	}

	static std::string log() { return lab().directory() + "/lease.log"; }
	static std::string happened()
	{
		std::ifstream in(log());
		std::stringstream text;
		text << in.rdbuf();
		return text.str();
	}
	/// A server that hands out ten addresses from 192.0.2.`first` on.
	static Program serve(const Spot &spot, int first, const std::string &name)
	{
		const std::string net = "192.0.2.";
		Program server(
			{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
			 "--bind-interfaces", "--no-ping", "--dhcp-authoritative", "--user=root", "--group=root",
			 "--log-facility=-", "--pid-file", "--dhcp-leasefile=" + lab().directory() + "/" + name,
			 "--dhcp-range=" + net + std::to_string(first) + "," + net + std::to_string(first + 9) + ",2m"},
			"", spot);
		return server;
	}
	static std::vector<std::string> client(const std::string &tries)
	{
		return {"udhcpc",
			"-i",
			"eth0",
			"-f",
			"-n",
			"-t",
			tries,
			"-T",
			"1",
			"-A",
			"1",
			"-s",
			lab().directory() + "/lease"};
	}
	/// One lease and done: the client's exit status is 0 where it got one.
	static bool gets_lease(const std::string &tries = "2")
	{
		auto words = client(tries);
		words.emplace_back("-q");
		return execute(words, "", lab().beside_node(), Millis(30000)).status == 0;
	}
	static EdgeSite site(const std::string &edge = "")
	{
		return {.names = {{"dhcp-servers", {"192.0.2.1"}}}, .edge = edge};
	}
};

TEST_F(EdgeDhcp, LeaseIsGainedAndRenewed)
{
	const Program server = serve(internet(), 100, "server");
	ASSERT_TRUE(gets_lease("5")) << "without a policy";
	for (const char *edge : {"", "ingress = \"tc\"\n"}) {
		apply(site(edge));
		std::filesystem::remove(log());
		Program running(client("5"), "", lab().beside_node());
		EXPECT_TRUE(eventually([] { return happened().find("bound 192.0.2.10") != std::string::npos; },
				       Millis(20000)))
			<< edge << happened();
		running.kill(SIGUSR1); // renew now, by a datagram to the server
		EXPECT_TRUE(eventually([] { return happened().find("renew 192.0.2.10") != std::string::npos; },
				       Millis(20000)))
			<< edge << happened();
		running.kill(SIGTERM);
		running.wait();
	}
}

TEST_F(EdgeDhcp, WithoutItsRowsNothingIsAskedAndNothingComes)
{
	const Program server = serve(internet(), 100, "server");
	ASSERT_TRUE(gets_lease("5")) << "without a policy";
	apply({});
	witnesses().quiet();
	const Tap tap(lab().internet());
	EXPECT_FALSE(gets_lease());
	for (const auto &frame : tap.take()) // 0.0.0.0 asks, of everybody
		EXPECT_FALSE(frame.size() > 40 && frame[12] == 8 && frame[13] == 0 && frame[23] == IPPROTO_UDP);
}

TEST_F(EdgeDhcp, RogueServersOfferIsRefused)
{
	const Program rogue = serve(intruder(), 200, "rogue");
	ASSERT_TRUE(gets_lease("5")) << "without a policy";
	ASSERT_NE(happened().find("bound 192.0.2.20"), std::string::npos) << happened();
	std::filesystem::remove(log());
	apply(site());
	const auto before = sum("refused");
	EXPECT_FALSE(gets_lease()) << happened();
	EXPECT_GT(sum("refused"), before) << "its offers came, and fell";
	EXPECT_EQ(happened().find("bound"), std::string::npos) << happened();
	const Program server = serve(internet(), 100, "server");
	EXPECT_TRUE(gets_lease("6"));
	EXPECT_NE(happened().find("bound 192.0.2.10"), std::string::npos) << happened();
	EXPECT_EQ(happened().find("192.0.2.20"), std::string::npos) << happened();
}

} // namespace
} // namespace weir::test
