// SPDX-License-Identifier: Apache-2.0
// The journal, end to end: every refusal that the kernel counts is accounted for in it, whatever becomes of the daemon,
// and so is every change of the policy; and it is proved whole.
#include "tests/lab/journal_test.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace weir::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

TEST_F(Journal, RefusalsAndWhoChangedWhat)
{
	lab().apply(lab_site(lab()), {"--journal", directory_});
	auto daemon = run();
	ASSERT_TRUE(comes("policy_apply"));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	lab().apply(lab_site(lab(), {{.id = "more", .port = "TCP/443"}}), {"--journal", directory_});
	EXPECT_TRUE(eventually([&] { return with("policy_apply").size() == 2; }));
	const auto digest = field(lab().status(), "digest");
	const Finished done = end(daemon);
	EXPECT_EQ(done.status, 0) << done.err;
	expect_whole();
	ASSERT_EQ(with("connect").size(), 1U);
	EXPECT_EQ(field(with("connect")[0], "weir.kernel_sequence"), 0);
	const auto applied = with("policy_apply");
	ASSERT_EQ(applied.size(), 2U);
	EXPECT_EQ(field(applied[0], "weir.policy.before.generation"), 0);
	EXPECT_EQ(field(applied[1], "weir.policy.before.digest"), field(applied[0], "weir.policy.after.digest"));
	EXPECT_EQ(field(applied[1], "weir.policy.after.digest"), digest);
	EXPECT_EQ(field(applied[1], "weir.policy.by.uid"), 0);
	EXPECT_EQ(field(applied[1], "weir.policy.opened").dump(),
		  R"(["out node to 192.0.2.10 TCP/443, row more","out node to 2001:db8:0:1::10 TCP/443, row more"])");
	EXPECT_EQ(field(applied[1], "weir.policy.closed").dump(), "[]");
	EXPECT_TRUE(with("policy_unexplained").empty());
	EXPECT_TRUE(fs::is_empty(directory_ + "/changes")) << "what is in the journal waits no more";
	expect_the_kernels_numbers(*this);
	const Finished shown = lab().weir({"journal", "show", directory_});
	EXPECT_NE(shown.out.find("2 became reachable, 0 ceased to be"), std::string::npos) << shown.out;
}

/// "weir-broker", "weir-upkeep", …: the processes that `weir run` has made, and the line of each in /proc/PID/status.
std::map<std::string, std::string> children_of(pid_t pid, const std::string &what)
{
	std::map<std::string, std::string> found;
	for (const auto &each : fs::directory_iterator("/proc")) {
		std::ifstream status(each.path() / "status");
		std::string name, parent, wanted;
		for (std::string line; std::getline(status, line);) {
			const auto value = line.substr(std::min(line.find('\t') + 1, line.size()));
			if (line.starts_with("Name:"))
				name = value;
			else if (line.starts_with("PPid:"))
				parent = value;
			else if (line.starts_with(what + ":"))
				wanted = value;
		}
		if (parent == std::to_string(pid) || each.path().filename() == std::to_string(pid))
			found[name] = wanted;
	}
	return found;
}

TEST_F(Journal, WhoRecordsHasNoRights)
{
	lab().apply(lab_site(lab()), {"--journal", directory_});
	auto daemon = run();
	ASSERT_TRUE(comes("policy_apply"));
	const auto all = children_of(daemon.pid(), "Uid");
	EXPECT_EQ(all, (std::map<std::string, std::string>{{"weir", "65534\t65534\t65534\t65534"},
							   {"weir-broker", "0\t0\t0\t0"},
							   {"weir-upkeep", "0\t0\t0\t0"}}));
	// CAP_BPF, for kernels that want it of whoever reads a map that is open (before 5.19).
	utsname kernel{};
	::uname(&kernel);
	const bool is_old = std::string(kernel.release).starts_with("5.1") &&
			    !std::string(kernel.release).starts_with("5.19");
	for (const auto *set : {"CapPrm", "CapEff"})
		EXPECT_EQ(children_of(daemon.pid(), set).at("weir"), is_old ? "0000008000000000" : "0000000000000000")
			<< set;
	for (const auto *set : {"CapInh", "CapAmb"})
		EXPECT_EQ(children_of(daemon.pid(), set).at("weir"), "0000000000000000") << set;
	EXPECT_EQ(children_of(daemon.pid(), "Groups").at("weir").find_first_not_of(' '), std::string::npos);
	EXPECT_EQ(children_of(daemon.pid(), "NoNewPrivs").at("weir"), "1");

	{ // of another user's process, that lives until it was looked at: asked of who may look
		const Child sender(lab().in_node(), [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const Endpoint to(internet4, 443);
			(void)::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
			(void)channel.next();
		});
		ASSERT_TRUE(comes("send"));
	}
	EXPECT_TRUE(field(with("send")[0], "process.executable").get<std::string>().ends_with("/lab_tests"));
	// Another instance by the same name, whose ring it can't open by itself.
	EXPECT_EQ(lab().weir({"--journal", directory_, "remove"}).status, 0);
	const Finished done = daemon.wait(Millis(10000));
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_EQ(children_of(daemon.pid(), "Uid").size(), 0U) << "nothing is left behind";
	EXPECT_EQ(with("recording_ended").size(), 1U);
	// An auditor has the files, and nothing else.
	const Finished verified =
		execute({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
			 lab().command({"--version"})[0], "journal", "verify", directory_, "--key", key_});
	EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
}

TEST_F(Journal, AWindowsWholeStoryAndWhatTheSystemsOfTheSiteGet)
{
	lab().write("web.toml", matrix_text("web", {{.id = "web-tcp", .destination = "web", .port = "TCP/443"}}));
	SiteFile site = lab().native_site();
	site.names["web"] = {internet4};
	const auto file = lab().write("site.toml", site.text() + "[windows.web]\nlongest = \"30m\"\n");
	ASSERT_EQ(lab().weir({"--journal", directory_, "apply", file}).status, 0);
	const auto copy = place_ + "/copy.cef";
	const auto figures = place_ + "/weir.prom";
	auto daemon = run({"--sink", "file:" + copy + "?format=cef", "--metrics", figures});
	ASSERT_TRUE(comes("policy_apply"));
	const Finished opened =
		lab().weir({"--journal", directory_, "window", "open", "web", "--for", "2s", "--reason", "a test"});
	ASSERT_EQ(opened.status, 0) << opened.err;
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	ASSERT_TRUE(comes("policy_followed", Millis(10000))) << "its rows are taken out";
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	ASSERT_TRUE(comes("connect"));
	EXPECT_EQ(end(daemon).status, 0);

	const std::string line = "out node to " + std::string(internet4) + " TCP/443, window web, row web-tcp@node";
	ASSERT_EQ(with("policy_window").size(), 1U);
	EXPECT_EQ(field(with("policy_window")[0], "weir.policy.opened"), json::array({line}));
	ASSERT_EQ(with("policy_followed").size(), 1U);
	EXPECT_EQ(field(with("policy_followed")[0], "weir.policy.opened"), json::array());
	EXPECT_EQ(field(with("policy_followed")[0], "weir.policy.closed"), json::array({line}));
	const auto used = field(with("policy_followed")[0], "weir.policy.used");
	ASSERT_EQ(used.size(), 1U) << used;
	EXPECT_EQ(used[0]["row"], "web-tcp@node");
	EXPECT_EQ(used[0]["window"], "web");
	EXPECT_EQ(used[0]["count"], field(with("window_expired")[0], "weir.window.decided"));
	EXPECT_EQ(with("window_opened").size() + with("window_expired").size(), 2U);
	EXPECT_TRUE(with("policy_unexplained").empty());
	expect_the_kernels_numbers(*this);

	std::ifstream in(copy);
	const std::string cef((std::istreambuf_iterator<char>(in)), {});
	std::size_t lines = 0;
	each_line([&](std::string_view) { lines++; });
	EXPECT_EQ(std::ranges::count(cef, '\n'), static_cast<std::ptrdiff_t>(lines))
		<< "the journal's lines, and no other";
	const Finished checked = execute({"sh", "-c", "promtool check metrics <" + figures});
	EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
	std::ifstream metrics(figures);
	const std::string text((std::istreambuf_iterator<char>(metrics)), {});
	EXPECT_NE(text.find("weir_loaded{instance=\"lab\"} 1\n"), std::string::npos) << text;
	EXPECT_NE(text.find("weir_sink_sent_total{"), std::string::npos) << text;
}

TEST_F(Journal, WhatRootIsNeededForEndsAndSoDoesTheRecording)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	for (const auto &each : fs::directory_iterator("/proc")) {
		std::ifstream children(each.path() / "status");
		std::string all((std::istreambuf_iterator<char>(children)), {});
		if (all.contains("Name:\tweir-upkeep\n") &&
		    all.contains("PPid:\t" + std::to_string(daemon.pid()) + "\n"))
			::kill(std::stoi(each.path().filename()), SIGKILL);
	}
	const Finished done = daemon.wait(Millis(10000));
	EXPECT_EQ(done.status, 1);
	EXPECT_NE(done.err.find("follows components, interfaces, names and windows has ended"), std::string::npos)
		<< done.err;
	EXPECT_EQ(with("recording_ended").size(), 1U);
	expect_whole();
}

TEST_F(Journal, ChangesWhileNoDaemonRan)
{
	lab().apply(lab_site(lab()), {"--journal", directory_});
	EXPECT_EQ(lab().weir({"--journal", directory_, "remove"}).status, 0);
	lab().apply(lab_site(lab()), {"--journal", directory_});
	auto daemon = run();
	ASSERT_TRUE(comes("policy_remove"));
	EXPECT_EQ(with("policy_apply").size(), 2U);
	lab().apply(lab_site(lab(), {{.id = "more", .port = "TCP/443"}})); // and nobody records it
	ASSERT_TRUE(comes("policy_unexplained", Millis(15000)));
	EXPECT_EQ(end(daemon).status, 0);
	const auto found = with("policy_unexplained");
	ASSERT_EQ(found.size(), 1U);
	EXPECT_EQ(field(found[0], "weir.policy.after.generation"), 2);
	expect_whole();
}

TEST_F(Journal, AFloodIsAccountedForExactly)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	const auto sent = flood(Millis(1500), 40000);
	EXPECT_EQ(counted().refused, sent);
	(void)end(daemon);
	EXPECT_EQ(told() + counted().lost + stated("discarded") + static_cast<std::uint64_t>(waiting()), sent);
	expect_the_kernels_numbers(*this);
}

TEST_F(Journal, KilledAtRandomItSaysWhatThatCost)
{
	lab().apply_native();
	std::mt19937 random(20261125);
	const int times = rounds(4);
	for (int i = 0; i < times; ++i) {
		auto daemon = run();
		const Child sender(lab().in_node(), [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const Endpoint to(internet4, 443);
			while (!channel.receive(Millis(0)))
				for (int each = 0; each < 100; ++each)
					(void)::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
		});
		std::this_thread::sleep_for(Millis(100 + random() % 600));
		daemon.kill(SIGKILL);
		daemon.wait();
	}
	const auto before = with("recording_began").size();
	auto daemon = run();
	ASSERT_TRUE(eventually([&] { return with("recording_began").size() == before + 1; }));
	// When all is quiet, what has no record is known.
	EXPECT_TRUE(eventually(
		[&] { return told() + stated("missing") == counted().reported + counted().merged + counted().summed; },
		Millis(15000)));
	EXPECT_EQ(end(daemon).status, 0);
	EXPECT_EQ(waiting(), 0);
	EXPECT_EQ(field(with("recording_began").back(), "event.outcome"), before == 0 ? "success" : "failure");
	expect_the_kernels_numbers(*this);
}

TEST_F(Journal, AStoppedDaemonAndAFullRing)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	daemon.kill(SIGSTOP);
	take_tables(lab()); // else it would not become full
	(void)flood(Millis(10), 40000);
	std::this_thread::sleep_for(Millis(5500));
	daemon.kill(SIGCONT);
	ASSERT_TRUE(comes("recording_paused", Millis(10000)));
	EXPECT_TRUE(comes("events_lost"));
	(void)end(daemon);
	EXPECT_GT(field(with("recording_paused")[0], "weir.journal.seconds").get<double>(), 5.0);
	EXPECT_GT(stated("lost"), 0U);
	expect_the_kernels_numbers(*this);
	expect_as_the_schema_says({"violation", "loss", "journal", "checkpoint"});
}

TEST_F(Journal, AFullDiskLosesNothingThatWasWritten)
{
	on_a_disk("2M");
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	(void)flood(Millis(10), 12000, 12000); // some 4000 records and a count: the disk is full
	std::this_thread::sleep_for(Millis(1000));
	EXPECT_LT(told(), 12000U);
	const std::string disk = lab().directory() + "/disk";
	ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64M"), 0);
	EXPECT_TRUE(eventually([&] { return told() + counted().lost == counted().refused; }, Millis(15000)));
	const Finished done = end(daemon);
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.err.find("No space left"), std::string::npos) << done.err;
	EXPECT_EQ(stated("missing") + stated("discarded"), 0U);
	expect_the_kernels_numbers(*this);
}

TEST_F(Journal, ADiskThatIsReadOnlyIsSaid)
{
	on_a_disk("8M");
	lab().apply_native();
	const std::string disk = lab().directory() + "/disk";
	ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
	auto failing = run();
	const Finished failed = failing.wait(Millis(5000));
	EXPECT_EQ(failed.status, 1);
	EXPECT_NE(failed.err.find("Read-only file system"), std::string::npos) << failed.err;
	ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, ""), 0);
	const auto sent = flood(Millis(0), 10);
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	EXPECT_EQ(end(daemon).status, 0);
	EXPECT_EQ(told(), sent);
	expect_the_kernels_numbers(*this);
}

TEST_F(Journal, WhatIsDetachedOrNotAsPublishedIsFound)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	const std::string pins = lab().bpffs() + "/weir/" + lab().instance;
	const auto link = fs::directory_iterator(pins + "/links")->path();
	ASSERT_TRUE(fs::remove(link));
	EXPECT_TRUE(comes("component_held")) << "it is attached again, and that is a record";
	ASSERT_TRUE(fs::remove(pins + "/maps/flows"));
	ASSERT_TRUE(comes("not_as_published", Millis(15000)));
	EXPECT_EQ(end(daemon).status, 0);
	const auto text = field(with("not_as_published")[0], "event.reason").get<std::string>();
	EXPECT_NE(text.find("a map of the instance is missing"), std::string::npos) << text;
	expect_whole();
}

/// A whole journal, with records of every kind that can be brought about here.
TEST_F(Journal, EachLineIsAsTheSchemaSays)
{
	SiteFile site = lab_site(lab());
	site.names["web"] = {internet4, internet6};
	lab().write("web.toml", matrix_text("web", {{.id = "web-tcp", .destination = "web", .port = "TCP/443"}}));
	const auto path = lab().write("site.toml", site.text() + "[windows.web]\nlongest = \"30m\"\n");
	const auto command = [&](std::vector<std::string> words) {
		words.insert(words.begin(), {"--journal", directory_});
		const Finished done = lab().weir(words);
		EXPECT_EQ(done.status, 0) << done.err << done.out;
	};
	command({"apply", path});
	auto killed = run();
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
	ASSERT_TRUE(comes("connect"));
	killed.kill(SIGKILL);
	killed.wait();
	auto daemon = run();
	EXPECT_TRUE(eventually([&] { return with("recording_began").size() == 2; }));
	command({"window", "open", "web", "--for", "10m", "--reason", "a \"test\" <b>"});
	EXPECT_TRUE(comes("window_opened"));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	command({"window", "open", "web", "--for", "20m", "--reason", "longer", "--extend"});
	command({"window", "close", "web"});
	EXPECT_TRUE(comes("window_closed"));
	lab().apply(lab_site(lab())); // and nobody records it
	EXPECT_TRUE(comes("policy_unexplained", Millis(15000)));
	ASSERT_TRUE(fs::remove(fs::directory_iterator(lab().bpffs() + "/weir/" + lab().instance + "/links")->path()));
	EXPECT_TRUE(comes("component_held"));
	ASSERT_TRUE(fs::remove(lab().bpffs() + "/weir/" + lab().instance + "/maps/flows"));
	EXPECT_TRUE(comes("not_as_published", Millis(15000)));
	command({"remove"});
	EXPECT_EQ(daemon.wait(Millis(30000)).status, 0);
	expect_whole();
	const auto windows = with("policy_window");
	ASSERT_EQ(windows.size(), 3U);
	const auto used = field(windows[1], "weir.policy.used");
	ASSERT_EQ(used.size(), 1U) << used;
	EXPECT_EQ(used[0]["row"], "web-tcp@node");
	EXPECT_EQ(used[0]["window"], "web");
	EXPECT_GE(used[0]["count"].get<int>(), 1);
	expect_as_the_schema_says({"violation", "component", "window", "policy", "integrity", "journal", "checkpoint"});
}

} // namespace
} // namespace weir::test
