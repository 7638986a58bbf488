// SPDX-License-Identifier: Apache-2.0
// Components by container and by unit: found, awaited, restarted, two at once; what gets out before they are held.
#include "tests/lab/component_test.h"

#include <algorithm>
#include <cstring>

namespace weir::test {
namespace {

namespace fs = std::filesystem;

class Components : public LabTest {
protected:
	static void SetUpTestSuite()
	{
		prepare_for_runtimes();
		LabTest::SetUpTestSuite();
	}
	void TearDown() override
	{
		LabTest::TearDown();
		for (const auto &each : made_)
			::rmdir(each.c_str());
	}

	/// The node by the name of its container.
	static SiteFile site(const std::string &pattern = "weir-lab-node-*")
	{
		SiteFile site = lab_site(lab());
		site.cgroups.clear();
		site.containers["node"] = pattern;
		return site;
	}
	/// A cgroup that is called as a runtime would.
	std::string make(const std::string &name)
	{
		made_.push_back(lab().cgroup(name));
		return made_.back();
	}
	static void remove(const std::string &cgroup)
	{
		if (!eventually([&] { return ::rmdir(cgroup.c_str()) == 0; }))
			raise("removing " + cgroup);
	}
	static Spot in(const std::string &cgroup) { return {lab().node(), cgroup}; }
	static Finished try_apply(const SiteFile &site, const std::vector<std::string> &options = {})
	{
		std::vector<std::string> words{"apply", lab().write("site.toml", site.text())};
		words.insert(words.end(), options.begin(), options.end());
		return lab().weir(words);
	}
	static void expect_held(const std::string &cgroup)
	{
		EXPECT_TRUE(is(tcp(in(cgroup), researcher4, 50051), Reach::connected));
		EXPECT_TRUE(is(tcp(in(cgroup), internet4, 443), Reach::refused));
		EXPECT_TRUE(is(attempt(in(cgroup), "raw4-protocol", internet4, 0), Reach::refused));
	}
	static void expect_open(const std::string &cgroup)
	{
		EXPECT_TRUE(is(tcp(in(cgroup), internet4, 443), Reach::connected));
	}
	static std::string digest() { return field(lab().status(), "digest").get<std::string>(); }
	static int exit_of_status() { return lab().weir({"status"}).status; }
	static std::string links() { return lab().bpffs() + "/weir/" + lab().instance + "/links"; }

	static inline const std::vector<std::string> sleeping{"/usr/bin/sleep", "600"};
	/// The first thing that it does is to send something that no row admits.
	static inline const std::vector<std::string> sending{"/try/weir-try", "udp4-sendto", internet4, "443"};

	/// Packets of the node's that came to where no row admits any.
	static std::size_t leaked()
	{
		const auto seen = witnesses().arrived(Millis(30));
		return static_cast<std::size_t>(
			std::ranges::count_if(seen, [](const Seen &each) { return each.destination == internet4; }));
	}

private:
	std::vector<std::string> made_;
};

TEST_F(Components, RuncContainerIsHeldByItsName)
{
	Container container(lab(), "runc", "weir-lab-node-a", lab().cgroup("containers"), sleeping);
	container.start();
	lab().apply(site());
	expect_held(container.cgroup());
	const auto status = lab().status();
	EXPECT_EQ(status.at("state"), "enforcing");
	EXPECT_EQ(status.at("cgroups")[0].at("path"), "container:weir-lab-node-*");
	EXPECT_EQ(status.at("cgroups")[0].at("found"), nlohmann::json::array({container.cgroup()}));
	EXPECT_EQ(status.at("cgroups")[0].at("awaited"), false);
	expect_open(lab().cgroup("outside"));
}

TEST_F(Components, CrunContainerIsHeldByItsName)
{
	Container container(lab(), "crun", "weir-lab-node-b", lab().cgroup("containers"), sleeping);
	container.start();
	lab().apply(site());
	expect_held(container.cgroup());
	EXPECT_EQ(exit_of_status(), 0);
}

TEST_F(Components, PodmanContainerIsHeldByItsName)
{
	const PodmanContainer container(lab(), "weir-lab-node-p", lab().cgroup("containers"), sleeping);
	lab().apply(site());
	expect_held(container.cgroup());
	EXPECT_EQ(lab().status().at("cgroups")[0].at("found"), nlohmann::json::array({container.cgroup()}));
	EXPECT_EQ(exit_of_status(), 0);
}

TEST_F(Components, PodmanContainerIsHeldWhenItStarts)
{
	ASSERT_EQ(try_apply(site(), {"--await"}).status, 0);
	const Running running(lab());
	const PodmanContainer container(lab(), "weir-lab-node-q", lab().cgroup("containers"), sleeping);
	ASSERT_TRUE(running.has("component_held"));
	expect_held(container.cgroup());
}

// Each of two patterns is exact for itself; that they mean one cgroup shows when it starts.
TEST_F(Components, TwoNamesOfOneCgroupAreToldWhenItStarts)
{
	SiteFile two = lab().native_site();
	two.optional = {"node-gui"};
	two.cgroups.clear();
	two.containers = {{"node", "weir-lab-node-*"}, {"gui", "*-of-both"}};
	ASSERT_EQ(try_apply(two, {"--await"}).status, 0);
	const Running running(lab());
	const auto cgroup = make("weir-lab-node-of-both");
	ASSERT_TRUE(running.has("component_held", 2));
	ASSERT_TRUE(running.has("component_ambiguous"));
	const auto record = running.records("component_ambiguous").front();
	EXPECT_NE(field(record, "event.reason").get<std::string>().find("both match " + cgroup), std::string::npos)
		<< record;
	EXPECT_EQ(exit_of_status(), 6);
	EXPECT_NE(lab().weir({"status"}).out.find("both match " + cgroup), std::string::npos);
	remove(cgroup);
	EXPECT_TRUE(eventually([] { return exit_of_status() == 0; }));
}

TEST_F(Components, UnitIsHeldByItsName)
{
	// As systemd would make them, below a slice: of the test, as the lab is in none.
	const std::string slice = cgroup2_mount() + "/weir-test-" + std::to_string(::getpid()) + "-0.slice";
	const std::string service = slice + "/weir-lab-node.service";
	fs::create_directories(service);
	SiteFile by_unit = site();
	by_unit.containers.clear();
	by_unit.units["node"] = "weir-lab-node.service";
	lab().apply(by_unit);
	expect_held(service);
	EXPECT_EQ(lab().status().at("cgroups")[0].at("found"), nlohmann::json::array({service}));
	lab().remove();
	expect_open(service);
	remove(service);
	EXPECT_EQ(try_apply(by_unit).status, 1);
	remove(slice);
}

TEST_F(Components, NoneIsAnErrorThatSaysWhatToDoAndTheOldPolicyStays)
{
	const Finished none = try_apply(site());
	EXPECT_EQ(none.status, 1);
	EXPECT_NE(none.err.find("no container that runs is called weir-lab-node-*"), std::string::npos) << none.err;
	EXPECT_NE(none.err.find("--await"), std::string::npos) << none.err;
	EXPECT_EQ(exit_of_status(), 7) << "nothing is loaded";
	lab().apply_native();
	const auto before = digest();
	EXPECT_EQ(try_apply(site()).status, 1);
	EXPECT_EQ(digest(), before);
	EXPECT_EQ(exit_of_status(), 0);
}

TEST_F(Components, TwoAreAnErrorThatNamesBothAndTheOldPolicyStays)
{
	lab().apply_native();
	const auto before = digest();
	const auto one = make("weir-lab-node-1");
	const auto two = make("weir-lab-node-2");
	for (const std::vector<std::string> &options : {std::vector<std::string>{}, {"--await"}}) {
		const Finished both = try_apply(site(), options);
		EXPECT_EQ(both.status, 3);
		EXPECT_NE(both.err.find(one), std::string::npos) << both.err;
		EXPECT_NE(both.err.find(two), std::string::npos) << both.err;
		EXPECT_EQ(digest(), before);
	}
	expect_open(one);
	remove(two);
	lab().apply(site());
	expect_held(one);
}

TEST_F(Components, AwaitedIsNoProblemUntilItIsThereAndUnheld)
{
	const Finished applied = try_apply(site(), {"--await"});
	EXPECT_EQ(applied.status, 0) << applied.err;
	EXPECT_NE(applied.out.find("awaited"), std::string::npos) << applied.out;
	const auto status = lab().status();
	EXPECT_EQ(status.at("state"), "enforcing") << status;
	EXPECT_EQ(status.at("cgroups")[0].at("awaited"), true);
	EXPECT_NE(lab().weir({"status"}).out.find("awaited"), std::string::npos);

	const auto node = make("weir-lab-node-1");
	const Finished unheld = lab().weir({"status"});
	EXPECT_EQ(unheld.status, 6) << "it is there, and nobody holds it";
	EXPECT_NE(unheld.out.find(node), std::string::npos) << unheld.out;
	expect_open(node);
	const Running running(lab());
	ASSERT_TRUE(running.has("component_held"));
	EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
	expect_held(node);
}

TEST_F(Components, AwaitedIsHeldWhenItStarts)
{
	ASSERT_EQ(try_apply(site(), {"--await"}).status, 0);
	const Running running(lab());
	Container container(lab(), "runc", "weir-lab-node-c", lab().cgroup("containers"), sleeping);
	container.start();
	ASSERT_TRUE(running.has("component_held"));
	expect_held(container.cgroup());
	const auto record = running.records("component_held").at(0);
	EXPECT_EQ(field(record, "event.dataset"), "weir.component");
	EXPECT_EQ(field(record, "weir.component.name"), nlohmann::json::array({"node"}));
	EXPECT_EQ(field(record, "weir.component.where"), "container:weir-lab-node-*");
	EXPECT_EQ(field(record, "weir.component.cgroup"), container.cgroup());
	EXPECT_EQ(field(record, "weir.component.sockets_before"), 0) << record;
	EXPECT_LT(field(record, "weir.component.gap_us").get<int>(), 2'000'000);
}

TEST_F(Components, RestartedIsHeldAgainEachTime)
{
	Container container(lab(), "runc", "weir-lab-node-d", lab().cgroup("containers"), sleeping);
	container.start();
	lab().apply(site());
	const Running running(lab());
	for (std::size_t i = 1; i <= 3; ++i) {
		container.stop();
		ASSERT_TRUE(running.has("component_gone", i));
		EXPECT_EQ(lab().status().at("cgroups")[0].at("awaited"), true);
		EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
		container.start();
		ASSERT_TRUE(running.has("component_held", i));
		expect_held(container.cgroup());
		EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
	}
	EXPECT_TRUE(running.records("component_ambiguous").empty());
	EXPECT_TRUE(running.records("component_unheld").empty());
}

TEST_F(Components, NothingGetsOutOfARestartedContainerUnderAHeldParent)
{
	// Docker's --cgroup-parent, systemd's Slice=: what is held is there before the container.
	SiteFile by_parent = lab_site(lab());
	by_parent.cgroups["node"] = lab().cgroup("parent");
	Container container(lab(), "runc", "weir-lab-node-e", lab().cgroup("parent"), sending);
	witnesses().quiet();
	container.run_to_its_end();
	ASSERT_GT(leaked(), 0u) << "without a policy it gets out, so the test sees it";
	lab().apply(by_parent);
	for (int i = 0; i < rounds(8); ++i) {
		container.run_to_its_end();
		EXPECT_EQ(leaked(), 0u);
	}
	EXPECT_EQ(exit_of_status(), 0);
}

TEST_F(Components, GapOfARestartedContainerIsStated)
{
	// By its name alone it may be quicker than whoever follows. How often is what this machine makes of it.
	ASSERT_EQ(try_apply(site(), {"--await"}).status, 0);
	const Running running(lab());
	Container container(lab(), "runc", "weir-lab-node-f", lab().cgroup("containers"), sending);
	witnesses().quiet();
	const int starts = rounds(16);
	int quicker = 0;
	std::size_t held = 0;
	for (int i = 0; i < starts; ++i) {
		container.run_to_its_end();
		if (leaked() > 0) { // it may have ended before anybody could hold it
			quicker++;
			continue;
		}
		ASSERT_TRUE(running.has("component_held", ++held));
	}
	ASSERT_GT(held, 0u);
	std::vector<std::int64_t> gaps;
	for (const auto &record : running.records("component_held"))
		gaps.push_back(field(record, "weir.component.gap_us").get<std::int64_t>());
	std::ranges::sort(gaps);
	const auto median = gaps[gaps.size() / 2];
	std::printf(
		"[ gap      ] %d of %d containers sent before they were held; gap %lld us median, %lld us longest\n",
		quicker, starts, static_cast<long long>(median), static_cast<long long>(gaps.back()));
	RecordProperty("sent_before_held", quicker);
	EXPECT_LT(median, 1'000'000) << "heard of, not found by the look each second";
}

TEST_F(Components, SocketsOfTheGapAreCounted)
{
	ASSERT_EQ(try_apply(site(), {"--await"}).status, 0);
	const auto node = make("weir-lab-node-1");
	const Child early(in(node), [](Channel &channel) {
		const Fd one(::socket(AF_INET, SOCK_DGRAM, 0));
		const Fd two(::socket(AF_INET6, SOCK_STREAM, 0));
		const Fd none(::socket(AF_UNIX, SOCK_STREAM, 0));
		channel.send("open");
		(void)channel.next();
	});
	ASSERT_EQ(early.answer(), "open");
	const Running running(lab());
	ASSERT_TRUE(running.has("component_held"));
	const auto record = running.records("component_held").at(0);
	EXPECT_EQ(field(record, "weir.component.processes_before"), 1);
	EXPECT_EQ(field(record, "weir.component.sockets_before"), 2);
	EXPECT_NE(field(record, "event.reason").get<std::string>().find("2 of its sockets were opened unheld"),
		  std::string::npos)
		<< record;
}

TEST_F(Components, WhileTwoMatchBothAreHeldAndItIsTold)
{
	const auto one = make("weir-lab-node-1");
	lab().apply(site());
	const Running running(lab());
	const auto two = make("weir-lab-node-2");
	ASSERT_TRUE(running.has("component_ambiguous"));
	expect_held(one);
	expect_held(two);
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 6) << status.out;
	EXPECT_NE(status.out.find(one), std::string::npos) << status.out;
	EXPECT_NE(status.out.find(two), std::string::npos) << status.out;
	EXPECT_EQ(field(running.records("component_ambiguous").at(0), "event.outcome"), "failure");

	remove(one); // its place is the second's now
	ASSERT_TRUE(running.has("component_gone"));
	ASSERT_TRUE(running.has("component_solved"));
	EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
	expect_held(two);
	EXPECT_TRUE(fs::exists(links() + "/0_egress"));
	EXPECT_EQ(std::distance(fs::directory_iterator(links()), fs::directory_iterator()), 7);
	lab().apply(site());
	expect_held(two);
}

TEST_F(Components, RemoveOpensAllThatWereHeld)
{
	const auto one = make("weir-lab-node-1");
	lab().apply(site());
	const auto two = [&] {
		const Running running(lab());
		auto second = make("weir-lab-node-2");
		EXPECT_TRUE(running.has("component_held"));
		return second;
	}();
	expect_held(two);
	EXPECT_EQ(lab().weir({"remove"}).status, 0);
	expect_open(one);
	expect_open(two);
	EXPECT_FALSE(fs::exists(links()));
}

TEST_F(Components, CgroupThatVanishesIsAwaitedAndNoCrash)
{
	const auto node = make("weir-lab-node-1");
	lab().apply(site());
	const auto before = digest();
	remove(node);
	EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
	EXPECT_EQ(lab().status().at("cgroups")[0].at("awaited"), true);
	EXPECT_EQ(try_apply(site()).status, 1) << "it does not run";
	EXPECT_EQ(digest(), before);
	lab().apply(site(), {"--await"});
	EXPECT_EQ(exit_of_status(), 0);
	make("weir-lab-node-1");
	EXPECT_EQ(exit_of_status(), 6) << "made anew, and nobody holds it";
	lab().apply(site());
	EXPECT_EQ(exit_of_status(), 0);
	expect_held(node);
}

TEST_F(Components, SocketThatOutlivesItsCgroupIsStillJudged)
{
	const auto node = make("weir-lab-node-1");
	lab().apply(site());
	const Running running(lab());
	const std::string refuge = lab().cgroup("outside");
	const Child survivor(in(node), [&](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		enter_cgroup(refuge);
		channel.send("out");
		while (channel.next()) {
			const Endpoint to(internet4, 443);
			const auto sent = ::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
			channel.send(sent == 1 ? "sent" : errno == EPERM ? "refused" : std::strerror(errno));
		}
	});
	ASSERT_EQ(survivor.answer(), "out");
	remove(node);
	EXPECT_EQ(survivor.ask("send"), "refused");
	const auto next = make("weir-lab-node-2");
	ASSERT_TRUE(running.has("component_held"));
	expect_held(next);
	std::this_thread::sleep_for(Millis(1200)); // the daemon has looked again
	EXPECT_EQ(survivor.ask("send"), "refused");
	EXPECT_TRUE(running.records("component_gone").empty()) << "its socket is still held";
}

TEST_F(Components, DirectoryOfASiteIsFollowedToo)
{
	const auto node = make("weir-lab-plain");
	SiteFile plain = lab_site(lab());
	plain.cgroups["node"] = node;
	lab().apply(plain);
	remove(node);
	EXPECT_EQ(exit_of_status(), 6) << "nobody is there to hold it when it comes";
	const Running running(lab());
	ASSERT_TRUE(running.has("component_gone"));
	EXPECT_EQ(lab().status().at("cgroups")[0].at("awaited"), true);
	make("weir-lab-plain");
	ASSERT_TRUE(running.has("component_held"));
	expect_held(node);
	EXPECT_EQ(exit_of_status(), 0);
}

TEST_F(Components, DetachedLinkIsAttachedAgain)
{
	const auto node = make("weir-lab-node-1");
	lab().apply(site());
	fs::remove(links() + "/0_egress");
	EXPECT_EQ(exit_of_status(), 6);
	const Running running(lab());
	ASSERT_TRUE(running.has("component_held"));
	EXPECT_EQ(exit_of_status(), 0) << lab().weir({"status"}).out;
	expect_held(node);
}

TEST_F(Components, MissingProgramIsTold)
{
	ASSERT_EQ(try_apply(site(), {"--await"}).status, 0);
	fs::remove(lab().bpffs() + "/weir/" + lab().instance + "/programs/0_egress");
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 6);
	EXPECT_NE(status.out.find("egress is not pinned"), std::string::npos) << status.out;
	const auto node = make("weir-lab-node-1");
	const Running running(lab());
	EXPECT_TRUE(running.has("component_unheld"));
	lab().apply(site());
	expect_held(node);
	EXPECT_TRUE(running.has("component_solved"));
}

TEST_F(Components, ProxyInTheEnvironmentIsWarnedOf)
{
	const auto node = make("weir-lab-node-1");
	const Program process({"env", "https_proxy=http://alice:secret@192.0.2.99:3128", "sleep", "600"}, "", in(node));
	ASSERT_TRUE(eventually([&] {
		std::ifstream name("/proc/" + std::to_string(process.pid()) + "/comm");
		std::string comm;
		return std::getline(name, comm) && comm == "sleep";
	}));
	const auto file = lab().write("site.toml", site().text());
	const Finished check = lab().weir({"check", file});
	EXPECT_EQ(check.status, 0) << check.err;
	EXPECT_NE(check.err.find("https_proxy is set: gRPC would speak to the proxy 192.0.2.99:3128"),
		  std::string::npos)
		<< check.err;
	EXPECT_NE(check.err.find("pid " + std::to_string(process.pid())), std::string::npos) << check.err;
	const Finished facts = lab().weir({"--json", "check", file});
	const auto proxy = nlohmann::json::parse(facts.out).at("components")[0].at("proxies")[0];
	EXPECT_EQ(proxy.at("row"), "node-researcher");
	EXPECT_EQ(proxy.at("proxy"), "192.0.2.99:3128");
	EXPECT_EQ(proxy.at("pids"), nlohmann::json::array({process.pid()}));
	const Finished applied = try_apply(site());
	EXPECT_EQ(applied.status, 0);
	EXPECT_NE(applied.err.find("https_proxy"), std::string::npos) << applied.err;
	for (const auto &text : {check.out, check.err, facts.out, applied.out, applied.err})
		EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

// A component's own words, on the terminal of whoever checks the site.
TEST_F(Components, ACheckRepeatsNothingThatATerminalWouldObey)
{
	const auto node = make("weir-lab-node-1");
	const std::string program = lab().directory() + "/\x1b[31m\xff";
	fs::create_symlink("/usr/bin/sleep", program);
	const Program process({"env", "https_proxy=http://192.0.2.99\x1b]0;x\x07\xff:3128", program, "600"}, "",
			      in(node));
	const auto file = lab().write("site.toml", site().text());
	Finished check;
	ASSERT_TRUE(eventually([&] {
		check = lab().weir({"check", file});
		return check.err.find("[31m") != std::string::npos;
	})) << check.err;
	EXPECT_NE(check.err.find("https_proxy is set"), std::string::npos) << check.err;
	EXPECT_EQ(check.err.find('\x1b'), std::string::npos) << check.err;
	EXPECT_EQ(check.err.find('\xff'), std::string::npos) << check.err;
	const Finished facts = lab().weir({"--json", "check", file});
	EXPECT_EQ(facts.status, 0) << facts.err;
	EXPECT_TRUE(nlohmann::json::accept(facts.out)) << facts.out;
	fs::remove(program);
}

} // namespace
} // namespace weir::test
