// SPDX-License-Identifier: Apache-2.0
#include "audit/event.h"
#include "audit/events_view.h"
#include "sample.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace weir::audit {
namespace {

class ForPeople : public testing::Test {
protected:
	void SetUp() override
	{
		::setenv("TZ", "UTC", 1);
		::tzset();
	}
	static std::string shown(const weir_event &event, const Enrichment &more = {}, bool color = false)
	{
		auto line = for_people(line_of(event, more), color);
		return line ? *line : "error: " + line.error().message;
	}
};

TEST_F(ForPeople, Connect)
{
	EXPECT_EQ(shown(refused_connect(),
			{.executable = "/usr/bin/curl", .user = "root", .cgroup = "", .interface = ""}),
		  "12:03:04.123 refused  out tcp curl[1234] root -> 203.0.113.7:443  no row of the matrix admits it "
		  "(socket gate, connect)");
}

TEST_F(ForPeople, PacketFromOutside)
{
	EXPECT_EQ(shown(refused_packet(), {.executable = "", .user = "", .cgroup = "", .interface = "eth0"}),
		  "12:03:04.123 refused  in  tcp (no process) <- [2001:db8:0:1::2]:50000 to [2001:db8::1]:8484 SYN  "
		  "no row of the matrix admits it (packet gate, packet, eth0)");
}

TEST_F(ForPeople, UdpConnectIsNoExfiltration)
{
	auto event = refused_connect();
	event.protocol = 17;
	event.operation = WEIR_OP_UDP_CONNECT;
	event.uid = 1000;
	event.verdict = WEIR_ALLOW;
	EXPECT_EQ(shown(event),
		  "12:03:04.123 observed out udp curl[1234] uid 1000 -> 203.0.113.7:443  no row of the matrix "
		  "admits it (socket gate, udp_connect: sets a peer, no data was sent)");
}

TEST_F(ForPeople, HostileNamesCannotSteerTheTerminal)
{
	auto event = refused_connect();
	set_comm(event, "\x1b[2J\x07\r\n\xc2\x9b"
			"31m");
	const auto line = shown(event);
	EXPECT_NE(line.find("\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
			    "31m[1234]"),
		  std::string::npos)
		<< line;
	for (const char c : line)
		EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
}

TEST_F(ForPeople, ColorIsOptional)
{
	EXPECT_EQ(shown(refused_connect()).find('\x1b'), std::string::npos);
	EXPECT_NE(shown(refused_connect(), {}, true).find("\x1b[31mrefused"), std::string::npos);
}

TEST_F(ForPeople, Loss)
{
	std::string line;
	append_lost_json(line, {.refused = 90, .observed = 10, .reported = 30, .merged = 20, .summed = 10, .lost = 40},
			 15, 0, "default", sample_to_wall);
	EXPECT_EQ(for_people(line, false).value(),
		  "12:03:03.000 LOST     15 events are not in this record  (since loading: refused 90 + observed 10 = "
		  "reported 30 + merged 20 + summed 10 + lost 40)");
}

TEST_F(ForPeople, ManyInOneRecord)
{
	EXPECT_EQ(
		for_people(line_of(merged_packets(), {.executable = "", .user = "", .cgroup = "", .interface = "eth0"}),
			   false)
			.value(),
		"12:03:04.623 refused  in  tcp (no process) <- 198.51.100.7 to 192.0.2.2:22  no row of the matrix "
		"admits it (edge gate, packet, eth0) \u00d7 1234 in 0.50 s");
}

TEST_F(ForPeople, WhatAWindowAdmitted)
{
	EXPECT_EQ(for_people(admitted_line(admitted_packets(), {.row = "web-tcp", .window = "installation"},
					   {.user = "root"}),
			     false)
			  .value(),
		  "12:03:04.623 admitted out tcp apt[1234] root -> 198.51.100.7:443  row web-tcp of window "
		  "installation admitted it (packet gate) \u00d7 12 packets in 0.50 s");
}

TEST_F(ForPeople, OnlyTheNumberIsKnown)
{
	std::string line;
	append_summed_json(line,
			   {.scope = 1,
			    .gate = WEIR_GATE_EDGE,
			    .direction = WEIR_IN,
			    .reason = WEIR_REASON_NO_ROW,
			    .count = 7,
			    .total = 9,
			    .since = sample_to_wall},
			   "default", sample_to_wall + 1'000'000'000);
	EXPECT_EQ(for_people(line, false).value(), "12:03:04.000 counted  in  (ends not kept)  no row of the matrix "
						   "admits it (edge gate, packet) \u00d7 7 in 1.00 s");
}

TEST_F(ForPeople, FrameThatIsNotIpHasNoEnds)
{
	EXPECT_EQ(
		shown(refused_frame(), {.executable = "", .user = "", .cgroup = "", .interface = "eth0"}),
		"12:03:04.123 refused  in  EtherType 0x88cc (no process)  a frame that is neither IP nor ARP nor of a "
		"type that the site lists (edge gate, packet, eth0)");
}

TEST_F(ForPeople, Interface)
{
	std::string line;
	append_interface_json(line, {"interface_held", "eth1", "holds eth1 (network; xdp, tcx)", false}, "default",
			      sample_to_wall);
	EXPECT_EQ(for_people(line, false).value(), "12:03:03.000 EDGE     holds eth1 (network; xdp, tcx)");
}

TEST_F(ForPeople, WhatIsNotOurs)
{
	for (const char *line :
	     {"", "{", "[]", "1", "null", "{}", R"({"event":7})", R"({"event":{"dataset":"other"}})"})
		EXPECT_FALSE(for_people(line, false).has_value()) << line;
	// Ours by name only: no field is where it should be.
	EXPECT_TRUE(for_people(R"({"event":{"dataset":"weir.violation"},"process":[],"weir":3})", false).has_value());
}

TEST(ParseTime, Rfc3339)
{
	EXPECT_EQ(parse_time("1970-01-01T00:00:01Z"), 1'000'000'000);
	EXPECT_EQ(parse_time("2026-11-24T12:03:03.000000000Z"), sample_to_wall);
	EXPECT_EQ(parse_time("2026-11-24T13:03:03.5+01:00"), sample_to_wall + 500'000'000);
	EXPECT_EQ(parse_time("2026-11-24t07:33:03-04:30"), sample_to_wall);
	EXPECT_EQ(parse_time("2026-11-24T12:03:03.1234567891Z"), sample_to_wall + 123'456'789);
	for (const char *bad : {"", "2026", "2026-11-24", "2026-11-24T12:03:03", "2026-13-24T12:03:03Z",
				"2026-02-30T12:03:03Z", "2026-11-24T24:00:00Z", "2026-11-24T12:03:03.Z",
				"2026-11-24T12:03:03+1:00", "2026-11-24T12:03:03ZZ", "x026-11-24T12:03:03Z"})
		EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
}

TEST(ParseSince, AgesAndMoments)
{
	constexpr std::int64_t second = 1'000'000'000, now = 1'000'000 * second;
	EXPECT_EQ(parse_since("90s", now).value(), now - 90 * second);
	EXPECT_EQ(parse_since("30m", now).value(), now - 1800 * second);
	EXPECT_EQ(parse_since("4h", now).value(), now - 4 * 3600 * second);
	EXPECT_EQ(parse_since("7d", now).value(), now - 7 * 86400 * second);
	EXPECT_EQ(parse_since("1970-01-01T00:00:01Z", now).value(), second);
	for (const char *bad : {"", "m", "30", "30x", "-3m", "3mm", "yesterday", "99999999999m"})
		EXPECT_EQ(parse_since(bad, now).error().code, Exit::usage) << bad;
}

} // namespace
} // namespace weir::audit
