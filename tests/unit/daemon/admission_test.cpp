// SPDX-License-Identifier: Apache-2.0
// What rows of windows admitted: in records with the names that they had, in sums of their own, and no violations.
#include "run_fixture.h"

#include "journal/files.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <gmock/gmock.h>

namespace weir::daemon {
namespace {

class RunAdmission : public Run {
protected:
	void SetUp() override
	{
		Run::SetUp();
		journal_ = directory_ / "journal";
		key_ = journal::initialize(journal_).value();
		fake().generation = 3;
		open_window();
	}
	/// Row 1 is a window's, that is open.
	static void open_window()
	{
		auto &policy = fake().policy;
		policy = {};
		policy.scenario = "node-native";
		policy.scopes = {{.cgroup = "/node", .components = {"node"}, .open_loopback = true}};
		for (const char *id : {"first", "web-tcp"}) {
			BoundRow row;
			row.row.id = id;
			row.row.source = "node";
			row.row.destination = "web";
			row.row.port = {.protocol = 6, .first = 443, .last = 443};
			row.row.type = "backend";
			row.peers = {*Prefix::parse("192.0.2.1")};
			policy.rows.push_back(row);
		}
		policy.rows[1].window = "installation";
		policy.rows[1].deadline = ~0ULL >> 1;
		Window window;
		window.name = "installation";
		window.rows = {policy.rows[1]};
		window.rows[0].window.clear();
		window.rows[0].deadline = 0;
		policy.windows = {window};
	}
	/// Another policy, without it.
	static void close_window()
	{
		fake().policy.rows.pop_back();
		fake().generation++;
	}
	static weir_counter &counter(std::uint32_t direction = WEIR_OUT)
	{
		return fake().counters[weir_counter_index(0, WEIR_GATE_PACKET, direction, WEIR_REASON_NONE)];
	}
	/// The gates admit so many packets by the row of a generation.
	static void admit(std::uint64_t packets, std::uint32_t generation)
	{
		auto many = audit::admitted_packets();
		many.first.generation = generation;
		many.first.scope = 0;
		many.second.row = 1;
		many.second.count = packets;
		fake().merges.push_back(many);
		counter().observed += packets;
		counter().merged += packets;
	}
	Result<Exit> run()
	{
		testing::internal::CaptureStderr();
		auto result = daemon::run({.where = where_, .output = file_.string(), .journal = journal_});
		said_ = testing::internal::GetCapturedStderr();
		return result;
	}
	void expect_whole() const
	{
		const auto verdict = journal::verify({journal_, key_, {}});
		ASSERT_TRUE(verdict) << verdict.error().message;
		for (const auto &each : verdict->findings)
			ADD_FAILURE() << journal::name_of(each.fault) << ": " << each.text;
	}
	/// Sum over all checkpoints.
	[[nodiscard]] std::uint64_t stated(const char *what) const
	{
		std::uint64_t sum = 0;
		for (const auto &each : records(file_, "weir.checkpoint"))
			if (const auto &all = each["weir"]["checkpoint"]; all.contains("admitted"))
				sum += all["admitted"]["packet"][what].get<std::uint64_t>();
		return sum;
	}

	std::string journal_;
	journal::PublicKey key_{};
};

TEST_F(RunAdmission, HasRowAndWindowAndItsOwnBalance)
{
	poll(1, [] {
		fake().counter = {.refused = 1, .observed = 0, .reported = 1, .merged = 0, .summed = 0, .lost = 0};
		admit(12, 3);
	});
	ASSERT_TRUE(run().has_value()) << said_;
	const auto all = records(file_, "weir.admission");
	ASSERT_EQ(all.size(), 1u);
	EXPECT_EQ(all[0]["rule"]["id"], "web-tcp");
	EXPECT_EQ(all[0]["weir"]["window"]["name"], "installation");
	EXPECT_EQ(all[0]["network"]["packets"], 12);
	EXPECT_EQ(all[0]["process"]["name"], "apt");
	EXPECT_EQ(records(file_).size(), 1u) << "of the refusal";
	EXPECT_EQ(stated("counted"), 12u);
	EXPECT_EQ(stated("recorded"), 12u);
	EXPECT_EQ(stated("missing") + stated("discarded"), 0u);
	for (const auto &each : records(file_, "weir.checkpoint"))
		EXPECT_EQ(each["weir"]["checkpoint"]["gates"]["packet"]["observed"], 0);
	expect_whole();
}

/// The last packets of a window are taken out of the kernel when its policy is gone.
TEST_F(RunAdmission, NamesOfAPolicyThatWasReplacedAreKept)
{
	poll(0, [] {
		admit(12, 3);
		close_window();
		admit(4, 4); // by a row that has the number of none
		admit(5, 2); // nobody has ever seen that policy
	});
	ASSERT_TRUE(run().has_value()) << said_;
	const auto all = records(file_, "weir.admission");
	ASSERT_EQ(all.size(), 3u);
	EXPECT_EQ(all[0]["weir"]["window"]["name"], "installation");
	EXPECT_EQ(all[0]["rule"]["id"], "web-tcp");
	for (const auto &each : {all[1], all[2]}) {
		EXPECT_FALSE(each["weir"].contains("window"));
		EXPECT_FALSE(each.contains("rule"));
	}
	EXPECT_EQ(stated("recorded"), 21u);
	expect_whole();
}

TEST_F(RunAdmission, AGenerationThatReplacesAnotherIsReadToo)
{
	poll(0, [] {
		close_window();
		open_window();
		fake().policy.rows[1].row.id = "web-again";
		fake().generation = 5;
		admit(3, 5);
		admit(2, 3);
	});
	ASSERT_TRUE(run().has_value()) << said_;
	const auto all = records(file_, "weir.admission");
	ASSERT_EQ(all.size(), 2u);
	EXPECT_EQ(all[0]["rule"]["id"], "web-again");
	EXPECT_EQ(all[1]["rule"]["id"], "web-tcp");
}

TEST_F(RunAdmission, WithoutWindowsNobodyReadsThePolicy)
{
	close_window();
	poll(0);
	ASSERT_TRUE(run().has_value()) << said_;
	EXPECT_LE(fake().images_read, 3) << "for other parts of the daemon";
	EXPECT_EQ(stated("counted"), 0u);
}

TEST_F(RunAdmission, SumsAreToldOnceOverRuns)
{
	counter(WEIR_IN) = {.refused = 0, .observed = 40, .reported = 0, .merged = 0, .summed = 40, .lost = 0};
	poll(0);
	ASSERT_TRUE(run().has_value()) << said_;
	counter(WEIR_IN).observed = counter(WEIR_IN).summed = 42;
	poll(0);
	ASSERT_TRUE(run().has_value()) << said_;
	const auto all = records(file_, "weir.admission");
	ASSERT_EQ(all.size(), 2u);
	EXPECT_EQ(all[0]["network"]["packets"], 40);
	EXPECT_EQ(all[0]["network"]["direction"], "ingress");
	EXPECT_EQ(all[0]["weir"]["verdict"], "admitted");
	EXPECT_EQ(all[1]["network"]["packets"], 2);
	EXPECT_EQ(all[1]["weir"]["count_total"], 42);
	EXPECT_EQ(stated("recorded"), 42u);
	expect_whole();
}

/// A killed process took along what it had read: known when nothing more is admitted.
TEST_F(RunAdmission, WhatWentWithAKilledProcessIsMissing)
{
	admit(9, 3);
	fake().merges.clear();
	poll(0);
	ASSERT_TRUE(run().has_value()) << said_;
	EXPECT_EQ(stated("counted"), 9u);
	EXPECT_EQ(stated("recorded"), 0u);
	expect_whole();
}

} // namespace
} // namespace weir::daemon
