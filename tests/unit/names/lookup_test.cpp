// SPDX-License-Identifier: Apache-2.0
// Every way in which a resolver can answer, not answer, and lie.
#include "dns_server.h"
#include "names/lookup.h"

#include <arpa/nameser.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>

namespace weir::names {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char *host = "researcher.example.org";

std::vector<std::string> texts(const Outcome &outcome)
{
	std::vector<std::string> all;
	if (outcome)
		for (const auto &each : outcome->addresses)
			all.push_back(each.text());
	return all;
}

std::string text_of(const Outcome &outcome)
{
	return outcome ? testing::PrintToString(texts(outcome)) : outcome.error().text;
}

Outcome ask(const std::vector<Resolver> &resolvers, std::int64_t timeout_ms = 3000, bool v6 = true)
{
	return resolve({.host = host, .v4 = true, .v6 = v6, .resolvers = resolvers, .timeout_ms = timeout_ms});
}
Outcome ask(const DnsServer &server, std::int64_t timeout_ms = 3000)
{
	return ask({server.at()}, timeout_ms);
}

/// Answers the one family with these, the other with nothing.
DnsServer::Script gives(std::vector<Record> records)
{
	return [records = std::move(records)](const Asked &asked) {
		std::vector<Record> fitting;
		for (const auto &each : records)
			if (each.type == asked.type || each.type == ns_t_cname)
				fitting.push_back(each);
		return Messages{answer(asked, fitting)};
	};
}
DnsServer::Script says(std::uint8_t rcode)
{
	return [rcode](const Asked &asked) { return Messages{answer(asked, {}, rcode)}; };
}
DnsServer::Script silence()
{
	return [](const Asked &) { return Messages{}; };
}

void expect(const Outcome &outcome, Problem problem, const std::string &words)
{
	ASSERT_FALSE(outcome.has_value()) << text_of(outcome);
	EXPECT_STREQ(name_of(outcome.error().problem), name_of(problem)) << outcome.error().text;
	EXPECT_THAT(outcome.error().text, HasSubstr(words));
	EXPECT_THAT(outcome.error().text, HasSubstr("\n  ")) << "what to do";
	EXPECT_THAT(as_error(outcome.error(), host).message, HasSubstr(host));
}

TEST(Lookup, BothFamiliesSortedOnceWithTheShortestLifetime)
{
	const DnsServer server(gives({a(host, "192.0.2.11", 300), a(host, "192.0.2.10", 60), a(host, "192.0.2.10", 90),
				      aaaa(host, "2001:db8::10", 120)}));
	const auto outcome = ask(server);
	ASSERT_TRUE(outcome.has_value()) << text_of(outcome);
	EXPECT_THAT(texts(outcome), testing::ElementsAre("192.0.2.10", "192.0.2.11", "2001:db8::10"));
	EXPECT_EQ(outcome->ttl, 60u);
	EXPECT_EQ(outcome->from, server.at());
}

TEST(Lookup, FamilyThatIsNotWantedIsNotAskedFor)
{
	const DnsServer server([](const Asked &asked) {
		return asked.type == ns_t_a ? Messages{answer(asked, {a(host, "192.0.2.10")})} : Messages{};
	});
	EXPECT_THAT(texts(ask({server.at()}, 3000, false)), testing::ElementsAre("192.0.2.10"));
	for (const auto &asked : server.asked())
		EXPECT_EQ(asked.type, ns_t_a);
}

TEST(Lookup, AliasesAreFollowedAndTheirLifetimeCounts)
{
	const DnsServer server(gives({cname(host, "www.example.net", 7), cname("www.example.net", "a.example.net", 90),
				      a("a.example.net", "192.0.2.10", 300)}));
	const auto outcome = ask(server);
	ASSERT_TRUE(outcome.has_value()) << text_of(outcome);
	EXPECT_THAT(texts(outcome), testing::ElementsAre("192.0.2.10"));
	EXPECT_EQ(outcome->ttl, 7u);
}

TEST(Lookup, AliasThatLeadsNowhereIsNoAddress)
{
	const DnsServer server(gives({cname(host, "www.example.net")}));
	expect(ask(server), Problem::no_address, "has no address");
}

TEST(Lookup, AliasesInARingAreNoAddress)
{
	const DnsServer server(gives({cname(host, "b.example.org"), cname("b.example.org", host)}));
	expect(ask(server), Problem::no_address, "has no address");
}

TEST(Lookup, LifetimeZeroAndOneThatWouldBeNegativeAreZero)
{
	const DnsServer zero(gives({a(host, "192.0.2.10", 0)}));
	EXPECT_EQ(ask(zero)->ttl, 0u);
	const DnsServer negative(gives({a(host, "192.0.2.10", 0x80000001u)}));
	EXPECT_EQ(ask(negative)->ttl, 0u);
}

TEST(Lookup, AddressesOfAnotherNameAreNotTaken)
{
	const DnsServer server(gives({a("intruder.example.org", "192.0.2.66"), a(host, "192.0.2.10")}));
	EXPECT_THAT(texts(ask(server)), testing::ElementsAre("192.0.2.10"));
}

TEST(Lookup, NoSuchName)
{
	const DnsServer server(says(ns_r_nxdomain));
	const auto outcome = ask(server);
	expect(outcome, Problem::no_such_name, "NXDOMAIN");
	EXPECT_EQ(as_error(outcome.error(), host).code, Exit::policy);
}

TEST(Lookup, NameWithoutAddress)
{
	const DnsServer server(gives({}));
	expect(ask(server), Problem::no_address, "has no address");
}

TEST(Lookup, OneFamilyOfTwoIsEnoughWhereTheOtherIsAnswered)
{
	const DnsServer server([](const Asked &asked) { // as some do that know no AAAA
		return Messages{asked.type == ns_t_a ? answer(asked, {a(host, "192.0.2.10")})
						     : answer(asked, {}, ns_r_nxdomain)};
	});
	EXPECT_THAT(texts(ask(server)), testing::ElementsAre("192.0.2.10"));
}

TEST(Lookup, HalfAnAnswerIsNone)
{
	const DnsServer server([](const Asked &asked) {
		return Messages{asked.type == ns_t_a ? answer(asked, {a(host, "192.0.2.10")})
						     : answer(asked, {}, ns_r_servfail)};
	});
	expect(ask(server), Problem::server_failed, "SERVFAIL) (IPv6)");
}

TEST(Lookup, EachRefusalIsSaidAsWhatItIs)
{
	const DnsServer servfail(says(ns_r_servfail));
	const auto outcome = ask(servfail);
	expect(outcome, Problem::server_failed, "SERVFAIL");
	EXPECT_EQ(as_error(outcome.error(), host).code, Exit::failure);
	const DnsServer refused(says(ns_r_refused));
	expect(ask(refused), Problem::server_refused, "REFUSED");
	const DnsServer formerr(says(ns_r_formerr));
	expect(ask(formerr), Problem::server_failed, "FORMERR");
	const DnsServer notimpl(says(ns_r_notimpl));
	expect(ask(notimpl), Problem::server_failed, "NOTIMP");
	const DnsServer odd(says(ns_r_notauth));
	expect(ask(odd), Problem::server_failed, "code 9");
}

TEST(Lookup, SilenceIsAnErrorInBoundedTime)
{
	const DnsServer server(silence());
	const auto begin = std::chrono::steady_clock::now();
	expect(ask(server, 600), Problem::no_answer, "no answer in time");
	const auto took = std::chrono::steady_clock::now() - begin;
	EXPECT_GE(took, std::chrono::milliseconds(500));
	EXPECT_LT(took, std::chrono::milliseconds(1500));
	EXPECT_GE(server.asked().size(), 4u) << "each question twice: a datagram may be lost";
}

TEST(Lookup, LostDatagramIsAskedForAgain)
{
	std::atomic<int> count = 0;
	const DnsServer server(
		[&](const Asked &asked) { return count++ < 2 ? Messages{} : gives({a(host, "192.0.2.10")})(asked); });
	EXPECT_THAT(texts(ask(server, 1500)), testing::ElementsAre("192.0.2.10"));
}

TEST(Lookup, NobodyListensThere)
{
	Resolver nobody;
	{
		const DnsServer gone(silence());
		nobody = gone.at();
	}
	const auto begin = std::chrono::steady_clock::now();
	expect(ask({nobody}), Problem::unreachable, "can't be reached");
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(Lookup, TheNextResolverIsAskedWhereTheFirstDoesNotKnow)
{
	const DnsServer good(gives({a(host, "192.0.2.10")}));
	const DnsServer fails(says(ns_r_servfail));
	const DnsServer refuses(says(ns_r_refused));
	const DnsServer mute(silence());
	const auto outcome = ask({fails.at(), refuses.at(), mute.at(), good.at()}, 2000);
	ASSERT_TRUE(outcome.has_value()) << text_of(outcome);
	EXPECT_EQ(outcome->from, good.at());
}

TEST(Lookup, OfANameThatIsNotThereTheNextResolverIsNotAsked)
{
	const DnsServer first(says(ns_r_nxdomain));
	const DnsServer second(gives({a(host, "192.0.2.66")}));
	expect(ask({first.at(), second.at()}), Problem::no_such_name, "NXDOMAIN");
	EXPECT_TRUE(second.asked().empty());
}

TEST(Lookup, WhatEachOfThemSaidIsSaid)
{
	const DnsServer fails(says(ns_r_servfail));
	const DnsServer mute(silence());
	const auto outcome = ask({fails.at(), mute.at()}, 600);
	expect(outcome, Problem::server_failed, fails.at().text() + " could not find out (SERVFAIL)");
	EXPECT_THAT(outcome.error().text, HasSubstr(mute.at().text() + " gave no answer"));
}

TEST(Lookup, WithoutAResolverSaysSo)
{
	const auto outcome = ask(std::vector<Resolver>{});
	ASSERT_FALSE(outcome.has_value());
	EXPECT_THAT(outcome.error().text, HasSubstr("no resolver"));
}

TEST(Lookup, AnswersToOtherQuestionsAreNotTaken)
{
	const DnsServer server([](const Asked &asked) {
		auto wrong_id = answer(asked, {a(host, "192.0.2.66")});
		wrong_id[0] ^= 0xff;
		Asked other = asked;
		other.name = "intruder.example.org";
		const auto wrong_name = answer(other, {a(other.name, "192.0.2.66")});
		Asked another_type = asked;
		another_type.type = ns_t_txt;
		const auto wrong_type = answer(another_type, {a(host, "192.0.2.66")});
		return Messages{wrong_id, wrong_name, wrong_type, gives({a(host, "192.0.2.10")})(asked).front()};
	});
	EXPECT_THAT(texts(ask(server)), testing::ElementsAre("192.0.2.10"));
}

TEST(Lookup, OnlyAnswersToOtherQuestionsAreNoAnswer)
{
	const DnsServer server([](const Asked &asked) {
		auto wrong = answer(asked, {a(host, "192.0.2.66")});
		wrong[1] ^= 1;
		return Messages{wrong};
	});
	expect(ask(server, 600), Problem::no_answer, "none that fits");
}

/// Whatever is cut off or put in, it is an error or an address that was there; never a crash.
TEST(Lookup, AnswerCutOffAnywhereIsAnError)
{
	const Asked question{{0, 1}, host, ns_t_a, false};
	const auto whole = answer(question, {cname(host, "b.example.org"), a("b.example.org", "192.0.2.10")}).size();
	for (std::size_t keep = 0; keep < whole; keep += 3) {
		const DnsServer server([keep](const Asked &asked) {
			auto bytes = answer(asked, {cname(host, "b.example.org"), a("b.example.org", "192.0.2.10")});
			bytes.resize(keep);
			return Messages{bytes};
		});
		const auto outcome = ask({server.at()}, 60, false);
		ASSERT_FALSE(outcome.has_value()) << keep << ": " << text_of(outcome);
	}
}

TEST(Lookup, GarbageBehindTheQuestionIsAnError)
{
	for (const std::uint8_t fill : std::initializer_list<std::uint8_t>{0x00, 0xc0, 0xff, 0x3f}) {
		const DnsServer server([fill](const Asked &asked) {
			auto bytes = answer(asked, {});
			bytes[7] = 3; // three records, it says
			bytes.insert(bytes.end(), 64, fill);
			return Messages{bytes};
		});
		const auto outcome = ask({server.at()}, 300, false);
		ASSERT_FALSE(outcome.has_value()) << text_of(outcome);
		EXPECT_THAT(outcome.error().text, Not(HasSubstr("192.0.2")));
	}
}

TEST(Lookup, NameThatPointsAtItselfEnds)
{
	const DnsServer server([](const Asked &asked) {
		auto bytes = answer(asked, {});
		const auto at = static_cast<std::uint8_t>(bytes.size());
		bytes[7] = 1;
		bytes.insert(bytes.end(), {0xc0, at, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66});
		return Messages{bytes};
	});
	expect(ask({server.at()}, 300, false), Problem::nonsense, "can't be read");
}

TEST(Lookup, EchoIsNoAnswer)
{
	const DnsServer server([](const Asked &asked) { return Messages{asked.bytes}; });
	expect(ask(server), Problem::nonsense, "sends the question back");
}

TEST(Lookup, TruncatedAnswerIsAskedForByTcp)
{
	const DnsServer server([](const Asked &asked) {
		if (!asked.tcp)
			return Messages{answer(asked, {}, 0, true)};
		return gives({a(host, "192.0.2.10"), aaaa(host, "2001:db8::10")})(asked);
	});
	EXPECT_THAT(texts(ask(server)), testing::ElementsAre("192.0.2.10", "2001:db8::10"));
}

TEST(Lookup, TruncatedAnswerWithoutTcpIsAnError)
{
	const DnsServer server([](const Asked &asked) { return Messages{answer(asked, {}, 0, true)}; }, false);
	const auto outcome = ask(server, 900);
	ASSERT_FALSE(outcome.has_value()) << text_of(outcome);
	EXPECT_EQ(outcome.error().problem, Problem::unreachable) << outcome.error().text;
}

std::vector<Record> many(int count)
{
	std::vector<Record> all;
	for (int i = 0; i < count; i++)
		all.push_back(a(host, "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
	return all;
}

TEST(Lookup, NumberOfAddressesIsBounded)
{
	const auto by_tcp = [](int count) {
		return [count](const Asked &asked) {
			return asked.tcp ? gives(many(count))(asked) : Messages{answer(asked, {}, 0, true)};
		};
	};
	const DnsServer most(by_tcp(64));
	EXPECT_EQ(texts(ask(most)).size(), 64u);
	for (const int count : {65, 1000}) {
		const DnsServer server(by_tcp(count));
		expect(ask(server), Problem::too_many, "more than 64");
	}
}

TEST(Lookup, SeveralAtATimeTakeNoLongerThanOne)
{
	const DnsServer good(gives({a(host, "192.0.2.10")}));
	const DnsServer mute(silence());
	const Query known{.host = host, .v4 = true, .v6 = true, .resolvers = {good.at()}, .timeout_ms = 600};
	const Query unknown{.host = host, .v4 = true, .v6 = true, .resolvers = {mute.at()}, .timeout_ms = 600};
	const auto begin = std::chrono::steady_clock::now();
	const auto outcomes = resolve({unknown, known, unknown, unknown, unknown});
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
	ASSERT_EQ(outcomes.size(), 5u);
	for (std::size_t i = 0; i < outcomes.size(); i++)
		EXPECT_EQ(outcomes[i].has_value(), i == 1) << i;
}

TEST(Lookup, NeverWaits)
{
	const DnsServer server(silence());
	Lookup lookup({.host = host, .v4 = true, .v6 = true, .resolvers = {server.at()}, .timeout_ms = 500});
	const auto begin = std::chrono::steady_clock::now();
	for (int i = 0; i < 100; i++)
		EXPECT_FALSE(lookup.step().has_value());
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
}

TEST(Lookup, IsReadableWhenTheAnswerIsThere)
{
	const DnsServer server(gives({a(host, "192.0.2.10")}));
	Lookup lookup({.host = host, .v4 = true, .v6 = false, .resolvers = {server.at()}, .timeout_ms = 3000});
	pollfd watched{lookup.fd(), POLLIN, 0};
	ASSERT_EQ(::poll(&watched, 1, 2000), 1);
	const auto outcome = lookup.step();
	ASSERT_TRUE(outcome.has_value());
	EXPECT_THAT(texts(*outcome), testing::ElementsAre("192.0.2.10"));
	EXPECT_TRUE(lookup.step().has_value()) << "it stays";
}

TEST(Lookup, CanBeDroppedInTheMiddle)
{
	const DnsServer server(silence());
	for (int i = 0; i < 50; i++) {
		Lookup lookup({.host = host, .v4 = true, .v6 = true, .resolvers = {server.at()}, .timeout_ms = 500});
		(void)lookup.step();
	}
}

TEST(Lookup, NameThatIsNoneIsNotAsked)
{
	const DnsServer server(silence());
	for (const auto &name : {std::string(300, 'a'), std::string("a..b"), std::string(70, 'a') + ".org"}) {
		const auto outcome = resolve({.host = name, .resolvers = {server.at()}, .timeout_ms = 300});
		ASSERT_FALSE(outcome.has_value());
		EXPECT_EQ(outcome.error().problem, Problem::no_such_name) << name << ": " << outcome.error().text;
	}
	EXPECT_TRUE(server.asked().empty());
}

} // namespace
} // namespace weir::names
