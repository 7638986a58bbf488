// SPDX-License-Identifier: Apache-2.0
// A change of the policy in force without its files: one swap, or none at all.
#include "tests/lab/lab_test.h"

#include "kernel/instance.h"

#include <algorithm>
#include <filesystem>
#include <sys/file.h>

namespace weir::test {
namespace {

class Change : public LabTest {
protected:
	using How = std::function<Result<std::optional<BoundPolicy>>(const BoundPolicy &)>;

	static kernel::Where where() { return {lab().bpffs(), lab().instance}; }
	static std::uint64_t generation() { return field(lab().status(), "generation").get<std::uint64_t>(); }
	static std::string digest() { return field(lab().status(), "digest").get<std::string>(); }
	/// The node's rows for the researcher lead to this address instead.
	static How researcher_is(const std::string &address)
	{
		return [address](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
			BoundPolicy changed = policy;
			for (auto &row : changed.rows)
				if (row.row.destination == "researcher")
					row.peers = {*Prefix::parse(address)};
			return changed;
		};
	}
};

TEST_F(Change, IsOneSwapOfWhatIsInForce)
{
	lab().apply(lab_site(lab()));
	ASSERT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
	ASSERT_TRUE(is(tcp(lab().in_node(), intruder4, 50051), Reach::refused));
	const auto before = generation();
	const auto done = kernel::change(where(), researcher_is(intruder4));
	ASSERT_TRUE(done.has_value()) << done.error().message;
	ASSERT_TRUE(done->has_value());
	EXPECT_EQ((*done)->generation, before + 1);
	EXPECT_EQ(generation(), before + 1);
	EXPECT_EQ(digest(), (*done)->digest);
	EXPECT_EQ(lab().weir({"status"}).status, 0) << lab().weir({"status"}).err;
	EXPECT_TRUE(is(tcp(lab().in_node(), intruder4, 50051), Reach::connected));
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::refused));
}

TEST_F(Change, ObservesIfThePolicyDid)
{
	lab().apply(lab_site(lab()), {"--observe"});
	ASSERT_TRUE(kernel::change(where(), researcher_is(intruder4)).has_value());
	EXPECT_EQ(field(lab().status(), "state"), "observing");
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
}

TEST_F(Change, NothingToChangeIsNoNewGeneration)
{
	lab().apply(lab_site(lab()));
	const auto before = generation();
	const auto done = kernel::change(
		where(), [](const BoundPolicy &) -> Result<std::optional<BoundPolicy>> { return std::nullopt; });
	ASSERT_TRUE(done.has_value()) << done.error().message;
	EXPECT_FALSE(done->has_value());
	EXPECT_EQ(generation(), before);
}

TEST_F(Change, WhatFailsChangesNothing)
{
	lab().apply(lab_site(lab()));
	const auto before = digest();
	const auto failed = [&](const How &how) {
		const auto done = kernel::change(where(), how);
		EXPECT_FALSE(done.has_value());
		EXPECT_EQ(digest(), before);
		return done ? std::string() : done.error().message;
	};
	EXPECT_EQ(failed([](const BoundPolicy &) -> Result<std::optional<BoundPolicy>> {
			  return fail(Exit::policy, "it can't be");
		  }),
		  "it can't be");
	EXPECT_NE(failed([](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
			  BoundPolicy changed = policy;
			  changed.scopes[0].cgroup = lab().cgroup("outside");
			  return changed;
		  }).find("which cgroups"),
		  std::string::npos);
	EXPECT_NE(failed([](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
			  BoundPolicy changed = policy; // the second one can never match
			  changed.rows.push_back(changed.rows.front());
			  return changed;
		  }),
		  "");
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
}

TEST_F(Change, WithoutAnInstanceSaysSo)
{
	const auto done = kernel::change(where(), researcher_is(intruder4));
	ASSERT_FALSE(done.has_value());
	EXPECT_EQ(done.error().code, Exit::absent);
}

TEST_F(Change, WaitsForTheLockNoLongerThanItIsTold)
{
	lab().apply(lab_site(lab()));
	const auto before = generation();
	const auto begin = std::chrono::steady_clock::now();
	const auto inside = kernel::change(where(), [&](const BoundPolicy &) -> Result<std::optional<BoundPolicy>> {
		const auto other = kernel::change(where(), researcher_is(intruder4), 0); // has a descriptor of its own
		EXPECT_FALSE(other.has_value());
		return std::nullopt;
	});
	EXPECT_TRUE(inside.has_value());
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
	EXPECT_EQ(generation(), before);
}

TEST_F(Change, ConnectionGoesOnThroughHundreds)
{
	lab().apply(lab_site(lab()));
	Child stream(lab().in_node(), [](Channel &channel) {
		const Fd lasting(::socket(AF_INET, SOCK_STREAM, 0));
		if (connect_stream(lasting.get(), {researcher4, 50051}).reach != Reach::connected)
			raise("the lasting connection");
		channel.send("ready");
		int answered = 0;
		while (!channel.receive(Millis(0)))
			if (!echoes(lasting.get(), 2000))
				raise("the connection was cut");
			else
				answered++;
		channel.send(std::to_string(answered));
	});
	(void)stream.answer();
	for (int i = 0; i < rounds(300); i++) {
		const auto done =
			kernel::change(where(), [&](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
				BoundPolicy changed = policy;
				for (auto &row : changed.rows)
					if (row.row.destination == "researcher") {
						row.peers = {*Prefix::parse(researcher4)};
						if (i % 2 == 0)
							row.peers.push_back(*Prefix::parse(intruder4));
						std::ranges::sort(row.peers);
					}
				return changed;
			});
		ASSERT_TRUE(done.has_value()) << done.error().message;
	}
	EXPECT_GT(std::stoi(stream.ask("stop", Millis(10000))), 0);
}

} // namespace
} // namespace weir::test
