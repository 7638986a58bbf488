// SPDX-License-Identifier: Apache-2.0
// What a checkpoint states of the kernel's counters, held against itself, against the one before and the records.
#include "journal/sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace weir::journal {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(const char *gate, const std::string &more)
{
	return R"({"@timestamp":"2026-11-25T12:00:00.000000000Z","event":{"dataset":"weir.violation"},"process":{"name":)"
	       R"("a\",\"weir\":{\"instance\":\"x\",\"gate\":\"edge\",\"count\":9"},"weir":{"instance":"default","gate":")" +
	       std::string(gate) + R"(","operation":"packet")" + more + "}}";
}
std::string event(const char *gate, std::uint64_t number)
{
	return refusal(gate, R"(,"kernel_sequence":)" + std::to_string(number));
}
std::string many(const char *gate, std::uint64_t count)
{
	return refusal(gate, R"(,"count":)" + std::to_string(count));
}
/// The process's name is no number of packets.
std::string admission(const char *gate, std::uint64_t packets, const std::string &more = "")
{
	return R"({"@timestamp":"2026-11-25T12:00:00.000000000Z","event":{"dataset":"weir.admission"},"network":)"
	       R"({"direction":"egress","transport":"tcp","packets":)" +
	       std::to_string(packets) +
	       R"(},"process":{"name":"a\",\"network\":{\"direction\":\"x\",\"packets\":9"},"weir":)"
	       R"({"instance":"default","gate":")" +
	       std::string(gate) + R"(","verdict":"admitted")" + more + "}}";
}
std::string line_of(const Statement &statement)
{
	return R"({"weir":{"instance":"default","checkpoint":)" + json_of(statement) + "}}";
}

class SumsTest : public testing::Test {
protected:
	/// Three records of four refusals at the edge, one at the socket gate, of which one was lost and one waits.
	SumsTest()
	{
		first_ = {.records = 3,
			  .counters = "c",
			  .gates = {},
			  .ring = "r",
			  .next = 2,
			  .unrecorded = 0,
			  .summed = {}};
		first_.gates[0].counted = {.refused = 3, .reported = 2, .lost = 1};
		first_.gates[0].recorded = 1;
		first_.gates[0].waiting = 1;
		first_.gates[2].counted = {.refused = 3, .observed = 1, .reported = 1, .merged = 3};
		first_.gates[2].recorded = 4;
		for (auto &gate : first_.gates)
			gate.total = gate.counted;
		second_ = first_;
		second_.records = 1;
		second_.next = 3;
		for (auto &gate : second_.gates) {
			gate.counted = {};
			gate.recorded = 0;
			gate.waiting = 0;
		}
		second_.gates[0].recorded = 1; // the one that waited
	}
	void records()
	{
		sums_.add(event("socket", 0));
		sums_.add(event("edge", 1));
		sums_.add(many("edge", 3));
	}
	std::string complaint(const std::function<void(Statement &)> &change)
	{
		sums_ = {};
		records();
		auto statement = first_;
		change(statement);
		return sums_.close(line_of(statement));
	}
	std::string second_complaint(const std::function<void(Statement &)> &change, std::uint64_t number = 2)
	{
		EXPECT_EQ(complaint([](auto &) {}), "");
		sums_.add(event("socket", number));
		auto statement = second_;
		change(statement);
		return sums_.close(line_of(statement));
	}

	Sums sums_;
	Statement first_;
	Statement second_;
};

TEST_F(SumsTest, WhatAddsUpIsNoComplaint)
{
	EXPECT_EQ(second_complaint([](auto &) {}), "");
}

TEST_F(SumsTest, ReadsWhatItWrites)
{
	first_.summed = {{711, 12}};
	first_.gates[1].in_hand = -2;
	const auto read = statement_of(line_of(first_));
	ASSERT_TRUE(read && *read);
	EXPECT_EQ(json_of(**read), json_of(first_));
}

TEST_F(SumsTest, NoStatementOrNoneThatCanBeRead)
{
	EXPECT_EQ(sums_.close(R"({"a":1})"), "");
	EXPECT_THAT(sums_.close(R"({"weir":{"checkpoint":{"records":"x"}}})"), StartsWith("the checkpoint's numbers"));
	EXPECT_THAT(sums_.close("nonsense"), StartsWith("the checkpoint's numbers"));
}

TEST_F(SumsTest, RecordsAreCounted)
{
	EXPECT_THAT(complaint([](auto &each) { each.records = 2; }), HasSubstr("2 records, 3 stand before it"));
}

TEST_F(SumsTest, TheKernelsOwnSum)
{
	EXPECT_THAT(complaint([](auto &each) { each.gates[0].counted.lost = each.gates[0].total.lost = 0; }),
		    StartsWith("socket gate: 3 were refused"));
	EXPECT_THAT(complaint([](auto &each) { each.gates[2].counted.observed = 0; }), StartsWith("edge gate"));
	EXPECT_THAT(complaint([](auto &each) {
			    each.gates[1].in_hand = 5000;
			    each.gates[1].counted.refused = 5000;
		    }),
		    StartsWith("packet gate"))
		<< "so many are not in hand at once";
}

TEST_F(SumsTest, WhatWasInHandIsCarriedOn)
{
	EXPECT_EQ(complaint([](auto &each) {
			  each.gates[0].counted.refused++;
			  each.gates[0].total.refused++;
			  each.gates[0].in_hand = 1;
		  }),
		  "");
	sums_.add(event("socket", 2));
	auto next = second_;
	next.gates[0].counted.lost = 1;
	next.gates[0].total.refused++;
	next.gates[0].total.lost++;
	EXPECT_EQ(sums_.close(line_of(next)), "");
}

TEST_F(SumsTest, RecordsAreHeldAgainstWhatIsStated)
{
	EXPECT_THAT(complaint([](auto &each) {
			    each.gates[2].recorded = 3;
			    each.gates[2].waiting = 1;
		    }),
		    HasSubstr("states 3 in records, but it is 4"));
	EXPECT_THAT(complaint([](auto &each) { each.gates[1].recorded = 1; }), StartsWith("packet gate"));
}

TEST_F(SumsTest, WhatWaitsIsCarriedOnAndNothingIsInvented)
{
	EXPECT_THAT(complaint([](auto &each) { each.gates[0].waiting = 0; }), HasSubstr("0 wait"));
	EXPECT_THAT(second_complaint([](auto &each) { each.gates[0].waiting = 1; }), HasSubstr("1 waited"));
	EXPECT_EQ(complaint([](auto &each) {
			  each.gates[0].waiting = 0;
			  each.gates[0].discarded = 1;
		  }),
		  "");
	EXPECT_THAT(second_complaint([](auto &each) { each.gates[0].missing = 1; }), HasSubstr("1 missing"));
}

TEST_F(SumsTest, TotalsGrowByWhatIsStatedUnlessTheCountersBeginAnew)
{
	EXPECT_THAT(second_complaint([](auto &each) { each.gates[2].total.refused++; }), HasSubstr("totals"));
	EXPECT_EQ(second_complaint([](auto &each) {
			  each.counters = "others";
			  each.gates[2].total = {};
		  }),
		  "");
}

/// What windows admitted: 12 packets at the packet gate, 5 of them summed, and 3 at the edge, of which one waits.
class AdmittedTest : public SumsTest {
protected:
	AdmittedTest()
	{
		first_.records += 3;
		first_.admitted[1].counted = {.observed = 12, .merged = 7, .summed = 5};
		first_.admitted[1].recorded = 12;
		first_.admitted[2].counted = {.observed = 3, .merged = 3};
		first_.admitted[2].recorded = 2;
		first_.admitted[2].waiting = 1;
		for (auto &gate : first_.admitted)
			gate.total = gate.counted;
		second_.admitted = first_.admitted;
		for (auto &gate : second_.admitted) {
			gate.counted = {};
			gate.recorded = 0;
			gate.waiting = 0;
		}
	}
	std::string complaint(const std::function<void(Statement &)> &change, std::uint64_t packets = 7)
	{
		sums_ = {};
		records();
		sums_.add(admission("packet", packets));
		sums_.add(admission("packet", 5, R"(,"count_total":500)"));
		sums_.add(admission("edge", 2));
		auto statement = first_;
		change(statement);
		return sums_.close(line_of(statement));
	}
};

TEST_F(AdmittedTest, AddsUpAndIsNoRefusal)
{
	EXPECT_EQ(complaint([](auto &) {}), "");
	sums_.add(event("socket", 2));
	sums_.add(admission("edge", 1));
	second_.records = 2;
	second_.admitted[2].recorded = 1; // the one that waited
	auto sums = sums_;
	EXPECT_EQ(sums.close(line_of(second_)), "");
	second_.admitted[2].total.observed++;
	EXPECT_THAT(sums_.close(line_of(second_)), HasSubstr("edge gate, under windows: the counters' totals"));
}

TEST_F(AdmittedTest, ReadsWhatItWrites)
{
	const auto read = statement_of(line_of(first_));
	ASSERT_TRUE(read && *read);
	EXPECT_EQ((*read)->admitted, first_.admitted);
	EXPECT_EQ(json_of(**read), json_of(first_));
	first_.admitted = {};
	EXPECT_THAT(json_of(first_), testing::Not(HasSubstr("admitted"))) << "as before there was any";
}

TEST_F(AdmittedTest, WhatDoesNotAddUpIsFound)
{
	EXPECT_THAT(complaint([](auto &) {}, 6), HasSubstr("packet gate, under windows: the checkpoint states 12 in "
							   "records, but it is 11"));
	EXPECT_THAT(complaint([](auto &each) { each.admitted[1].counted.observed = 13; }),
		    StartsWith("packet gate, under windows: 13 were admitted"));
	EXPECT_THAT(complaint([](auto &each) { each.admitted[2].waiting = 0; }), HasSubstr("0 wait"));
	EXPECT_THAT(complaint([](auto &each) { each.admitted = {}; }), HasSubstr("states 0 in records"));
	EXPECT_EQ(complaint([](auto &each) {
			  each.admitted[2].waiting = 0;
			  each.admitted[2].missing = 1;
		  }),
		  "");
	// Told as refusals they'd hide in the other sums.
	EXPECT_THAT(complaint([](auto &each) {
			    each.gates[1] = each.admitted[1];
			    each.admitted[1] = {};
		    }),
		    HasSubstr("packet gate"));
}

TEST_F(AdmittedTest, IsOfAGate)
{
	sums_.add(admission("door", 7));
	EXPECT_THAT(sums_.close(line_of({.records = 1, .counters = "c", .ring = "r"})), HasSubstr("is of no gate"));
}

TEST_F(SumsTest, EveryEventOfTheRingHasARecordOrIsExplained)
{
	EXPECT_THAT(second_complaint([](auto &each) { each.next = 4; }), HasSubstr("from event 2 to 4"));
	// Event 2 was not recorded, event 3 was: said, but nothing explains it.
	EXPECT_THAT(second_complaint(
			    [](auto &each) {
				    each.next = 4;
				    each.unrecorded = 1;
			    },
			    3),
		    HasSubstr("1 events of the kernel's ring have no record"));
	EXPECT_EQ(second_complaint(
			  [](auto &each) {
				  each.next = 4;
				  each.unrecorded = 1;
				  each.gates[1].counted = {.refused = 1, .reported = 1};
				  each.gates[1].total = each.gates[1].counted;
				  each.gates[1].discarded = 1;
			  },
			  3),
		  "");
	EXPECT_THAT(second_complaint([](auto &each) { each.next = 3; }, 3), HasSubstr("was not read yet"));
}

TEST_F(SumsTest, EventsAreInTheKernelsOrder)
{
	sums_.add(event("socket", 1));
	sums_.add(event("edge", 0));
	sums_.add(many("edge", 3));
	EXPECT_THAT(sums_.close(line_of(first_)), HasSubstr("stands behind"));
}

TEST_F(SumsTest, ARefusalOfNoGateIsNone)
{
	sums_.add(event("socket", 0));
	sums_.add(event("edge", 1));
	sums_.add(many("edge", 3));
	sums_.add(event("gate", 2));
	first_.records++;
	EXPECT_THAT(sums_.close(line_of(first_)), HasSubstr("of no gate"));
}

} // namespace
} // namespace weir::journal
