// SPDX-License-Identifier: Apache-2.0
// Good files, and files that are wrong as a whole.
#include "bad_file.h"
#include "policy/diagnostic.h"
#include "policy/policy.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace weir::policy {
namespace {

const std::string header = "format = 1\nscenario = \"s\"\ntitle = \"T\"\ncomponent = \"node\"\n";
const std::string row_text =
	"[[row]]\nid = \"a\"\ndir = \"out\"\nsource = \"node\"\ndestination = \"r\"\nport = \"TCP/1\"\n"
	"service = \"x\"\ntype = \"host\"\nstatus = \"optional\"\ncomment = \"\"\n";

TEST(MatrixFile, EveryColumn)
{
	const auto matrix = parse_matrix(header + row_text, "m.toml");
	ASSERT_TRUE(matrix) << matrix.error().message;
	EXPECT_EQ(matrix->scenario, "s");
	EXPECT_EQ(matrix->title, "T");
	EXPECT_EQ(matrix->component, "node");
	ASSERT_EQ(matrix->rows.size(), 1u);
	const Row &only = matrix->rows.front();
	EXPECT_EQ(only.id, "a");
	EXPECT_EQ(only.dir, Direction::out);
	EXPECT_EQ(only.source, "node");
	EXPECT_EQ(only.destination, "r");
	EXPECT_EQ(only.port, (Service{6, 1, 1}));
	EXPECT_EQ(only.service, "x");
	EXPECT_EQ(only.type, "host");
	EXPECT_EQ(only.status, Status::optional);
	EXPECT_EQ(only.comment, "");
	EXPECT_EQ(only.place.file, "m.toml");
	EXPECT_EQ(only.place.line, 5u);
	EXPECT_EQ(only.place.column, 1u);
}

TEST(MatrixFile, LineEndsAndByteOrderMarkDontMatter)
{
	std::string windows = "\xef\xbb\xbf";
	for (const char c : header + row_text)
		windows += c == '\n' ? "\r\n" : std::string(1, c);
	const auto matrix = parse_matrix(windows, "m.toml");
	ASSERT_TRUE(matrix) << matrix.error().message;
	EXPECT_EQ(matrix->rows.front().comment, "");
	EXPECT_EQ(matrix->rows.front().place.line, 5u);
}

TEST(MatrixFile, NothingInIt)
{
	for (const char *text : {"", " \r\n\t\n", "\xef\xbb\xbf"})
		EXPECT_EQ(message_of(parse_matrix(text, "m.toml")),
			  "m.toml: error: the file is empty\n  a matrix file is wanted");
	EXPECT_EQ(message_of(parse_site("", "s.toml")), "s.toml: error: the file is empty\n  a site file is wanted");
}

TEST(MatrixFile, OnlyAHeader)
{
	EXPECT_EQ(message_of(parse_matrix(header, "m.toml")), R"(m.toml:1:1: error: a matrix file without "row"
    1 | format = 1
      | ^
  add the rows, each begun by [[row]])");
}

TEST(MatrixFile, TwoRowsWithOneId)
{
	EXPECT_EQ(message_of(parse_matrix(header + row_text + row_text, "m.toml")),
		  R"(m.toml:16:6: error: the row at line 5 has the id "a", too
   16 | id = "a"
      |      ^
  give each row an id of its own)");
}

TEST(MatrixFile, RowsThatAreNone)
{
	EXPECT_EQ(message_of(parse_matrix(header + row_text.substr(1), "m.toml")).substr(0, 10), "m.toml:5:6");
	EXPECT_EQ(message_of(parse_matrix(header + "row = 3", "m.toml")),
		  R"(m.toml:5:7: error: "row" is not a list of rows
    5 | row = 3
      |       ^
  begin each row with [[row]])");
	EXPECT_EQ(message_of(parse_matrix(header + "row = [3]", "m.toml")),
		  R"(m.toml:5:8: error: "row" is an integer, not a table
    5 | row = [3]
      |        ^
  begin each row with [[row]])");
	EXPECT_EQ(message_of(parse_matrix(header + "row = []", "m.toml")), R"(m.toml:5:7: error: the matrix has no rows
    5 | row = []
      |       ^
  add the rows, each begun by [[row]])");
}

TEST(MatrixFile, TheOtherKindOfFile)
{
	EXPECT_EQ(message_of(parse_matrix("format = 1\n[names]\na = \"192.0.2.1\"\n", "x")),
		  "x: error: this is a site file, not a matrix\n"
		  "  a matrix file has [[row]] entries; a site file names it with: scenario = \"...\"");
	EXPECT_EQ(message_of(parse_site(header + row_text, "x")),
		  "x: error: this is a matrix file, not a site\n"
		  "  give the site file, which names the matrix with: scenario = \"...\"");
}

TEST(MatrixFile, TheMarkStandsUnderTheValue)
{
	// Behind tabs, and behind letters of more than one byte.
	EXPECT_EQ(message_of(parse_matrix("format = 1\n\tscenario\t=\t7", "m.toml")),
		  "m.toml:2:13: error: \"scenario\" is an integer, not a string\n    2 | \tscenario\t=\t7\n"
		  "      | \t        \t \t^\n  put the value in quotes");
	EXPECT_EQ(message_of(parse_matrix("\"format\" = 1\n\"é日本\" = 1 \n", "m.toml")),
		  "m.toml:2:1: error: unknown key \"é日本\"\n    2 | \"é日本\" = 1 \n      | ^\n"
		  "  a matrix file has \"format\", \"scenario\", \"title\", \"component\" and \"row\"");
}

TEST(MatrixFile, LongLinesAreCut)
{
	const std::string message =
		message_of(parse_matrix("format = 1\nscenario = \"" + std::string(5000, 'x') + "\", zz = 1", "m"));
	EXPECT_TRUE(message.starts_with("m:2:5014: error: this is not TOML: ")) << message;
	EXPECT_LT(message.size(), 400u);
	EXPECT_NE(message.find("\n    2 | ...xxx"), std::string::npos) << message;
}

TEST(MatrixFile, NotUtf8)
{
	EXPECT_EQ(message_of(parse_matrix("format = 1\ntitle = \"a\xff\"\n", "m")), R"(m:2:11: error: this is not UTF-8
    2 | title = "a?"
      |           ^
  save the file as UTF-8)");
	for (const char *sequence : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
		EXPECT_TRUE(message_of(parse_matrix(std::string("# ") + sequence, "m"))
				    .starts_with("m:1:3: error: this is not UTF-8"));
	EXPECT_EQ(message_of(parse_matrix("\xff\xfe"
					  "f",
					  "m")),
		  "m:1: error: the text is UTF-16\n  save the file as UTF-8");
}

TEST(MatrixFile, DeepNestingIsAnError)
{
	const std::string message = message_of(parse_matrix("a = " + std::string(100000, '['), "m"));
	EXPECT_TRUE(message.starts_with("m:1:")) << message;
}

// A call for each part would be more than the stack holds.
TEST(MatrixFile, AKeyWithoutEndIsAnError)
{
	std::string key;
	for (int i = 0; i < 60000; i++)
		key += "a.";
	for (const std::string &text :
	     {key + "b = 1\n", "format = 1\n[" + key + "b]\n", "\"a\"." + key + "'b' = 1\n"}) {
		const std::string message = message_of(parse_matrix(text, "m"));
		EXPECT_NE(message.find("the key has more than 64 parts"), std::string::npos) << message;
	}
	// Points elsewhere are none of a key.
	const std::string points(100, '.');
	const std::string quoted = "\"\\\"" + points + "\"";
	const std::string message = message_of(parse_matrix(
		"format = 1 # " + points + "\ntitle = " + quoted + "\nmore = '''\n" + points + "'''\n", "m"));
	EXPECT_EQ(message.find("parts"), std::string::npos) << message;
}

TEST(SiteFile, EveryKey)
{
	const auto site = parse_site(
		"format = 1\nscenario = \"s\"\nloopback = \"matrix\"\noptional = [\"a\", \"b\"]\n"
		"[names]\nr = \"192.0.2.1\"\n\"a b\" = [\"2001:db8::/32\", \"10.0.0.0/8\", \"::ffff:192.0.2.7\"]\n"
		"[cgroups]\nnode = \"/sys/fs/cgroup//x/./y/\"\n",
		"s.toml");
	ASSERT_TRUE(site) << site.error().message;
	EXPECT_EQ(site->scenario, "s");
	EXPECT_FALSE(site->open_loopback);
	EXPECT_EQ(site->optional, (std::vector<std::string>{"a", "b"}));
	EXPECT_EQ(site->names.at("r"), (std::vector<Prefix>{*Prefix::parse("192.0.2.1")}));
	EXPECT_EQ(site->names.at("a b"), (std::vector<Prefix>{*Prefix::parse("10.0.0.0/8"), *Prefix::parse("192.0.2.7"),
							      *Prefix::parse("2001:db8::/32")}));
	EXPECT_EQ(site->cgroups.at("node"), "/sys/fs/cgroup/x/y");
}

TEST(SiteFile, LoopbackIsOpenUnlessItSaysOtherwise)
{
	EXPECT_TRUE(parse_site("format = 1\nscenario = \"s\"\n", "s")->open_loopback);
	EXPECT_TRUE(parse_site("format = 1\nscenario = \"s\"\nloopback = \"open\"", "s")->open_loopback);
}

class Reading : public testing::Test {
protected:
	void SetUp() override
	{
		std::string name = testing::TempDir() + "weir-policy-XXXXXX";
		ASSERT_NE(::mkdtemp(name.data()), nullptr);
		directory_ = name;
		std::filesystem::create_directory(directory_ + "/policies");
	}
	void TearDown() override { std::filesystem::remove_all(directory_); }
	void write(const std::string &name, const std::string &text) const { std::ofstream(path(name)) << text; }
	[[nodiscard]] std::string path(const std::string &name) const { return directory_ + '/' + name; }

	std::string directory_;
};

TEST_F(Reading, WhatCannotBeRead)
{
	EXPECT_EQ(message_of(read_file(path("none"))),
		  path("none") + ": error: cannot be opened: No such file or directory");
	EXPECT_EQ(message_of(read_file(directory_)), directory_ + ": error: is a directory\n  give a file");
	ASSERT_EQ(::symlink("loop", path("loop").c_str()), 0);
	EXPECT_EQ(message_of(read_file(path("loop"))),
		  path("loop") + ": error: cannot be opened: Too many levels of symbolic links");
	EXPECT_EQ(message_of(read_file("/dev/zero")), "/dev/zero: error: has more than 64 MiB\n"
						      "  a matrix of 100,000 rows is smaller: is this the right file?");
	if (::geteuid() != 0) {
		write("secret", "x");
		ASSERT_EQ(::chmod(path("secret").c_str(), 0), 0);
		EXPECT_EQ(message_of(read_file(path("secret"))),
			  path("secret") + ": error: cannot be opened: Permission denied");
	}
}

const std::string site =
	"format = 1\nscenario = \"s\"\noptional = [\"a\"]\n[names]\nr = \"192.0.2.1\"\n[cgroups]\nnode = \"/x\"\n";

TEST_F(Reading, TheMatrixBesideTheSiteComesFirst)
{
	write("site.toml", site);
	write("policies/s.toml", header + row_text);
	auto policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->title, "T");

	std::string other = header;
	other.replace(other.find("\"T\""), 3, "\"beside\"");
	write("s.toml", other + row_text);
	policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->title, "beside");
}

TEST_F(Reading, ASiteFileMayHaveTheScenariosName)
{
	write("s.toml", site);
	write("policies/s.toml", header + row_text);
	EXPECT_TRUE(load(path("s.toml"), path("policies")));
}

TEST_F(Reading, NoMatrix)
{
	write("site.toml", site);
	write("policies/ss.toml", header + row_text);
	EXPECT_EQ(message_of(load(path("site.toml"), path("policies"))),
		  path("site.toml") +
			  ":2:12: error: there is no matrix \"s\"\n    2 | scenario = \"s\"\n      |            ^\n"
			  "  did you mean \"ss\"? looked for " +
			  path("s.toml") + " and " + path("policies/s.toml"));
}

// The services of another host: what ships with weir is not looked at.
const std::string services = "format = 1\nscenario = \"host-services\"\ntitle = \"S\"\ncomponent = \"host\"\n"
			     "[[row]]\nid = \"ssh\"\ndir = \"in\"\nsource = \"admins\"\ndestination = \"host\"\n"
			     "port = \"TCP/22\"\nservice = \"x\"\ntype = \"host\"\nstatus = \"optional\"\n";
const std::string with_edge = "format = 1\nscenario = \"s\"\noptional = [\"a\"]\n[names]\nr = \"192.0.2.1\"\n"
			      "admins = \"198.51.100.0/24\"\n[edge]\n";

TEST_F(Reading, HostServicesAreFoundAsMatricesAre)
{
	write("site.toml", with_edge);
	write("s.toml", header + row_text);
	const std::string missing = message_of(load(path("site.toml"), path("policies")));
	EXPECT_EQ(missing, path("site.toml") +
				   ":7:1: error: there is no matrix \"host-services\"\n    7 | [edge]\n"
				   "      | ^\n  looked for " +
				   path("host-services.toml") + " and " + path("policies/host-services.toml"));
	write("policies/host-services.toml", services);
	auto policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->rows[1].row.port.text(), "TCP/22");

	std::string other = services;
	write("host-services.toml", other.replace(other.find("/22"), 3, "/2222"));
	policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->rows[1].row.port.text(), "TCP/2222");
}

TEST_F(Reading, WithoutAnEdgeNoHostServicesAreRead)
{
	write("site.toml", site);
	write("s.toml", header + row_text);
	write("host-services.toml", "nonsense");
	EXPECT_TRUE(load(path("site.toml"), path("policies")));
}

TEST_F(Reading, APolicyOfHostServicesAlone)
{
	std::string text = "format = 1\nscenario = \"host-services\"\n[names]\nadmins = \"198.51.100.0/24\"\n";
	write("host-services.toml", services);
	write("site.toml", text);
	EXPECT_EQ(message_of(load(path("site.toml"), path("policies"))),
		  path("site.toml") + ":2:12: error: host services need [edge]\n    2 | scenario = \"host-services\"\n"
				      "      |            ^\n  add to the site file: [edge]");
	write("site.toml", text + "[edge]\n");
	const auto policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_EQ(policy->rows[0].row.id, "ssh");
	EXPECT_EQ(policy->scopes.size(), 1u);
}

TEST_F(Reading, HostServicesThatShipWithWeir)
{
	const std::string names =
		"dns-servers ntp-servers dhcp-servers dhcp6-servers admins syslog-udp-servers syslog-tcp-servers "
		"syslog-tls-servers ldap-servers ldaps-servers http-proxies monitoring ";
	std::string text = "format = 1\nscenario = \"host-services\"\n[edge]\n[names]\n";
	for (std::size_t at = 0; at < names.size(); at = names.find(' ', at) + 1)
		text += names.substr(at, names.find(' ', at) - at) + " = [\"192.0.2.1\", \"2001:db8::1\"]\n";
	write("site.toml", text);
	const auto policy = load(path("site.toml"), WEIR_SOURCE_DIR "/policies");
	ASSERT_TRUE(policy) << policy.error().message;
	EXPECT_TRUE(policy->off.empty()) << policy->off.front().id << " has a peer that no name turns on";
	for (const BoundRow &bound : policy->rows) {
		EXPECT_EQ(bound.row.component(), "host");
		EXPECT_NE(bound.row.comment, "");
	}
}

TEST_F(Reading, ARowKnowsItsPlaceBehindBind)
{
	write("site.toml", site);
	write("s.toml", header + row_text);
	const auto policy = load(path("site.toml"), path("policies"));
	ASSERT_TRUE(policy) << policy.error().message;
	const Row &bound = policy->rows.front().row;
	const std::string at = path("s.toml") + ":5:1: error: ";
	EXPECT_EQ(error_at_row(bound, "WHAT", "HINT").error().message, at + "WHAT\n    5 | [[row]]\n      | ^\n  HINT");
	EXPECT_EQ(error_at_row(bound, "WHAT", "").error().message, at + "WHAT\n    5 | [[row]]\n      | ^");
	std::filesystem::remove(path("s.toml")); // the place is still worth saying
	EXPECT_EQ(error_at_row(bound, "WHAT", "HINT").error().message, at + "WHAT\n  HINT");
	// As of a policy that was read back from the kernel.
	EXPECT_EQ(error_at_row(policy->rows.back().row, "WHAT", "HINT").error().message,
		  "error: row \"" + policy->rows.back().row.id + "\": WHAT\n  HINT");
}

TEST_F(Reading, AMatrixThatCannotBeReadIsNotPassedOver)
{
	write("site.toml", site);
	write("policies/s.toml", header + row_text);
	std::filesystem::create_directory(path("s.toml"));
	EXPECT_EQ(message_of(load(path("site.toml"), path("policies"))),
		  path("s.toml") + ": error: is a directory\n  give a file");
}

} // namespace
} // namespace weir::policy
