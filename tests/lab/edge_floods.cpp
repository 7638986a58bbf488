// SPDX-License-Identifier: Apache-2.0
// Floods of forged packets: no entry in the table of flows, records that are bounded and add up, and the node's own
// connection goes on meanwhile.
#include "tests/lab/edge_test.h"

#include "bpf/abi.h"

#include <bpf/bpf.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

namespace weir::test {
namespace {

using nlohmann::json;

enum class Kind { syn, ack, reset, udp, echo, too_big };
constexpr std::array every_kind{Kind::syn, Kind::ack, Kind::reset, Kind::udp, Kind::echo, Kind::too_big};

Bytes forged(Kind kind, const Path &path, std::uint16_t port)
{
	const auto tcp = [&](std::uint8_t flags) { return ipv4(path, {}, tcp_segment(path, port, 22, flags)); };
	switch (kind) {
	case Kind::syn:
		return tcp(tcp_syn);
	case Kind::ack:
		return tcp(tcp_ack);
	case Kind::reset:
		return tcp(tcp_rst);
	case Kind::udp:
		return ipv4(path, {IPPROTO_UDP, 0, {}}, udp_datagram(path, 53, port, Bytes(20, 'f')));
	case Kind::echo:
		return ipv4(path, {IPPROTO_ICMP, 0, {}}, icmp_echo(path, port));
	case Kind::too_big:
		break;
	}
	const Path quoted{node4, path.source};
	return ipv4(path, {IPPROTO_ICMP, 0, {}},
		    icmp_too_big(path, 600,
				 ipv4(quoted, {IPPROTO_UDP, 0, {}}, udp_datagram(quoted, port, 53, Bytes(8, 'q')))));
}

/// The node's own connection to the researcher, in use until it is asked, and once more then: "well" if none failed.
Child steady(const Spot &spot)
{
	Child child(spot, [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		if (connect_stream(fd.get(), {researcher4, 50051}).reach != Reach::connected)
			raise("connect");
		channel.send("connected");
		int count = 0;
		int failed = 0;
		do {
			count++;
			failed += echoes(fd.get(), 5000) ? 0 : 1;
		} while (!channel.receive(Millis(1)));
		failed += echoes(fd.get(), 5000) ? 0 : 1; // after the flood, however short it was
		channel.send(failed == 0 ? "well" : std::to_string(failed) + " failed of " + std::to_string(count + 1));
	});
	(void)child.answer();
	return child;
}

class EdgeFloods : public LabTestWithEdge {
protected:
	void SetUp() override { std::filesystem::remove(output()); }
	static std::string output() { return lab().directory() + "/events.jsonl"; }
	static void apply_admins() { apply({.names = {{"admins", {researcher4, researcher6}}}}); }
	static int many() { return rounds(8000); }

	/// Packets to the node, by the intruder, each from an address drawn by lot or, of "", from a row's host.
	static void flood(Kind kind, int count, const std::string &source = "")
	{
		const Bytes card = hardware_address(lab().node());
		(void)run_at(
			intruder(),
			[&] {
				const FrameSender sender;
				std::mt19937 random(static_cast<unsigned>(kind) + 1);
				for (int i = 0; i < count; ++i) {
					const std::string drawn = "198.18." + std::to_string(random() % 256) + "." +
								  std::to_string(1 + random() % 250);
					const Path path{source.empty() ? drawn : source, node4};
					const auto port = static_cast<std::uint16_t>(1024 + random() % 60000);
					sender.send(card + Bytes{2, 0, 0, 0, 0, 9, 8, 0} + forged(kind, path, port));
				}
				return std::string();
			},
			Millis(90000));
	}
	/// Entries of a pinned map.
	static std::size_t entries(const std::string &map)
	{
		const Fd fd(::bpf_obj_get((lab().bpffs() + "/weir/" + lab().instance + "/maps/" + map).c_str()));
		if (!fd)
			raise(map);
		std::size_t count = 0;
		std::array<char, 256> key{};
		for (const void *last = nullptr; ::bpf_map_get_next_key(fd.get(), last, key.data()) == 0;
		     last = key.data())
			count++;
		return count;
	}
	static std::vector<json> records()
	{
		std::vector<json> all;
		std::ifstream in(output());
		for (std::string line; std::getline(in, line);)
			all.push_back(json::parse(line));
		return all;
	}
	static std::uint64_t told(const std::vector<json> &all)
	{
		std::uint64_t total = 0;
		for (const auto &record : all)
			if (field(record, "event.dataset") == "weir.violation") {
				const json count = field(record, "weir.count");
				total += count.is_number() ? count.get<std::uint64_t>() : 1;
			}
		return total;
	}
	/// Ends `weir run`, and holds its records to what the kernel counted. Meanwhile the neighbourhood may say something
	/// of its own (router solicitations), which is refused as well: what was refused before is told, and no more than
	/// what was refused after.
	static void expect_all_told(Program &run)
	{
		const auto before = sum("refused");
		run.kill(SIGTERM);
		const Finished done = run.wait(Millis(60000));
		EXPECT_EQ(done.status, 0) << done.err;
		const auto after = sum("refused");
		const auto said = told(records()) + sum("lost");
		EXPECT_GE(said, before);
		EXPECT_LE(said, after);
	}
	static void expect_adds_up()
	{
		const auto now = status();
		const auto number = [&](const char *what) {
			return field(now, std::string("events.") + what).get<std::uint64_t>();
		};
		EXPECT_EQ(number("refused"), number("reported") + number("merged") + number("summed") + number("lost"))
			<< field(now, "events");
	}
};

TEST_F(EdgeFloods, ForgedPacketsMakeNoFlowsAndTheirRecordsAddUp)
{
	apply_admins();
	Program run(lab().command({"run", "--output", output()}), "", {lab().node(), ""});
	const Child connection = steady(lab().in_node());
	const auto flows = entries("opened");
	const auto accepted = entries("accepted");
	const auto start = std::chrono::steady_clock::now();
	for (const Kind kind : every_kind)
		flood(kind, many());
	std::this_thread::sleep_for(Millis(50));
	EXPECT_EQ(connection.ask("stop", Millis(20000)), "well");
	EXPECT_EQ(entries("opened"), flows);
	EXPECT_EQ(entries("accepted"), accepted);
	expect_all_told(run);
	const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);

	const auto refused = sum("refused");
	EXPECT_GT(refused, static_cast<std::uint64_t>(many()) * 3) << "the flood did not arrive";
	expect_adds_up();
	const auto all = records();
	// In each second so many first ones and so many merged ones; and a few sums.
	EXPECT_LT(all.size(), static_cast<std::size_t>(seconds.count() + 2) * 2 * (WEIR_MERGES + 32));
}

TEST_F(EdgeFloods, LikePacketsAreOneRecord)
{
	apply_admins();
	Program run(lab().command({"run", "--output", output()}), "", {lab().node(), ""});
	ASSERT_TRUE(eventually([] { return std::filesystem::exists(output()); }, Millis(20000)));
	flood(Kind::syn, many(), intruder4);
	flood(Kind::udp, 1, intruder4);
	expect_all_told(run);
	EXPECT_LT(records().size(), 200U);
	expect_adds_up();
}

TEST_F(EdgeFloods, HpingsFloodsAreNeitherAnsweredNorLetIn)
{
	if (!have("hping3"))
		GTEST_SKIP() << "there is no hping3";
	const std::string count = std::to_string(rounds(100));
	const auto run_all = [&] {
		std::vector<Program> all;
		for (const std::vector<std::string> &words :
		     std::vector<std::vector<std::string>>{{"-S", "-p", "22"},
							   {"-A", "-p", "22"},
							   {"-2", "-p", "9000"},
							   {"-1"},
							   {"-F", "-P", "-U", "-p", "22"}}) {
			std::vector<std::string> line{"hping3", "-q", "-n", "-i", "u1000", "-c", count, "-d", "20"};
			line.insert(line.end(), words.begin(), words.end());
			if (words.front() != "-1")
				line.emplace_back("--rand-source");
			line.emplace_back(node4);
			all.emplace_back(line, "", intruder());
		}
		for (auto &each : all)
			(void)each.wait(Millis(is_emulated() ? 15000 : 3000)); // it may wait for answers for ever
	};
	witnesses().quiet();
	run_all();
	EXPECT_FALSE(witnesses().arrived(Millis(100)).empty()) << "without a policy the kernel answers";
	apply_admins();
	witnesses().quiet(); // before there is a connection, which is never quiet
	const Child connection = steady(lab().in_node());
	const auto flows = entries("opened");
	const auto before = sum("refused");
	run_all();
	for (const auto &seen : witnesses().arrived(Millis(100)))
		EXPECT_EQ(seen.destination, researcher4) << seen.text();
	EXPECT_EQ(connection.ask("stop", Millis(20000)), "well");
	EXPECT_EQ(entries("opened"), flows);
	EXPECT_GT(sum("refused"), before + static_cast<std::uint64_t>(rounds(100)));
	expect_adds_up();
}

TEST_F(EdgeFloods, SynsForgedInTheNameOfARowsHostMakeNoEntryEither)
{
	apply_admins();
	const auto accepted = entries("accepted");
	flood(Kind::syn, many(), researcher4);
	EXPECT_EQ(entries("accepted"), accepted);
	const Server ssh(lab().beside_node(), {22}, {});
	EXPECT_TRUE(is(tcp(researcher(), node4, 22), Reach::connected));
}

TEST_F(EdgeFloods, FullTableOfAcceptedFlowsRefusesNobodyForGood)
{
	// Whoever can forge the address of a row's host can fill this table, and only this one.
	apply({.names = {{"admins", {researcher4}}}, .edge = "flows = 1024\n"});
	const Server ssh(lab().beside_node(), {22}, {});
	const Child connection = steady(lab().in_node());
	const auto flows = entries("opened");
	flood(Kind::ack, rounds(8000), researcher4);
	EXPECT_LE(entries("accepted"), 1024U);
	EXPECT_EQ(entries("opened"), flows);
	EXPECT_EQ(connection.ask("stop", Millis(20000)), "well");
	EXPECT_TRUE(is(tcp(researcher(), node4, 22), Reach::connected));
	EXPECT_TRUE(is(tcp(intruder(), node4, 22), Reach::timeout));
}

} // namespace
} // namespace weir::test
