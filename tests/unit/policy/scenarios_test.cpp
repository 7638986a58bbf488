// SPDX-License-Identifier: Apache-2.0
// The policies that ship with weir: what a site of each scenario is held to.
#include "bad_file.h"
#include "policy/policy.h"
#include "policy/windows.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace weir::policy {
namespace {

using testing::ElementsAre;

class Scenario : public testing::Test {
protected:
	void SetUp() override
	{
		std::string name = testing::TempDir() + "weir-scenario-XXXXXX";
		ASSERT_NE(::mkdtemp(name.data()), nullptr);
		directory_ = name;
	}
	void TearDown() override { std::filesystem::remove_all(directory_); }

	[[nodiscard]] Result<BoundPolicy> loaded(const std::string &site) const
	{
		std::ofstream(directory_ + "/site.toml") << "format = 1\n" << site;
		return load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies");
	}

	std::string directory_;
};

/// "ID SCOPE dir PORT PEERS ZONES uid" of the rows that don't ship with weir.
std::vector<std::string> told(const std::vector<BoundRow> &rows)
{
	std::vector<std::string> out;
	for (const BoundRow &bound : rows) {
		if (bound.kernel_only)
			continue;
		std::string line = bound.row.id + ' ' + std::to_string(bound.scope) +
				   (bound.row.dir == Direction::out ? " out " : " in ") + bound.row.port.text();
		for (const Prefix &peer : bound.peers)
			line += ' ' + peer.text();
		line += (bound.zones & zone_loopback) != 0 ? " loopback" : "";
		line += (bound.zones & zone_network) != 0 ? " network" : "";
		line += (bound.zones & zone_tunnel) != 0 ? " tunnel" : "";
		out.push_back(line + (bound.user ? " uid=" + std::to_string(*bound.user) : ""));
	}
	return out;
}

std::vector<std::string> told(const Result<BoundPolicy> &policy)
{
	return policy ? told(policy->rows) : std::vector{policy.error().message};
}

TEST_F(Scenario, NodeVpn)
{
	const std::string site = R"x(scenario = "node-vpn"
[names]
researcher = "10.222.0.2"
vpnserver = "192.0.2.20"
[users]
node = 1001
[containers]
node = "fedbiomed-vpn-node-*"
[edge]
)x";
	const auto policy = loaded(site);
	EXPECT_THAT(told(policy), ElementsAre("node-wireguard 0 out UDP/51820 192.0.2.20 network uid=0",
					      "researcher-grpc 0 out TCP/50051 10.222.0.2 tunnel uid=1001",
					      "node-wireguard@edge 1 out UDP/51820 192.0.2.20 network",
					      "researcher-grpc@edge 1 out TCP/50051 10.222.0.2 tunnel"));
	EXPECT_EQ(policy->scopes[0].cgroup, "container:fedbiomed-vpn-node-*");
	EXPECT_TRUE(policy->rows[2].row.user.empty()); // the edge does not know whose a packet is
	std::string text = site;
	EXPECT_NE(message_of(loaded(text.replace(text.find("[edge]"), 6, ""))).find("needs [edge]"), std::string::npos);
	text = site;
	EXPECT_NE(message_of(loaded(text.replace(text.find("[users]\nnode = 1001"), 19, "")))
			  .find("row \"researcher-grpc\": the user \"node\" is not bound"),
		  std::string::npos);
}

TEST_F(Scenario, ResearcherVpn)
{
	EXPECT_THAT(told(loaded(R"x(scenario = "researcher-vpn"
optional = ["jupyter", "tensorboard-published"]
[names]
nodes = "10.221.0.0/16"
vpnserver = "192.0.2.20"
"localhost (host)" = "172.18.0.1"
[cgroups]
researcher = "/c/r"
[edge]
)x")),
		    ElementsAre("researcher-wireguard 0 out UDP/51820 192.0.2.20 network uid=0",
				"jupyter 0 in TCP/8888 ::/0 0.0.0.0/0 loopback",
				"nodes-grpc 0 in TCP/50051 10.221.0.0/16 tunnel",
				"tensorboard-published 0 in TCP/6006 172.18.0.1 network",
				"researcher-wireguard@edge 1 out UDP/51820 192.0.2.20 network",
				"nodes-grpc@edge 1 in TCP/50051 10.221.0.0/16 tunnel",
				"tensorboard-published@edge 1 in TCP/6006 172.18.0.1 network"));
}

TEST_F(Scenario, VpnServer)
{
	const std::string site = R"x(scenario = "vpnserver"
[names]
"node hosts" = "0.0.0.0/0"
"researcher hosts" = "192.0.2.10"
)x";
	EXPECT_THAT(told(loaded(site + "[units]\nvpnserver = \"wg.service\"\n")),
		    ElementsAre("researchers-wireguard 0 in UDP/51820 192.0.2.10 network",
				"nodes-wireguard 0 in UDP/51820 0.0.0.0/0 network"));
	EXPECT_THAT(told(loaded("optional = [\"forwarded-in\", \"forwarded-out\"]\n" + site +
				"nodes = \"10.221.0.0/16\"\nresearcher = \"10.222.0.2\"\n[edge]\n")),
		    ElementsAre("researchers-wireguard 0 in UDP/51820 192.0.2.10 network",
				"nodes-wireguard 0 in UDP/51820 0.0.0.0/0 network",
				"forwarded-in 0 in TCP/50051 10.221.0.0/16 tunnel",
				"forwarded-out 0 out TCP/50051 10.222.0.2 tunnel"));
}

TEST_F(Scenario, Docker)
{
	EXPECT_THAT(told(loaded(R"x(scenario = "node-docker"
optional = ["node-gui"]
[names]
"researcher container" = "172.18.0.4"
"localhost (host)" = "172.18.0.1"
[containers]
"node container" = "fedbiomed-node"
)x")),
		    ElementsAre("researcher-grpc 0 out TCP/50051 172.18.0.4 network",
				"node-gui 0 in TCP/8484 172.18.0.1 network"));
	EXPECT_THAT(told(loaded(R"x(scenario = "researcher-docker"
optional = ["jupyter", "tensorboard"]
[names]
"node containers" = "172.18.0.0/16"
"localhost (host)" = "172.18.0.1"
[containers]
"researcher container" = "fedbiomed-researcher"
)x")),
		    ElementsAre("nodes-grpc 0 in TCP/50051 172.18.0.0/16 network",
				"jupyter 0 in TCP/8888 172.18.0.1 network",
				"tensorboard 0 in TCP/6007 172.18.0.1 network"));
}

TEST_F(Scenario, SeveralOnOneHost)
{
	const auto policy = loaded(R"x(scenarios = ["node-vpn", "researcher-vpn", "vpnserver"]
optional = ["node-gui"]
[names]
researcher = "10.222.0.2"
nodes = "10.221.0.0/16"
vpnserver = "192.0.2.20"
"node hosts" = "192.0.2.0/24"
"researcher hosts" = "192.0.2.20"
[users]
node = 1001
[cgroups]
node = "/c/n"
gui = "/c/g"
researcher = "/c/r"
[units]
vpnserver = "wg.service"
[edge]
)x");
	EXPECT_EQ(policy.value().scenario, "node-vpn+researcher-vpn+vpnserver");
	EXPECT_EQ(policy->title,
		  "Running with VPN/containers; Running with VPN/containers; Running with VPN/containers");
	EXPECT_THAT(told(policy), ElementsAre("node-wireguard 0 out UDP/51820 192.0.2.20 network uid=0",
					      "node-gui 1 in TCP/8443 ::/0 0.0.0.0/0 loopback",
					      "researcher-grpc 0 out TCP/50051 10.222.0.2 tunnel uid=1001",
					      "researcher-wireguard 2 out UDP/51820 192.0.2.20 network uid=0",
					      "nodes-grpc 2 in TCP/50051 10.221.0.0/16 tunnel",
					      "researchers-wireguard 3 in UDP/51820 192.0.2.20 network",
					      "nodes-wireguard 3 in UDP/51820 192.0.2.0/24 network",
					      "node-wireguard@edge 4 out UDP/51820 192.0.2.20 network",
					      "researcher-grpc@edge 4 out TCP/50051 10.222.0.2 tunnel",
					      "nodes-grpc@edge 4 in TCP/50051 10.221.0.0/16 tunnel",
					      "researchers-wireguard@edge 4 in UDP/51820 192.0.2.20 network",
					      "nodes-wireguard@edge 4 in UDP/51820 192.0.2.0/24 network"));
}

const std::string with_windows = R"x(scenario = "node-native"
optional = ["node-gui"]
[names]
researcher = "192.0.2.10"
other = "192.0.2.11"
[cgroups]
node = "/c/n"
gui = "/c/g"
[windows.installation]
components = ["node"]
longest = "4h"
[windows.key-negotiation]
components = ["node"]
peers = ["researcher", "other"]
longest = "10m"
)x";

TEST_F(Scenario, AWindowIsNotOpenUntilItIsOpened)
{
	const auto policy = loaded(with_windows);
	EXPECT_THAT(told(policy), ElementsAre("researcher-grpc 0 out TCP/50051 192.0.2.10 network",
					      "node-gui 1 in TCP/8484 ::/0 0.0.0.0/0 loopback"));
	ASSERT_EQ(policy->windows.size(), 2u);
	EXPECT_EQ(policy->windows[0].longest, 4u * 3600);
	EXPECT_THAT(told(policy->windows[0].rows),
		    ElementsAre("install-http@node 0 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-https@node 0 out TCP/443 ::/0 0.0.0.0/0 network"));
	EXPECT_EQ(policy->windows[0].rows[0].row.source, "node");
}

// Both ways, with each party and with nobody else.
TEST_F(Scenario, KeyNegotiationIsSymmetricAndWithItsPartiesOnly)
{
	const auto policy = loaded(with_windows);
	EXPECT_THAT(told(policy.value().windows[1].rows),
		    ElementsAre("negotiate-out:researcher@node 0 out TCP/14000-14999 192.0.2.10 network",
				"negotiate-out:other@node 0 out TCP/14000-14999 192.0.2.11 network",
				"negotiate-in:researcher@node 0 in TCP/14000-14999 192.0.2.10 network",
				"negotiate-in:other@node 0 in TCP/14000-14999 192.0.2.11 network"));
	EXPECT_EQ(policy->windows[1].rows[0].row.destination, "researcher");
	EXPECT_EQ(policy->windows[1].rows[3].row.source, "other");
	EXPECT_EQ(policy->windows[1].rows[3].row.destination, "node");
	const auto open = open_window(*policy, {"key-negotiation", 60, "a", "b", false, 1, 1});
	ASSERT_TRUE(open) << open.error().message;
	EXPECT_TRUE(std::ranges::none_of(
		open->rows, [](const BoundRow &row) { return !row.window.empty() && row.row.peer() == "Internet"; }));
}

TEST_F(Scenario, AWindowOfAllComponentsAndTheEdge)
{
	std::string site = with_windows + "[edge]\n";
	const std::string only = "components = [\"node\"]\n";
	site.erase(site.find(only), only.size());
	const auto policy = loaded(site);
	EXPECT_THAT(told(policy.value().windows[0].rows),
		    ElementsAre("install-http@node 0 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-http@gui 1 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-http@edge 2 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-https@node 0 out TCP/443 ::/0 0.0.0.0/0 network",
				"install-https@gui 1 out TCP/443 ::/0 0.0.0.0/0 network",
				"install-https@edge 2 out TCP/443 ::/0 0.0.0.0/0 network"));
	EXPECT_THAT(told(policy->windows[1].rows),
		    ElementsAre("negotiate-out:researcher@node 0 out TCP/14000-14999 192.0.2.10 network",
				"negotiate-out:researcher@edge 2 out TCP/14000-14999 192.0.2.10 network",
				"negotiate-out:other@node 0 out TCP/14000-14999 192.0.2.11 network",
				"negotiate-out:other@edge 2 out TCP/14000-14999 192.0.2.11 network",
				"negotiate-in:researcher@node 0 in TCP/14000-14999 192.0.2.10 network",
				"negotiate-in:researcher@edge 2 in TCP/14000-14999 192.0.2.10 network",
				"negotiate-in:other@node 0 in TCP/14000-14999 192.0.2.11 network",
				"negotiate-in:other@edge 2 in TCP/14000-14999 192.0.2.11 network"));
}

// Who shares a cgroup can't be told apart: one row for both.
TEST_F(Scenario, AWindowOfASharedCgroupAndOfTheEdgeAlone)
{
	std::string site = with_windows;
	site.replace(site.find("/c/g"), 4, "/c/n");
	site.erase(site.find("components = [\"node\"]\n"), 22);
	EXPECT_THAT(told(loaded(site).value().windows[0].rows),
		    ElementsAre("install-http@gui 0 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-https@gui 0 out TCP/443 ::/0 0.0.0.0/0 network"));
	EXPECT_THAT(told(loaded("scenario = \"node-native\"\n[names]\nresearcher = \"192.0.2.10\"\n[edge]\n"
				"[windows.installation]\nlongest = \"1h\"\n")
				 .value()
				 .windows[0]
				 .rows),
		    ElementsAre("install-http@edge 0 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-https@edge 0 out TCP/443 ::/0 0.0.0.0/0 network"));
}

TEST_F(Scenario, AComponentMayHaveNothingButAWindow)
{
	std::string site = with_windows;
	site.erase(site.find("optional = [\"node-gui\"]\n"), 24);
	site.replace(site.find("[\"node\"]"), 8, "[\"gui\"]");
	const auto policy = loaded(site);
	EXPECT_THAT(told(policy), ElementsAre("researcher-grpc 0 out TCP/50051 192.0.2.10 network"));
	EXPECT_THAT(told(policy->windows[0].rows),
		    ElementsAre("install-http@gui 1 out TCP/80 ::/0 0.0.0.0/0 network",
				"install-https@gui 1 out TCP/443 ::/0 0.0.0.0/0 network"));
}

TEST_F(Scenario, AWindowThroughAProxy)
{
	std::string site = with_windows;
	site.replace(site.find("longest = \"4h\""), 14, "longest = \"4h\"\nthrough = \"http-proxy\"");
	site.replace(site.find("[cgroups]"), 9, "http-proxies = \"192.0.2.99\"\n[cgroups]");
	const auto policy = loaded(site);
	EXPECT_THAT(told(policy.value().windows[0].rows),
		    ElementsAre("installation-http-proxy@node 0 out TCP/3128 192.0.2.99 network"));
	EXPECT_EQ(policy->windows[0].rows[0].row.source, "node");
	EXPECT_EQ(policy->rows.size(), 2u + 20u); // nothing of it is in force
	// With an edge the host's own row is on there.
	const auto edge = loaded(site + "[edge]\n");
	EXPECT_THAT(told(edge.value().windows[0].rows),
		    ElementsAre("installation-http-proxy@node 0 out TCP/3128 192.0.2.99 network"));
	EXPECT_EQ(told(edge).back(), "http-proxy 2 out TCP/3128 192.0.2.99 network");
}

TEST_F(Scenario, APeerThatDnsNames)
{
	std::string site = with_windows;
	site.replace(site.find("\"192.0.2.10\""), 12, "{ host = \"r.example.org\", within = [\"192.0.2.0/24\"] }");
	const std::string unresolved = message_of(loaded(site));
	EXPECT_NE(unresolved.find("row \"researcher-grpc\": \"r.example.org\" has no address: it was not looked up"),
		  std::string::npos)
		<< unresolved;
	std::ofstream(directory_ + "/site.toml") << "format = 1\n" << site;
	const auto with = [&](const char *address) {
		return load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies", [&](Site &read) -> Result<> {
			EXPECT_EQ(read.hosts.at("researcher").host, "r.example.org");
			read.hosts.at("researcher").addresses = {*Prefix::parse(address)};
			return {};
		});
	};
	const auto policy = with("192.0.2.7");
	EXPECT_EQ(told(policy)[0], "researcher-grpc 0 out TCP/50051 192.0.2.7 network");
	EXPECT_EQ(told(policy->windows[1].rows)[0],
		  "negotiate-out:researcher@node 0 out TCP/14000-14999 192.0.2.7 network");
	EXPECT_EQ(policy->hosts.at("researcher").host, "r.example.org");
	EXPECT_NE(message_of(with("198.51.100.1")).find("\"r.example.org\": 198.51.100.1 is outside 192.0.2.0/24"),
		  std::string::npos);
	const auto failed = load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies",
				 [](Site &) -> Result<> { return fail("nobody answers"); });
	EXPECT_EQ(failed.error().message, "nobody answers");
}

TEST_F(Scenario, WithoutDnsNamesNobodyIsAsked)
{
	std::ofstream(directory_ + "/site.toml") << "format = 1\n" << with_windows;
	EXPECT_TRUE(load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies", [](Site &) -> Result<> {
		ADD_FAILURE();
		return {};
	}));
}

TEST_F(Scenario, AResolverThatTheEdgeWouldRefuse)
{
	const auto with = [&](const std::string &resolver, const std::string &names, const std::string &edge) {
		std::ofstream(directory_ + "/site.toml")
			<< "format = 1\nscenario = \"node-native\"\nresolvers = [\"" << resolver
			<< "\"]\n[names]\nresearcher = { host = \"r.example\", within = \"192.0.2.0/24\" }\n"
			<< names << "[cgroups]\nnode = \"/c/n\"\n"
			<< edge;
		return message_of(
			load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies", [](Site &site) -> Result<> {
				site.hosts.at("researcher").addresses = {*Prefix::parse("192.0.2.7")};
				return {};
			}));
	};
	const std::string dns = "dns-servers = \"192.0.2.53\"\n";
	EXPECT_EQ(with("192.0.2.53", "", "[edge]\n"),
		  directory_ + "/site.toml:3:14: error: no row at the edge lets this host ask \"192.0.2.53\"\n"
			       "    3 | resolvers = [\"192.0.2.53\"]\n      |              ^\n"
			       "  add to [names]: dns-servers = \"192.0.2.53\"");
	EXPECT_EQ(with("192.0.2.53", dns, "[edge]\n"), "no error");
	EXPECT_NE(with("192.0.2.53:5353", dns, "[edge]\n"), "no error");
	EXPECT_NE(with("192.0.2.54", dns, "[edge]\n"), "no error");
	EXPECT_EQ(with("127.0.0.53", "", "[edge]\n"), "no error");
	EXPECT_EQ(with("192.0.2.53", "", ""), "no error"); // without an edge weir itself is held to nothing
}

// Two names with one address today, another one tomorrow: the edge keeps a row for each.
TEST_F(Scenario, TheEdgeKeepsRowsOfNamesApart)
{
	const std::string matrix = "format = 1\nscenario = \"two\"\ntitle = \"T\"\ncomponent = \"node\"\n";
	const auto row = [](const std::string &id, const std::string &component, const std::string &peer) {
		return "[[row]]\nid = \"" + id + "\"\ndir = \"out\"\nsource = \"" + component + "\"\ndestination = \"" +
		       peer + "\"\nport = \"TCP/1\"\nservice = \"x\"\ntype = \"host\"\nstatus = \"mandatory\"\n";
	};
	std::ofstream(directory_ + "/two.toml") << matrix << row("a", "node", "r") << row("b", "gui", "q");
	std::ofstream(directory_ + "/site.toml")
		<< "format = 1\nscenario = \"two\"\n[names]\nr = { host = \"r.example\", within = \"192.0.2.0/24\" }\n"
		   "q = { host = \"q.example\", within = \"192.0.2.0/24\" }\n[cgroups]\nnode = \"/c/n\"\ngui = "
		   "\"/c/g\"\n[edge]\n";
	const auto policy = load(directory_ + "/site.toml", WEIR_SOURCE_DIR "/policies", [](Site &site) -> Result<> {
		for (auto &[name, host] : site.hosts)
			host.addresses = {*Prefix::parse("192.0.2.7")};
		return {};
	});
	EXPECT_THAT(told(policy),
		    ElementsAre("a 0 out TCP/1 192.0.2.7 network", "b 1 out TCP/1 192.0.2.7 network",
				"a@edge 2 out TCP/1 192.0.2.7 network", "b@edge 2 out TCP/1 192.0.2.7 network"));
}

struct Wrong {
	std::string_view name, from, to, message;
};

void PrintTo(const Wrong &wrong, std::ostream *out)
{
	*out << wrong.name;
}

class WrongSite : public Scenario, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongSite, IsTold)
{
	std::string site = with_windows;
	const std::size_t at = site.find(GetParam().from);
	ASSERT_NE(at, std::string::npos);
	const std::string message = message_of(loaded(site.replace(at, GetParam().from.size(), GetParam().to)));
	EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

constexpr Wrong wrongs[] = {
	{"no_such_scenario", "[windows.installation]", "[windows.instalation]",
	 ":10:10: error: there is no matrix \"instalation\"\n   10 | [windows.instalation]\n      |          ^\n"
	 "  did you mean \"installation\"?"},
	{"second_scenario_missing", "scenario = \"node-native\"", "scenarios = [\"node-native\", \"node-vnp\"]",
	 ":2:29: error: there is no matrix \"node-vnp\""},
	{"component_unknown", "components = [\"node\"]", "components = [\"researcher\"]",
	 ":11:15: error: component \"researcher\" is not on this host\n"},
	{"component_mistyped", "components = [\"node\"]", "components = [\"nod\"]",
	 ":11:15: error: component \"nod\" is not on this host\n   11 | components = [\"nod\"]\n      |               "
	 "^\n"
	 "  did you mean \"node\"?"},
	{"user_unused", "[cgroups]", "[users]\nroot = 0\n[cgroups]", ":8:1: error: no row has the user \"root\"\n"},
	{"dns_name_unused", "[cgroups]", "q = { host = \"q.example\", within = \"192.0.2.1\" }\n[cgroups]",
	 ":7:1: error: no row has the peer \"q\"\n"},
	{"unit_unused", "[windows.installation]", "[units]\nx = \"x.service\"\n[windows.installation]",
	 ":11:1: error: no row that is on is of component \"x\"\n   11 | x = \"x.service\"\n      | ^\n"
	 "  take it out of [units]"},
	{"through_unknown", "longest = \"4h\"", "longest = \"4h\"\nthrough = \"http-prox\"",
	 ":13:11: error: there is no host service \"http-prox\"\n   13 | through = \"http-prox\"\n      |           ^\n"
	 "  did you mean \"http-proxy\"?"},
	{"through_not_bound", "longest = \"4h\"", "longest = \"4h\"\nthrough = \"http-proxy\"",
	 ":13:11: error: host service \"http-proxy\" is off: \"http-proxies\" is not bound\n"},
	{"through_what_leads_in", "[cgroups]\nnode = \"/c/n\"\ngui = \"/c/g\"\n[windows.installation]\n",
	 "admins = \"192.0.2.99\"\n[cgroups]\nnode = \"/c/n\"\ngui = \"/c/g\"\n[windows.installation]\nthrough = "
	 "\"ssh\"\n",
	 ":12:11: error: host service \"ssh\" leads in, not out\n"},
	{"peers_of_the_installation", "longest = \"4h\"", "longest = \"4h\"\npeers = [\"researcher\"]",
	 ":13:9: error: no row of \"installation\" has a peer that a site could name\n"},
	{"same_ids", "scenario = \"node-native\"", "scenarios = [\"node-native\", \"node-docker\"]",
	 "node-docker.toml:11:6: error: row \"researcher-grpc\": a row of \"node-native\" has this id, too\n"},
	{"optional_of_nobody", "[\"node-gui\"]", "[\"node-gui\", \"install-htp\"]",
	 ":3:25: error: the matrix has no row \"install-htp\"\n"},
};

INSTANTIATE_TEST_SUITE_P(, WrongSite, testing::ValuesIn(wrongs),
			 [](const auto &wrong) { return std::string(wrong.param.name); });

class Negotiation : public Scenario {
protected:
	[[nodiscard]] std::string with(std::string_view from, std::string_view to) const
	{
		std::ifstream file(WEIR_SOURCE_DIR "/policies/key-negotiation.toml");
		std::string text{std::istreambuf_iterator<char>(file), {}};
		const std::size_t at = text.rfind(from);
		EXPECT_NE(at, std::string::npos);
		std::ofstream(directory_ + "/key-negotiation.toml") << text.replace(at, from.size(), to);
		return message_of(loaded(with_windows));
	}
};

TEST_F(Negotiation, OneWayOnlyIsNone)
{
	EXPECT_NE(with("TCP/14000-14999", "TCP/14000-14998")
			  .find("row \"negotiate-out\": a key negotiation goes both ways, and no other row has this "
				"port"),
		  std::string::npos);
	EXPECT_NE(with("status = \"mandatory\"", "status = \"optional\"").find("goes both ways"), std::string::npos);
	EXPECT_NE(with("source = \"party\"", "source = \"Internet\"")
			  .find("row \"negotiate-in\": \"Internet\" is no party of a key negotiation"),
		  std::string::npos);
}

TEST_F(Scenario, AUserNeedsACgroup)
{
	const std::string message = message_of(loaded(R"x(scenario = "node-vpn"
[names]
researcher = "10.222.0.2"
vpnserver = "192.0.2.20"
[users]
node = 1001
[edge]
)x"));
	EXPECT_NE(
		message.find(
			"row \"node-wireguard\": the edge does not know whose a packet is, and component \"node\" has "
			"no cgroup"),
		std::string::npos)
		<< message;
}

} // namespace
} // namespace weir::policy
