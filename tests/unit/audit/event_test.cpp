// SPDX-License-Identifier: Apache-2.0
#include "audit/event.h"
#include "audit/json.h"
#include "sample.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <set>

namespace weir::audit {
namespace {

using Json = nlohmann::json;

std::string host()
{
	char name[256] = {};
	gethostname(name, sizeof(name) - 1);
	return name;
}

/// The part of a golden line that depends on the machine.
std::string observer()
{
	return R"("observer":{"type":"firewall","product":"weir","hostname":")" + host() + R"("},"host":{"name":")" +
	       host() + R"("})";
}

TEST(Names, EveryValueHasItsOwn)
{
	std::set<std::string> names, sentences;
	for (std::uint8_t i = 0; i < WEIR_REASONS; i++) {
		names.insert(reason_name(i));
		sentences.insert(reason_sentence(i));
	}
	EXPECT_EQ(names.size(), std::size_t{WEIR_REASONS});
	EXPECT_EQ(sentences.size(), std::size_t{WEIR_REASONS});
	EXPECT_FALSE(names.contains("unknown"));
	names.clear();
	for (std::uint8_t i = 0; i < WEIR_OPERATIONS; i++)
		names.insert(operation_name(i));
	EXPECT_EQ(names.size(), std::size_t{WEIR_OPERATIONS});
	names.clear();
	for (std::uint8_t i = 0; i < WEIR_GATES; i++)
		names.insert(gate_name(i));
	EXPECT_EQ(names.size(), std::size_t{WEIR_GATES});
}

TEST(Names, OfEnumeratorsStandWhereTheyShould)
{
	EXPECT_STREQ(reason_name(WEIR_REASON_NO_ROW), "no_row");
	EXPECT_STREQ(reason_name(WEIR_REASON_NO_FLOW), "no_flow");
	EXPECT_STREQ(reason_name(WEIR_REASON_MALFORMED), "malformed");
	EXPECT_STREQ(reason_name(WEIR_REASON_FRAGMENT), "fragment");
	EXPECT_STREQ(reason_name(WEIR_REASON_EXTENSION), "extension");
	EXPECT_STREQ(reason_name(WEIR_REASON_IP_OPTION), "ip_option");
	EXPECT_STREQ(reason_name(WEIR_REASON_EMBEDDED), "embedded");
	EXPECT_STREQ(reason_name(WEIR_REASON_ORIGIN), "origin");
	EXPECT_STREQ(reason_name(WEIR_REASON_KERNEL), "kernel");
	EXPECT_STREQ(reason_name(WEIR_REASON_NO_POLICY), "no_policy");
	EXPECT_STREQ(operation_name(WEIR_OP_CONNECT), "connect");
	EXPECT_STREQ(operation_name(WEIR_OP_UDP_CONNECT), "udp_connect");
	EXPECT_STREQ(operation_name(WEIR_OP_SEND), "send");
	EXPECT_STREQ(operation_name(WEIR_OP_PACKET), "packet");
	EXPECT_STREQ(gate_name(WEIR_GATE_SOCKET), "socket");
	EXPECT_STREQ(gate_name(WEIR_GATE_PACKET), "packet");
	EXPECT_STREQ(reason_name(255), "unknown");
	EXPECT_STREQ(operation_name(255), "unknown");
	EXPECT_STREQ(gate_name(255), "unknown");
}

TEST(Names, OfProtocols)
{
	EXPECT_EQ(protocol_name(6), "tcp");
	EXPECT_EQ(protocol_name(17), "udp");
	EXPECT_EQ(protocol_name(58), "ipv6-icmp");
	EXPECT_EQ(protocol_name(253), "253");
}

TEST(AppendJson, GoldenConnect)
{
	const Enrichment more{
		.executable = "/usr/bin/curl", .user = "root", .cgroup = "/system.slice/node.service", .interface = ""};
	EXPECT_EQ(line_of(refused_connect(), more),
		  R"({"@timestamp":"2026-11-24T12:03:04.123456789Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["connection","denied"],"action":"connect",)"
		  R"("outcome":"success","reason":"no row of the matrix admits it","provider":"weir",)"
		  R"("dataset":"weir.violation"},)"
		  R"("network":{"direction":"egress","type":"ipv4","transport":"tcp","iana_number":"6"},)"
		  R"("destination":{"ip":"203.0.113.7","port":443},)"
		  R"("process":{"pid":1234,"name":"curl","executable":"/usr/bin/curl"},)"
		  R"("user":{"id":"0","name":"root"},"group":{"id":"0"},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","gate":"socket","operation":"connect","reason":"no_row",)"
			  R"("verdict":"refused","scope":0,"generation":3,"row":null,"policy":{"digest":")"
			  "abababababababababababababababababababababababababababababababab"
			  R"("},"cgroup":{"id":4242,"path":"/system.slice/node.service"},"socket":{"cookie":77}}})"
			  "\n");
}

TEST(AppendJson, GoldenPacketFromOutside)
{
	Enrichment more;
	more.interface = "eth0";
	EXPECT_EQ(line_of(refused_packet(), more, "gui-in"),
		  R"({"@timestamp":"2026-11-24T12:03:04.123456789Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["connection","denied"],"action":"packet",)"
		  R"("outcome":"success","reason":"no row of the matrix admits it","provider":"weir",)"
		  R"("dataset":"weir.violation"},)"
		  R"("network":{"direction":"ingress","type":"ipv6","transport":"tcp","iana_number":"6","bytes":80},)"
		  R"("source":{"ip":"2001:db8:0:1::2","port":50000},"destination":{"ip":"2001:db8::1","port":8484},)"
		  R"("rule":{"id":"gui-in"},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","gate":"packet","operation":"packet","reason":"no_row",)"
			  R"("verdict":"refused","scope":0,"generation":3,"row":null,"policy":{"digest":")"
			  "abababababababababababababababababababababababababababababababab"
			  R"("},"cgroup":{"id":4242},"socket":{"cookie":77},"interface":{"index":2,"name":"eth0"},)"
			  R"("tcp":{"flags":"SYN"}}})"
			  "\n");
}

TEST(AppendJson, GoldenLoss)
{
	std::string line;
	append_lost_json(line, {.refused = 90, .observed = 10, .reported = 30, .merged = 20, .summed = 10, .lost = 40},
			 15, 2, "default", sample_to_wall);
	EXPECT_EQ(line,
		  R"({"@timestamp":"2026-11-24T12:03:03.000000000Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["info"],"action":"events_lost",)"
		  R"("outcome":"failure","reason":"the kernel's ring buffer was full, or the output could not be )"
		  R"(written","provider":"weir","dataset":"weir.loss"},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","events":{"refused":90,"observed":10,"reported":30,)"
			  R"("merged":20,"summed":10,"lost":40,"lost_since":15,"discarded":2}}})"
			  "\n");
}

TEST(AppendJson, GoldenMany)
{
	Enrichment more;
	more.interface = "eth0";
	EXPECT_EQ(line_of(merged_packets(), more),
		  R"({"@timestamp":"2026-11-24T12:03:04.623456789Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["connection","denied"],"action":"packet",)"
		  R"("outcome":"success","reason":"no row of the matrix admits it","provider":"weir",)"
		  R"("dataset":"weir.violation","start":"2026-11-24T12:03:04.123456789Z",)"
		  R"("end":"2026-11-24T12:03:04.623456789Z"},)"
		  R"("network":{"direction":"ingress","type":"ipv4","transport":"tcp","iana_number":"6"},)"
		  R"("source":{"ip":"198.51.100.7"},"destination":{"ip":"192.0.2.2","port":22},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","gate":"edge","operation":"packet","reason":"no_row",)"
			  R"("verdict":"refused","count":1234,"scope":1,"generation":3,"row":null,)"
			  R"("interface":{"index":2,"name":"eth0"}}})"
			  "\n");
}

TEST(AppendJson, GoldenAdmission)
{
	EXPECT_EQ(admitted_line(admitted_packets(), {.row = "web\"tcp", .window = "installation"},
				{.executable = "/usr/bin/apt", .user = "root", .cgroup = "/weir.slice"}),
		  R"({"@timestamp":"2026-11-24T12:03:04.623456789Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["connection","allowed"],)"
		  R"("action":"window_connection","outcome":"success",)"
		  R"("reason":"row web\"tcp of window installation admitted it","provider":"weir",)"
		  R"("dataset":"weir.admission","start":"2026-11-24T12:03:04.123456789Z",)"
		  R"("end":"2026-11-24T12:03:04.623456789Z"},)"
		  R"("network":{"direction":"egress","type":"ipv4","transport":"tcp","iana_number":"6","packets":12},)"
		  R"("source":{"ip":"192.0.2.2"},"destination":{"ip":"198.51.100.7","port":443},)"
		  R"("process":{"pid":1234,"name":"apt","executable":"/usr/bin/apt"},)"
		  R"("user":{"id":"0","name":"root"},"group":{"id":"0"},"rule":{"id":"web\"tcp"},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","gate":"packet","verdict":"admitted","scope":1,)"
			  R"("generation":3,"row":5,"window":{"name":"installation"},)"
			  R"("cgroup":{"id":4242,"path":"/weir.slice"},"interface":{"index":2}}})"
			  "\n");
}

TEST(AppendJson, AnAdmissionWhoseNamesAreGoneHasNone)
{
	const auto line = admitted_line(admitted_packets(), {});
	EXPECT_EQ(line.find("rule"), std::string::npos);
	EXPECT_EQ(line.find("\"window\""), std::string::npos);
	EXPECT_NE(line.find(R"("reason":"a row of a window admitted it")"), std::string::npos);
	EXPECT_NE(line.find(R"("row":5)"), std::string::npos);
}

TEST(AppendJson, GoldenSum)
{
	std::string line;
	append_summed_json(line,
			   {.scope = 1,
			    .gate = WEIR_GATE_EDGE,
			    .direction = WEIR_IN,
			    .reason = WEIR_REASON_NO_ROW,
			    .count = 7,
			    .total = 9,
			    .since = sample_to_wall,
			    .verdict = "refused"},
			   "default", sample_to_wall + 1'000'000'000);
	EXPECT_EQ(line,
		  R"({"@timestamp":"2026-11-24T12:03:04.000000000Z","ecs":{"version":"8.17.0"},)"
		  R"("event":{"kind":"event","category":["network"],"type":["connection","denied"],"action":"packet",)"
		  R"("outcome":"success","reason":"no row of the matrix admits it","provider":"weir",)"
		  R"("dataset":"weir.violation","start":"2026-11-24T12:03:03.000000000Z",)"
		  R"("end":"2026-11-24T12:03:04.000000000Z"},"network":{"direction":"ingress"},)" +
			  observer() +
			  R"(,"weir":{"instance":"default","gate":"edge","operation":"packet","reason":"no_row",)"
			  R"("verdict":"refused","count":7,"count_total":9,"scope":1}})"
			  "\n");
}

TEST(AppendJson, GoldenInterface)
{
	std::string line;
	append_interface_json(line, {"interface_held", "eth1", "holds eth1", false}, "default", sample_to_wall);
	const auto wanted = R"({"@timestamp":"2026-11-24T12:03:03.000000000Z","ecs":{"version":"8.17.0"},)"
			    R"("event":{"kind":"event","category":["configuration"],"type":["change"],)"
			    R"("action":"interface_held","outcome":"success",)"
			    R"("reason":"holds eth1","provider":"weir","dataset":"weir.interface"},)" +
			    observer() +
			    R"(,"weir":{"instance":"default","interface":{"name":"eth1"}}})"
			    "\n";
	EXPECT_EQ(line, wanted);
}

TEST(AppendJson, ManyThatLeaveHaveTheirProcess)
{
	auto many = merged_packets();
	many.first.direction = WEIR_OUT;
	many.first.pid = 1234;
	many.second.uid = 1000;
	std::memcpy(many.second.comm, "nmap", 4);
	const auto record = Json::parse(line_of(many));
	EXPECT_EQ(record["process"], (Json{{"pid", 1234}, {"name", "nmap"}}));
	EXPECT_EQ(record["user"]["id"], "1000");
	EXPECT_EQ(record["source"], (Json{{"ip", "192.0.2.2"}})) << "its port is not one port";
	EXPECT_EQ(record["destination"], (Json{{"ip", "198.51.100.7"}, {"port", 22}}));
}

TEST(AppendJson, ManyMessagesOfIcmpHaveTheirType)
{
	auto many = merged_packets();
	many.first.protocol = 1;
	many.first.port = 8;
	EXPECT_EQ(Json::parse(line_of(many))["weir"]["icmp"], (Json{{"type", 8}}));
	many.first.port = 0;
	EXPECT_EQ(Json::parse(line_of(many))["weir"]["icmp"], (Json{{"type", 0}})) << "echo replies";
	many.first.reason = WEIR_REASON_MALFORMED;
	EXPECT_FALSE(Json::parse(line_of(many))["weir"].contains("icmp")) << "not read";
}

TEST(AppendJson, FrameThatIsNotIp)
{
	auto event = refused_frame();
	auto record = Json::parse(line_of(event));
	EXPECT_EQ(record["weir"]["ethertype"], "0x88cc");
	EXPECT_EQ(record["weir"]["reason"], "ethertype");
	EXPECT_EQ(record["network"], (Json{{"direction", "ingress"}, {"bytes", 80}}));
	EXPECT_FALSE(record.contains("source"));
	EXPECT_FALSE(record.contains("destination"));
	event.direction = WEIR_OUT;
	event.remote_port = 0x0805;
	EXPECT_EQ(Json::parse(line_of(event))["weir"]["ethertype"], "0x0805");
	auto many = merged_packets();
	many.first = {.local = {},
		      .remote = {},
		      .cookie = 0,
		      .ifindex = 2,
		      .pid = 0,
		      .generation = 3,
		      .port = 0x88cc,
		      .protocol = 0,
		      .gate = WEIR_GATE_EDGE,
		      .direction = WEIR_IN,
		      .reason = WEIR_REASON_ETHERTYPE,
		      .verdict = WEIR_REFUSE,
		      .scope = 1,
		      .operation = WEIR_OP_PACKET,
		      .zero = {}};
	record = Json::parse(line_of(many));
	EXPECT_EQ(record["weir"]["ethertype"], "0x88cc");
	EXPECT_EQ(record["weir"]["count"], 1234);
	EXPECT_EQ(record["network"], (Json{{"direction", "ingress"}}));
}

/// Of a process that filled the table of attempts: who, and how often, but not with whom.
TEST(AppendJson, OfSeveralPeersHasNone)
{
	auto many = merged_packets();
	auto &[key, merge] = many;
	key = {};
	key.pid = 4711;
	key.generation = 3;
	key.protocol = 17;
	key.gate = WEIR_GATE_SOCKET;
	key.operation = WEIR_OP_SEND;
	key.reason = WEIR_REASON_NO_ROW;
	merge.uid = 1000;
	const auto record = Json::parse(line_of(many));
	EXPECT_EQ(record["process"]["pid"], 4711);
	EXPECT_EQ(record["user"]["id"], "1000");
	EXPECT_EQ(record["event"]["action"], "send");
	EXPECT_EQ(record["weir"]["count"], 1234);
	EXPECT_FALSE(record.contains("source"));
	EXPECT_FALSE(record.contains("destination"));
}

TEST(AppendJson, ObservedIsAllowed)
{
	auto event = refused_connect();
	event.verdict = WEIR_ALLOW;
	const auto record = Json::parse(line_of(event));
	EXPECT_EQ(record["event"]["type"], Json({"connection", "allowed"}));
	EXPECT_EQ(record["weir"]["verdict"], "observed");
}

TEST(AppendJson, UdpConnectSaysThatNothingWasSent)
{
	auto event = refused_connect();
	event.protocol = 17;
	event.operation = WEIR_OP_UDP_CONNECT;
	const auto record = Json::parse(line_of(event));
	EXPECT_EQ(record["event"]["action"], "udp_connect");
	EXPECT_EQ(record["weir"]["data_sent"], false);
	EXPECT_FALSE(Json::parse(line_of(refused_connect()))["weir"].contains("data_sent"));
}

TEST(AppendJson, WhatIsUnknownIsLeftOut)
{
	// The kernel's own packet, too short for its header: all zeros, which are neither root nor 0.0.0.0.
	weir_event event{};
	event.row = WEIR_NO_ROW;
	event.gate = WEIR_GATE_PACKET;
	event.operation = WEIR_OP_PACKET;
	event.reason = WEIR_REASON_MALFORMED;
	event.length = 3;
	const auto record = Json::parse(line_of(event));
	for (const char *name : {"source", "destination", "process", "user", "group", "rule"})
		EXPECT_FALSE(record.contains(name)) << name;
	EXPECT_EQ(record["network"], Json::parse(R"({"direction":"egress","bytes":3})"));
	for (const char *name : {"policy", "cgroup", "socket", "interface", "tcp", "icmp"})
		EXPECT_FALSE(record["weir"].contains(name)) << name;
}

TEST(AppendJson, LocalAddressIsTheSourceOfWhatLeaves)
{
	auto event = refused_connect();
	set_address(event.local, "192.0.2.1");
	event.local_port = 40000;
	const auto record = Json::parse(line_of(event));
	EXPECT_EQ(record["source"], Json::parse(R"({"ip":"192.0.2.1","port":40000})"));
	set_address(event.local, "0.0.0.0");
	EXPECT_EQ(Json::parse(line_of(event))["source"], Json::parse(R"({"port":40000})"));
}

TEST(AppendJson, IcmpHasATypeAndNoPorts)
{
	struct Case {
		std::uint8_t protocol, direction;
		std::uint16_t local, remote; ///< as the packet gate leaves them
		const char *icmp;
	};
	for (const auto &c : {
		     Case{1, WEIR_OUT, 777, 8, R"({"type":8,"id":777})"},    // echo asked by this host
		     Case{1, WEIR_OUT, 8, 777, R"({"type":0,"id":777})"},    // and answered by it
		     Case{1, WEIR_IN, 8, 777, R"({"type":8,"id":777})"},     // asked by the peer
		     Case{1, WEIR_IN, 777, 8, R"({"type":0,"id":777})"},     // and answered by the peer
		     Case{1, WEIR_OUT, 3, 3, R"({"type":3})"},               // unreachable
		     Case{1, WEIR_OUT, 0, 8, R"({"type":8})"},               // socket gate: no identifier yet
		     Case{58, WEIR_OUT, 777, 128, R"({"type":128,"id":777})"},
		     Case{58, WEIR_IN, 777, 128, R"({"type":129,"id":777})"},
		     Case{58, WEIR_IN, 135, 135, R"({"type":135})"},
	     }) {
		auto event = refused_packet();
		event.protocol = c.protocol;
		event.direction = c.direction;
		event.local_port = c.local;
		event.remote_port = c.remote;
		event.tcp_flags = 0;
		const auto record = Json::parse(line_of(event));
		EXPECT_EQ(record["weir"]["icmp"], Json::parse(c.icmp));
		EXPECT_FALSE(record["destination"].contains("port"));
		EXPECT_FALSE(record["source"].contains("port"));
	}
}

TEST(AppendJson, TcpFlagsByName)
{
	auto event = refused_packet();
	event.tcp_flags = 0xff;
	EXPECT_EQ(Json::parse(line_of(event))["weir"]["tcp"]["flags"], "FIN SYN RST PSH ACK URG ECE CWR");
}

TEST(AppendJson, HostileNamesStayInsideTheirString)
{
	auto event = refused_connect();
	Enrichment more;
	set_comm(event, "a\"\\\n\x1b[2J\xff\xc3(");
	more.executable = "/tmp/\xe2\x80\xae"
			  "gpj.exe\x7f\",\"x\":\"\xc3\xa9\xf0\x9f\x90\x9f";
	const auto line = line_of(event, more);
	EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
	EXPECT_EQ(line.find('\x1b'), std::string::npos);
	EXPECT_EQ(line.find('\x7f'), std::string::npos);
	EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos);
	const auto record = Json::parse(line);
	EXPECT_EQ(record["process"]["name"], "a\"\\\n\x1b[2J\xef\xbf\xbd\xef\xbf\xbd(");
	EXPECT_EQ(record["process"]["executable"], more.executable) << "valid text comes back as it was";
	EXPECT_FALSE(record.contains("x"));
}

TEST(AppendJson, CommWithoutATerminatorEnds)
{
	auto event = refused_connect();
	std::memset(event.comm, 'x', sizeof(event.comm));
	EXPECT_EQ(Json::parse(line_of(event))["process"]["name"], std::string(WEIR_COMM_SIZE, 'x'));
}

TEST(AppendJson, RandomBytesAreAlwaysOneLineOfJson)
{
	std::mt19937 random(1); // NOLINT: the same every time
	for (int i = 0; i < 3000; i++) {
		weir_event event;
		auto *bytes = reinterpret_cast<unsigned char *>(&event);
		for (std::size_t b = 0; b < sizeof(event); b++)
			bytes[b] = static_cast<unsigned char>(random());
		event.time &= ~0ull >> 4;
		Enrichment more;
		for (auto *text : {&more.executable, &more.user, &more.cgroup, &more.interface})
			for (auto size = random() % 40; size > 0; size--)
				text->push_back(static_cast<char>(random()));
		const auto line = line_of(event, more, more.user);
		ASSERT_TRUE(Json::accept(line)) << line;
		ASSERT_EQ(line.find('\n'), line.size() - 1);
		ASSERT_TRUE(for_people(line, false).has_value()) << line;
	}
}

TEST(DecodeUtf8, RefusesWhatRfc3629Refuses)
{
	for (const char *bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
				"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
		const auto point = decode_utf8(bad);
		EXPECT_EQ(point.value, char32_t{0xfffd}) << bad;
		EXPECT_EQ(point.size, 1u);
	}
	EXPECT_EQ(decode_utf8("\xe2\x82\xac").value, char32_t{0x20ac});
	EXPECT_EQ(decode_utf8("\xf4\x8f\xbf\xbf").value, char32_t{0x10ffff});
}

TEST(AppendTime, TurnsOfTheCalendar)
{
	const auto text = [](std::int64_t ns) {
		std::string out;
		append_time(out, ns);
		return out;
	};
	EXPECT_EQ(text(0), "1970-01-01T00:00:00.000000000Z");
	EXPECT_EQ(text(951782399'999999999), "2000-02-28T23:59:59.999999999Z");
	EXPECT_EQ(text(951782400'000000001), "2000-02-29T00:00:00.000000001Z");
	EXPECT_EQ(text(4102444799'000000000), "2099-12-31T23:59:59.000000000Z");
}

TEST(AppendJson, Speed)
{
	auto event = refused_connect();
	const Enrichment more{.executable = "/usr/bin/curl",
			      .user = "root",
			      .cgroup = "/system.slice/node.service",
			      .interface = "eth0"};
	constexpr int rounds = 20000;
	std::string out;
	const auto begin = std::chrono::steady_clock::now();
	for (int i = 0; i < rounds; i++) {
		event.time += 1000;
		if (out.size() > 200000)
			out.clear();
		append_json(out, event, more, "default", "", sample_to_wall);
	}
	const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
	std::printf("append_json: %.0f events/s in this build\n", rounds / took.count());
}

} // namespace
} // namespace weir::audit
