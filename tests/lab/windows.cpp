// SPDX-License-Identifier: Apache-2.0
// Windows: exceptions that somebody opens, for a reason and a time, and that end by themselves.
#include "tests/lab/arrivals.h"

#include "kernel/instance.h"
#include "policy/policy.h"

#include <csignal>
#include <filesystem>
#include <cstring>
#include <fstream>
#include <poll.h>

namespace weir::test {
namespace {

using nlohmann::json;

constexpr int policy_error = 3;
constexpr int usage_error = 2;
constexpr int absent = 7;

/// `weir run`, writing to a file that may be there.
class Recorder {
public:
	explicit Recorder(const std::vector<std::string> &command, std::string file, const Spot &spot = {})
		: file_(std::move(file)), run_(command, "", spot)
	{}
	[[nodiscard]] std::vector<json> windows() const
	{
		std::vector<json> all;
		std::ifstream in(file_);
		for (std::string line; std::getline(in, line) && !in.eof();)
			if (auto record = json::parse(line); record["event"]["dataset"] == "weir.window")
				all.push_back(std::move(record));
		return all;
	}
	/// Their actions, once there are so many.
	[[nodiscard]] std::vector<std::string> actions(std::size_t count) const
	{
		(void)eventually([&] { return windows().size() >= count; }, Millis(5000));
		std::vector<std::string> all;
		for (const auto &record : windows())
			all.push_back(record["event"]["action"]);
		return all;
	}
	void kill() { run_.kill(SIGKILL), run_.wait(); }
	Finished stop()
	{
		run_.kill(SIGTERM);
		return run_.wait();
	}

private:
	std::string file_;
	Program run_;
};

/// A conversation with a port that goes on until it is told to stop, or ends: says how.
Child conversation(const Spot &spot, const std::string &address, std::uint16_t port, int type = SOCK_STREAM)
{
	Child child(spot, [=](Channel &channel) {
		const Endpoint to(address, port);
		const Fd fd(::socket(to.family(), type, 0));
		if (type == SOCK_STREAM)
			channel.send(connect_stream(fd.get(), {address, port}, 3000).text());
		else
			channel.send(::connect(fd.get(), to.get(), to.size) == 0 && ::send(fd.get(), "?", 1, 0) == 1
					     ? "connected"
					     : "failed");
		pollfd both[2] = {{fd.get(), POLLIN, 0}, {channel.fd(), POLLIN, 0}};
		for (;;) {
			::poll(both, 2, -1);
			if (both[1].revents != 0)
				break;
			char byte = 0;
			errno = 0;
			const auto size = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
			if (size == 1)
				continue;
			channel.send(size == 0 ? "closed by the peer" : ::strerrorname_np(errno));
			return;
		}
		(void)channel.receive(Millis(0)); // left unread, it would take the answer with it
		channel.send(type != SOCK_STREAM || echoes(fd.get()) ? "goes on" : "silent");
	});
	EXPECT_EQ(child.answer(), "connected");
	return child;
}

class Windows : public LabTestWithEdge {
protected:
	void SetUp() override
	{
		std::filesystem::remove(lab().directory() + "/windows.jsonl");
		// A window of the tests' own, that has UDP, too, and one that overlaps it.
		const std::vector<MatrixRow> rows{{.id = "web-tcp", .destination = "web", .port = "TCP/443"},
						  {.id = "web-udp", .destination = "web", .port = "UDP/443"}};
		lab().write("web.toml", matrix_text("web", rows));
		lab().write("web-again.toml",
			    matrix_text("web-again", {{.id = "again-tcp", .destination = "web", .port = "TCP/443"}}));
	}
	static std::string site_text(const std::string &more = "")
	{
		SiteFile site = lab().native_site();
		site.names["web"] = {internet4, internet6};
		return site.text() +
		       "[windows.installation]\nlongest = \"4h\"\n[windows.web]\nlongest = \"30m\"\n"
		       "[windows.web-again]\nlongest = \"30m\"\n" +
		       more;
	}
	static void apply(const std::string &text)
	{
		const Finished done = lab().weir({"apply", lab().write("site.toml", text)});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	static Finished open(const std::string &name, const std::string &length, std::vector<std::string> more = {})
	{
		std::vector<std::string> words{"window", "open", name, "--for", length, "--reason", "a test"};
		words.insert(words.end(), more.begin(), more.end());
		return lab().weir(words);
	}
	static Finished close(const std::string &name) { return lab().weir({"window", "close", name}); }
	static json list() { return json::parse(lab().weir({"--json", "window", "list"}).out); }
	/// When a window ends, by the boot clock; 0: it isn't open.
	static std::uint64_t deadline(const std::string &name)
	{
		const auto image = kernel::read_image({lab().bpffs(), lab().instance});
		const auto policy = policy::from_canonical(text_of(image.value()).value());
		for (const auto &row : policy.value().rows)
			if (row.window == name)
				return row.deadline;
		return 0;
	}
	static Recorder recorder()
	{
		const std::string file = lab().directory() + "/windows.jsonl";
		Recorder one(lab().command({"run", "--output", file}), file);
		EXPECT_TRUE(eventually([] { return kernel::has_reader({lab().bpffs(), lab().instance}); }));
		return one;
	}
	static std::string reach(const std::string &address = internet4, std::uint16_t port = 443)
	{
		return attempt(lab().in_node(), "tcp4", address, port).text();
	}
};

TEST_F(Windows, InstallationDownloadsWhileItIsOpen)
{
	apply(site_text());
	const std::string content = "a package of many bytes";
	lab().write("package", content);
	const Program server(
		{"python3", "-m", "http.server", "80", "--bind", internet4, "--directory", lab().directory()}, "",
		internet());
	const auto download = [] {
		return execute({"curl", "-sS", "--max-time", "5", "http://" + std::string(internet4) + "/package"}, "",
			       lab().in_node());
	};
	ASSERT_TRUE(eventually([] { return tcp(internet(), internet4, 80).reach == Reach::connected; }));
	EXPECT_NE(download().status, 0) << "before it is open";

	const Finished opened = open("installation", "1h");
	ASSERT_EQ(opened.status, 0) << opened.err;
	EXPECT_NE(opened.out.find("install-http"), std::string::npos) << "which rows it adds:\n" << opened.out;
	EXPECT_NE(opened.err.find("no weir run follows"), std::string::npos) << opened.err;
	EXPECT_EQ(download().out, content);
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 50051), Reach::refused)) << "what is no row of the window";

	const auto listed = list();
	ASSERT_EQ(listed["open"].size(), 1U) << listed;
	EXPECT_EQ(listed["open"][0]["window"], "installation");
	EXPECT_EQ(listed["open"][0]["reason"], "a test");
	EXPECT_FALSE(listed["open"][0]["by"].get<std::string>().empty());
	EXPECT_GT(listed["open"][0]["seconds_left"], 3500);
	EXPECT_LE(listed["open"][0]["seconds_left"], 3600);
	EXPECT_EQ(listed["allowed"].size(), 3U) << listed;
	const auto status = lab().status();
	EXPECT_EQ(status["state"], "enforcing");
	EXPECT_EQ(status["windows"]["open"].size(), 1U);
	EXPECT_NE(status["digest"], status["approved_digest"]);

	ASSERT_EQ(close("installation").status, 0);
	EXPECT_NE(download().status, 0) << "after it was closed";
	const auto after = list();
	EXPECT_EQ(after["open"].size(), 0U);
	ASSERT_EQ(after["ended"].size(), 1U);
	EXPECT_EQ(after["ended"][0]["how"], "closed");
	EXPECT_EQ(lab().status()["approved_digest"], status["approved_digest"]) << "the same policy all the time";
}

TEST_F(Windows, EndsOnTimeWithEveryProcessOfWeirDead)
{
	apply(site_text());
	auto daemon = recorder();
	ASSERT_EQ(open("web", "2s").status, 0);
	const auto end = deadline("web");
	Arrivals arrivals(lab().internet());
	const Child sender(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint to(internet4, 443);
		if (::connect(fd.get(), to.get(), to.size) != 0)
			raise("connect");
		channel.send("ready");
		while (!channel.receive(Millis(1)))
			(void)::send(fd.get(), "x", 1, 0);
	});
	ASSERT_EQ(sender.answer(), "ready");
	daemon.kill();
	std::this_thread::sleep_for(Millis(2800));
	ASSERT_GT(clock_of(CLOCK_BOOTTIME), end + 300 * millisecond);
	const auto seen = arrivals.take();
	ASSERT_FALSE(seen.empty());
	EXPECT_LE(seen.back().at, end + tolerance()) << (seen.back().at - end) / 1000 << " µs late";
	EXPECT_GE(seen.back().at, end - 250 * millisecond) << (end - seen.back().at) / 1000 << " µs early";
	EXPECT_EQ(reach(), "refused EPERM");
	EXPECT_EQ(list()["open"].size(), 0U);
	EXPECT_EQ(list()["ended"][0]["how"], "expired");

	// What ended meanwhile is said by the next daemon.
	const auto next = recorder();
	const std::vector<std::string> both{"window_opened", "window_expired"};
	EXPECT_EQ(next.actions(2), both);
	EXPECT_TRUE(eventually([] { return deadline("web") == 0; })) << "and its rows are taken away";
}

/// A datagram is sent while a window admits it, to an address that nobody has until the window is over. What arrives
/// then: the kernel kept it, behind the gates of the cgroup, until somebody said who has the address.
class NeighbourWindows : public Windows {
protected:
	static std::vector<Arrivals::Packet> late(const std::string &more)
	{
		constexpr const char *nobody = "192.0.2.77";
		SiteFile site = lab().native_site();
		site.names["web"] = {nobody};
		const Finished applied = at_node(
			{"apply", lab().write("site.toml", site.text() + "[windows.web]\nlongest = \"30m\"\n" + more)});
		EXPECT_EQ(applied.status, 0) << applied.err;
		Arrivals arrivals(lab().intruder());
		EXPECT_EQ(at_node({"window", "open", "web", "--for", "2s", "--reason", "a test"}).status, 0);
		const auto end = deadline("web");
		EXPECT_EQ(run_at(lab().in_node(),
				 [&] {
					 const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
					 const Endpoint to(nobody, 443);
					 return std::to_string(::sendto(fd.get(), "late", 4, 0, to.get(), to.size));
				 }),
			  "4");
		await(end + 50 * millisecond);
		shell(lab().intruder(), "ip addr add 192.0.2.77/24 dev eth0 && ip neigh flush dev eth0");
		in_netns(lab().intruder(), [&] { // it asks who has the node's address, and so says who it is itself
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const Endpoint from(nobody, 0), to(node4, 9);
			if (::bind(fd.get(), from.get(), from.size) != 0 ||
			    ::sendto(fd.get(), "x", 1, 0, to.get(), to.size) != 1)
				raise("sending from " + std::string(nobody));
		});
		std::this_thread::sleep_for(Millis(100));
		shell(lab().intruder(), "ip addr del 192.0.2.77/24 dev eth0");
		shell(lab().node(), "ip neigh flush dev eth0");
		auto all = arrivals.take();
		std::erase_if(all, [&](const auto &each) { return each.port != 443; });
		EXPECT_TRUE(std::ranges::all_of(all, [&](const auto &each) { return each.at > end; }));
		return all;
	}
};

TEST_F(NeighbourWindows, TheEdgeRefusesWhatWaitedPastTheEnd)
{
	EXPECT_TRUE(late("[edge]\n").empty());
	EXPECT_GE(sum("refused"), 1U);
}

TEST_F(NeighbourWindows, WithoutAnEdgeItIsSent)
{
	for (int tries = 0; tries < 3;
	     ++tries) // it is given up three seconds after it was sent: on a busy machine before
		if (!late("").empty())
			return;
	FAIL() << "refused now? then the documentation is out of date";
}

TEST_F(Windows, ConnectionsAreCutAtTheEnd)
{
	apply(site_text());
	const auto daemon = recorder();
	ASSERT_EQ(open("web", "2s").status, 0);
	const auto end = deadline("web");
	const Child tcp4 = conversation(lab().in_node(), internet4, 443);
	const Child tcp6 = conversation(lab().in_node(), internet6, 443);
	const Child udp = conversation(lab().in_node(), internet4, 443, SOCK_DGRAM);
	const Child lasting = conversation(lab().in_node(), researcher4, 50051);
	const Child below = conversation({lab().node(), lab().cgroup("node/worker")}, internet4, 443);
	for (const Child *each : {&tcp4, &tcp6, &udp, &below}) {
		EXPECT_EQ(each->answer(Millis(5000)), "ECONNABORTED");
		EXPECT_LE(clock_of(CLOCK_BOOTTIME), end + 1000 * millisecond) << "within a second";
	}
	EXPECT_EQ(lasting.ask("?"), "goes on");
	const std::vector<std::string> both{"window_opened", "window_expired"};
	EXPECT_EQ(daemon.actions(2), both);
	EXPECT_EQ(daemon.windows()[1]["weir"]["window"]["connections_cut"], 4);
	EXPECT_EQ(deadline("web"), 0U) << "its rows are taken away";
	EXPECT_EQ(lab().status()["state"], "enforcing");
}

TEST_F(Windows, ConnectionsAreCutWhenItIsClosed)
{
	apply(site_text());
	ASSERT_EQ(open("web", "10m").status, 0);
	ASSERT_EQ(open("web-again", "10m").status, 0);
	const Child stream = conversation(lab().in_node(), internet4, 443);
	const Child datagrams = conversation(lab().in_node(), internet4, 443, SOCK_DGRAM);
	const Child lasting = conversation(lab().in_node(), researcher4, 50051);
	const Child outside = conversation(lab().beside_node(), internet4, 443);
	ASSERT_EQ(close("web").status, 0);
	EXPECT_EQ(datagrams.answer(), "ECONNABORTED");
	EXPECT_FALSE(stream.channel().receive(Millis(100))) << "the other window admits it still";
	const Finished closed = lab().weir({"--json", "window", "close", "web-again", "--reason", "all is done"});
	ASSERT_EQ(closed.status, 0) << closed.err;
	EXPECT_EQ(stream.answer(), "ECONNABORTED");
	const auto facts = json::parse(closed.out);
	EXPECT_EQ(facts["connections_cut"].size(), 1U) << facts;
	EXPECT_EQ(facts["closed_reason"], "all is done");
	EXPECT_EQ(lasting.ask("?"), "goes on");
	EXPECT_EQ(outside.ask("?"), "goes on") << "no scope holds it";
	EXPECT_EQ(reach(), "refused EPERM");
}

// In a time namespace CLOCK_BOOTTIME is another one than the kernel's programs read: an hour there could be a day.
TEST_F(Windows, ATimeNamespaceOpensNothingForLonger)
{
	const std::vector<std::string> elsewhere{"unshare", "--time", "--boottime", "100000", "--fork"};
	auto possible = elsewhere;
	possible.push_back("true");
	if (execute(possible).status != 0)
		GTEST_SKIP() << "this kernel has no time namespaces";
	apply(site_text());
	const auto from_there = [&](const std::vector<std::string> &words) {
		auto all = elsewhere;
		const auto command = lab().command(words);
		all.insert(all.end(), command.begin(), command.end());
		return execute(all);
	};
	const Finished opened = from_there({"window", "open", "web", "--for", "10m", "--reason", "a test"});
	EXPECT_EQ(opened.status, 1) << opened.out;
	EXPECT_NE(opened.err.find("time namespace"), std::string::npos) << opened.err;
	EXPECT_EQ(deadline("web"), 0U);
	ASSERT_EQ(open("web", "10m").status, 0);
	EXPECT_EQ(from_there({"apply", lab().write("site.toml", site_text())}).status, 1);
	EXPECT_EQ(from_there({"remove"}).status, 0) << "out of force it goes from anywhere";
}

TEST_F(Windows, OpeningAgainExtendsNothing)
{
	apply(site_text());
	const Finished before = open("web", "10m", {"--extend"});
	EXPECT_EQ(before.status, policy_error) << "there is nothing to extend: " << before.err;
	ASSERT_EQ(open("web", "10m").status, 0);
	const auto end = deadline("web");
	const Finished again = open("web", "20m");
	EXPECT_EQ(again.status, policy_error) << again.out;
	EXPECT_NE(again.err.find("open already"), std::string::npos) << again.err;
	EXPECT_EQ(deadline("web"), end);
	const Finished beyond = open("web", "31m", {"--extend"});
	EXPECT_EQ(beyond.status, policy_error) << beyond.out;
	EXPECT_EQ(deadline("web"), end);

	const auto now = clock_of(CLOCK_BOOTTIME);
	ASSERT_EQ(open("web", "20m", {"--extend"}).status, 0);
	EXPECT_GE(deadline("web"), now + 20 * 60'000 * millisecond) << "from now";
	EXPECT_LE(deadline("web"), now + 20 * 60'000 * millisecond + 10'000 * millisecond);
	ASSERT_EQ(open("web", "1m", {"--extend"}).status, 0);
	EXPECT_LT(deadline("web"), end) << "sooner, too";
	EXPECT_EQ(list()["open"].size(), 1U) << list();
	EXPECT_EQ(reach(), "connected");
}

TEST_F(Windows, ApplyKeepsTheEndOrCloses)
{
	apply(site_text());
	ASSERT_EQ(open("web", "10m").status, 0);
	ASSERT_EQ(open("installation", "1h").status, 0);
	const auto end = deadline("web");
	const Finished again = lab().weir({"apply", lab().write("site.toml", site_text())});
	ASSERT_EQ(again.status, 0) << again.err;
	EXPECT_NE(again.out.find("window web stays open until"), std::string::npos) << again.out;
	EXPECT_EQ(deadline("web"), end);
	EXPECT_EQ(list()["open"].size(), 2U);

	const Child stream = conversation(lab().in_node(), internet4, 443);
	const Child datagrams = conversation(lab().in_node(), internet4, 443, SOCK_DGRAM);
	const Finished without = lab().weir(
		{"apply",
		 lab().write("site.toml", lab().native_site().text() + "[windows.installation]\nlongest = \"30m\"\n")});
	ASSERT_EQ(without.status, 0) << without.err;
	EXPECT_NE(without.out.find("window web was open and is closed"), std::string::npos) << without.out;
	EXPECT_EQ(datagrams.answer(), "ECONNABORTED");
	EXPECT_EQ(stream.ask("?"), "goes on") << "installation has TCP/443, too";
	EXPECT_LE(deadline("installation"), clock_of(CLOCK_BOOTTIME) + 30 * 60'000 * millisecond) << "the new longest";
	EXPECT_EQ(lab().status()["state"], "enforcing");
}

TEST_F(Windows, NothingOutlivesTheInstance)
{
	apply(site_text());
	ASSERT_EQ(open("web", "10m").status, 0);
	lab().remove();
	EXPECT_EQ(lab().weir({"window", "list"}).status, absent);
	EXPECT_EQ(open("web", "10m").status, absent);
	EXPECT_EQ(close("web").status, absent);
	apply(site_text());
	EXPECT_EQ(list()["open"].size(), 0U) << "what held it was in the kernel only";
	EXPECT_EQ(reach(), "refused EPERM");
}

TEST_F(Windows, WhatIsWrongIsSaidAndChangesNothing)
{
	apply(site_text());
	ASSERT_EQ(open("web", "10m").status, 0);
	const auto before = lab().status();
	const std::string long_reason(201, 'x');
	struct Wrong {
		std::vector<std::string> words;
		int status;
		const char *says;
	};
	const std::vector<Wrong> all{
		{{"open"}, usage_error, "name"},
		{{"open", "installation", "--reason", "r"}, usage_error, "--for"},
		{{"open", "installation", "--for", "1h"}, usage_error, "--reason"},
		{{"open", "installation", "--for", "", "--reason", "r"}, usage_error, "--for"},
		{{"open", "installation", "--for", "0s", "--reason", "r"}, usage_error, "no time"},
		{{"open", "installation", "--for", "-2h", "--reason", "r"}, usage_error, "negative"},
		{{"open", "installation", "--for=-2h", "--reason", "r"}, usage_error, "negative"},
		{{"open", "installation", "--for", "2", "--reason", "r"}, usage_error, "unit"},
		{{"open", "installation", "--for", "2 hours", "--reason", "r"}, usage_error, "2 hours"},
		{{"open", "installation", "--for", "25h", "--reason", "r"}, usage_error, "longer than a day"},
		{{"open", "installation", "--for", "99999999999999999999h", "--reason", "r"}, usage_error, "longer"},
		{{"open", "installation", "--for", "4h1s", "--reason", "r"}, policy_error, "at most 4h"},
		{{"open", "installation", "--for", "1h", "--reason", ""}, usage_error, "--reason"},
		{{"open", "installation", "--for", "1h", "--reason", " "}, usage_error, "--reason"},
		{{"open", "installation", "--for", "1h", "--reason", "a\nb"}, usage_error, "--reason"},
		{{"open", "installation", "--for", "1h", "--reason", "\x1b[31mred"}, usage_error, "--reason"},
		{{"open", "installation", "--for", "1h", "--reason", "\xff"}, usage_error, "--reason"},
		{{"open", "installation", "--for", "1h", "--reason", long_reason}, usage_error, "200 bytes"},
		{{"open", "instalation", "--for", "1h", "--reason", "r"},
		 policy_error,
		 "did you mean \"installation\""},
		{{"open", "node-native", "--for", "1h", "--reason", "r"}, policy_error, "no window"},
		{{"open", "../x", "--for", "1h", "--reason", "r"}, usage_error, "name"},
		{{"open", "web", "--for", "1m", "--reason", "r"}, policy_error, "open already"},
		{{"close"}, usage_error, "name"},
		{{"close", "installation"}, policy_error, "not open"},
		{{"close", "nothing"}, policy_error, "no window"},
		{{"close", "web", "--reason", "a\tb"}, usage_error, "--reason"},
		{{"list", "web"}, usage_error, "too many"},
		{{"shut"}, usage_error, "no verb"},
		{{}, usage_error, "verb is missing"},
	};
	for (const auto &[words, status, says] : all) {
		std::vector<std::string> command{"window"};
		command.insert(command.end(), words.begin(), words.end());
		const Finished done = lab().weir(command);
		std::string line;
		for (const auto &word : command)
			line += word + " | ";
		EXPECT_EQ(done.status, status) << line << done.err;
		EXPECT_NE(done.err.find(says), std::string::npos) << line << done.err;
	}
	const auto after = lab().status();
	EXPECT_EQ(after["generation"], before["generation"]);
	EXPECT_EQ(after["digest"], before["digest"]);
}

TEST_F(Windows, OfManyThatOpenItAtOnceOneDoes)
{
	apply(site_text());
	std::vector<Program> all;
	for (int i = 0; i < 6; ++i)
		all.emplace_back(lab().command({"window", "open", i % 2 == 0 ? "web" : "installation", "--for", "10m",
						"--reason", "at once"}));
	int opened = 0;
	for (auto &each : all) {
		const Finished done = each.wait();
		opened += done.status == 0 ? 1 : 0;
		EXPECT_TRUE(done.status == 0 || done.status == policy_error) << done.err;
	}
	EXPECT_EQ(opened, 2);
	EXPECT_EQ(list()["open"].size(), 2U) << list();
	EXPECT_EQ(lab().weir({"status"}).status, 0);
}

TEST_F(Windows, TheRecordSaysWhoAndWhy)
{
	apply(site_text());
	auto daemon = recorder();
	ASSERT_EQ(open("web", "10m").status, 0);
	ASSERT_EQ(daemon.actions(1).size(), 1U);
	ASSERT_EQ(open("web", "2m", {"--extend"}).status, 0);
	ASSERT_EQ(daemon.actions(2).size(), 2U);
	EXPECT_EQ(daemon.stop().status, 0);
	ASSERT_EQ(lab().weir({"window", "close", "web", "--reason", "done early"}).status, 0);
	auto next = recorder();
	const std::vector<std::string> all{"window_opened", "window_extended", "window_closed"};
	EXPECT_EQ(next.actions(3), all) << "nothing is told twice, nothing is left out";

	const auto records = next.windows();
	const auto &opened = records[0], &closed = records[2];
	EXPECT_EQ(opened["weir"]["window"]["name"], "web");
	EXPECT_EQ(opened["weir"]["window"]["reason"], "a test");
	EXPECT_EQ(opened["weir"]["window"]["by"], list()["ended"][0]["by"]);
	EXPECT_FALSE(opened["user"]["name"].get<std::string>().empty());
	EXPECT_EQ(opened["event"]["start"], opened["@timestamp"]);
	EXPECT_EQ(closed["weir"]["window"]["reason"], "done early");
	EXPECT_EQ(closed["weir"]["window"]["opened_reason"], "a test");
	const Finished shown = lab().weir({"events", lab().directory() + "/windows.jsonl"});
	EXPECT_NE(shown.out.find("WINDOW"), std::string::npos) << shown.out << shown.err;
	EXPECT_EQ(next.stop().status, 0);
}

TEST_F(Windows, KeysAreNegotiatedBothWaysBetweenTheNamedPeersOnly)
{
	constexpr std::uint16_t port = 14000;
	const Spot node = lab().in_node();
	const Spot other{lab().researcher(), lab().cgroup("party")};
	const auto negotiation = [](const std::string &peer) {
		return "[windows.key-negotiation]\npeers = [\"" + peer + "\"]\nlongest = \"10m\"\n";
	};
	apply(lab().native_site().text() + negotiation("researcher"));
	const std::string host = lab().instance;
	lab().write(
		"party.toml",
		matrix_text(
			"party",
			{{.id = "nodes", .dir = "in", .source = "node", .destination = "party", .port = "TCP/50051"}}));
	SiteFile party;
	party.scenario = "party";
	party.names["node"] = {node4, node6};
	party.cgroups["party"] = other.cgroup;
	lab().instance = "party";
	apply(party.text() + negotiation("node"));
	const Server at_node(node, {port}, {}), at_other(other, {port}, {}), at_intruder(intruder(), {port}, {});

	const auto both_ways = [&] {
		return tcp(node, researcher4, port).text() + ", " + tcp(other, node4, port).text();
	};
	EXPECT_EQ(both_ways(), "refused EPERM, refused EPERM");
	ASSERT_EQ(open("key-negotiation", "5m").status, 0);
	EXPECT_NE(both_ways(), "connected, connected") << "the other host's is closed";
	lab().instance = host;
	const Finished opened = open("key-negotiation", "5m");
	ASSERT_EQ(opened.status, 0) << opened.err;
	EXPECT_EQ(both_ways(), "connected, connected");
	EXPECT_TRUE(is(tcp(node, intruder4, port), Reach::refused)) << "no peer";
	EXPECT_NE(tcp(intruder(), node4, port).reach, Reach::connected) << "no peer";
	EXPECT_TRUE(is(tcp(node, researcher4, port - 1), Reach::refused)) << "no port of it";
	EXPECT_EQ(open("key-negotiation", "11m", {"--extend"}).status, policy_error);
	ASSERT_EQ(close("key-negotiation").status, 0);
	EXPECT_NE(tcp(other, node4, port).reach, Reach::connected);
	EXPECT_TRUE(is(tcp(node, researcher4, port), Reach::refused));
	lab().instance = "party";
	lab().remove();
	lab().instance = host;
}

TEST_F(Windows, AtTheEdgeWhatIsInNoCgroupIsCutToo)
{
	const std::string text = site_text("[edge]\n");
	const auto weir = [](const std::vector<std::string> &words) { return at_node(words); };
	const Finished applied = weir({"apply", lab().write("site.toml", text)});
	ASSERT_EQ(applied.status, 0) << applied.err;
	const std::vector<std::string> words{"window", "open", "web", "--for", "10m", "--reason", "a test"};
	ASSERT_EQ(weir(words).status, 0);
	const Child beside = conversation(lab().beside_node(), internet4, 443);
	const Child inside = conversation(lab().in_node(), internet6, 443);
	const Child lasting = conversation(lab().in_node(), researcher4, 50051);
	const Finished closed = weir({"--json", "window", "close", "web"});
	ASSERT_EQ(closed.status, 0) << closed.err;
	EXPECT_EQ(beside.answer(), "ECONNABORTED");
	EXPECT_EQ(inside.answer(), "ECONNABORTED");
	EXPECT_EQ(json::parse(closed.out)["connections_cut"].size(), 2U) << closed.out;
	EXPECT_EQ(lasting.ask("?"), "goes on");
}

} // namespace
} // namespace weir::test
