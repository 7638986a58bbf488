// SPDX-License-Identifier: Apache-2.0
// The compiled image against the evaluator, which knows nothing of images.
#include "compile/evaluate.h"
#include "compile/image.h"
#include "policy/policy.h"
#include "tests/unit/compile/random_policy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace weir::test {
namespace {

std::string told(const BoundPolicy &policy, const Question &q)
{
	std::string text =
		q.remote.text() + " protocol " + std::to_string(q.protocol) + " port " + std::to_string(q.port) +
		(q.dir == Direction::out ? " out" : " in") + " zone " + std::to_string(q.zone) + " scope " +
		std::to_string(q.scope) + (q.from_kernel ? " from the kernel" : "") +
		(q.user ? " by user " + std::to_string(*q.user) : "") + " at " + std::to_string(q.now) + "\n";
	for (const auto &row : policy.rows) {
		text += row.row.id + (row.row.dir == Direction::out ? " out " : " in ") + row.row.port.text() +
			" scope " + std::to_string(row.scope) + " zones " + std::to_string(row.zones) +
			(row.kernel_only ? " kernel" : "") + (row.user ? " user " + std::to_string(*row.user) : "") +
			(row.deadline != 0 ? " until " + std::to_string(row.deadline) : "");
		for (const auto &peer : row.peers)
			text += " " + peer.text();
		text += "\n";
	}
	return text;
}

/// Compiles; a row that is said never to match must not decide any of many questions, and is left out. So is one for
/// which there is no room, which is said of rows with users and deadlines only.
Image compiled(Maker &maker, BoundPolicy &policy, unsigned &shadowed)
{
	for (;;) {
		const auto image = compile(policy);
		if (image)
			return *image;
		const auto &said = image.error().message;
		const auto full = std::ranges::find_if(policy.rows, [&](const BoundRow &row) {
			return said.contains("row \"" + row.row.id + "\" is the 7th for the same packets");
		});
		if (full != policy.rows.end()) {
			EXPECT_EQ(image.error().code, Exit::policy);
			EXPECT_TRUE(std::ranges::any_of(policy.rows, [](const BoundRow &row) {
				return row.user || row.deadline != 0 || row.row.needs_journal;
			})) << said;
			policy.rows.erase(full);
			continue;
		}
		const auto at = std::ranges::find_if(policy.rows, [&](const BoundRow &row) {
			return said.contains("row \"" + row.row.id + "\" can never match");
		});
		if (at == policy.rows.end())
			throw std::runtime_error(said);
		EXPECT_EQ(image.error().code, Exit::policy);
		const auto number = static_cast<std::uint32_t>(at - policy.rows.begin());
		for (int i = 0; i < 300; ++i) {
			auto q = maker.question(policy);
			maker.add_circumstances(q);
			EXPECT_NE(evaluate(policy, q).row, number) << said << told(policy, q);
		}
		policy.rows.erase(at);
		++shadowed;
	}
}

void expect_agreement(const BoundPolicy &policy, const Image &image, const Question &q)
{
	const auto meant = evaluate(policy, q);
	const auto given = ask(image, q);
	ASSERT_EQ(given.allowed, meant.allowed) << told(policy, q);
	ASSERT_EQ(given.row, meant.row) << told(policy, q);
	ASSERT_EQ(given.reason, meant.reason) << told(policy, q);
}

class Random : public ::testing::TestWithParam<unsigned> {};

TEST_P(Random, ImageDecidesAsTheRowsSay)
{
	Maker maker(GetParam());
	unsigned allowed = 0, asked = 0, shadowed = 0;
	for (int round = 0; round < 150; ++round) {
		BoundPolicy policy = maker.policy(round % 10 == 0 ? 120 : 12, true);
		const Image image = compiled(maker, policy, shadowed);
		for (int i = 0; i < 400; ++i) {
			const auto q = maker.question(policy);
			ASSERT_NO_FATAL_FAILURE(expect_agreement(policy, image, q));
			allowed += evaluate(policy, q).allowed ? 1 : 0;
			++asked;
		}
	}
	EXPECT_GT(allowed, asked / 10) << "the questions miss the rows";
	EXPECT_LT(allowed, asked * 9 / 10) << "the questions only hit the rows";
	EXPECT_GT(shadowed, 0U);
}

TEST_P(Random, ImageDecidesByUserClockAndJournalAsTheRowsSay)
{
	Maker maker(1000 + GetParam());
	unsigned shadowed = 0;
	std::map<weir_reason, unsigned> said;
	unsigned by_user = 0, by_deadline = 0, by_journal = 0;
	for (int round = 0; round < 150; ++round) {
		BoundPolicy policy = maker.policy(round % 10 == 0 ? 120 : 12, true);
		maker.add_conditions(policy);
		const Image image = compiled(maker, policy, shadowed);
		if (policy.rows.empty())
			continue;
		for (int i = 0; i < 400; ++i) {
			auto q = maker.question(policy);
			maker.add_circumstances(q);
			ASSERT_NO_FATAL_FAILURE(expect_agreement(policy, image, q));
			const auto answer = evaluate(policy, q);
			++said[answer.reason];
			by_user += answer.row != WEIR_NO_ROW && policy.rows[answer.row].user ? 1 : 0;
			by_deadline += answer.row != WEIR_NO_ROW && policy.rows[answer.row].deadline != 0 ? 1 : 0;
			by_journal += answer.row != WEIR_NO_ROW && policy.rows[answer.row].row.needs_journal ? 1 : 0;
		}
	}
	EXPECT_GT(shadowed, 0U);
	EXPECT_GT(by_user, 300U);
	EXPECT_GT(by_deadline, 1000U);
	EXPECT_GT(by_journal, 500U);
	for (const auto reason : {WEIR_REASON_NONE, WEIR_REASON_NO_ROW, WEIR_REASON_ORIGIN, WEIR_REASON_USER,
				  WEIR_REASON_CLOSED, WEIR_REASON_JOURNAL})
		EXPECT_GT(said[reason], 500U) << reason;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, ::testing::Range(1U, 9U));

BoundPolicy plain(std::vector<std::pair<std::string, std::string>> rows)
{
	BoundPolicy policy;
	policy.scenario = "plain";
	policy.scopes = {{"/sys/fs/cgroup/node", {"node"}, false}};
	for (const auto &[port, peer] : rows) {
		BoundRow row;
		row.row.id = port + " " + peer;
		row.row.source = "node";
		row.row.destination = "peer";
		row.row.port = policy::parse_service(port).value();
		row.peers = {Prefix::parse(peer).value()};
		policy.rows.push_back(row);
	}
	return policy;
}

Question tcp(const std::string &address, unsigned port)
{
	return {.protocol = IPPROTO_TCP, .remote = *Address::parse(address), .port = static_cast<std::uint16_t>(port)};
}

TEST(Compile, EveryPortOfARange)
{
	const auto policy =
		plain({{"TCP/1000-2000", "192.0.2.1"}, {"TCP/1500", "192.0.2.0/24"}, {"TCP/65535", "0.0.0.0/0"}});
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	for (unsigned port = 0; port < 65536; ++port) {
		ASSERT_NO_FATAL_FAILURE(expect_agreement(policy, *image, tcp("192.0.2.1", port)));
		ASSERT_NO_FATAL_FAILURE(expect_agreement(policy, *image, tcp("192.0.2.2", port)));
	}
}

TEST(Compile, EveryPrefixLengthAtOnce)
{
	// Each length has a row of its own, so each address says which prefix was found.
	BoundPolicy policy = plain({});
	Address all;
	all.bytes.fill(0x3f);
	for (unsigned length = 0; length <= 128; ++length) {
		BoundRow row;
		row.row.id = "v6-" + std::to_string(length);
		row.row.port = {IPPROTO_TCP, static_cast<std::uint16_t>(1000 + length),
				static_cast<std::uint16_t>(1000 + length)};
		row.peers = {Maker::cut(all, length)};
		policy.rows.push_back(row);
		if (length > 32)
			continue;
		row.row.id = "v4-" + std::to_string(length);
		row.peers = {Maker::cut(Address::v4(0x3f3f3f3f), length + 96)};
		policy.rows.push_back(row);
	}
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	for (unsigned bit = 0; bit <= 128; ++bit) {
		Address address = all;
		if (bit < 128)
			address.bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80u >> (bit % 8));
		for (unsigned port = 999; port <= 1129; ++port)
			ASSERT_NO_FATAL_FAILURE(expect_agreement(policy, *image,
								 {.protocol = IPPROTO_TCP,
								  .remote = address,
								  .port = static_cast<std::uint16_t>(port)}));
		Address v4 = Address::v4(0x3f3f3f3f);
		if (bit >= 96 && bit < 128)
			v4.bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80u >> (bit % 8));
		for (unsigned port = 999; port <= 1129; ++port)
			ASSERT_NO_FATAL_FAILURE(expect_agreement(
				policy, *image,
				{.protocol = IPPROTO_TCP, .remote = v4, .port = static_cast<std::uint16_t>(port)}));
	}
}

TEST(Compile, FamiliesAreApart)
{
	const auto policy = plain({{"TCP/443", "::/0"}, {"TCP/80", "0.0.0.0/0"}});
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	EXPECT_FALSE(ask(*image, tcp("192.0.2.1", 443)).allowed) << "::/0 is no way round for IPv4";
	EXPECT_FALSE(ask(*image, tcp("::ffff:192.0.2.1", 443)).allowed);
	EXPECT_TRUE(ask(*image, tcp("::ffff:192.0.2.1", 80)).allowed) << "the same address, written otherwise";
	EXPECT_TRUE(ask(*image, tcp("64:ff9b::192.0.2.1", 80)).allowed) << "NAT64 is judged by the address inside";
	EXPECT_EQ(ask(*image, tcp("2002:c000:201::1", 443)).reason, WEIR_REASON_EMBEDDED);
}

TEST(Compile, RowBehindItsCoverIsNamed)
{
	const auto image = compile(plain({{"TCP/1-65535", "192.0.2.0/24"}, {"TCP/443", "192.0.2.7"}}));
	ASSERT_FALSE(image);
	EXPECT_EQ(image.error().code, Exit::policy);
	EXPECT_NE(image.error().message.find("\"TCP/443 192.0.2.7\" can never match"), std::string::npos)
		<< image.error().message;
	EXPECT_NE(image.error().message.find("\"TCP/1-65535 192.0.2.0/24\""), std::string::npos)
		<< image.error().message;
}

TEST(Compile, RowBehindManyThatCoverItTogetherIsNamed)
{
	const auto image = compile(
		plain({{"TCP/443", "192.0.2.0/25"}, {"TCP/443", "192.0.2.128/25"}, {"TCP/443", "192.0.2.0/24"}}));
	ASSERT_FALSE(image);
	EXPECT_NE(image.error().message.find("\"TCP/443 192.0.2.0/24\" can never match"), std::string::npos)
		<< image.error().message;
}

TEST(Compile, WiderRowBehindANarrowOneIsFine)
{
	EXPECT_TRUE(compile(plain({{"TCP/443", "192.0.2.7"}, {"TCP/1-65535", "192.0.2.0/24"}})));
}

/// At the edge, each row of the component that is named before its port: "node TCP/443".
BoundPolicy at_the_edge(std::vector<std::pair<std::string, std::string>> rows)
{
	BoundPolicy policy = plain({});
	policy.scopes = {{"", {"gui", "host", "node"}, false}};
	policy.edge.present = true;
	for (const auto &[text, peer] : rows) {
		const auto space = text.find(' ');
		BoundPolicy one =
			plain({{text.substr(space + 1, text.find_first_of(" @", space + 1) - space - 1), peer}});
		one.rows[0].row.source = text.substr(0, space);
		one.rows[0].row.id = text;
		policy.rows.push_back(one.rows[0]);
	}
	return policy;
}

TEST(Compile, ARowOfAUserIsThatUsersOnly)
{
	auto policy = plain({{"TCP/443", "192.0.2.7"}, {"TCP/1-500", "192.0.2.7"}});
	policy.rows[0].user = 0;
	policy.rows[1].user = 1001;
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	auto q = tcp("192.0.2.7", 443);
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_USER})) << "who made the socket is not known";
	q.user = 1000;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_USER}));
	q.user = 0;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 0}));
	q.user = 1001;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 1}));
	q.port = 80;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 1}));
	q.user = 0;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_USER}));
}

TEST(Compile, ARowWithADeadlineHoldsBeforeIt)
{
	auto policy = plain({{"TCP/443", "192.0.2.7"}});
	EXPECT_EQ(compile(policy).value().header().flags, 0U) << "nobody reads the clock for this";
	policy.rows[0].deadline = 5'000'000'000;
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	EXPECT_EQ(image->header().flags, WEIR_IMAGE_DEADLINES);
	auto q = tcp("192.0.2.7", 443);
	q.now = 4'999'999'999;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 0}));
	q.now = 5'000'000'000;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_CLOSED}));
	q.now = ~0ULL;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_CLOSED}));
}

TEST(Compile, ARowThatNeedsTheJournalHoldsWhileItIsWritten)
{
	auto policy = plain({{"TCP/443", "192.0.2.7"}, {"TCP/443", "192.0.2.0/24"}});
	policy.rows[0].row.needs_journal = true;
	EXPECT_FALSE(compile(policy)) << "the wider row admits it with and without the journal";
	policy.rows[1].row.needs_journal = true;
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	EXPECT_EQ(image->header().flags, WEIR_IMAGE_JOURNAL);
	auto q = tcp("192.0.2.7", 443);
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 0}));
	q.journal = false;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_JOURNAL}));
	EXPECT_EQ(ask(*image, tcp("192.0.3.7", 443)), (Answer{.reason = WEIR_REASON_NO_ROW}));
}

/// What is admitted without the journal is not cut for want of it, be it by a row that ends.
TEST(Compile, ARowThatNeedsNoJournalDecidesBeforeOneThatDoes)
{
	auto policy = plain({{"TCP/443", "192.0.2.0/24"}, {"TCP/443", "192.0.2.7"}});
	policy.rows[0].row.needs_journal = true;
	policy.rows[1].deadline = 10;
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	auto q = tcp("192.0.2.7", 443);
	q.journal = false;
	q.now = 9;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 1}));
	q.now = 10;
	EXPECT_EQ(ask(*image, q), (Answer{.reason = WEIR_REASON_JOURNAL})) << "of all it lacks the least";
	q.journal = true;
	EXPECT_EQ(ask(*image, q), (Answer{.allowed = true, .row = 0}));
}

TEST(Compile, RowsForGoodDecideFirstThenThoseThatEndLater)
{
	auto policy = plain({{"TCP/443", "192.0.2.1"},
			     {"TCP/443", "192.0.2.0/24"},
			     {"TCP/443", "192.0.2.0/28"},
			     {"TCP/443", "192.0.2.2"}});
	policy.rows[0].deadline = 10;
	policy.rows[1].deadline = 20;
	policy.rows[2].deadline = 30;
	const auto image = compile(policy); // the first one never decides: a window may stand in another's shadow
	ASSERT_TRUE(image) << image.error().message;
	auto q = tcp("192.0.2.1", 443);
	EXPECT_EQ(ask(*image, q).row, 2U);
	q.now = 29;
	EXPECT_EQ(ask(*image, q).row, 2U);
	q.now = 30;
	EXPECT_EQ(ask(*image, q).reason, WEIR_REASON_CLOSED);
	q = tcp("192.0.2.2", 443);
	EXPECT_EQ(ask(*image, q).row, 3U) << "what is admitted for good is not cut with a window";
}

TEST(Compile, ARowBehindTheSameForAllUsersIsNamed)
{
	auto policy = plain({{"TCP/1-500", "192.0.2.7"}, {"TCP/443", "192.0.2.7"}});
	policy.rows[1].user = 1001;
	EXPECT_FALSE(compile(policy)) << "it is everyone's already";
	policy.rows[1].deadline = 5;
	EXPECT_TRUE(compile(policy)) << "a window may be opened over it";
	policy.rows[1].deadline = 0;
	policy.rows[0].user = 1002;
	EXPECT_TRUE(compile(policy));
	policy.rows[0].deadline = 5;
	policy.rows[0].user.reset();
	EXPECT_TRUE(compile(policy)) << "an end makes no row superfluous";
}

TEST(Compile, MoreConditionsThanACellHoldsAreNamed)
{
	std::vector<std::pair<std::string, std::string>> rows;
	for (int length = 32; length >= 26; --length)
		rows.emplace_back("TCP/443", "192.0.2.0/" + std::to_string(length));
	auto policy = plain(rows);
	for (std::uint32_t row = 0; row < policy.rows.size(); ++row)
		policy.rows[row].user = 1000 + row;
	const auto image = compile(policy);
	ASSERT_FALSE(image);
	EXPECT_EQ(image.error().code, Exit::policy);
	for (const auto &row : policy.rows)
		EXPECT_NE(image.error().message.find("\"" + row.row.id + "\""), std::string::npos)
			<< image.error().message;
	EXPECT_NE(image.error().message.find("\"TCP/443 192.0.2.0/26\" is the 7th"), std::string::npos)
		<< image.error().message;
	policy.rows.back().user = 1000;
	EXPECT_TRUE(compile(policy));
	for (auto &row : policy.rows) { // as many windows as one likes, one over the other
		row.user.reset();
		row.deadline = 1 + row.peers[0].length;
	}
	EXPECT_TRUE(compile(policy));
}

TEST(Compile, TheEdgeIsToldToTheGates)
{
	auto policy = at_the_edge({{"node TCP/443", "192.0.2.7"}});
	policy.edge.ethertypes = {0x888e, 0x88cc};
	auto image = compile(policy, {.generation = 1, .observe = true});
	ASSERT_TRUE(image) << image.error().message;
	EXPECT_EQ(image->header().flags, WEIR_IMAGE_EDGE | WEIR_IMAGE_OBSERVE);
	EXPECT_EQ(image->trailer().ethertypes[0], 0x888e);
	EXPECT_EQ(image->trailer().ethertypes[1], 0x88cc);
	EXPECT_EQ(image->trailer().ethertypes[2], 0);
	EXPECT_EQ(image->trailer().open_loopback, 0U);
	image = compile(plain({{"TCP/443", "192.0.2.7"}}));
	EXPECT_EQ(image.value().header().flags, 0U);
	policy.edge.ethertypes = {1, 2, 3, 4, 5};
	EXPECT_FALSE(compile(policy));
}

TEST(Compile, ATunnelIsAZoneOfItsOwn)
{
	auto policy = at_the_edge({{"node TCP/443", "10.222.0.2"}, {"host TCP/443", "10.0.0.0/8"}});
	policy.rows[0].zones = zone_tunnel;
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	auto q = tcp("10.222.0.2", 443);
	EXPECT_EQ(ask(*image, q).row, 1U);
	q.zone = zone_tunnel;
	EXPECT_EQ(ask(*image, q).row, 0U);
	q.zone = zone_loopback;
	EXPECT_FALSE(ask(*image, q).allowed);
	q = tcp("10.1.0.2", 443);
	q.zone = zone_tunnel;
	EXPECT_FALSE(ask(*image, q).allowed);
}

TEST(Compile, AtTheEdgeARowMayStandBehindAnothersCover)
{
	EXPECT_TRUE(compile(at_the_edge({{"node TCP/443", "192.0.2.0/24"}, {"gui TCP/443", "192.0.2.7"}})));
	EXPECT_TRUE(compile(at_the_edge({{"node TCP/443", "192.0.2.0/24"}, {"host TCP/443", "192.0.2.0/24"}})));
	EXPECT_TRUE(compile(at_the_edge({{"node TCP/1-443", "192.0.2.0/24"}, {"node TCP/443@edge", "192.0.2.7"}})));
	const auto image = compile(at_the_edge({{"node TCP/443", "192.0.2.0/24"}, {"node TCP/443 ", "192.0.2.7"}}));
	ASSERT_FALSE(image) << "of one component it is a mistake as in a cgroup";
	EXPECT_NE(image.error().message.find("can never match"), std::string::npos);
}

TEST(Compile, SamePolicySameBytes)
{
	Maker maker(77);
	unsigned shadowed = 0;
	for (int i = 0; i < 20; ++i) {
		BoundPolicy policy = maker.policy(60, true);
		if (i % 2 == 1)
			maker.add_conditions(policy);
		const Image image = compiled(maker, policy, shadowed);
		const auto text = text_of(image);
		ASSERT_TRUE(text);
		EXPECT_EQ(hex(digest_of(*text)), hex(image.trailer().digest));
		const auto again = policy::from_canonical(*text);
		ASSERT_TRUE(again) << again.error().message << *text;
		const auto second = compile(*again);
		ASSERT_TRUE(second) << second.error().message;
		ASSERT_EQ(second->lines.size(), image.lines.size());
		EXPECT_EQ(std::memcmp(second->lines.data(), image.lines.data(), image.lines.size() * WEIR_LINE), 0);
	}
}

TEST(Compile, DigestIsTheStandards)
{
	// FIPS 180-4, "abc"
	EXPECT_EQ(hex(digest_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Compile, DamagedImageHasNoText)
{
	auto image = compile(plain({{"TCP/443", "192.0.2.7"}})).value();
	Image other = image;
	other.lines.pop_back();
	EXPECT_FALSE(text_of(other));
	other = image;
	reinterpret_cast<weir_header *>(other.lines.data())->format = WEIR_FORMAT + 1;
	EXPECT_FALSE(text_of(other));
	other = image;
	other.lines[0] = {};
	EXPECT_FALSE(text_of(other));
	EXPECT_FALSE(text_of(Image{}));
}

TEST(Compile, HundredThousandRows)
{
	BoundPolicy policy = plain({});
	for (std::uint32_t i = 0; i < 100'000; ++i) {
		BoundRow row;
		row.row.id = "r" + std::to_string(i);
		const auto port = static_cast<std::uint16_t>(1 + i % 60'000);
		row.row.port = {IPPROTO_TCP, port, port};
		row.peers = {{Address::v4(0x0a000000 + i * 7), 128}};
		policy.rows.push_back(row);
	}
	const auto image = compile(policy);
	ASSERT_TRUE(image) << image.error().message;
	EXPECT_LT(image->lines.size() * WEIR_LINE, 48u << 20) << "the hash tables are filled badly";
	for (std::uint32_t i = 0; i < 100'000; ++i) {
		Question q{.protocol = IPPROTO_TCP,
			   .remote = Address::v4(0x0a000000 + i * 7),
			   .port = static_cast<std::uint16_t>(1 + i % 60'000)};
		ASSERT_EQ(ask(*image, q).row, i);
		q.port = static_cast<std::uint16_t>(q.port + 1);
		ASSERT_FALSE(ask(*image, q).allowed);
	}
}

TEST(Compile, WhatCrossesTooOftenIsRefused)
{
	BoundPolicy policy = plain({});
	for (std::uint32_t i = 0; i < 30'000; ++i) {
		BoundRow row;
		row.row.id = "r" + std::to_string(i);
		row.row.port = {IPPROTO_TCP, static_cast<std::uint16_t>(1 + i), static_cast<std::uint16_t>(30'000 + i)};
		row.peers = {{Address::v4(0x0a000000 + i), 128}};
		policy.rows.push_back(row);
	}
	const auto image = compile(policy);
	ASSERT_FALSE(image);
	EXPECT_EQ(image.error().code, Exit::policy);
	EXPECT_NE(image.error().message.find("too many ways"), std::string::npos) << image.error().message;
}

} // namespace
} // namespace weir::test
