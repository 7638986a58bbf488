// SPDX-License-Identifier: Apache-2.0
// What passes by a window: each connection is in the journal and in the report, by whatever gate, and every packet is in
// the sums.
#include "tests/lab/journal_test.h"

#include <fstream>
#include <set>

namespace weir::test {
namespace {

using nlohmann::json;

class Admissions : public Journal {
protected:
	void apply()
	{
		lab().write("web.toml",
			    matrix_text("web", {{.id = "web-tcp", .destination = "web", .port = "TCP/443"},
						{.id = "web-udp", .destination = "web", .port = "UDP/443"}}));
		SiteFile site = lab_site(lab());
		site.names["web"] = {internet4, internet6};
		const Finished done =
			at_node({"--journal", directory_, "apply",
				 lab().write("admissions-site.toml",
					     site.text() + "[windows.web]\nlongest = \"30m\"\n[edge]\n")});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	void window(const std::vector<std::string> &words) const
	{
		std::vector<std::string> all{"--journal", directory_, "window"};
		all.insert(all.end(), words.begin(), words.end());
		const Finished done = at_node(all);
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	[[nodiscard]] Program recorder() const
	{
		Program daemon(
			lab().command({"--journal", directory_, "run", "--output", "/dev/null", "--user", "nobody"}),
			"", {lab().node(), ""});
		EXPECT_TRUE(eventually([] { return kernel::has_reader({lab().bpffs(), lab().instance}); }));
		return daemon;
	}
	/// A connection that goes on; each "ping" is answered, or not.
	static Child stream()
	{
		Child child(lab().in_node(), [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
			channel.send(connect_stream(fd.get(), {internet4, 443}, 3000).text());
			while (channel.receive(Millis(60000)))
				channel.send(echoes(fd.get(), 3000) ? "echo" : "silence");
		});
		EXPECT_EQ(child.answer(), "connected");
		return child;
	}
	/// Datagrams with answers; gives how many came back.
	static int datagrams(int many)
	{
		return std::stoi(run_at(lab().in_node(), [many] {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			if (!fd)
				raise("socket");
			const Endpoint to(internet4, 443);
			int answers = 0;
			for (int i = 0; i < many; ++i) {
				std::array<char, 64> buffer{};
				timeval patience{.tv_sec = 2, .tv_usec = 0};
				::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
				answers += ::sendto(fd.get(), "x", 1, 0, to.get(), to.size) == 1 &&
							   ::recv(fd.get(), buffer.data(), buffer.size(), 0) > 0
						   ? 1
						   : 0;
			}
			return std::to_string(answers);
		}));
	}
	/// By gate, what the kernel has counted.
	static std::map<std::string, std::uint64_t> admitted()
	{
		std::map<std::string, std::uint64_t> sums;
		const auto counters = kernel::read_counters({lab().bpffs(), lab().instance}).value();
		for (std::size_t i = 0; i < counters.size(); ++i) {
			if (kernel::is_of_refusals(i))
				continue;
			const auto &each = counters[i];
			EXPECT_EQ(each.observed, each.merged + each.summed) << i;
			EXPECT_EQ(each.refused + each.reported + each.lost, 0U) << i;
			if (each.observed != 0)
				sums[gates.at(i / (std::size_t{WEIR_DIRECTIONS} * WEIR_REASONS) % WEIR_GATES - 1)] +=
					each.observed;
		}
		return sums;
	}
	[[nodiscard]] std::uint64_t stated_of(const std::string &gate, const std::string &what) const
	{
		std::uint64_t sum = 0;
		for (const auto &each : with("journal_checkpoint"))
			if (const auto sums = field(each, "weir.checkpoint.admitted." + gate); sums.is_object())
				sum += sums.at(what).get<std::uint64_t>();
		return sum;
	}
};

TEST_F(Admissions, ConnectionsUnderAWindowAreInTheJournalAndTheReport)
{
	const Child before = stream(); // older than any policy
	ASSERT_NO_FATAL_FAILURE(apply());
	auto daemon = recorder();
	EXPECT_EQ(datagrams(1), 0) << "the window is closed";
	EXPECT_TRUE(admitted().empty());
	ASSERT_NO_FATAL_FAILURE(window({"open", "web", "--for", "20m", "--reason", "the lab's test"}));
	std::this_thread::sleep_for(Millis(1500)); // each second the daemon reads what the rows are called
	EXPECT_TRUE(eventually([&] { return before.ask("ping") == "echo"; }, Millis(20000)));
	const Child other = stream();
	EXPECT_EQ(other.ask("ping"), "echo");
	EXPECT_EQ(datagrams(3), 3);
	const Finished bash =
		execute({"bash", "-c",
			 "exec 3<>/dev/tcp/" + std::string(internet4) +
				 "/443 && echo hello >&3 && read -r -t 5 -N 5 answer <&3 && echo $answer"},
			"", lab().in_node());
	EXPECT_EQ(bash.out, "hello\n") << bash.err;
	ASSERT_NO_FATAL_FAILURE(window({"close", "web", "--reason", "done"}));
	EXPECT_EQ(before.ask("ping", Millis(20000)), "silence");
	// Also what came in the last moment has its record.
	const auto counted = admitted();
	ASSERT_EQ(counted.size(), 2U) << "packet gate and edge";
	EXPECT_EQ(field(status(), "admitted_by_windows"), counted.at("packet") + counted.at("edge"));
	EXPECT_EQ(sum("observed"), 0U) << "they are no violations";
	EXPECT_EQ(end(daemon).status, 0);
	expect_whole();
	expect_as_the_schema_says({"admission", "window", "checkpoint", "policy"});

	std::map<std::string, std::uint64_t> told;
	std::map<std::pair<std::string, std::string>, std::set<std::string>> processes; // by gate and protocol
	for (const auto &record : with("window_connection")) {
		const std::string gate = field(record, "weir.gate"), protocol = field(record, "network.transport");
		told[gate] += field(record, "network.packets").get<std::uint64_t>();
		EXPECT_EQ(field(record, "destination.ip"), internet4) << record;
		EXPECT_EQ(field(record, "destination.port"), 443) << record;
		EXPECT_EQ(field(record, "network.direction"), "egress") << record;
		EXPECT_EQ(field(record, "weir.window.name"), "web") << record;
		EXPECT_EQ(field(record, "rule.id"), "web-" + protocol + (gate == "edge" ? "@edge" : "@node")) << record;
		if (const auto pid = field(record, "process.pid"); pid.is_number()) {
			processes[{gate, protocol}].insert(pid.dump());
			EXPECT_EQ(field(record, "user.id"), "0") << record;
		} else {
			EXPECT_EQ(gate, "edge") << "in what comes in there: " << record;
		}
	}
	for (const auto &[gate, packets] : counted) {
		EXPECT_GT(packets, 10U) << gate;
		EXPECT_EQ(told[gate], packets) << gate;
		EXPECT_EQ(stated_of(gate, "counted"), packets) << gate;
		EXPECT_EQ(stated_of(gate, "recorded"), packets) << gate;
		EXPECT_EQ(stated_of(gate, "missing") + stated_of(gate, "discarded"), 0U) << gate;
		EXPECT_EQ((processes[{gate, "tcp"}]).size(), 3U) << gate;
		EXPECT_TRUE((processes[{gate, "tcp"}]).contains(std::to_string(before.pid()))) << gate;
		EXPECT_TRUE((processes[{gate, "tcp"}]).contains(std::to_string(other.pid()))) << gate;
		EXPECT_EQ((processes[{gate, "udp"}]).size(), 1U) << gate;
	}
	const std::string page = lab().directory() + "/report.html";
	const Finished made = lab().weir({"report", directory_, "--key", key_, "--since", "1h", "-o", page});
	EXPECT_EQ(made.status, 0) << made.err;
	std::ifstream in(page);
	const std::string text{std::istreambuf_iterator<char>(in), {}};
	EXPECT_NE(text.find("Connections under web"), std::string::npos);
	const auto report =
		json::parse(lab().weir({"--json", "report", directory_, "--key", key_, "--since", "1h"}).out);
	ASSERT_EQ(report["windows"].size(), 1U);
	EXPECT_TRUE(report["connections_under_unnamed_windows"].empty());
	std::map<std::string, std::uint64_t> shown;
	std::set<std::string> names;
	for (const auto &each : report["windows"][0]["connections"]) {
		shown[each["gate"]] += each["packets"].get<std::uint64_t>();
		names.insert(each["process"]);
	}
	EXPECT_EQ(shown, counted);
	EXPECT_TRUE(names.contains("bash")) << report["windows"];
}

} // namespace
} // namespace weir::test
