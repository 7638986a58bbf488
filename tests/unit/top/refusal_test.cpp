// SPDX-License-Identifier: Apache-2.0
#include "top/refusal.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::top {
namespace {

std::string record(const std::string &more, const std::string &weir = "", const std::string &dataset = "weir.violation")
{
	return R"({"@timestamp":"2026-11-24T12:03:04.123456789Z","event":{"dataset":")" + dataset + "\"}" + more +
	       R"(,"weir":{"instance":"default","reason":"no_row")" + weir + "}}";
}

TEST(TopRefusal, OutgoingByItsDestination)
{
	const auto one = refusal_of(
		record(R"(,"network":{"direction":"egress","transport":"tcp"},"source":{"port":40000},)"
		       R"("destination":{"ip":"203.0.113.7","port":443},"process":{"pid":1234,"name":"curl"},)"
		       R"("user":{"id":"0","name":"root"})",
		       R"(,"cgroup":{"id":1,"path":"/weir.slice"})"),
		"default");
	ASSERT_TRUE(one);
	EXPECT_FALSE(one->incoming);
	EXPECT_EQ(one->peer, "203.0.113.7");
	EXPECT_EQ(one->service, "tcp/443");
	EXPECT_EQ(one->reason, "no_row");
	EXPECT_EQ(one->process, "curl");
	EXPECT_EQ(one->pid, 1234U);
	EXPECT_EQ(one->user, "root");
	EXPECT_EQ(one->cgroup, "/weir.slice");
	EXPECT_EQ(one->count, 1U);
	EXPECT_EQ(one->time, 1795521784123456789);
}

TEST(TopRefusal, IncomingByItsSourceWithItsCount)
{
	const auto one = refusal_of(record(R"(,"network":{"direction":"ingress","transport":"udp"},)"
					   R"("source":{"ip":"192.0.2.66"},"destination":{"ip":"192.0.2.2","port":53})",
					   R"(,"count":4711)"),
				    "default");
	ASSERT_TRUE(one);
	EXPECT_TRUE(one->incoming);
	EXPECT_EQ(one->peer, "192.0.2.66");
	EXPECT_EQ(one->count, 4711U);
	EXPECT_EQ(one->process, "");
}

TEST(TopRefusal, ASumHasNeitherEnds)
{
	const auto one = refusal_of(record(R"(,"network":{"direction":"ingress"})", R"(,"count":9,"count_total":90)"),
				    "default");
	ASSERT_TRUE(one);
	EXPECT_EQ(one->peer, "");
	EXPECT_EQ(one->count, 9U);
}

TEST(TopRefusal, WhatIsNotOneIsNone)
{
	for (const auto &line :
	     {record("", "", "weir.window"), std::string("{\"weir.violation\""), std::string(), std::string("[]"),
	      std::string(R"(["weir.violation"])"), std::string(R"({"event":{"dataset":"weir.violation"}})"),
	      std::string(R"({"@timestamp":7,"event":{"dataset":"weir.violation"},"weir":{"instance":"default"}})"),
	      std::string(R"({"event":"weir.violation","weir":7})")})
		EXPECT_FALSE(refusal_of(line, "default")) << line;
	EXPECT_FALSE(refusal_of(record(""), "another"));
}

TEST(TopRefusal, NoNameSteersTheTerminal)
{
	const auto one = refusal_of(record(R"(,"process":{"name":"\u001b[2J\u202ex"})"), "default");
	ASSERT_TRUE(one);
	EXPECT_EQ(one->process, "\xef\xbf\xbd[2J\xef\xbf\xbdx");
	const auto huge = refusal_of(record(R"(,"process":{"name":")" + std::string(100'000, 'x') + "\"}"), "default");
	ASSERT_TRUE(huge);
	EXPECT_LE(huge->process.size(), 256U);
}

} // namespace
} // namespace weir::top
