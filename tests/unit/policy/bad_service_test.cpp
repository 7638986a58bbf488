// SPDX-License-Identifier: Apache-2.0
// What is wrong in the port column of a row, and what is said of it, to the letter.
#include "bad_file.h"
#include "policy/policy.h"

namespace weir::policy {
namespace {

constexpr std::string_view good_service = R"(format = 1
scenario = "node-native"
title = "T"
component = "node"

[[row]]
id = "a"
dir = "out"
source = "node"
destination = "researcher"
port = "TCP/50051"
service = "gRPC"
type = "backend"
status = "mandatory"
)";

constexpr BadFile bad_service_files[] = {
	{"port_0", "TCP/50051", "TCP/0",
	 R"(m.toml:11:8: error: port 0 is not a port
   11 | port = "TCP/0"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_65536", "TCP/50051", "TCP/65536",
	 R"(m.toml:11:8: error: port 65536 is not a port
   11 | port = "TCP/65536"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_word", "TCP/50051", "TCP/https",
	 R"(m.toml:11:8: error: "https" is not a port
   11 | port = "TCP/https"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_upside_down", "TCP/50051", "TCP/20-10",
	 R"(m.toml:11:8: error: the range 20-10 is upside down
   11 | port = "TCP/20-10"
      |        ^
  write TCP/10-20)"},
	{"port_huge", "TCP/50051", "TCP/99999999999999999999",
	 R"(m.toml:11:8: error: "99999999999999999999" is not a port
   11 | port = "TCP/99999999999999999999"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_negative", "TCP/50051", "TCP/-1",
	 R"(m.toml:11:8: error: "-1" is not a port
   11 | port = "TCP/-1"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_octal", "TCP/50051", "TCP/0080",
	 R"(m.toml:11:8: error: "0080" is not a port
   11 | port = "TCP/0080"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_open_range", "TCP/50051", "TCP/80-",
	 R"(m.toml:11:8: error: "80-" is not a port
   11 | port = "TCP/80-"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"port_list", "TCP/50051", "TCP/80,443",
	 R"(m.toml:11:8: error: "TCP/80,443" is more than one range
   11 | port = "TCP/80,443"
      |        ^
  write one row for each)"},
	{"port_missing", "TCP/50051", "TCP",
	 R"(m.toml:11:8: error: "TCP" is not PROTOCOL/PORT
   11 | port = "TCP"
      |        ^
  write it as on the page, such as TCP/50051)"},
	{"port_empty", "TCP/50051", "TCP/",
	 R"(m.toml:11:8: error: "TCP/" is not PROTOCOL/PORT
   11 | port = "TCP/"
      |        ^
  write it as on the page, such as TCP/50051)"},
	{"port_space", "TCP/50051", "TCP/ 80",
	 R"(m.toml:11:8: error: " 80" is not a port
   11 | port = "TCP/ 80"
      |        ^
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"protocol_case", "TCP/50051", "tcp/80",
	 R"(m.toml:11:8: error: protocol "tcp" is not known
   11 | port = "tcp/80"
      |        ^
  did you mean "TCP"?)"},
	{"protocol_unknown", "TCP/50051", "QUIC/443",
	 R"(m.toml:11:8: error: protocol "QUIC" is not known
   11 | port = "QUIC/443"
      |        ^
  use TCP, UDP, SCTP, DCCP, UDP-Lite, ICMP, ICMPv6, or IP with a protocol number)"},
	{"icmp_type_256", "TCP/50051", "ICMP/256",
	 R"(m.toml:11:8: error: 256 is not a message type
   11 | port = "ICMP/256"
      |        ^
  use 0 to 255, or a range such as ICMP/128-129)"},
	{"ip_6", "TCP/50051", "IP/6",
	 R"(m.toml:11:8: error: IP/6 is TCP
   11 | port = "IP/6"
      |        ^
  write TCP/PORT)"},
	{"ip_0", "TCP/50051", "IP/0",
	 R"(m.toml:11:8: error: IP/0 is an IPv6 extension header, not a protocol
   11 | port = "IP/0"
      |        ^
  give the protocol that follows it)"},
	{"ip_256", "TCP/50051", "IP/256",
	 R"(m.toml:11:8: error: "256" is not an IP protocol number
   11 | port = "IP/256"
      |        ^
  use 1 to 255, such as IP/47 for GRE)"},
	{"ip_1", "TCP/50051", "IP/1",
	 R"(m.toml:11:8: error: IP/1 is ICMP
   11 | port = "IP/1"
      |        ^
  write ICMP/TYPE)"},
};

class BadService : public testing::TestWithParam<BadFile> {};

TEST_P(BadService, IsToldToTheLetter)
{
	const std::string text = GetParam().text(good_service);
	EXPECT_EQ(message_of(parse_matrix(text, "m.toml")), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(, BadService, testing::ValuesIn(bad_service_files), name_of);

} // namespace
} // namespace weir::policy
