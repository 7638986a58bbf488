// SPDX-License-Identifier: Apache-2.0
// The edge on the node's interfaces: put on, read back, replaced, followed, interrupted, taken off. What it judges is
// other tests' matter.
#include "tests/lab/lab_test.h"

#include "kernel/instance.h"

#include <bpf/bpf.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <random>

namespace weir::test {
namespace {

class EdgeLifecycle : public LabTest {
protected:
	void TearDown() override
	{
		at_node({"remove"});
		for (const char *name : {"eth1", "br7", "renamed0"})
			ip({"link", "delete", name});
		EXPECT_EQ(tc("filter show dev eth0 ingress"), "");
		EXPECT_EQ(tc("filter show dev eth0 egress"), "");
		EXPECT_EQ(tc("qdisc show dev eth0").find("clsact"), std::string::npos) << tc("qdisc show dev eth0");
		EXPECT_EQ(ip({"link", "show", "eth0"}).out.find("xdp"), std::string::npos);
	}

	/// weir on the node's host, where its interfaces are.
	static Finished at_node(const std::vector<std::string> &words)
	{
		return execute(lab().command(words), "", {lab().node(), ""}, Millis(60000));
	}
	static std::string site(const std::string &edge = "", const std::string &scenario = "lab",
				const std::vector<MatrixRow> &more = {})
	{
		SiteFile file = lab_site(lab(), more, scenario);
		if (!more.empty())
			file.names["web"] = {internet4};
		return lab().write(scenario + "-edge-site.toml", file.text() + "[edge]\n" + edge);
	}
	static std::string wide_site()
	{
		return site("", "wide", {{.id = "web", .destination = "web", .port = "TCP/443"}});
	}
	static void apply(const std::string &path)
	{
		const Finished done = at_node({"apply", path});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	static nlohmann::json status() { return nlohmann::json::parse(at_node({"--json", "status"}).out); }
	static std::string problems() { return field(status(), "problems").dump(); }
	/// An interface as status tells it; null when there is none of this name.
	static nlohmann::json interface(const std::string &name)
	{
		for (const auto &each : field(status(), "interfaces"))
			if (each.at("name") == name)
				return each;
		return nullptr;
	}
	static Finished ip(std::vector<std::string> words)
	{
		words.insert(words.begin(), "ip");
		return execute(words, "", {lab().node(), ""});
	}
	static std::string tc(const std::string &words)
	{
		return execute({"sh", "-c", "exec tc " + words}, "", {lab().node(), ""}).out;
	}
	/// A second interface; its other end is at the intruder's.
	static void add_eth1()
	{
		const std::string peer = "/proc/" + std::to_string(::getpid()) + "/fd/" +
					 std::to_string(lab().intruder());
		const Finished done =
			ip({"link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", peer});
		ASSERT_EQ(done.status, 0) << done.err;
	}
	static kernel::Where where() { return {.bpffs = lab().bpffs(), .instance = lab().instance}; }
	/// What cover() did, as one text.
	static std::string cover()
	{
		std::string text;
		in_netns(lab().node(), [&text] {
			const auto lines = kernel::cover(where());
			if (!lines)
				throw std::runtime_error(lines.error().message);
			for (const auto &line : *lines)
				text += line + "\n";
		});
		return text;
	}
	static std::string pins() { return lab().bpffs() + "/weir/" + lab().instance; }
	static std::string eth0(const std::string &way)
	{
		return field(interface("eth0"), "ifindex").dump() + "@" + way;
	}
	/// The kernel's ids of the programs that judge on eth0: as whoever looks from outside sees them.
	static std::uint32_t program(const std::string &way)
	{
		const Fd fd(::bpf_obj_get((pins() + "/programs/" + eth0(way)).c_str()));
		bpf_prog_info info{};
		__u32 size = sizeof(info);
		if (!fd || ::bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
			raise("the program of eth0, " + way);
		return info.id;
	}
	static void expect_well()
	{
		const Finished now = at_node({"status"});
		EXPECT_EQ(now.status, 0) << now.out << now.err;
		EXPECT_EQ(field(interface("eth0"), "standing"), "held");
		EXPECT_FALSE(std::filesystem::exists(pins() + "@new"));
		EXPECT_FALSE(std::filesystem::exists(pins() + "@old"));
	}
};

TEST_F(EdgeLifecycle, ApplyHoldsTheUplinkBothWaysAndSaysSo)
{
	const Finished done = at_node({"apply", site()});
	ASSERT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.out.find("holds eth0"), std::string::npos) << done.out;
	const auto eth0 = interface("eth0");
	EXPECT_EQ(eth0.at("standing"), "held");
	EXPECT_EQ(eth0.at("zone"), "network");
	EXPECT_EQ(eth0.at("ingress"), "xdp");
	EXPECT_TRUE(eth0.at("egress") == "tcx" || eth0.at("egress") == "clsact") << eth0;
	EXPECT_EQ(eth0.at("problem"), "");
	EXPECT_TRUE(interface("lo").is_null());
	expect_well();
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
}

TEST_F(EdgeLifecycle, RemoveLeavesNothingAndNamesTheInterface)
{
	for (const char *ingress : {"", "ingress = \"tc\"\n", "ingress = \"xdp-generic\"\n"}) {
		apply(site(ingress));
		const Finished removed = at_node({"remove"});
		EXPECT_EQ(removed.status, 0) << removed.err;
		EXPECT_NE(removed.out.find("eth0"), std::string::npos) << removed.out;
		EXPECT_FALSE(std::filesystem::exists(pins()));
		EXPECT_EQ(tc("filter show dev eth0 ingress") + tc("filter show dev eth0 egress"), "");
		EXPECT_EQ(ip({"link", "show", "eth0"}).out.find("xdp"), std::string::npos);
		EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	}
}

TEST_F(EdgeLifecycle, AnotherPolicyForTheSameEdgeIsOneSwap)
{
	apply(site());
	const auto in = program("in");
	const auto out = program("out");
	apply(wide_site());
	EXPECT_EQ(program("in"), in);
	EXPECT_EQ(program("out"), out);
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	apply(site());
	EXPECT_EQ(program("in"), in);
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	expect_well();
}

TEST_F(EdgeLifecycle, AnotherEdgeReplacesThePrograms)
{
	apply(site());
	const auto in = program("in");
	for (const char *edge : {"flows = 4096\n", "ingress = \"tc\"\n", "", "ingress = \"xdp-generic\"\n", ""}) {
		apply(site(edge));
		expect_well();
		EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected)) << edge;
		EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused)) << edge;
	}
	EXPECT_NE(program("in"), in);
}

TEST_F(EdgeLifecycle, IngressIsAsTheSiteWantsIt)
{
	apply(site("ingress = \"tc\"\n"));
	EXPECT_NE(field(interface("eth0"), "ingress"), "xdp");
	apply(site("ingress = \"xdp-generic\"\n"));
	EXPECT_EQ(field(interface("eth0"), "ingress"), "xdp-generic");
	apply(site());
	EXPECT_EQ(field(interface("eth0"), "ingress"), "xdp");
}

TEST_F(EdgeLifecycle, WhereTheDriverTakesNoXdpTcTakesItsPlace)
{
	add_eth1();
	// veth takes no XDP program when its other end may send more than a page.
	ASSERT_EQ(execute({"ip", "link", "set", "eth1", "mtu", "9000"}, "", intruder()).status, 0);
	apply(site());
	const auto ingress = field(interface("eth1"), "ingress");
	EXPECT_TRUE(ingress == "tcx" || ingress == "clsact") << ingress;
	EXPECT_EQ(field(interface("eth0"), "ingress"), "xdp");
	expect_well();
}

TEST_F(EdgeLifecycle, AnothersXdpProgramIsLeftAloneAndTcTakesItsPlace)
{
	apply(site());
	add_eth1();
	const Finished theirs = ip({"link", "set", "dev", "eth1", "xdp", "pinned", pins() + "/programs/" + eth0("in")});
	ASSERT_EQ(theirs.status, 0) << theirs.err;
	EXPECT_NE(cover().find("holds eth1 (network; "), std::string::npos);
	const auto ingress = field(interface("eth1"), "ingress");
	EXPECT_TRUE(ingress == "tcx" || ingress == "clsact") << ingress;
	EXPECT_NE(ip({"link", "show", "eth1"}).out.find("xdp"), std::string::npos);
}

TEST_F(EdgeLifecycle, EdgeThatIsTakenOutOfThePolicyIsDetached)
{
	apply(site());
	const SiteFile without = lab_site(lab());
	apply(lab().write("without.toml", without.text()));
	EXPECT_EQ(at_node({"status"}).status, 0);
	EXPECT_EQ(field(status(), "edge"), false);
	for (const auto &program : std::filesystem::directory_iterator(pins() + "/programs"))
		EXPECT_FALSE(program.path().filename().string().contains('@'))
			<< program.path() << " is of an interface";
	EXPECT_EQ(ip({"link", "show", "eth0"}).out.find("xdp"), std::string::npos);
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
	apply(site());
	expect_well();
}

TEST_F(EdgeLifecycle, InterfaceThatAppearsIsNamedAndThenHeld)
{
	apply(site());
	EXPECT_EQ(cover(), "") << "all is held";
	add_eth1();
	EXPECT_EQ(at_node({"status"}).status, 6);
	EXPECT_NE(problems().find("eth1 appeared"), std::string::npos) << problems();
	EXPECT_EQ(field(interface("eth1"), "standing"), "refused");
	EXPECT_NE(cover().find("holds eth1 (network; xdp, "), std::string::npos);
	EXPECT_EQ(field(interface("eth1"), "standing"), "held");
	expect_well();
	EXPECT_EQ(cover(), "");
	ASSERT_EQ(ip({"link", "delete", "eth1"}).status, 0);
	expect_well(); // one that went is no problem
	EXPECT_NE(cover().find("gone"), std::string::npos);
	EXPECT_EQ(cover(), "");
}

TEST_F(EdgeLifecycle, ApplyHoldsWhatAppearedToo)
{
	apply(site());
	add_eth1();
	apply(site());
	EXPECT_EQ(field(interface("eth1"), "standing"), "held");
	expect_well();
}

TEST_F(EdgeLifecycle, BridgeIsInsideUntilAPortLeadsOff)
{
	apply(site());
	ASSERT_EQ(ip({"link", "add", "br7", "type", "bridge"}).status, 0);
	EXPECT_NE(problems().find("br7"), std::string::npos);
	EXPECT_NE(cover().find("br7 leads only into this host"), std::string::npos);
	EXPECT_EQ(field(interface("br7"), "standing"), "inside");
	add_eth1();
	EXPECT_NE(cover().find("holds eth1"), std::string::npos);
	ASSERT_EQ(ip({"link", "set", "eth1", "master", "br7"}).status, 0);
	EXPECT_NE(cover().find("let go of eth1"), std::string::npos) << "a cable into a container";
	EXPECT_EQ(field(interface("eth1"), "standing"), "inside");
	expect_well();
}

TEST_F(EdgeLifecycle, OfAListOnlyThoseAreHeldAndARenameIsSeen)
{
	add_eth1();
	apply(site("interfaces = [\"eth0\", \"renamed0\"]\n"));
	EXPECT_EQ(field(interface("eth1"), "standing"), "refused");
	EXPECT_EQ(field(interface("eth1"), "problem"), "") << "the site wants it so";
	EXPECT_EQ(field(interface("renamed0"), "standing"), "absent");
	expect_well();
	ASSERT_EQ(ip({"link", "set", "eth1", "name", "renamed0"}).status, 0);
	EXPECT_NE(cover().find("holds renamed0"), std::string::npos);
	expect_well();
	ASSERT_EQ(ip({"link", "set", "renamed0", "name", "eth1"}).status, 0);
	EXPECT_NE(cover().find("let go of eth1"), std::string::npos);
}

TEST_F(EdgeLifecycle, TunnelBySiteIsOfItsZone)
{
	add_eth1();
	apply(site("tunnels = [\"eth1\"]\n"));
	EXPECT_EQ(field(interface("eth1"), "zone"), "tunnel");
	EXPECT_EQ(field(interface("eth1"), "standing"), "held");
	expect_well();
	apply(site());
	EXPECT_EQ(field(interface("eth1"), "zone"), "network");
	expect_well();
}

TEST_F(EdgeLifecycle, WatchSaysThatSomethingChanged)
{
	in_netns(lab().node(), [] {
		const auto watch = kernel::watch_interfaces();
		ASSERT_TRUE(watch);
		EXPECT_FALSE(kernel::drain_interfaces(*watch));
		add_eth1();
		EXPECT_TRUE(kernel::drain_interfaces(*watch));
		EXPECT_FALSE(kernel::drain_interfaces(*watch));
	});
}

TEST_F(EdgeLifecycle, WhatIsDetachedByHandIsNamedAndPutBack)
{
	for (const char *ingress : {"", "ingress = \"tc\"\n"}) {
		apply(site(ingress));
		for (const char *way : {"in", "out"}) {
			const auto link = pins() + "/links/" + eth0(way);
			if (!std::filesystem::exists(link))
				continue; // clsact: its own test
			const Fd fd(::bpf_obj_get(link.c_str()));
			ASSERT_EQ(::bpf_link_detach(fd.get()), 0);
			EXPECT_EQ(at_node({"status"}).status, 6);
			EXPECT_NE(problems().find("eth0"), std::string::npos);
			EXPECT_NE(cover().find("holds eth0"), std::string::npos);
			expect_well();
			std::filesystem::remove(pins() + "/links/" + eth0(way));
			std::filesystem::remove(pins() + "/programs/" + eth0(way));
			EXPECT_EQ(at_node({"status"}).status, 6);
			apply(site(ingress));
			expect_well();
		}
	}
}

TEST_F(EdgeLifecycle, RemovedFilterIsNamedAndPutBack)
{
	apply(site("ingress = \"tc\"\n"));
	if (field(interface("eth0"), "egress") != "clsact")
		GTEST_SKIP() << "this kernel has tcx";
	for (const char *way : {"ingress", "egress"}) {
		tc(std::string("filter del dev eth0 ") + way);
		EXPECT_EQ(at_node({"status"}).status, 6);
		EXPECT_NE(cover().find("holds eth0"), std::string::npos);
		expect_well();
	}
	tc("qdisc del dev eth0 clsact");
	EXPECT_EQ(at_node({"status"}).status, 6);
	apply(site("ingress = \"tc\"\n"));
	expect_well();
	// Somebody else's filter keeps the qdisc.
	tc("filter add dev eth0 ingress pref 7 matchall action pass");
	at_node({"remove"});
	EXPECT_NE(tc("qdisc show dev eth0").find("clsact"), std::string::npos);
	tc("qdisc del dev eth0 clsact");
}

TEST_F(EdgeLifecycle, FromAnotherNamespaceItIsNotRead)
{
	apply(site());
	const Finished elsewhere = lab().weir({"status"});
	EXPECT_EQ(elsewhere.status, 6) << elsewhere.out;
	EXPECT_NE(elsewhere.out.find("another network namespace"), std::string::npos) << elsewhere.out;
	const Finished other = lab().weir({"apply", site()});
	EXPECT_EQ(other.status, 1);
	EXPECT_NE(other.err.find("another network namespace"), std::string::npos) << other.err;
	expect_well();
}

TEST_F(EdgeLifecycle, InterruptedChangeOfTheEdgeKeepsTheOldOneOrTheNew)
{
	const std::vector<std::string> sites{site("", "one"), site("flows = 4096\n", "two"),
					     site("ingress = \"tc\"\n", "three")};
	apply(sites[0]);
	std::mt19937 random(17);
	std::uniform_int_distribution<int> moment(20000, 250000);
	for (int i = 0; i < rounds(24); ++i) {
		Program applying(lab().command({"apply", sites[static_cast<std::size_t>(i + 1) % sites.size()]}), "",
				 {lab().node(), ""});
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		applying.kill(SIGKILL);
		applying.wait();
		ASSERT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected)) << "kill " << i;
		ASSERT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused)) << "kill " << i;
		cover(); // finishes or undoes
		expect_well();
	}
}

TEST_F(EdgeLifecycle, InterruptedFirstApplyIsTakenAwayByRemove)
{
	std::mt19937 random(19);
	std::uniform_int_distribution<int> moment(20000, 250000);
	for (int i = 0; i < rounds(12); ++i) {
		Program applying(lab().command({"apply", site(i % 2 == 0 ? "" : "ingress = \"tc\"\n")}), "",
				 {lab().node(), ""});
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		applying.kill(SIGKILL);
		applying.wait();
		at_node({"remove"});
		ASSERT_FALSE(std::filesystem::exists(pins()));
		ASSERT_EQ(tc("filter show dev eth0 ingress") + tc("filter show dev eth0 egress"), "");
		ASSERT_EQ(ip({"link", "show", "eth0"}).out.find("xdp"), std::string::npos);
	}
}

TEST_F(EdgeLifecycle, LikeRefusalsAreTakenOnce)
{
	apply(site());
	const auto taken = [] {
		std::uint64_t count = 0;
		const auto merges = kernel::take_merges(where(), true);
		if (!merges)
			throw std::runtime_error(merges.error().message);
		for (const auto &[key, merge] : *merges)
			count += merge.count;
		return count;
	};
	EXPECT_EQ(taken(), 0U);
	for (int i = 0; i < 20; ++i)
		attempt(intruder(), "udp4-sendto", node4, 4444);
	const auto counts = [](const char *what) {
		return field(status(), std::string("events.") + what).get<std::uint64_t>();
	};
	EXPECT_GT(counts("merged"), 0U);
	EXPECT_EQ(taken(), counts("merged"));
	EXPECT_EQ(taken(), 0U);
	EXPECT_EQ(counts("refused"), counts("reported") + counts("merged") + counts("summed") + counts("lost"));
}

} // namespace
} // namespace weir::test
