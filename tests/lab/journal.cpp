// SPDX-License-Identifier: Apache-2.0
// The journal, end to end: every refusal that the kernel counts is accounted for in it, whatever becomes of the daemon,
// and so is every change of the policy; and it is proved whole.
#include "tests/lab/journal_test.h"

#include <random>

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

TEST_F(Journal, ChangesWhileNoDaemonRan)
{
	lab().apply(lab_site(lab()), {"--journal", directory_});
	EXPECT_EQ(lab().weir({"--journal", directory_, "remove"}).status, 0);
	lab().apply(lab_site(lab()), {"--journal", directory_});
	auto daemon = run();
	ASSERT_TRUE(comes("policy_remove"));
	EXPECT_EQ(with("policy_apply").size(), 2U);
	lab().apply(lab_site(lab(), {{.id = "more", .port = "TCP/443"}})); // and nobody records it
	ASSERT_TRUE(comes("policy_unexplained"));
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

} // namespace
} // namespace weir::test
