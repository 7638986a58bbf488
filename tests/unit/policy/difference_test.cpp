// SPDX-License-Identifier: Apache-2.0
#include "policy/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

BoundRow row(const std::string &id, const std::string &peer, std::uint16_t first, std::uint16_t last = 0)
{
	BoundRow bound;
	bound.row.id = id;
	bound.row.port = {6, first, last == 0 ? first : last};
	bound.peers = {*Prefix::parse(peer)};
	return bound;
}

BoundPolicy policy_of(std::vector<BoundRow> rows)
{
	BoundPolicy policy;
	policy.scopes = {{.cgroup = "/sys/fs/cgroup/node", .components = {"node"}}, {.cgroup = "", .components = {}}};
	policy.edge.present = true;
	policy.rows = std::move(rows);
	return policy;
}

TEST(Difference, TheFirstPolicyOpensAndTheLastCloses)
{
	const auto policy = policy_of({row("a", "192.0.2.10", 443)});
	EXPECT_THAT(difference(nullptr, &policy).opened, ElementsAre("out node to 192.0.2.10 TCP/443, row a"));
	EXPECT_THAT(difference(nullptr, &policy).closed, IsEmpty());
	EXPECT_THAT(difference(&policy, nullptr).closed, ElementsAre("out node to 192.0.2.10 TCP/443, row a"));
	EXPECT_THAT(difference(&policy, &policy).opened, IsEmpty());
	EXPECT_THAT(difference(nullptr, nullptr).opened, IsEmpty());
}

TEST(Difference, AnotherNameOrAWiderRowIsNone)
{
	const auto before = policy_of({row("a", "192.0.2.10", 443)});
	const auto renamed = policy_of({row("b", "192.0.2.10", 443)});
	EXPECT_THAT(difference(&before, &renamed).opened, IsEmpty());
	EXPECT_THAT(difference(&before, &renamed).closed, IsEmpty());
	const auto wider = policy_of({row("w", "192.0.2.0/24", 400, 500)});
	EXPECT_THAT(difference(&before, &wider).opened, ElementsAre("out node to 192.0.2.0/24 TCP/400-500, row w"));
	EXPECT_THAT(difference(&before, &wider).closed, IsEmpty());
}

TEST(Difference, EachConditionCounts)
{
	const auto before = policy_of({row("a", "192.0.2.10", 443)});
	const auto with = [&](auto change) {
		auto changed = row("a", "192.0.2.10", 443);
		change(changed);
		const auto after = policy_of({changed});
		const auto found = difference(&before, &after);
		return std::pair(found.opened.size(), found.closed.size());
	};
	const std::pair<std::size_t, std::size_t> other{1, 1};
	const std::pair<std::size_t, std::size_t> narrower{0, 1};
	const std::pair<std::size_t, std::size_t> wider{1, 0};
	EXPECT_EQ(with([](BoundRow &each) { each.row.dir = Direction::in; }), other);
	EXPECT_EQ(with([](BoundRow &each) { each.scope = 1; }), other);
	EXPECT_EQ(with([](BoundRow &each) { each.row.port.protocol = 17; }), other);
	EXPECT_EQ(with([](BoundRow &each) { each.zones = zone_tunnel; }), other);
	EXPECT_EQ(with([](BoundRow &each) { each.zones |= zone_loopback; }), wider);
	EXPECT_EQ(with([](BoundRow &each) { each.user = 1000; }), narrower);
	EXPECT_EQ(with([](BoundRow &each) { each.kernel_only = true; }), narrower);
	EXPECT_EQ(with([](BoundRow &each) { each.deadline = 5; }), narrower);
	EXPECT_EQ(with([](BoundRow &each) { each.row.needs_journal = true; }), narrower);
}

TEST(Difference, SaysWhatMattersToPeople)
{
	auto changed = row("a", "2001:db8::/32", 22);
	changed.row.dir = Direction::in;
	changed.scope = 1;
	changed.user = 1000;
	changed.window = "installation";
	changed.deadline = 7;
	const auto after = policy_of({changed});
	EXPECT_THAT(difference(nullptr, &after).opened,
		    ElementsAre("in edge from 2001:db8::/32 TCP/22, user 1000, window installation, row a"));
}

// Another policy of the greatest size: each against each would take an hour.
TEST(Difference, OfLargePoliciesIsQuick)
{
	std::vector<BoundRow> some, others;
	constexpr unsigned rows = 50000;
	some.reserve(rows);
	others.reserve(rows);
	for (unsigned i = 0; i < rows; ++i) {
		const auto end = "." + std::to_string(i / 250) + "." + std::to_string(i % 250);
		some.push_back(row("a" + std::to_string(i), "10.1" + end, 443));
		others.push_back(row("b" + std::to_string(i), "10.2" + end, 443));
	}
	others.push_back(row("wide", "10.1.7.0/24", 443));
	const auto before = policy_of(std::move(some));
	const auto after = policy_of(std::move(others));
	const auto found = difference(&before, &after);
	EXPECT_EQ(found.closed.size(), rows - 250);
	EXPECT_EQ(found.opened.size(), rows + 1);
}

} // namespace
} // namespace weir::policy
