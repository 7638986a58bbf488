// SPDX-License-Identifier: Apache-2.0
// "Running without VPN/containers": a node's host with its GUI, and a researcher's, both held at once.
#include "tests/lab/scenario_test.h"

namespace weir::test {
namespace {

class ScenarioNative : public LabTestOfScenario {
protected:
	static Spot node_spot() { return {lab().node(), lab().cgroup("node")}; }
	static Spot gui_spot() { return {lab().node(), lab().cgroup("gui")}; }
	static Spot researcher_spot() { return {lab().researcher(), lab().cgroup("researcher")}; }
	/// Someone at the host's keyboard, in no cgroup of the policy.
	static Spot user_of_the_node() { return lab().beside_node(); }
	static Spot user_of_the_researcher() { return {lab().researcher(), lab().cgroup("outside")}; }

	static std::string node_site(const std::string &more = "")
	{
		return "scenario = \"node-native\"\noptional = [\"node-gui\"]\n" + more +
		       "[names]\nresearcher = [\"192.0.2.10\", \"2001:db8:0:1::10\"]\n[edge]\n[cgroups]\n" +
		       cgroup_line("node", "node") + cgroup_line("gui", "gui");
	}
	static std::string researcher_site(const std::string &more = "")
	{
		return "scenario = \"researcher-native\"\noptional = [\"jupyter\", \"tensorboard\"]\n" + more +
		       "[names]\nnodes = [\"192.0.2.2\", \"2001:db8:0:1::2\"]\n[edge]\n[cgroups]\n" +
		       cgroup_line("researcher", "researcher");
	}
	static std::string fed(GrpcNode &node) { return node.goes_on() ? "" : "the node is not fed: " + node.said(); }
};

TEST_F(ScenarioNative, NodeSpeaksToItsResearcherAndToNobodyElse)
{
	scenario("node-native");
	const Service researcher_service = grpc_researcher(researcher_spot(), lab().directory());
	const Service elsewhere = grpc_researcher(internet(), lab().directory());
	const Server more(researcher(), {50052, 443}, {50051});
	const Server others(intruder(), {50051}, {});
	const Server own(node_spot(), {50051, 9000}, {});
	const std::vector<Beside> beside{
		{"researcher-grpc", "TCP/50052 of the researcher", [] { return tcp(node_spot(), researcher4, 50052); }},
		{"researcher-grpc", "UDP/50051 of the researcher",
		 [] { return attempt(node_spot(), "udp4-sendto", researcher4, 50051); }},
		{"researcher-grpc", "TCP/443 of the researcher", [] { return tcp(node_spot(), researcher6, 443); }},
		{"researcher-grpc", "TCP/50051 of another host", [] { return tcp(node_spot(), internet4, 50051); }},
		{"researcher-grpc", "TCP/50051 of a neighbour", [] { return tcp(node_spot(), intruder4, 50051); }},
		{"researcher-grpc", "TCP/50051 in, from the researcher",
		 [] { return tcp(researcher(), node4, 50051); }},
		{"researcher-grpc", "TCP/50051 out, from the GUI", [] { return tcp(gui_spot(), researcher4, 50051); }},
	};
	expect_open(beside);
	EXPECT_EQ(grpc_exchange(node_spot(), lab().directory(), "203.0.113.7:50051"), "") << "without a policy";
	in_force(node(), node_site());
	GrpcNode living(node_spot(), "192.0.2.10:50051");
	allowed("researcher-grpc", "gRPC over TLS: probe, certificate, three channels, keep-alives", fed(living));
	allowed("researcher-grpc", "gRPC over TLS, IPv6",
		grpc_exchange(node_spot(), lab().directory(), "[2001:db8:0:1::10]:50051"));
	witnesses().quiet();
	expect_refused(beside);
	EXPECT_NE(grpc_exchange(node_spot(), lab().directory(), "203.0.113.7:50051", "1"), "");
	EXPECT_TRUE(living.goes_on()) << living.said();
}

TEST_F(ScenarioNative, GuiIsForTheHostsOwnUsers)
{
	scenario("node-native");
	const Service gui = node_gui(gui_spot(), 8484);
	const Server next(gui_spot(), {8485}, {8484});
	const std::vector<Beside> beside{
		{"node-gui", "TCP/8484 from a neighbour", [] { return tcp(intruder(), node4, 8484); }},
		{"node-gui", "TCP/8484 from the researcher", [] { return tcp(researcher(), node6, 8484); }},
		{"node-gui", "TCP/8485 from localhost (loopback = \"matrix\")",
		 [] { return tcp(user_of_the_node(), "127.0.0.1", 8485); }},
		{"node-gui", "UDP/8484 from localhost (loopback = \"matrix\")",
		 [] { return attempt(user_of_the_node(), "udp4-sendto", "127.0.0.1", 8484); }},
	};
	expect_open(beside);
	in_force(node(), node_site("loopback = \"matrix\"\n"));
	allowed("node-gui", "GUI by gunicorn and Flask, curl", fetch(user_of_the_node(), "http://127.0.0.1:8484/"));
	allowed("node-gui", "the same by IPv6", fetch(user_of_the_node(), "http://[::1]:8484/"));
	expect_refused(beside);
	EXPECT_TRUE(is_out_of_reach(intruder(), "http://192.0.2.2:8484/"));
}

TEST_F(ScenarioNative, GuiOpensNothing)
{
	scenario("node-native");
	const Service web = http_server(internet(), 80, lab().directory());
	const Service researcher_service = grpc_researcher(researcher_spot(), lab().directory());
	EXPECT_EQ(fetch(gui_spot(), "http://203.0.113.7/"), "") << "without a policy";
	in_force(node(), node_site());
	witnesses().quiet();
	EXPECT_TRUE(is_out_of_reach(gui_spot(), "http://203.0.113.7/"));
	EXPECT_NE(grpc_exchange(gui_spot(), lab().directory(), "192.0.2.10:50051", "1"), "");
	EXPECT_EQ(listed(witnesses().arrived()), "");
	refused("node-gui", "TCP/80 out, from the GUI");
}

TEST_F(ScenarioNative, ResearcherAnswersItsNodesAndNobodyElse)
{
	scenario("researcher-native");
	const Service researcher_service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher_spot(), {50052, 22}, {50051});
	const Server at_node(node_spot(), {50051}, {});
	const std::vector<Beside> beside{
		{"nodes-grpc", "TCP/50051 from a host that is no node",
		 [] { return tcp(intruder(), researcher4, 50051); }},
		{"nodes-grpc", "TCP/50052 from a node", [] { return tcp(node_spot(), researcher4, 50052); }},
		{"nodes-grpc", "TCP/22 from a node", [] { return tcp(node_spot(), researcher6, 22); }},
		{"nodes-grpc", "UDP/50051 from a node",
		 [] { return attempt(node_spot(), "udp4-sendto", researcher4, 50051); }},
		{"nodes-grpc", "TCP/50051 out, to a node", [] { return tcp(researcher_spot(), node4, 50051); }},
	};
	expect_open(beside);
	in_force(the_researcher(), researcher_site());
	GrpcNode living(node_spot(), "192.0.2.10:50051");
	allowed("nodes-grpc", "gRPC over TLS: probe, certificate, three channels, keep-alives", fed(living));
	allowed("nodes-grpc", "gRPC over TLS, IPv6",
		grpc_exchange(node_spot(), lab().directory(), "[2001:db8:0:1::10]:50051"));
	expect_refused(beside);
	EXPECT_NE(grpc_exchange(intruder(), lab().directory(), "192.0.2.10:50051", "1"), "");
	EXPECT_TRUE(living.goes_on()) << living.said();
}

TEST_F(ScenarioNative, JupyterIsForTheHostsOwnUsers)
{
	scenario("researcher-native");
	const Service notebook = jupyter(researcher_spot(), lab().directory());
	const Server next(researcher_spot(), {8889}, {8888});
	const std::vector<Beside> beside{
		{"jupyter", "TCP/8888 from a node", [] { return tcp(node_spot(), researcher4, 8888); }},
		{"jupyter", "TCP/8888 from a neighbour", [] { return tcp(intruder(), researcher4, 8888); }},
		{"jupyter", "TCP/8889 from localhost (loopback = \"matrix\")",
		 [] { return tcp(user_of_the_researcher(), "127.0.0.1", 8889); }},
		{"jupyter", "UDP/8888 from localhost (loopback = \"matrix\")",
		 [] { return attempt(user_of_the_researcher(), "udp4-sendto", "127.0.0.1", 8888); }},
	};
	expect_open(beside);
	in_force(the_researcher(), researcher_site());
	const std::vector<std::string> token{"--header", "Authorization: token secret"};
	std::vector<std::string> kernel = token;
	kernel.insert(kernel.end(), {"--json", R"({"name": "python3"})"});
	allowed("jupyter", "jupyter-notebook with a Python kernel, curl",
		fetch(user_of_the_researcher(), "http://127.0.0.1:8888/api/status", token) +
			fetch(user_of_the_researcher(), "http://127.0.0.1:8888/api/kernels", kernel));
	EXPECT_TRUE(is_out_of_reach(node_spot(), "http://192.0.2.10:8888/api/status"));
	in_force(the_researcher(), researcher_site("loopback = \"matrix\"\n"));
	EXPECT_EQ(fetch(user_of_the_researcher(), "http://127.0.0.1:8888/api/status", token), "");
	expect_refused(beside);
}

TEST_F(ScenarioNative, TensorboardIsForTheHostsOwnUsers)
{
	scenario("researcher-native");
	const Service board = http_server(researcher_spot(), 6006, lab().directory());
	const Server next(researcher_spot(), {6007}, {6006});
	const std::vector<Beside> beside{
		{"tensorboard", "TCP/6006 from a node", [] { return tcp(node_spot(), researcher4, 6006); }},
		{"tensorboard", "TCP/6006 from a neighbour", [] { return tcp(intruder(), researcher6, 6006); }},
		{"tensorboard", "TCP/6007 from localhost (loopback = \"matrix\")",
		 [] { return tcp(user_of_the_researcher(), "127.0.0.1", 6007); }},
		{"tensorboard", "UDP/6006 from localhost (loopback = \"matrix\")",
		 [] { return attempt(user_of_the_researcher(), "udp4-sendto", "127.0.0.1", 6006); }},
	};
	expect_open(beside);
	in_force(the_researcher(), researcher_site("loopback = \"matrix\"\n"));
	allowed("tensorboard", "an HTTP server in TensorBoard's place, curl",
		fetch(user_of_the_researcher(), "http://127.0.0.1:6006/"));
	expect_refused(beside);
}

TEST_F(ScenarioNative, StreamsGoOnThroughSwapsAndEndWithTheirRow)
{
	const Service researcher_service = grpc_researcher(researcher_spot(), lab().directory());
	in_force(node(), node_site());
	in_force(the_researcher(), researcher_site());
	GrpcNode living(node_spot(), "192.0.2.10:50051");
	ASSERT_TRUE(living.goes_on()) << living.said();
	for (int i = 0; i < rounds(20); ++i) {
		in_force(node(), node_site(i % 2 == 0 ? "loopback = \"matrix\"\n" : ""));
		in_force(the_researcher(), researcher_site());
	}
	EXPECT_TRUE(living.goes_on()) << living.said();
	EXPECT_EQ(living.said().find("broken"), std::string::npos) << living.said();
	// The researcher moves: its old address has no row any more.
	std::string moved = node_site();
	moved.replace(moved.find("\"192.0.2.10\", "), 14, "");
	in_force(node(), moved);
	EXPECT_NE(living.broken(), "") << "its owner gets an error and does not hang: " << living.said();
}

} // namespace
} // namespace weir::test
