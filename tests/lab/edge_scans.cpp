// SPDX-License-Identifier: Apache-2.0
// nmap's scans of a host with an edge see what an `in` row admits, and nothing else: no answer at all.
#include "tests/lab/edge_test.h"

namespace weir::test {
namespace {

struct Scan {
	const char *name;
	std::vector<std::string> options;
	bool is_v6_too = true;
};

/// A port that a row admits, one that listens without a row, one where nobody listens.
constexpr const char *some_ports = "22,9000,4444";

std::vector<Scan> every_scan()
{
	return {{"SYN", {"-sS", "-p", some_ports}},
		{"ACK", {"-sA", "-p", some_ports}},
		{"FIN", {"-sF", "-p", some_ports}},
		{"Xmas", {"-sX", "-p", some_ports}},
		{"null", {"-sN", "-p", some_ports}},
		{"UDP", {"-sU", "-p", "9000,4444,68"}},
		{"IP protocol", {"-sO", "-p", "1,2,6,17,47,132"}},
		{"fragment", {"-sS", "-f", "-p", some_ports}, false}, // nmap has it for IPv4 only
		{"connect", {"-sT", "-p", some_ports}}};
}

class EdgeScans : public LabTestWithEdge {
protected:
	static void SetUpTestSuite()
	{
		LabTest::SetUpTestSuite();
		services_ = std::make_unique<Server>(lab().beside_node(), std::vector<std::uint16_t>{22, 9000},
						     std::vector<std::uint16_t>{9000});
	}
	static void TearDownTestSuite()
	{
		services_.reset();
		LabTest::TearDownTestSuite();
	}
	void SetUp() override
	{
		if (!have("nmap"))
			GTEST_SKIP() << "there is no nmap";
	}

	static void apply_admins(const std::string &edge = "")
	{
		apply({.names = {{"admins", {researcher4, researcher6, resolver6}}}, .edge = edge});
	}

	static Program start(const Spot &from, const Scan &scan, const std::string &to,
			     const std::vector<std::string> &more = {})
	{
		std::vector<std::string> words{"nmap",           "-n", "-Pn", "-T5", "--max-retries", "0",
					       "--host-timeout", "20s"};
		words.insert(words.end(), scan.options.begin(), scan.options.end());
		words.insert(words.end(), more.begin(), more.end());
		if (to.find(':') != std::string::npos)
			words.emplace_back("-6");
		words.push_back(to);
		return Program(words, "", from);
	}
	/// All of them at once, as they mostly wait; name of the scan and what nmap says.
	static std::vector<std::pair<std::string, std::string>> scan_all(const Spot &from, const std::string &to,
									 const std::vector<std::string> &more = {})
	{
		std::vector<std::pair<std::string, Program>> running;
		for (const auto &scan : every_scan())
			if (scan.is_v6_too || to.find(':') == std::string::npos)
				running.emplace_back(scan.name, start(from, scan, to, more));
		std::vector<std::pair<std::string, std::string>> said;
		for (auto &[name, program] : running) {
			const Finished done = program.wait(Millis(60000));
			EXPECT_EQ(done.status, 0) << name << ": " << done.err;
			said.emplace_back(name, done.out);
		}
		return said;
	}
	/// nmap says of a port that something answered.
	static bool tells_of_answer(const std::string &out)
	{
		for (const char *state : {" open ", " closed ", " unfiltered "})
			if (out.find(state) != std::string::npos)
				return true;
		return out.find("closed ports") != std::string::npos || out.find("open ports") != std::string::npos;
	}
	static void expect_silence(const Spot &from, const std::vector<std::string> &more = {},
				   const std::vector<std::string> &addresses = {node4, node6})
	{
		for (const auto &to : addresses) {
			witnesses().quiet();
			for (const auto &[name, out] : scan_all(from, to, more)) {
				EXPECT_FALSE(tells_of_answer(out)) << name << " of " << to << ":\n" << out;
				EXPECT_NE(out.find("filtered"), std::string::npos) << name << ":\n" << out;
			}
			const auto packets = witnesses().arrived(Millis(50));
			EXPECT_TRUE(packets.empty()) << "the node answered:\n" << listed(packets);
		}
	}

private:
	static inline std::unique_ptr<Server> services_;
};

TEST_F(EdgeScans, WithoutAPolicyTheHostTellsAll)
{
	for (const char *to : {node4, node6}) {
		witnesses().quiet();
		for (const auto &[name, out] : scan_all(intruder(), to))
			EXPECT_TRUE(tells_of_answer(out)) << name << " of " << to << ":\n" << out;
		bool is_reset = false;
		bool is_open = false;
		bool is_unreachable = false;
		for (const auto &seen : witnesses().arrived(Millis(50))) {
			is_reset |= seen.protocol == IPPROTO_TCP && (seen.tcp_flags & tcp_rst) != 0;
			is_open |= seen.protocol == IPPROTO_TCP && (seen.tcp_flags & tcp_syn) != 0;
			is_unreachable |= (seen.version == 4 && seen.protocol == IPPROTO_ICMP && seen.type == 3) ||
					  (seen.version == 6 && seen.protocol == IPPROTO_ICMPV6 && seen.type == 1);
		}
		EXPECT_TRUE(is_reset && is_open && is_unreachable) << to;
	}
}

TEST_F(EdgeScans, IntruderHearsNothingOfAnyScan)
{
	apply_admins();
	expect_silence(intruder());
}

TEST_F(EdgeScans, IntruderHearsNothingWhereTcTakesThePlaceOfXdp)
{
	apply_admins("ingress = \"tc\"\n");
	expect_silence(intruder());
}

TEST_F(EdgeScans, SourcePortOfAServiceOpensNothing)
{
	apply_admins();
	expect_silence(intruder(), {"-g", "50051"});
	expect_silence(intruder(), {"-g", "53"});
}

TEST_F(EdgeScans, HostThatTheNodeTalksToSeesNoMore)
{
	// The researcher is whom the node may open connections to, by TCP/50051, and the resolver, by UDP/53.
	apply({});
	expect_silence(researcher());
	expect_silence(researcher(), {"-g", "50051"});
	if (!is_emulated())
		expect_silence(researcher(), {"-S", resolver4, "-e", "eth0", "-g", "53"}, {node4});
}

TEST_F(EdgeScans, AdminSeesTheRowsPortAndNoOther)
{
	apply_admins();
	for (const char *to : {node4, node6}) {
		witnesses().quiet();
		const Finished done = start(researcher(), every_scan().front(), to).wait(Millis(60000));
		EXPECT_NE(done.out.find("22/tcp   open"), std::string::npos) << done.out;
		EXPECT_NE(done.out.find("9000/tcp filtered"), std::string::npos) << done.out;
		EXPECT_NE(done.out.find("4444/tcp filtered"), std::string::npos) << done.out;
		for (const auto &seen : witnesses().arrived(Millis(50)))
			EXPECT_TRUE(seen.protocol == IPPROTO_TCP && seen.source_port == 22) << seen.text();
		EXPECT_TRUE(is(tcp(researcher(), to, 22), Reach::connected)) << to;
		EXPECT_TRUE(is(tcp(researcher(), to, 9000), Reach::timeout)) << to;
		EXPECT_TRUE(is(tcp(intruder(), to, 22), Reach::timeout)) << to;
	}
}

TEST_F(EdgeScans, StrayAnswersOfTheRowsPortAreNotAnswered)
{
	// A SYN opens; what only looks like the middle of a connection does not, though port and peer are the row's.
	apply_admins();
	for (const char *to : {node4, node6}) {
		witnesses().quiet();
		for (const auto &scan : every_scan())
			if (std::string(scan.name) == "FIN" || std::string(scan.name) == "Xmas" ||
			    std::string(scan.name) == "null") {
				const Finished done = start(researcher(), scan, to).wait(Millis(60000));
				EXPECT_FALSE(tells_of_answer(done.out)) << done.out;
			}
		EXPECT_EQ(listed(witnesses().arrived(Millis(50))), "");
	}
}

TEST_F(EdgeScans, ScansAreCounted)
{
	apply_admins();
	const auto before = sum("refused");
	expect_silence(intruder());
	const auto now = status();
	EXPECT_GT(sum("refused"), before + 30);
	EXPECT_EQ(sum("refused"), sum("reported") + sum("merged") + sum("summed") + sum("lost")) << now;
}

} // namespace
} // namespace weir::test
