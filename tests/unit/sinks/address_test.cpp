// SPDX-License-Identifier: Apache-2.0
#include "sinks/address.h"

#include "tests/unit/formats/samples.h"

#include <gtest/gtest.h>

namespace weir::sinks {
namespace {

TEST(SinkAddress, EachKind)
{
	const auto tls =
		parse_address("syslog+tls://siem.example:6515?ca=/etc/a%26b.pem&format=cef&name=other.example");
	ASSERT_TRUE(tls.has_value()) << tls.error().message;
	EXPECT_EQ(tls->kind, Kind::syslog_tls);
	EXPECT_EQ(tls->host, "siem.example");
	EXPECT_EQ(tls->port, "6515");
	EXPECT_EQ(tls->ca, "/etc/a&b.pem");
	EXPECT_EQ(tls->peer_name, "other.example");
	EXPECT_EQ(tls->format, formats::Format::cef);
	EXPECT_EQ(tls->name, "syslog+tls://siem.example:6515") << "options are nobody's business";

	EXPECT_EQ(parse_address("syslog+tls://siem.example")->port, "6514");
	EXPECT_EQ(parse_address("syslog+udp://192.0.2.1")->port, "514");
	EXPECT_EQ(parse_address("syslog+tcp://[2001:db8::1]:601")->host, "2001:db8::1");
	EXPECT_EQ(parse_address("syslog+tcp://[2001:db8::1]:601")->port, "601");
	EXPECT_EQ(parse_address("syslog+tcp://[2001:db8::1]")->port, "514");
	EXPECT_EQ(parse_address("syslog+unix:/dev/log")->path, "/dev/log");
	EXPECT_EQ(parse_address("syslog+unix:///dev/log")->path, "/dev/log");
	EXPECT_EQ(parse_address("syslog+unix:/dev/log")->header, Header::local);
	EXPECT_EQ(parse_address("syslog+unix:/dev/log?header=rfc5424")->header, Header::rfc5424);
	EXPECT_EQ(parse_address("file:/var/log/x.jsonl")->format, formats::Format::ecs);
	EXPECT_EQ(parse_address("journald:")->path, "/run/systemd/journal/socket");
	EXPECT_EQ(parse_address("stdout:?format=ocsf")->format, formats::Format::ocsf);
	EXPECT_EQ(parse_address("stdout:?queue=512K")->queue, 512u << 10);
}

TEST(SinkAddress, WhatIsWrongIsSaid)
{
	const std::pair<const char *, const char *> wrong[] = {
		{"", "is wanted"},
		{"syslog", "is wanted"},
		{"http://x", "is wanted"},
		{"file:relative", "an absolute path"},
		{"stdout:x", "nothing stands behind"},
		{"syslog+udp:host", "syslog+udp://HOST:PORT is wanted"},
		{"syslog+udp://", "no host"},
		{"syslog+udp://host:0", "is no port"},
		{"syslog+udp://host:65536", "is no port"},
		{"syslog+udp://host:5x", "is no port"},
		{"syslog+udp://2001:db8::1", "stands in brackets"},
		{"syslog+udp://[2001:db8::1", "has no end"},
		{"syslog+udp://[2001:db8::1]x", "is no port"},
		{"syslog+tls://host?cart=/x", "did you mean \"cert\"?"},
		{"syslog+tcp://host?ca=/x", "it has no option \"ca\""},
		{"syslog+tls://host?cert=/x", "go together"},
		{"syslog+tls://host?ca=", "has no value"},
		{"syslog+tls://host?ca=%zz", "two digits"},
		{"file:/x?format=xml", "ecs, ocsf, cef or syslog"},
		{"file:/x?queue=1", "at least 64K"},
		{"journald:?format=cef", "it has no option"},
		{"syslog+unix:/dev/log?header=x", "local or rfc5424"},
	};
	for (const auto &[text, why] : wrong) {
		const auto address = parse_address(text);
		ASSERT_FALSE(address.has_value()) << text;
		EXPECT_EQ(address.error().code, Exit::usage) << text;
		EXPECT_NE(address.error().message.find(why), std::string::npos)
			<< text << ": " << address.error().message;
	}
}

std::string message(const char *address, const std::string &line)
{
	return message_for(parse_address(address).value(), formats::bare(line)).value();
}

TEST(SinkMessage, SyslogCarriesEveryFormat)
{
	const auto line = audit::line_of(audit::refused_connect());
	EXPECT_TRUE(message("syslog+tcp://h", line).starts_with("<84>1 2026-11-24T12:03:04.123456Z "));
	EXPECT_NE(message("syslog+tcp://h", line).find(" connect [weir@32473 "), std::string::npos);
	EXPECT_NE(message("syslog+tcp://h?format=cef", line).find(" weir - connect - CEF:0|"), std::string::npos);
	EXPECT_NE(message("syslog+tcp://h?format=ecs", line).find(" weir - connect - {\"@timestamp\""),
		  std::string::npos);
}

TEST(SinkMessage, DevLogGetsWhatSyslogOfTheLibraryWrites)
{
	::setenv("TZ", "UTC", 1);
	::tzset();
	const auto line = audit::line_of(audit::refused_connect());
	EXPECT_TRUE(message("syslog+unix:/dev/log", line).starts_with("<84>Nov 24 12:03:04 weir: [weir@32473 "));
	EXPECT_TRUE(message("syslog+unix:/dev/log?format=cef", line).starts_with("<84>Nov 24 12:03:04 weir: CEF:0|"));
}

TEST(SinkMessage, JournalsFieldsHaveNamesOfTheirOwn)
{
	const auto entry = message("journald:", audit::line_of(audit::refused_connect()));
	for (const char *field :
	     {"PRIORITY=4\n", "SYSLOG_IDENTIFIER=weir\n", "\nWEIR_GATE=socket\n", "\nWEIR_DESTINATION_IP=203.0.113.7\n",
	      "\nWEIR_RECORD={", "\nWEIR_POLICY_DIGEST=abab", "\nWEIR__TIMESTAMP=2026-"})
		EXPECT_NE(("\n" + entry).find(field), std::string::npos) << field << entry;
}

/// A newline in a value would be the end of a field, and the start of one that a process has made up.
TEST(SinkMessage, JournalsFieldsCannotBeForged)
{
	auto event = audit::refused_connect();
	audit::set_comm(event, "x\nPRIORITY=7");
	const auto entry = message("journald:", audit::line_of(event));
	EXPECT_EQ(entry.find("\nPRIORITY=7"), entry.find("\nPRIORITY=7", entry.find("WEIR_PROCESS_NAME\n")))
		<< "only within the value whose length stands before it";
	const auto at = entry.find("WEIR_PROCESS_NAME\n");
	ASSERT_NE(at, std::string::npos);
	EXPECT_EQ(entry.substr(at + 18, 8), std::string("\x0c\0\0\0\0\0\0\0", 8));
}

} // namespace
} // namespace weir::sinks
