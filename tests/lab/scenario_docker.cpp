// SPDX-License-Identifier: Apache-2.0
// "Running with Docker containers (without VPN)": a container of each component behind the bridge of its host, which
// masquerades what goes out, and publishes ports as Docker does: by address translation to the network, by a process of
// the host (docker-proxy) to localhost.
#include "tests/lab/scenario_test.h"

namespace weir::test {
namespace {

constexpr const char *gateway4 = "172.17.0.1";
constexpr const char *docker4 = "172.17.0.2";
constexpr const char *other4 = "172.17.0.3";

class ScenarioDocker : public LabTestOfScenario {
protected:
	/// A bridge on a host, a component's container behind it, and another one beside that.
	struct Site {
		Fd component = new_netns();
		Fd other = new_netns();
	};

	static void SetUpTestSuite()
	{
		LabTestOfScenario::SetUpTestSuite();
		at_node_ = std::make_unique<Site>();
		at_researcher_ = std::make_unique<Site>();
		has_nat_ = build(lab().node(), *at_node_, 8484) && build(lab().researcher(), *at_researcher_, 50051);
	}
	static void TearDownTestSuite()
	{
		at_node_.reset();
		at_researcher_.reset();
		LabTestOfScenario::TearDownTestSuite();
	}
	void SetUp() override
	{
		if (!has_nat_)
			GTEST_SKIP() << "this kernel has no address translation by nft";
	}

	/// `published`: the port that is translated, from any address of the host.
	static bool build(int host, const Site &site, std::uint16_t published)
	{
		shell(host, "ip link add docker0 type bridge && ip address add 172.17.0.1/16 dev docker0"
			    " && ip link set docker0 up && echo 1 > /proc/sys/net/ipv4/ip_forward");
		join(host, "vc0", site.component, docker4);
		join(host, "vc1", site.other, other4);
		const std::string port = std::to_string(published);
		return execute({"nft", "-f", "-"},
			       "table ip nat {\n chain pre { type nat hook prerouting priority -100;\n"
			       "  iifname \"eth0\" tcp dport " +
				       port + " dnat to 172.17.0.2:" + port +
				       "\n }\n"
				       " chain post { type nat hook postrouting priority 100;\n"
				       "  ip saddr 172.17.0.0/16 oifname \"eth0\" masquerade\n }\n}\n",
			       {host, ""})
			       .status == 0;
	}
	static void join(int host, const std::string &port, const Fd &container, const std::string &address)
	{
		shell(host, "ip link add " + port + " type veth peer name eth0 netns /proc/" +
				    std::to_string(::getpid()) + "/fd/" + std::to_string(container.get()) +
				    " && ip link set " + port + " master docker0 up");
		shell(container.get(),
		      "ip link set lo up && ip address add " + address +
			      "/16 dev eth0 && ip link set eth0 up && ip route add default via 172.17.0.1");
	}

	static Spot node_spot() { return {at_node_->component.get(), lab().cgroup("node")}; }
	static Spot beside_the_node() { return {at_node_->other.get(), lab().cgroup("outside")}; }
	static Spot researcher_spot() { return {at_researcher_->component.get(), lab().cgroup("researcher")}; }
	static Spot beside_the_researcher() { return {at_researcher_->other.get(), lab().cgroup("outside")}; }
	static Spot host_of_the_researcher() { return {lab().researcher(), lab().cgroup("outside")}; }

	void hold_node()
	{
		in_force(node(), std::string("scenario = \"node-docker\"\noptional = [\"node-gui\"]\n[names]\n"
					     "\"researcher container\" = \"192.0.2.10\"\n\"localhost (host)\" = \"") +
					 gateway4 + "\"\n[edge]\n[cgroups]\n" +
					 cgroup_line("\"node container\"", "node"));
	}
	void hold_researcher()
	{
		in_force(the_researcher(),
			 std::string("scenario = \"researcher-docker\"\noptional = [\"jupyter\", \"tensorboard\"]\n"
				     "[names]\n\"node containers\" = \"192.0.2.2\"\n\"localhost (host)\" = \"") +
				 gateway4 + "\"\n[edge]\n[cgroups]\n" +
				 cgroup_line("\"researcher container\"", "researcher"));
	}
	static std::string fed(GrpcNode &node) { return node.goes_on() ? "" : "the node is not fed: " + node.said(); }

private:
	static inline std::unique_ptr<Site> at_node_;
	static inline std::unique_ptr<Site> at_researcher_;
	static inline bool has_nat_ = false;
};

TEST_F(ScenarioDocker, NodeContainerSpeaksToItsResearcherAndToNobodyElse)
{
	scenario("node-docker");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher(), {50052}, {50051});
	const Server others(internet(), {50051, 443}, {});
	const Server neighbour(beside_the_node(), {50051}, {});
	const std::vector<Beside> beside{
		{"researcher-grpc", "TCP/50052 of the researcher", [] { return tcp(node_spot(), researcher4, 50052); }},
		{"researcher-grpc", "UDP/50051 of the researcher",
		 [] { return attempt(node_spot(), "udp4-sendto", researcher4, 50051); }},
		{"researcher-grpc", "TCP/50051 of another host", [] { return tcp(node_spot(), internet4, 50051); }},
		{"researcher-grpc", "TCP/443 of the Internet, by the container's default route",
		 [] { return tcp(node_spot(), internet4, 443); }},
		{"researcher-grpc", "TCP/443 of the Internet, from a container that is no component",
		 [] { return tcp(beside_the_node(), internet4, 443); }},
		{"researcher-grpc", "TCP/50051 of another container", [] { return tcp(node_spot(), other4, 50051); }},
	};
	expect_open(beside);
	hold_node();
	GrpcNode living(node_spot(), "192.0.2.10:50051");
	allowed("researcher-grpc", "gRPC over TLS, out of a container and masqueraded", fed(living));
	expect_refused(beside);
	EXPECT_TRUE(living.goes_on()) << living.said();
}

TEST_F(ScenarioDocker, GuiIsForTheUsersOfTheContainersHost)
{
	scenario("node-docker");
	const Service gui = node_gui(node_spot(), 8484);
	const Service proxy = forward(lab().beside_node(), 8484, docker4, 8484); // on every address, as -p 8484:8484
	const Server next(node_spot(), {8485}, {});
	shell(lab().intruder(), std::string("ip route add 172.17.0.0/16 via ") + node4);
	const std::vector<Beside> beside{
		{"node-gui", "TCP/8484 from a neighbour, published", [] { return tcp(intruder(), node4, 8484); }},
		{"node-gui", "TCP/8484 from a neighbour, to the container's address",
		 [] { return tcp(intruder(), docker4, 8484); }},
		{"node-gui", "TCP/8484 from another container", [] { return tcp(beside_the_node(), docker4, 8484); }},
		{"node-gui", "TCP/8485 from the host", [] { return tcp(lab().beside_node(), docker4, 8485); }},
	};
	expect_open(beside);
	hold_node();
	allowed("node-gui", "GUI by gunicorn and Flask, published to the host as docker-proxy does (socat), curl",
		fetch(lab().beside_node(), "http://127.0.0.1:8484/"));
	expect_refused(beside);
	shell(lab().intruder(), "ip route del 172.17.0.0/16");
}

TEST_F(ScenarioDocker, ResearcherContainerAnswersItsNodes)
{
	scenario("researcher-docker");
	const Service service = grpc_researcher(researcher_spot(), lab().directory());
	const Server more(researcher(), {50052}, {});
	const Server at_node(lab().beside_node(), {50051}, {});
	const std::vector<Beside> beside{
		{"nodes-grpc", "TCP/50051 from a host that is no node",
		 [] { return tcp(intruder(), researcher4, 50051); }},
		{"nodes-grpc", "TCP/50052 from a node", [] { return tcp(node_spot(), researcher4, 50052); }},
		{"nodes-grpc", "TCP/50051 from another container of the host",
		 [] { return tcp(beside_the_researcher(), docker4, 50051); }},
		{"nodes-grpc", "TCP/50051 out, to a node's host", [] { return tcp(researcher_spot(), node4, 50051); }},
	};
	expect_open(beside);
	hold_researcher();
	GrpcNode living(node_spot(), "192.0.2.10:50051");
	allowed("nodes-grpc", "gRPC over TLS, published by address translation", fed(living));
	expect_refused(beside);
	EXPECT_TRUE(living.goes_on()) << living.said();
}

TEST_F(ScenarioDocker, NotebooksAreForTheUsersOfTheContainersHost)
{
	scenario("researcher-docker");
	const Service notebook = jupyter(researcher_spot(), lab().directory());
	const Service board = http_server(researcher_spot(), 6006, lab().directory(), "", "127.0.0.1");
	const Service inside = forward(researcher_spot(), 6007, "127.0.0.1", 6006); // as the container does itself
	const Service proxy = forward(host_of_the_researcher(), 8888, docker4, 8888);
	const Service second = forward(host_of_the_researcher(), 6007, docker4, 6007);
	const Server next(researcher_spot(), {8889, 6008}, {});
	const std::vector<Beside> beside{
		{"jupyter", "TCP/8888 from a node, published",
		 [] { return tcp(lab().beside_node(), researcher4, 8888); }},
		{"jupyter", "TCP/8888 from another container",
		 [] { return tcp(beside_the_researcher(), docker4, 8888); }},
		{"jupyter", "TCP/8889 from the host", [] { return tcp(host_of_the_researcher(), docker4, 8889); }},
		{"tensorboard", "TCP/6007 from a neighbour, published",
		 [] { return tcp(intruder(), researcher4, 6007); }},
		{"tensorboard", "TCP/6007 from another container",
		 [] { return tcp(beside_the_researcher(), docker4, 6007); }},
		{"tensorboard", "TCP/6008 from the host", [] { return tcp(host_of_the_researcher(), docker4, 6008); }},
	};
	expect_open(beside);
	hold_researcher();
	allowed("jupyter", "jupyter-notebook, published as docker-proxy does (socat), curl",
		fetch(host_of_the_researcher(), "http://127.0.0.1:8888/api/status",
		      {"--header", "Authorization: token secret"}));
	allowed("tensorboard", "an HTTP server in TensorBoard's place behind socat in the container, curl",
		fetch(host_of_the_researcher(), "http://127.0.0.1:6007/"));
	expect_refused(beside);
}

// The page's rows with VPN and containers say localhost; a container that is published sees its bridge's gateway.
TEST_F(ScenarioDocker, ContainersWithVpnPublishToTheirHostsOwnUsers)
{
	const Service gui = node_gui(node_spot(), 8443, lab().directory());
	const Service proxy = forward(lab().beside_node(), 8443, docker4, 8443);
	const Service notebook = jupyter(researcher_spot(), lab().directory());
	const Service board = http_server(researcher_spot(), 6006, lab().directory());
	const Service second = forward(host_of_the_researcher(), 8888, docker4, 8888);
	const Service third = forward(host_of_the_researcher(), 6006, docker4, 6006);
	const Server next(node_spot(), {8444}, {});
	const Server after(researcher_spot(), {8889, 6007}, {});
	const std::vector<Beside> of_the_node{
		{"node-gui-published", "TCP/8443 from a neighbour, published",
		 [] { return tcp(intruder(), node4, 8443); }},
		{"node-gui-published", "TCP/8443 from another container",
		 [] { return tcp(beside_the_node(), docker4, 8443); }},
		{"node-gui-published", "TCP/8444 from the host",
		 [] { return tcp(lab().beside_node(), docker4, 8444); }},
	};
	const std::vector<Beside> of_the_researcher{
		{"jupyter-published", "TCP/8888 from a neighbour, published",
		 [] { return tcp(intruder(), researcher4, 8888); }},
		{"jupyter-published", "TCP/8888 from another container",
		 [] { return tcp(beside_the_researcher(), docker4, 8888); }},
		{"jupyter-published", "TCP/8889 from the host",
		 [] { return tcp(host_of_the_researcher(), docker4, 8889); }},
		{"tensorboard-published", "TCP/6006 from a neighbour, published",
		 [] { return tcp(intruder(), researcher4, 6006); }},
		{"tensorboard-published", "TCP/6006 from another container",
		 [] { return tcp(beside_the_researcher(), docker4, 6006); }},
		{"tensorboard-published", "TCP/6007 from the host",
		 [] { return tcp(host_of_the_researcher(), docker4, 6007); }},
	};
	expect_open(of_the_node);
	expect_open(of_the_researcher);
	const std::string names = std::string("vpnserver = \"192.0.2.1\"\n\"localhost (host)\" = \"") + gateway4 +
				  "\"\n";
	in_force(node(), "scenario = \"node-vpn\"\noptional = [\"node-gui-published\"]\n[names]\n" + names +
				 "researcher = \"10.222.0.2\"\n[users]\nnode = 1001\n[edge]\n[cgroups]\n" +
				 cgroup_line("node", "node") + cgroup_line("gui", "node"));
	in_force(the_researcher(), "scenario = \"researcher-vpn\"\noptional = [\"jupyter-published\", "
				   "\"tensorboard-published\"]\n[names]\n" +
					   names + "nodes = \"10.221.0.2\"\n[edge]\n[cgroups]\n" +
					   cgroup_line("researcher", "researcher"));
	scenario("node-vpn");
	allowed("node-gui-published", "GUI by gunicorn and Flask over TLS, published (socat), curl",
		fetch(lab().beside_node(), "https://127.0.0.1:8443/"));
	expect_refused(of_the_node);
	scenario("researcher-vpn");
	allowed("jupyter-published", "jupyter-notebook, published (socat), curl",
		fetch(host_of_the_researcher(), "http://127.0.0.1:8888/api/status",
		      {"--header", "Authorization: token secret"}));
	allowed("tensorboard-published", "an HTTP server in TensorBoard's place, published (socat), curl",
		fetch(host_of_the_researcher(), "http://127.0.0.1:6006/"));
	expect_refused(of_the_researcher);
}

} // namespace
} // namespace weir::test
