// SPDX-License-Identifier: Apache-2.0
// Names that are followed: a resolver on loopback that says what the test wants, and a kernel of the tests' making.
#include "daemon/hosts.h"
#include "fake_kernel.h"
#include "tests/unit/names/dns_server.h"

#include <arpa/nameser.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace weir::daemon {
namespace {

using kernel::fake;
using names::a;
using names::Asked;
using names::Messages;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Json = nlohmann::json;

constexpr const char *host = "researcher.example.org";

/// The resolver's answer, which the test changes while it is asked.
class Zone {
public:
	void set(std::vector<std::string> addresses, std::uint8_t rcode = 0)
	{
		const std::lock_guard guard(mutex_);
		addresses_ = std::move(addresses);
		rcode_ = rcode;
	}
	void mute(bool is_mute)
	{
		const std::lock_guard guard(mutex_);
		mute_ = is_mute;
	}
	Messages operator()(const Asked &asked) const
	{
		const std::lock_guard guard(mutex_);
		if (mute_)
			return {};
		std::vector<names::Record> records;
		for (const auto &each : addresses_)
			records.push_back(a(asked.name, each, 0));
		return {names::answer(asked, records, rcode_)};
	}

private:
	mutable std::mutex mutex_;
	std::vector<std::string> addresses_;
	std::uint8_t rcode_ = 0;
	bool mute_ = false;
};

std::vector<Prefix> prefixes(const std::vector<std::string> &texts)
{
	std::vector<Prefix> all;
	for (const auto &text : texts)
		all.push_back(*Prefix::parse(text));
	return all;
}

class HostsTest : public testing::Test {
protected:
	void SetUp() override
	{
		fake() = {};
		std::string name = testing::TempDir() + "weir-hosts-XXXXXX";
		directory_ = ::mkdtemp(name.data());
		records_.emplace(*Sink::open(directory_ / "out.jsonl"));
		fake().policy.scenario = "node-native";
		fake().policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, true}};
		fake().policy.resolvers = {server_.at().text()};
		add("researcher", host);
		zone_.set({"192.0.2.10"});
		testing::internal::CaptureStderr();
	}
	void TearDown() override
	{
		(void)testing::internal::GetCapturedStderr();
		std::filesystem::remove_all(directory_);
	}

	static void add(const std::string &name, const std::string &dns)
	{
		BoundRow row;
		row.row.id = name;
		row.row.source = "node";
		row.row.destination = name;
		row.row.port = {6, 50051, 50051};
		row.peers = prefixes({"192.0.2.10"});
		fake().policy.rows.push_back(row);
		fake().policy.hosts[name] = {dns, prefixes({"192.0.2.0/26"}), row.peers};
	}
	static std::vector<std::string> in_force(std::size_t row = 0)
	{
		std::vector<std::string> all;
		for (const auto &each : fake().policy.rows.at(row).peers)
			all.push_back(each.text());
		return all;
	}
	/// As the daemon does: a tick now and then, and a look when there is something to see.
	bool until(const std::function<bool()> &condition, std::chrono::milliseconds longest = std::chrono::seconds(10))
	{
		const auto end = std::chrono::steady_clock::now() + longest;
		while (!condition()) {
			if (std::chrono::steady_clock::now() > end)
				return false;
			hosts_.tick(*records_);
			pollfd watched{hosts_.fd(), POLLIN, 0};
			::poll(&watched, 1, 5);
			hosts_.look(*records_);
		}
		return true;
	}
	void let_pass(std::chrono::milliseconds time)
	{
		EXPECT_FALSE(until([] { return false; }, time));
	}
	std::vector<Json> records(const std::string &action = "")
	{
		EXPECT_TRUE(records_->write_out().has_value());
		std::vector<Json> all;
		std::ifstream in(directory_ / "out.jsonl");
		for (std::string line; std::getline(in, line);)
			if (auto record = Json::parse(line); action.empty() || record["event"]["action"] == action)
				all.push_back(std::move(record));
		return all;
	}
	std::size_t asked() const { return server_.asked().size(); }

	Zone zone_;
	names::DnsServer server_{std::ref(zone_)};
	Pace pace_{.least = 20 * ms,
		   .most = 1000 * ms,
		   .retry = 20 * ms,
		   .longest_retry = 80 * ms,
		   .say_again = 60 * second,
		   .keep = 1500 * ms,
		   .look_up = 1000 * ms};
	Hosts hosts_{kernel::Where{}, pace_};
	std::optional<Records> records_;
	std::filesystem::path directory_;
};

TEST_F(HostsTest, NewAddressIsOnePublicationAndOneRecord)
{
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([] { return in_force().size() >= 2; }));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10", "192.0.2.11")) << "who is connected stays so";
	EXPECT_EQ(fake().generation, 2u);
	const auto changed = records("name_changed");
	ASSERT_THAT(changed, SizeIs(1));
	EXPECT_EQ(changed[0]["event"]["dataset"], "weir.name");
	EXPECT_EQ(changed[0]["event"]["outcome"], "success");
	EXPECT_EQ(changed[0]["dns"]["question"]["name"], host);
	EXPECT_EQ(changed[0]["dns"]["resolved_ip"], Json({"192.0.2.11"}));
	EXPECT_EQ(changed[0]["weir"]["name"]["name"], "researcher");
	EXPECT_EQ(changed[0]["weir"]["name"]["before"], Json({"192.0.2.10"}));
	EXPECT_EQ(changed[0]["weir"]["name"]["after"], Json({"192.0.2.10", "192.0.2.11"}));
	EXPECT_EQ(changed[0]["weir"]["name"]["resolver"], server_.at().text());
	EXPECT_EQ(changed[0]["weir"]["generation"], 2);
}

TEST_F(HostsTest, OldAddressGoesLater)
{
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([] { return in_force().size() >= 2; }));
	const auto begin = std::chrono::steady_clock::now();
	ASSERT_TRUE(until([] { return in_force().size() == 1; }));
	EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.11"));
	EXPECT_THAT(records("name_changed"), SizeIs(2));
	EXPECT_EQ(fake().generation, 3u) << "one for each change";
}

TEST_F(HostsTest, SameAnswerChangesNothing)
{
	ASSERT_TRUE(until([&] { return asked() >= 5; }));
	EXPECT_EQ(fake().generation, 1u);
	EXPECT_THAT(records(), IsEmpty());
}

TEST_F(HostsTest, RotationIsOneChange)
{
	for (int turn = 0; turn < 12; turn++) {
		zone_.set({turn % 2 == 0 ? "192.0.2.11" : "192.0.2.10"});
		const auto before = asked();
		ASSERT_TRUE(until([&] { return asked() > before; }));
	}
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10", "192.0.2.11"));
	EXPECT_EQ(fake().generation, 2u);
}

TEST_F(HostsTest, AnswerOutsideIsRefusedAndRecordedOnce)
{
	zone_.set({"203.0.113.7"});
	ASSERT_TRUE(until([&] { return asked() >= 6; }));
	let_pass(std::chrono::milliseconds(400)); // longer than an address is kept
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10"));
	EXPECT_EQ(fake().generation, 1u);
	const auto refused = records("name_refused");
	ASSERT_THAT(refused, SizeIs(1));
	EXPECT_EQ(refused[0]["event"]["outcome"], "failure");
	EXPECT_EQ(refused[0]["weir"]["name"]["refused"], Json({"203.0.113.7"}));
	EXPECT_THAT(refused[0]["event"]["reason"].get<std::string>(), HasSubstr("is outside 192.0.2.0/26"));
	zone_.set({"203.0.113.8"});
	ASSERT_TRUE(until([&] { return records("name_refused").size() == 2; })) << "another lie";
}

TEST_F(HostsTest, OfAnAnswerOnlyWhatIsInsideIsTaken)
{
	zone_.set({"192.0.2.11", "203.0.113.7", "127.0.0.1", "192.0.2.64"});
	ASSERT_TRUE(until([] { return in_force().size() >= 2; }));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10", "192.0.2.11"));
	const auto refused = records("name_refused");
	ASSERT_THAT(refused, SizeIs(1));
	EXPECT_EQ(refused[0]["weir"]["name"]["refused"], Json({"127.0.0.1", "192.0.2.64", "203.0.113.7"}));
}

TEST_F(HostsTest, FailureKeepsTheLastGoodAnswerAndIsRecordedOnce)
{
	zone_.set({}, ns_r_servfail);
	ASSERT_TRUE(until([&] { return asked() >= 6; }));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10"));
	auto failed = records("name_failed");
	ASSERT_THAT(failed, SizeIs(1));
	EXPECT_EQ(failed[0]["weir"]["name"]["problem"], "server_failed");
	EXPECT_THAT(failed[0]["event"]["reason"].get<std::string>(), HasSubstr("SERVFAIL"));
	EXPECT_THAT(failed[0]["event"]["reason"].get<std::string>(), HasSubstr("192.0.2.10"));
	zone_.set({}, ns_r_nxdomain);
	ASSERT_TRUE(until([&] { return records("name_failed").size() == 2; })) << "another problem";
	zone_.set({"192.0.2.10"});
	ASSERT_TRUE(until([&] { return records("name_answered").size() == 1; }));
	EXPECT_EQ(fake().generation, 1u);
}

TEST_F(HostsTest, RetriesComeMoreAndMoreRarely)
{
	zone_.set({}, ns_r_servfail);
	ASSERT_TRUE(until([&] { return asked() >= 1; }));
	const auto before = asked();
	let_pass(std::chrono::milliseconds(800));
	EXPECT_LE(asked() - before, 13u) << "20, 40, 80, 80, ... ms";
	EXPECT_GE(asked() - before, 4u);
}

TEST_F(HostsTest, MuteResolverDoesNotStopAnyoneElse)
{
	zone_.mute(true);
	ASSERT_TRUE(until([&] { return asked() >= 1; }));
	const auto begin = std::chrono::steady_clock::now();
	for (int i = 0; i < 20; i++) {
		hosts_.tick(*records_);
		hosts_.look(*records_);
	}
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100));
	ASSERT_TRUE(until([&] { return records("name_failed").size() == 1; }));
	EXPECT_EQ(records("name_failed")[0]["weir"]["name"]["problem"], "no_answer");
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10"));
	zone_.mute(false);
	ASSERT_TRUE(until([&] { return records("name_answered").size() == 1; }));
}

TEST_F(HostsTest, WhileAnotherChangesThePolicyItWaits)
{
	fake().locked = true;
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([&] { return asked() >= 1; }));
	let_pass(std::chrono::milliseconds(50));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10"));
	zone_.set({"192.0.2.12"});
	fake().locked = false;
	ASSERT_TRUE(until([&] { return !records("name_changed").empty(); }));
	EXPECT_EQ(records("name_changed")[0]["weir"]["name"]["after"], Json({"192.0.2.10", "192.0.2.11"}))
		<< "the answer that it had";
}

TEST_F(HostsTest, WhatCannotBePublishedIsNotTriedForEver)
{
	fake().locked = true;
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([&] { return records("name_failed").size() == 1; }));
	fake().locked = false;
	ASSERT_TRUE(until([] { return in_force().size() >= 2; }));
}

TEST_F(HostsTest, AnotherPolicyIsFollowedInstead)
{
	ASSERT_TRUE(until([&] { return asked() >= 1; }));
	fake().policy.rows.clear();
	fake().policy.hosts.clear();
	add("vpnserver", "vpn.example.org");
	fake().generation++;
	zone_.set({"192.0.2.12"});
	ASSERT_TRUE(until([] { return in_force().size() >= 2; }));
	EXPECT_EQ(server_.asked().back().name, "vpn.example.org");
	EXPECT_THAT(records("name_changed"), SizeIs(1));
}

TEST_F(HostsTest, AnswerForAPolicyThatIsGoneIsNotPublished)
{
	fake().locked = true;
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([&] { return asked() >= 1; }));
	let_pass(std::chrono::milliseconds(30));
	fake().policy.hosts["researcher"].within = prefixes({"192.0.2.10"});
	fake().locked = false;
	let_pass(std::chrono::milliseconds(100));
	EXPECT_THAT(in_force(), ElementsAre("192.0.2.10")) << "the site allows less now";
}

TEST_F(HostsTest, ManyNamesAreLookedUpAFewAtATime)
{
	for (int i = 0; i < 40; i++)
		add("peer" + std::to_string(i), "peer" + std::to_string(i) + ".example.org");
	zone_.set({"192.0.2.11"});
	ASSERT_TRUE(until([] {
		return std::ranges::all_of(fake().policy.rows, [](const auto &row) { return row.peers.size() == 2; });
	}));
	EXPECT_EQ(fake().generation, 42u);
}

TEST_F(HostsTest, WithoutNamesNobodyIsAsked)
{
	fake().policy.hosts.clear();
	let_pass(std::chrono::milliseconds(100));
	EXPECT_EQ(asked(), 0u);
	EXPECT_EQ(fake().images_read, 1) << "the same image is read once";
}

TEST_F(HostsTest, BadResolverIsAFailureThatSaysSo)
{
	fake().policy.resolvers = {"nobody"};
	ASSERT_TRUE(until([&] { return records("name_failed").size() == 1; }));
	EXPECT_THAT(records("name_failed")[0]["event"]["reason"].get<std::string>(), HasSubstr("nobody"));
	EXPECT_EQ(records("name_failed")[0]["weir"]["name"]["problem"], "machine");
}

} // namespace
} // namespace weir::daemon
