// SPDX-License-Identifier: Apache-2.0
// Which connections live by a row that has ended. No kernel is asked.
#include "kernel/cut.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace weir::kernel {
namespace {

constexpr std::uint64_t now = 1'000'000;
constexpr std::uint8_t any_zone = zone_network | zone_tunnel;

class CutTest : public testing::Test {
protected:
	CutTest() { before_.scopes = {{"/cgroup/node", {"node"}, true}}; }

	static BoundRow row(const std::string &id, Direction dir, std::uint16_t port, std::uint64_t deadline = 0,
			    const std::string &peer = "203.0.113.7")
	{
		BoundRow bound;
		bound.row.id = id;
		bound.row.dir = dir;
		bound.row.port = {IPPROTO_TCP, port, port};
		bound.peers = {*Prefix::parse(peer)};
		bound.deadline = deadline;
		return bound;
	}
	static PeerSocket socket(std::uint16_t local_port, std::uint16_t remote_port,
				 const std::string &remote = "203.0.113.7")
	{
		return {.protocol = IPPROTO_TCP,
			.local = *Address::parse("192.0.2.2"),
			.remote = *Address::parse(remote),
			.local_port = local_port,
			.remote_port = remote_port};
	}
	/// What is in force: what was before, without some rows.
	bool ends(const PeerSocket &one, const std::vector<BoundRow> &rows, std::uint8_t zones = any_zone)
	{
		auto policy = before_;
		policy.rows = rows;
		const auto image = compile(policy);
		EXPECT_TRUE(image.has_value()) << image.error().message;
		return Ended(before_, policy, *image, now).is_ended(one, 0, zones);
	}

	BoundPolicy before_;
	const BoundRow kept_ = row("kept", Direction::out, 50051);
};

TEST_F(CutTest, ARowThatWasTakenOut)
{
	before_.rows = {kept_, row("web", Direction::out, 443)};
	EXPECT_TRUE(ends(socket(40000, 443), {kept_}));
	EXPECT_FALSE(ends(socket(40000, 50051), {kept_})) << "another row admits it";
	EXPECT_FALSE(ends(socket(40000, 443), before_.rows)) << "the row is there";
	EXPECT_FALSE(ends(socket(40000, 80), {kept_})) << "nothing admitted it before: that is not ours to end";
}

TEST_F(CutTest, ARowWhoseTimeIsOver)
{
	const auto over = row("web", Direction::out, 443, now);
	before_.rows = {kept_, over};
	EXPECT_TRUE(ends(socket(40000, 443), {kept_, over})) << "taken out or not";
	before_.rows = {kept_, row("web", Direction::out, 443, now + 1)};
	EXPECT_FALSE(ends(socket(40000, 443), before_.rows));
}

TEST_F(CutTest, WhatAnotherWindowAdmitsGoesOn)
{
	const auto other = row("other", Direction::out, 443, now + 1000);
	before_.rows = {kept_, other, row("web", Direction::out, 443, now)};
	EXPECT_FALSE(ends(socket(40000, 443), {kept_, other}));
}

TEST_F(CutTest, WhoOpenedItIsNotKnownSoARowInEitherDirectionKeepsIt)
{
	const auto in = row("in", Direction::in, 50051);
	before_.rows = {in, row("web", Direction::out, 443)};
	EXPECT_FALSE(ends(socket(50051, 443), {in})) << "a peer with the service's port as its own";
	EXPECT_TRUE(ends(socket(50052, 443), {in}));
	before_.rows = {kept_, row("keys-in", Direction::in, 14000)};
	EXPECT_TRUE(ends(socket(14000, 40000), {kept_})) << "what a peer opened";
}

TEST_F(CutTest, OpenLoopbackIsNotCut)
{
	before_.rows = {kept_, row("web", Direction::out, 443, 0, "127.0.0.1")};
	before_.rows[1].zones = zone_loopback;
	EXPECT_FALSE(ends(socket(40000, 443, "127.0.0.1"), {kept_}, zone_loopback));
	before_.scopes[0].open_loopback = false;
	EXPECT_TRUE(ends(socket(40000, 443, "127.0.0.1"), {kept_}, zone_loopback));
}

TEST_F(CutTest, WhereTheZoneIsNotKnownEachIsAsked)
{
	auto inside = row("inside", Direction::out, 443);
	inside.zones = zone_tunnel;
	before_.rows = {kept_, row("web", Direction::out, 443), inside};
	EXPECT_FALSE(ends(socket(40000, 443), {kept_, inside}, any_zone));
	EXPECT_TRUE(ends(socket(40000, 443), {kept_, inside}, zone_network));
}

TEST_F(CutTest, AScopeThatWasNotThereBeforeEndsNothing)
{
	before_.rows = {row("web", Direction::out, 443)};
	auto policy = before_;
	policy.scopes[0].cgroup = "/cgroup/other";
	policy.rows = {kept_};
	const auto image = compile(policy);
	ASSERT_TRUE(image.has_value());
	EXPECT_FALSE(Ended(before_, policy, *image, now).is_ended(socket(40000, 443), 0, any_zone));
}

TEST_F(CutTest, ARowOfAUserIsHeldToTheSocketsOwner)
{
	auto of_user = row("of-user", Direction::out, 443);
	of_user.user = 1000;
	before_.rows = {of_user, row("web", Direction::out, 443, now)};
	auto one = socket(40000, 443);
	one.uid = 1000;
	EXPECT_FALSE(ends(one, {of_user}));
	one.uid = 1001;
	EXPECT_TRUE(ends(one, {of_user}));
}

} // namespace
} // namespace weir::kernel
