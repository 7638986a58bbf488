// SPDX-License-Identifier: Apache-2.0
// The exceptions: "Software installation", and key negotiation between the parties of a secure aggregation. Nothing of
// them is open until a window is, and nothing when it has closed.
#include "tests/lab/scenario_test.h"

#include <fstream>

namespace weir::test {
namespace {

class ScenarioWindows : public LabTestOfScenario {
protected:
	static Spot node_spot() { return {lab().node(), lab().cgroup("node")}; }
	static Spot other_spot() { return {lab().intruder(), lab().cgroup("other")}; }
	static Host other() { return {"other", lab().intruder()}; }

	/// A node's host; its windows are as `windows` says.
	void hold(const Host &host, const std::string &group, const std::string &windows,
		  const std::string &more_names = "")
	{
		in_force(host, "scenario = \"node-native\"\n[names]\nresearcher = \"192.0.2.10\"\n" + more_names +
				       "[edge]\n[cgroups]\n" + cgroup_line("node", group) + windows);
	}
	static void open(const Host &host, const std::string &window, const std::string &length)
	{
		const Finished done =
			weir_at(host, {"window", "open", window, "--for", length, "--reason", "the lab's test"});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	static void close(const Host &host, const std::string &window)
	{
		const Finished done = weir_at(host, {"window", "close", window, "--reason", "done"});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}

	/// What apt reads at a mirror: one package of nonsense, with its sizes and sums.
	static std::string mirror()
	{
		const std::string files = lab().directory() + "/mirror";
		shell(-1,
		      "mkdir -p " + files + " && cd " + files +
			      " && echo nonsense > sample.deb && printf 'Package: weir-sample\\nVersion: 1\\n"
			      "Architecture: all\\nMaintainer: nobody\\nDescription: a sample\\n"
			      "Filename: ./sample.deb\\nSize: 9\\nSHA256: %s\\n' $(sha256sum < sample.deb | cut -c-64)"
			      " > Packages");
		return files;
	}
	/// apt-get update and download, with lists and cache of its own: "" when it got the package.
	static std::string apt(const Spot &spot, const std::string &url)
	{
		const std::string own = lab().directory() + "/apt";
		shell(-1, "rm -rf " + own + " && mkdir -p " + own + "/lists/partial " + own +
				  "/cache/archives/partial " + own + "/down && : > " + own +
				  "/status && echo 'deb [trusted=yes] " + url + "/ ./' > " + own + "/sources.list");
		std::ofstream(own + "/apt.conf")
			<< "Dir::State \"" << own << "\";\nDir::State::status \"" << own << "/status\";\nDir::Cache \""
			<< own << "/cache\";\nDir::Etc::sourcelist \"" << own
			<< "/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n"
			<< "Dir::Etc::preferencesparts \"/dev/null\";\nAPT::Sandbox::User "
			   "\"root\";\nAcquire::Languages \"none\";\n"
			<< "Acquire::Retries \"0\";\nAcquire::http::Timeout \"3\";\nAcquire::https::Timeout \"3\";\n"
			<< "Acquire::http::Proxy \"DIRECT\";\nAcquire::https::Proxy "
			   "\"DIRECT\";\nAcquire::https::CaInfo \""
			<< lab().directory() << "/certificate.pem\";\n";
		const Finished done = execute({"env", "APT_CONFIG=" + own + "/apt.conf", "sh", "-c",
					       "cd " + own +
						       "/down && apt-get -qq update && apt-get -qq download weir-sample"
						       " && [ -s *.deb ]"},
					      "", spot, Millis(60000));
		return done.status == 0 ? "" : "apt: " + done.out + done.err;
	}
	/// What a party of a negotiation does: it asks, and is answered.
	static std::string asked(const Spot &spot, const std::string &address, std::uint16_t port)
	{
		const Outcome outcome = tcp(spot, address, port);
		return outcome.reach == Reach::connected ? ""
							 : address + ":" + std::to_string(port) + " " + outcome.text();
	}
};

TEST_F(ScenarioWindows, SoftwareIsInstalledThroughItsWindow)
{
	scenario("installation");
	const std::string files = mirror();
	const Service plain = http_server(internet(), 80, files);
	const Service tls = http_server(internet(), 443, files, lab().directory());
	const Server more(internet(), {81, 8443}, {80, 443});
	const Server own(node_spot(), {80, 443}, {});
	const std::vector<Beside> beside{
		{"install-http", "TCP/81 of the Internet", [] { return tcp(node_spot(), internet4, 81); }},
		{"install-http", "UDP/80 of the Internet",
		 [] { return attempt(node_spot(), "udp4-sendto", internet4, 80); }},
		{"install-http", "TCP/80 in, from the Internet", [] { return tcp(internet(), node4, 80); }},
		{"install-https", "TCP/8443 of the Internet", [] { return tcp(node_spot(), internet4, 8443); }},
		{"install-https", "UDP/443 of the Internet",
		 [] { return attempt(node_spot(), "udp4-sendto", internet4, 443); }},
		{"install-https", "TCP/443 in, from the Internet", [] { return tcp(internet(), node4, 443); }},
	};
	expect_open(beside);
	hold(node(), "node", "[windows.installation]\nlongest = \"1h\"\n");
	EXPECT_NE(apt(node_spot(), "http://203.0.113.7"), "") << "the window is not open";
	open(node(), "installation", "10m");
	allowed("install-http", "apt-get update and download", apt(node_spot(), "http://203.0.113.7"));
	allowed("install-https", "apt-get update and download over TLS", apt(node_spot(), "https://203.0.113.7"));
	expect_refused(beside);
	close(node(), "installation");
	EXPECT_NE(apt(node_spot(), "http://203.0.113.7"), "") << "the window is closed";
	EXPECT_TRUE(is(tcp(node_spot(), internet4, 80), Reach::refused));
	EXPECT_TRUE(is(tcp(node_spot(), internet4, 443), Reach::refused));
	refused("install-http", "TCP/80 of the Internet when the window is closed");
	refused("install-https", "TCP/443 of the Internet when the window is closed");
}

TEST_F(ScenarioWindows, PartiesNegotiateKeysBothWaysWhileBothHaveAWindow)
{
	scenario("key-negotiation");
	const Server party(node_spot(), {13999, 14000, 14001, 15000}, {14000});
	const Server second(other_spot(), {13999, 14000, 14001, 15000}, {14000});
	const Server third(internet(), {14000}, {});
	const std::vector<Beside> beside{
		{"negotiate-out", "TCP/13999 of the other party", [] { return tcp(node_spot(), intruder4, 13999); }},
		{"negotiate-out", "TCP/15000 of the other party", [] { return tcp(node_spot(), intruder4, 15000); }},
		{"negotiate-out", "UDP/14000 of the other party",
		 [] { return attempt(node_spot(), "udp4-sendto", intruder4, 14000); }},
		{"negotiate-out", "TCP/14000 of a host that is no party",
		 [] { return tcp(node_spot(), internet4, 14000); }},
		{"negotiate-in", "TCP/13999 from the other party", [] { return tcp(other_spot(), node4, 13999); }},
		{"negotiate-in", "UDP/14000 from the other party",
		 [] { return attempt(other_spot(), "udp4-sendto", node4, 14000); }},
		{"negotiate-in", "TCP/14000 from a host that is no party",
		 [] { return tcp(internet(), node4, 14000); }},
	};
	expect_open(beside);
	hold(node(), "node", "[windows.key-negotiation]\npeers = [\"other-node\"]\nlongest = \"10m\"\n",
	     "other-node = \"192.0.2.66\"\n");
	hold(other(), "other", "[windows.key-negotiation]\npeers = [\"other-node\"]\nlongest = \"10m\"\n",
	     "other-node = \"192.0.2.2\"\n");
	EXPECT_NE(asked(node_spot(), intruder4, 14000), "") << "neither has a window";
	open(node(), "key-negotiation", "2m");
	EXPECT_NE(asked(node_spot(), intruder4, 14000), "") << "the other has none";
	open(other(), "key-negotiation", "2m");
	allowed("negotiate-out", "one TCP exchange at 14000 and one at 14001, from each of two nodes",
		asked(node_spot(), intruder4, 14000) + asked(node_spot(), intruder4, 14001));
	allowed("negotiate-in", "the same from the other party",
		asked(other_spot(), node4, 14000) + asked(other_spot(), node4, 14001));
	expect_refused(beside);
	close(other(), "key-negotiation");
	EXPECT_NE(asked(node_spot(), intruder4, 14000), "");
	close(node(), "key-negotiation");
	EXPECT_TRUE(is(tcp(node_spot(), intruder4, 14000), Reach::refused));
	EXPECT_TRUE(is_stopped(tcp(other_spot(), node4, 14000)));
	refused("negotiate-out", "TCP/14000 of the other party when the window is closed");
	refused("negotiate-in", "TCP/14000 from the other party when the window is closed");
}

} // namespace
} // namespace weir::test
