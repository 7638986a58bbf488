// SPDX-License-Identifier: Apache-2.0
// What is wrong in a matrix file, and what is said of it, to the letter.
#include "bad_file.h"
#include "policy/policy.h"

namespace weir::policy {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view good_matrix = R"(format = 1
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

constexpr BadFile bad_matrix_files[] = {
	{"zone_network", R"(status = "mandatory")", R"(status = "mandatory"
zone = "network")",
	 R"(m.toml:15:8: error: "network" is not a zone of a row
   15 | zone = "network"
      |        ^
  use "tunnel"; a row that belongs to no tunnel has no zone)"},
	{"journal_optional", R"(status = "mandatory")", R"(status = "mandatory"
journal = "optional")",
	 R"(m.toml:15:11: error: "optional" is not what a row can ask of the journal
   15 | journal = "optional"
      |           ^
  use "required"; a row that holds without the journal has no such key)"},
	{"journal_bool", R"(status = "mandatory")", R"(status = "mandatory"
journal = true)",
	 R"(m.toml:15:11: error: "journal" is a boolean, not a string
   15 | journal = true
      |           ^
  put the value in quotes)"},
	{"zone_list", R"(status = "mandatory")", R"(status = "mandatory"
zone = ["tunnel"])",
	 R"(m.toml:15:8: error: "zone" is an array, not a string
   15 | zone = ["tunnel"]
      |        ^
  give one value, in quotes and without brackets)"},
	{"zone_of_localhost", R"(destination = "researcher")", R"(zone = "tunnel"
destination = "localhost")",
	 R"(m.toml:10:8: error: "localhost" is not inside a tunnel
   10 | zone = "tunnel"
      |        ^
  take the zone out, or name a peer that is)"},
	{"no_format", R"(format = 1
)",
	 "",
	 R"(m.toml:1:1: error: a matrix file without "format"
    1 | scenario = "node-native"
      | ^
  begin the file with: format = 1)"},
	{"newer_format", "format = 1", R"(format = 2
future = true)",
	 R"(m.toml:1:10: error: format 2 is newer than this weir
    1 | format = 2
      |          ^
  this weir reads format 1)"},
	{"format_zero", "format = 1", "format = 0",
	 R"(m.toml:1:10: error: there is no format 0
    1 | format = 0
      |          ^
  use: format = 1)"},
	{"format_text", "format = 1", R"(format = "1")",
	 R"(m.toml:1:10: error: "format" is a string, not an integer
    1 | format = "1"
      |          ^
  use: format = 1)"},
	{"unknown_key_near", "title =", "titel =",
	 R"(m.toml:3:1: error: unknown key "titel"
    3 | titel = "T"
      | ^
  did you mean "title"?)"},
	{"unknown_key_far", R"(title = "T")", R"(title = "T"
owner = "me")",
	 R"(m.toml:4:1: error: unknown key "owner"
    4 | owner = "me"
      | ^
  a matrix file has "format", "scenario", "title", "component" and "row")"},
	{"missing_title", R"(title = "T"
)",
	 "",
	 R"(m.toml:1:1: error: a matrix file without "title"
    1 | format = 1
      | ^
  such as: title = "Running without VPN/containers")"},
	{"empty_title", R"("T")", R"("")",
	 R"(m.toml:3:9: error: "title" is empty
    3 | title = ""
      |         ^
  give it a value)"},
	{"scenario_is_a_path", R"("node-native")", R"("../etc/passwd")",
	 R"(m.toml:2:12: error: "scenario" is not letters, digits, ".", "_" and "-" after a letter or a digit
    2 | scenario = "../etc/passwd"
      |            ^
  write it like "node-native")"},
	{"component_a_number", R"(component = "node")", "component = 7",
	 R"(m.toml:4:13: error: "component" is an integer, not a string
    4 | component = 7
      |             ^
  put the value in quotes)"},
	{"row_unknown_key", "service = ", "servise = ",
	 R"(m.toml:12:1: error: unknown key "servise"
   12 | servise = "gRPC"
      | ^
  did you mean "service"?)"},
	{"row_unknown_key_far", R"(id = "a")", R"(id = "a"
interface = "eth0")",
	 R"(m.toml:8:1: error: unknown key "interface"
    8 | interface = "eth0"
      | ^
  a row has "id", "dir", "source", "destination", "port", "service", "type", "status", "comment", "zone", "user", "journal" and "page")"},
	{"user_number_in_quotes", R"(id = "a")", R"(id = "a"
user = "0")",
	 R"(m.toml:8:8: error: "0" is a number in quotes
    8 | user = "0"
      |        ^
  write it without: user = 0)"},
	{"user_negative", R"(id = "a")", R"(id = "a"
user = -1)",
	 R"(m.toml:8:8: error: -1 is not the number of a user
    8 | user = -1
      |        ^
  use 0 to 4294967294)"},
	{"user_of_nobody", R"(id = "a")", R"(id = "a"
user = 4294967295)",
	 R"(m.toml:8:8: error: 4294967295 is not the number of a user
    8 | user = 4294967295
      |        ^
  use 0 to 4294967294)"},
	{"user_list", R"(id = "a")", R"(id = "a"
user = ["node"])",
	 R"(m.toml:8:8: error: "user" is an array, not a user
    8 | user = ["node"]
      |        ^
  write user = 0, or a name that the site binds)"},
	{"user_empty", R"(id = "a")", R"(id = "a"
user = "")",
	 R"(m.toml:8:8: error: "user" is empty
    8 | user = ""
      |        ^
  give it a value)"},
	{"page_text", R"(id = "a")", R"(id = "a"
page = "no")",
	 R"(m.toml:8:8: error: "page" is a string, not a boolean
    8 | page = "no"
      |        ^
  write page = false: the page does not have the row)"},
	{"row_missing_port", R"(port = "TCP/50051"
)",
	 "",
	 R"(m.toml:6:1: error: a row without "port"
    6 | [[row]]
      | ^
  a row has id, dir, source, destination, port, service, type, status and, if there is one, comment)"},
	{"row_missing_dir", R"(dir = "out"
)",
	 "",
	 R"(m.toml:6:1: error: a row without "dir"
    6 | [[row]]
      | ^
  a row has id, dir, source, destination, port, service, type, status and, if there is one, comment)"},
	{"row_missing_id", R"(id = "a"
)",
	 "",
	 R"(m.toml:6:1: error: a row without "id"
    6 | [[row]]
      | ^
  a row has id, dir, source, destination, port, service, type, status and, if there is one, comment)"},
	{"duplicate_key", R"(dir = "out")", R"(dir = "out"
dir = "in")",
	 R"(m.toml:9:7: error: "dir" is given twice
    9 | dir = "in"
      |       ^
  keep one of the two)"},
	{"duplicate_header_key", R"(title = "T")", R"(title = "T"
title = "U")",
	 R"(m.toml:4:9: error: "title" is given twice
    4 | title = "U"
      |         ^
  keep one of the two)"},
	{"wrong_type_port", R"(port = "TCP/50051")", "port = 50051",
	 R"(m.toml:11:8: error: "port" is an integer, not a string
   11 | port = 50051
      |        ^
  put the value in quotes)"},
	{"wrong_type_dir", R"(dir = "out")", R"(dir = ["out"])",
	 R"(m.toml:8:7: error: "dir" is an array, not a string
    8 | dir = ["out"]
      |       ^
  give one value, in quotes and without brackets)"},
	{"wrong_type_comment", R"(id = "a")", R"(id = "a"
comment = true)",
	 R"(m.toml:8:11: error: "comment" is a boolean, not a string
    8 | comment = true
      |           ^
  put the value in quotes)"},
	{"dir_unknown", R"("out")", R"("outbound")",
	 R"(m.toml:8:7: error: "outbound" is not a direction
    8 | dir = "outbound"
      |       ^
  use "out" or "in")"},
	{"status_unknown", R"("mandatory")", R"("required")",
	 R"(m.toml:14:10: error: "required" is not a status
   14 | status = "required"
      |          ^
  use "mandatory" or "optional")"},
	{"type_unknown", R"("backend")", R"("front")",
	 R"(m.toml:13:8: error: "front" is not a type
   13 | type = "front"
      |        ^
  use "backend", "user" or "host")"},
	{"id_spaces", R"(id = "a")", R"(id = "my row")",
	 R"(m.toml:7:6: error: "id" is not letters, digits, ".", "_" and "-" after a letter or a digit
    7 | id = "my row"
      |      ^
  write it like "node-native")"},
	{"id_like_a_builtin_scope", R"(id = "a")", R"(id = "a@1")",
	 R"(m.toml:7:6: error: "id" is not letters, digits, ".", "_" and "-" after a letter or a digit
    7 | id = "a@1"
      |      ^
  write it like "node-native")"},
	{"empty_source", R"(source = "node")", R"(source = "")",
	 R"(m.toml:9:10: error: "source" is empty
    9 | source = ""
      |          ^
  give it a value)"},
	{"spaces_around", R"(source = "node")", R"(source = "node ")",
	 R"(m.toml:9:10: error: "source" begins or ends with a space
    9 | source = "node "
      |          ^
  take the space out)"},
	{"escape_sequence_in_comment", R"(id = "a")", R"(id = "a"
comment = "\u001b[2J")",
	 R"(m.toml:8:11: error: "comment" holds a character that cannot be seen
    8 | comment = "\u001b[2J"
      |           ^
  take it out: what is approved has to be what is read)"},
	{"direction_mark", R"("researcher")", "\"\342\200\256researcher\"",
	 R"(m.toml:10:16: error: the character "\u{202e}" cannot be seen
   10 | destination = "?researcher"
      |                ^
  take it out: what is approved has to be what is read)"},
	{"row_of_localhost", R"(source = "node"
destination = "researcher")",
	 R"(source = "localhost"
destination = "node")",
	 R"(m.toml:9:10: error: the source of an "out" row is a component of this host, which "localhost" is not
    9 | source = "localhost"
      |          ^
  name the component, or is dir = "in" meant?)"},
	{"row_of_internet_in", R"(dir = "out"
source = "node"
destination = "researcher")",
	 R"(dir = "in"
source = "node"
destination = "Internet")",
	 R"(m.toml:10:15: error: the destination of an "in" row is a component of this host, which "Internet" is not
   10 | destination = "Internet"
      |               ^
  name the component, or is dir = "out" meant?)"},
	{"row_to_itself", R"("researcher")", R"("node")",
	 R"(m.toml:9:10: error: source and destination are both "node"
    9 | source = "node"
      |          ^
  name the peer, or "localhost" for the host itself)"},
	{"unterminated_string", R"(title = "T")", R"(title = "T)",
	 R"(m.toml:3:11: error: the string does not end on its line
    3 | title = "T
      |           ^
  close it with a quote)"},
	{"no_value", R"(title = "T")", "title =",
	 R"(m.toml:3:8: error: the key has no value
    3 | title =
      |        ^
  give it one, such as: title = "...")"},
	{"bare_word", R"(title = "T")", "title = T",
	 R"(m.toml:3:9: error: this is not a boolean: expected 'true', saw 'T'
    3 | title = T
      |         ^
  put text in quotes, such as "192.0.2.10")"},
	{"nul", R"("T")", "\"T\000\""sv,
	 R"(m.toml:3:11: error: the character "\x00" cannot be seen
    3 | title = "T?"
      |           ^
  take it out: what is approved has to be what is read)"},
	{"nul_escaped", R"("T")", R"("\u0000")",
	 R"(m.toml:3:9: error: "title" holds a character that cannot be seen
    3 | title = "\u0000"
      |         ^
  take it out: what is approved has to be what is read)"},
	{"lone_carriage_return", R"(title = "T"
)",
	 "title = \"T\"\r",
	 R"(m.toml:3:13: error: this is not TOML: key-value pair: expected '\n' after '\r', saw 'c'
    3 | title = "T"?component = "node"
      |             ^
  the language is told at https://toml.io/en/v1.0.0)"},
};

class BadMatrix : public testing::TestWithParam<BadFile> {};

TEST_P(BadMatrix, IsToldToTheLetter)
{
	const std::string text = GetParam().text(good_matrix);
	EXPECT_EQ(message_of(parse_matrix(text, "m.toml")), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(, BadMatrix, testing::ValuesIn(bad_matrix_files), name_of);

} // namespace
} // namespace weir::policy
