// SPDX-License-Identifier: Apache-2.0
// Apply, apply again, fail to apply, be interrupted, observe, remove: what is in force is always one whole policy.
#include "tests/lab/lab_test.h"

#include <bpf/bpf.h>

#include <csignal>
#include <filesystem>
#include <random>
#include <utility>

namespace weir::test {
namespace {

/// weir's other instance, for as long as it lives; what that one holds is removed with it.
class OtherInstance {
public:
	OtherInstance(Lab &lab, std::string name) : lab_(lab), before_(std::exchange(lab.instance, std::move(name))) {}
	~OtherInstance()
	{
		lab_.remove();
		lab_.instance = before_;
	}
	OtherInstance(const OtherInstance &) = delete;
	OtherInstance &operator=(const OtherInstance &) = delete;

private:
	Lab &lab_;
	std::string before_;
};

class Lifecycle : public LabTest {
protected:
	static SiteFile narrow() { return lab_site(lab()); }
	static SiteFile wide()
	{
		SiteFile site = lab_site(lab(), {{.id = "web", .destination = "web", .port = "TCP/443"}}, "wide");
		site.names["web"] = {internet4};
		return site;
	}
	static std::string digest() { return field(lab().status(), "digest").get<std::string>(); }
	static bool is_loaded() { return lab().weir({"status"}).status != 7; }
	static std::string pins() { return lab().bpffs() + "/weir/" + lab().instance; }

	static void expect_narrow()
	{
		EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
		EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused));
		EXPECT_TRUE(is(attempt(lab().in_node(), "raw4-protocol", researcher4, 0), Reach::refused));
	}
	static void expect_open()
	{
		EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
		EXPECT_TRUE(is(attempt(lab().in_node(), "udp4-sendto", internet4, 443), Reach::answered));
		EXPECT_TRUE(is(attempt(lab().in_node(), "raw4-protocol", internet4, 0), Reach::sent));
	}
};

TEST_F(Lifecycle, ShippedNodeNativeEnforcesAndSaysSo)
{
	lab().apply_native();
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 0) << status.out << status.err;
	EXPECT_NE(status.out.find("enforcing"), std::string::npos) << status.out;
	expect_narrow();
}

TEST_F(Lifecycle, SecondApplyReplacesTheFirst)
{
	lab().apply(narrow());
	const std::string first = digest();
	lab().apply(wide());
	EXPECT_NE(digest(), first);
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	lab().apply(narrow());
	EXPECT_EQ(digest(), first) << "the same policy has the same digest";
	expect_narrow();
}

TEST_F(Lifecycle, RemoveRestoresEverythingAndSaysSo)
{
	lab().apply(narrow());
	expect_narrow();
	const Finished removed = lab().weir({"remove"});
	EXPECT_EQ(removed.status, 0) << removed.err;
	EXPECT_FALSE(removed.out.empty()) << "it says what was there";
	expect_open();
	EXPECT_FALSE(std::filesystem::exists(pins()));
	EXPECT_EQ(lab().weir({"status"}).status, 7);
	EXPECT_EQ(lab().weir({"remove"}).status, 7) << "there is nothing to remove";
}

TEST_F(Lifecycle, BadSiteChangesNothing)
{
	lab().apply(narrow());
	const std::string before = digest();
	SiteFile no_name = narrow();
	no_name.names.erase("researcher");
	SiteFile no_cgroup = narrow();
	no_cgroup.cgroups["node"] = cgroup2_mount() + "/weir-test-there-is-no-such-cgroup";
	SiteFile no_scenario = narrow();
	no_scenario.scenario = "there-is-no-such-scenario";
	const std::vector<std::pair<std::string, int>> bad{{"format = 1\nscenario = ", 3},
							   {narrow().text() + "colour = \"red\"\n", 3},
							   {no_name.text(), 3},
							   {no_cgroup.text(), 0},
							   {no_scenario.text(), 3}};
	for (const auto &[text, code] : bad) {
		const Finished done = lab().weir({"apply", lab().write("bad.toml", text)});
		EXPECT_NE(done.status, 0) << text;
		if (code != 0) {
			EXPECT_EQ(done.status, code) << text << done.err;
		}
		EXPECT_FALSE(done.err.empty()) << "it says what is wrong: " << text;
		EXPECT_EQ(digest(), before) << text;
	}
	expect_narrow();
}

TEST_F(Lifecycle, WithoutASiteTheInstancesOwnIsRead)
{
	const OtherInstance absent(lab(), "there-is-no-such-instance");
	for (const std::string verb : {"check", "show", "apply"}) {
		const Finished done = lab().weir({verb});
		EXPECT_EQ(done.status, 3) << verb;
		EXPECT_NE(done.err.find("/etc/weir/there-is-no-such-instance.toml"), std::string::npos) << done.err;
	}
}

TEST_F(Lifecycle, BadFirstApplyLeavesNothing)
{
	SiteFile no_cgroup = narrow();
	no_cgroup.cgroups["node"] = cgroup2_mount() + "/weir-test-there-is-no-such-cgroup";
	EXPECT_NE(lab().weir({"apply", lab().write("bad.toml", no_cgroup.text())}).status, 0);
	EXPECT_FALSE(is_loaded());
	EXPECT_FALSE(std::filesystem::exists(pins()));
	expect_open();
}

TEST_F(Lifecycle, InterruptedApplyLeavesTheOldPolicyOrTheNew)
{
	lab().apply(narrow());
	const std::string old_digest = digest();
	lab().apply(wide());
	const std::string new_digest = digest();
	lab().apply(narrow());
	std::mt19937 random(20240607);
	std::uniform_int_distribution<int> moment(0, 12000);
	const std::string wide_site = lab().write("wide-site.toml", wide().text());
	int interrupted = 0;
	for (int i = 0; i < rounds(40); ++i) {
		Program apply(lab().command({"apply", wide_site}));
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		apply.kill(SIGKILL);
		interrupted += apply.wait().signal == SIGKILL ? 1 : 0;
		const std::string now = digest();
		ASSERT_TRUE(now == old_digest || now == new_digest) << now;
		ASSERT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected)) << "kill " << i;
		ASSERT_TRUE(is(tcp(lab().in_node(), internet4, 443),
			       now == new_digest ? Reach::connected : Reach::refused));
		ASSERT_TRUE(is(tcp(lab().in_node(), internet6, 443), Reach::refused));
		if (i % 4 == 3) {
			lab().apply(narrow());
			ASSERT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
			ASSERT_EQ(digest(), old_digest);
		}
	}
	EXPECT_GT(interrupted, rounds(40) / 8) << "the kills came too late to prove anything";
}

TEST_F(Lifecycle, InterruptedFirstApplyIsRepairedByTheNext)
{
	std::mt19937 random(7);
	std::uniform_int_distribution<int> moment(0, 60000);
	const std::string site = lab().write("site.toml", narrow().text());
	for (int i = 0; i < rounds(25); ++i) {
		lab().remove();
		Program apply(lab().command({"apply", site}));
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		apply.kill(SIGKILL);
		apply.wait();
		// Whatever is there now: never a policy half in force that says it is whole.
		const Finished status = lab().weir({"status"});
		const Outcome researcher_now = tcp(lab().in_node(), researcher4, 50051);
		const Outcome internet_now = attempt(lab().in_node(), "raw4-protocol", internet4, 0);
		if (status.status == 0) {
			ASSERT_TRUE(is(researcher_now, Reach::connected));
			ASSERT_TRUE(is(internet_now, Reach::refused));
		}
		lab().apply(narrow());
		ASSERT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
		ASSERT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
		ASSERT_TRUE(is(attempt(lab().in_node(), "raw4-protocol", internet4, 0), Reach::refused));
	}
}

TEST_F(Lifecycle, InterruptedRemoveIsFinishedByTheNext)
{
	std::mt19937 random(11);
	std::uniform_int_distribution<int> moment(0, 8000);
	for (int i = 0; i < rounds(15); ++i) {
		lab().apply(narrow());
		Program removal(lab().command({"remove"}));
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		removal.kill(SIGKILL);
		removal.wait();
		const Finished status = lab().weir({"status"});
		if (status.status == 0) {
			ASSERT_TRUE(is(attempt(lab().in_node(), "raw4-protocol", internet4, 0), Reach::refused));
		}
		lab().remove();
		ASSERT_FALSE(std::filesystem::exists(pins()));
		ASSERT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	}
}

TEST_F(Lifecycle, ObserveReportsAndRefusesNothing)
{
	lab().apply(narrow(), {"--observe"});
	expect_open();
	const Server server(lab().in_node(), {9000}, {});
	EXPECT_TRUE(is(tcp(intruder(), node4, 9000), Reach::connected));
	const Finished status = lab().weir({"status"});
	EXPECT_NE(status.out.find("observ"), std::string::npos) << status.out;
	const auto facts = lab().status();
	EXPECT_EQ(field(facts, "events.refused"), 0) << facts;
	EXPECT_GT(field(facts, "events.observed").get<std::uint64_t>(), 3U) << facts;
	lab().apply(narrow());
	expect_narrow();
	lab().apply(narrow(), {"--observe"});
	expect_open();
}

TEST_F(Lifecycle, PolicyForOtherCgroupsReplacesThePrograms)
{
	const Spot second{lab().node(), lab().cgroup("second")};
	lab().apply(narrow());
	const Finished before = lab().weir({"--json", "status"});
	SiteFile both =
		lab_site(lab(), {{.id = "gui-web", .source = "gui", .destination = "web", .port = "TCP/443"}}, "both");
	both.names["web"] = {internet4};
	both.cgroups["gui"] = second.cgroup;
	lab().apply(both);
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	expect_narrow();
	EXPECT_TRUE(is(tcp(second, internet4, 443), Reach::connected));
	EXPECT_TRUE(is(tcp(second, researcher4, 50051), Reach::refused)) << "each cgroup has its own rows";
	const auto generation = field(lab().status(), "generation").get<int>();
	EXPECT_EQ(generation, field(nlohmann::json::parse(before.out), "generation").get<int>() + 1);
	// The node alone, elsewhere: its old cgroup and the other one are let go.
	SiteFile moved = narrow();
	moved.cgroups["node"] = second.cgroup;
	lab().apply(moved);
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	expect_open();
	EXPECT_TRUE(is(tcp(second, internet4, 443), Reach::refused));
	EXPECT_TRUE(is(tcp(second, researcher4, 50051), Reach::connected));
	EXPECT_FALSE(std::filesystem::exists(pins() + "@old"));
	EXPECT_FALSE(std::filesystem::exists(pins() + "@new"));
}

TEST_F(Lifecycle, TwoInstancesDoNotDisturbEachOther)
{
	const Spot second{lab().node(), lab().cgroup("second")};
	lab().apply(narrow());
	SiteFile site = wide();
	site.cgroups["node"] = second.cgroup;
	{
		const OtherInstance other(lab(), "second");
		lab().apply(site);
		expect_narrow();
		EXPECT_TRUE(is(tcp(second, internet4, 443), Reach::connected));
		EXPECT_TRUE(is(tcp(second, internet6, 443), Reach::refused));
	}
	EXPECT_TRUE(is(tcp(second, internet6, 443), Reach::connected));
	expect_narrow();
	EXPECT_EQ(lab().weir({"status"}).status, 0);
}

TEST_F(Lifecycle, InstanceOnANestedCgroupAddsToTheOuterOne)
{
	const Spot inner{lab().node(), lab().cgroup("node/inner")};
	lab().apply(narrow());
	SiteFile site = wide();
	site.cgroups["node"] = inner.cgroup;
	const OtherInstance other(lab(), "inner");
	lab().apply(site);
	EXPECT_TRUE(is(tcp(inner, researcher4, 50051), Reach::connected)) << "both allow it";
	EXPECT_TRUE(is(tcp(inner, internet4, 443), Reach::refused)) << "the outer one doesn't";
}

TEST_F(Lifecycle, InterruptedChangeOfThePrograms)
{
	const Spot second{lab().node(), lab().cgroup("second")};
	SiteFile both =
		lab_site(lab(), {{.id = "gui-web", .source = "gui", .destination = "web", .port = "TCP/443"}}, "both");
	both.names["web"] = {internet4};
	both.cgroups["gui"] = second.cgroup;
	const std::string one_site = lab().write("one-site.toml", narrow().text());
	const std::string both_site = lab().write("both-site.toml", both.text());
	lab().apply(both);
	std::mt19937 random(13);
	std::uniform_int_distribution<int> moment(20000, 250000);
	for (int i = 0; i < rounds(16); ++i) {
		Program apply(lab().command({"apply", i % 2 == 0 ? one_site : both_site}));
		std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
		apply.kill(SIGKILL);
		apply.wait();
		ASSERT_TRUE(is_loaded()) << "the node is held, so nobody may say that it isn't";
		expect_narrow();
	}
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	EXPECT_FALSE(std::filesystem::exists(pins() + "@old"));
	EXPECT_FALSE(std::filesystem::exists(pins() + "@new"));
}

TEST_F(Lifecycle, KilledBetweenTwoRenamesIsHalfLoadedAndNotAbsent)
{
	// What an apply that was killed there leaves on kernels whose bpffs can't exchange two directories.
	lab().apply(narrow());
	std::filesystem::rename(pins(), pins() + "@new");
	for (const char *part : {"@old", "@old/maps", "@old/links"})
		std::filesystem::create_directory(pins() + part);
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 6) << status.err;
	EXPECT_EQ(status.err.find("nothing is enforced"), std::string::npos) << status.err;
	expect_narrow();
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
	EXPECT_FALSE(std::filesystem::exists(pins() + "@old"));

	std::filesystem::rename(pins(), pins() + "@new");
	EXPECT_EQ(lab().weir({"status"}).status, 6);
	EXPECT_EQ(lab().weir({"remove"}).status, 0);
	EXPECT_EQ(lab().weir({"status"}).status, 7);
	expect_open();
}

TEST_F(Lifecycle, SymlinkInThePlaceOfAnInstanceIsReplacedAndNotFollowed)
{
	lab().apply(narrow());
	const std::string other = lab().bpffs() + "/other";
	std::filesystem::rename(pins(), other);
	std::filesystem::create_directory_symlink(other, pins());
	SiteFile elsewhere = narrow();
	elsewhere.cgroups["node"] = lab().cgroup("second");
	lab().apply(elsewhere);
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	expect_narrow(); // by what the link led to
	EXPECT_TRUE(std::filesystem::exists(other + "/links/0_egress"));
	lab().remove();
	std::filesystem::create_directory(lab().bpffs() + "/weir"); // the TearDown's remove finds it there
	std::filesystem::rename(other, pins());
}

/// The link that is pinned at `path`, and what its kernel says of it.
std::pair<Fd, bpf_link_info> link_at(const std::string &path)
{
	Fd link(::bpf_obj_get(path.c_str()));
	bpf_link_info info{};
	__u32 size = sizeof(info);
	if (!link || ::bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0)
		raise(path);
	return {std::move(link), info};
}

TEST_F(Lifecycle, AnotherProgramInALinkIsNamedByStatus)
{
	lab().apply(narrow());
	const auto [egress, of_egress] = link_at(pins() + "/links/0_egress");
	const auto [ingress, of_ingress] = link_at(pins() + "/links/0_ingress");
	const Fd other(::bpf_prog_get_fd_by_id(of_ingress.prog_id));
	ASSERT_TRUE(other);
	// Weir's own program, of this very policy, but it would take for remote what is local.
	if (::bpf_link_update(egress.get(), other.get(), nullptr) != 0)
		GTEST_SKIP() << "this kernel does not exchange them";
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 6) << status.out << status.err;
	EXPECT_NE(status.out.find("egress"), std::string::npos) << status.out;
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
	expect_narrow();
}

TEST_F(Lifecycle, DetachedLinkThatIsStillPinnedIsNamedByStatus)
{
	lab().apply(narrow());
	for (const char *hook : {"0_egress", "0_sock_create"}) {
		ASSERT_EQ(::bpf_link_detach(link_at(pins() + "/links/" + hook).first.get()), 0);
		EXPECT_EQ(lab().weir({"status"}).status, 6) << hook;
		lab().apply(narrow());
		EXPECT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
	}
	expect_narrow();
}

TEST_F(Lifecycle, NoPublishedImageRefusesEverythingAndIsNamedByStatus)
{
	lab().apply(narrow());
	const Fd images(::bpf_obj_get((pins() + "/maps/images").c_str()));
	const __u32 slot = 0;
	ASSERT_EQ(::bpf_map_delete_elem(images.get(), &slot), 0);
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::refused));
	EXPECT_EQ(lab().weir({"status"}).status, 6);
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
	expect_narrow();
}

TEST_F(Lifecycle, ManyAtOnceComeOneAfterTheOther)
{
	const std::string site = lab().write("site.toml", narrow().text());
	std::vector<Program> all;
	const int many = std::getenv("WEIR_TEST_EMULATED") == nullptr ? 5 : 3; // they wait for each other only so long
	for (int i = 0; i < many; ++i) {
		all.emplace_back(lab().command({"apply", site}));
		all.emplace_back(lab().command({i == 2 ? "remove" : "status"}));
	}
	for (auto &each : all)
		EXPECT_NE(each.wait().status, 1);
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	expect_narrow();
}

TEST_F(Lifecycle, DetachedHookIsNamedByStatus)
{
	lab().apply(narrow());
	const std::string links = pins() + "/links";
	ASSERT_TRUE(std::filesystem::exists(links));
	int count = 0;
	for (const auto &entry : std::filesystem::directory_iterator(links))
		if (entry.path().string().find("egress") != std::string::npos)
			count += std::filesystem::remove(entry.path()) ? 1 : 0;
	ASSERT_GT(count, 0);
	const Finished status = lab().weir({"status"});
	EXPECT_EQ(status.status, 6) << status.out << status.err;
	EXPECT_NE(status.out.find("egress"), std::string::npos) << status.out;
	lab().apply(narrow());
	EXPECT_EQ(lab().weir({"status"}).status, 0) << "the next apply repairs";
	expect_narrow();
}

} // namespace
} // namespace weir::test
