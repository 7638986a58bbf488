// SPDX-License-Identifier: Apache-2.0
#include "bad_file.h"
#include "policy/diagnostic.h"
#include "policy/page.h"
#include "policy/policy.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace weir::policy {
namespace {

using testing::ElementsAre;

const std::string data = WEIR_SOURCE_DIR "/tests/data/";
const std::string markdown_page = data + "fedbiomed-network-matrix-2026.md";
const std::string text_page = data + "fedbiomed-network-matrix.txt";

std::vector<Matrix> imported(const std::string &file)
{
	const auto text = read_file(file);
	EXPECT_TRUE(text) << text.error().message;
	auto matrices = import_page(*text, file);
	EXPECT_TRUE(matrices) << matrices.error().message;
	return matrices ? *matrices : std::vector<Matrix>{};
}

const Matrix &scenario(const std::vector<Matrix> &matrices, std::string_view name)
{
	const auto found = std::ranges::find(matrices, name, &Matrix::scenario);
	EXPECT_NE(found, matrices.end()) << name;
	return *found;
}

std::vector<std::string> lines(const Matrix &matrix)
{
	std::vector<std::string> out;
	for (const Row &row : matrix.rows)
		out.push_back((row.dir == Direction::out ? "out|" : "in|") + row.source + '|' + row.destination + '|' +
			      row.port.text() + '|' + row.service + '|' + row.type + '|' +
			      (row.status == Status::mandatory ? "mandatory" : "optional") + '|' + row.comment);
	return out;
}

std::vector<std::string> names(const std::vector<Matrix> &matrices)
{
	std::vector<std::string> out;
	for (const Matrix &matrix : matrices)
		out.push_back(matrix.scenario + '/' + matrix.component);
	return out;
}

class Page : public testing::TestWithParam<std::string> {};

TEST_P(Page, ScenariosOfBothForms)
{
	const auto matrices = imported(GetParam());
	// The rows as they stand on the page, retyped here on purpose: the import is what is tested.
	EXPECT_THAT(lines(scenario(matrices, "installation")),
		    ElementsAre("out|component|Internet|TCP/80|HTTP|backend|mandatory|",
				"out|component|Internet|TCP/443|HTTPS|backend|mandatory|"));
	EXPECT_THAT(
		lines(scenario(matrices, "node-native")),
		ElementsAre("out|node|researcher|TCP/50051|gRPC/TLS|backend|mandatory|node-researcher communications",
			    "in|localhost|gui|TCP/8484|HTTP|user|optional|node GUI"));
	EXPECT_THAT(
		lines(scenario(matrices, "researcher-native")),
		ElementsAre("in|nodes|researcher|TCP/50051|gRPC/TLS|backend|mandatory|node-researcher communications",
			    "in|localhost|researcher|TCP/8888|HTTP|user|optional|Jupyter",
			    "in|localhost|researcher|TCP/6006|HTTP|user|optional|Tensorboard"));
	EXPECT_THAT(lines(scenario(matrices, "node-vpn")),
		    ElementsAre("out|node|vpnserver|UDP/51820|WireGuard|backend|mandatory|",
				"in|localhost|gui|TCP/8443|HTTPS|user|optional|node GUI"));
	EXPECT_THAT(lines(scenario(matrices, "researcher-vpn")),
		    ElementsAre("out|researcher|vpnserver|UDP/51820|WireGuard|backend|mandatory|",
				"in|localhost|researcher|TCP/8888|HTTP|user|optional|Jupyter",
				"in|localhost|researcher|TCP/6006|HTTP|user|optional|Tensorboard"));
	EXPECT_EQ(scenario(matrices, "node-vpn").title, "Running with VPN/containers");
}

Matrix shipped(const std::string &name)
{
	const std::string file = WEIR_SOURCE_DIR "/policies/" + name + ".toml";
	auto matrix = parse_matrix(*read_file(file), file);
	EXPECT_TRUE(matrix) << matrix.error().message;
	return matrix ? *matrix : Matrix{};
}

TEST_P(Page, ThePoliciesThatShipAreThePage)
{
	const auto matrices = imported(GetParam());
	for (const Matrix &page : matrices) {
		const Matrix matrix = shipped(page.scenario);
		EXPECT_EQ(matrix.scenario, page.scenario);
		EXPECT_EQ(difference(matrix, page), "");
		EXPECT_EQ(matrix.title, page.title);
	}
}

TEST(ShippedPolicies, SayWhatThePageHasNot)
{
	using testing::IsEmpty;
	for (const char *name :
	     {"installation", "node-native", "researcher-native", "node-docker", "researcher-docker"}) {
		EXPECT_THAT(beyond_page(shipped(name)), IsEmpty());
		EXPECT_THAT(narrower_than_page(shipped(name)), IsEmpty());
	}
	EXPECT_THAT(
		beyond_page(shipped("node-vpn")),
		ElementsAre("| out | node | researcher | TCP/50051 | gRPC/TLS | backend | mandatory | node-researcher "
			    "communications, inside the tunnel | zone tunnel | user node |",
			    "| in | localhost (host) | gui | TCP/8443 | HTTPS | user | optional | node GUI (published "
			    "to host) |"));
	EXPECT_THAT(
		narrower_than_page(shipped("node-vpn")),
		ElementsAre("| out | node | vpnserver | UDP/51820 | WireGuard | backend | mandatory |  | user 0 |"));
	EXPECT_EQ(beyond_page(shipped("researcher-vpn")).size(), 3u);
	// Of what the page has no table for, every row says so.
	for (const char *name : {"vpnserver", "key-negotiation"}) {
		const Matrix matrix = shipped(name);
		EXPECT_EQ(beyond_page(matrix).size(), matrix.rows.size());
	}
}

TEST_P(Page, ThroughAFileAndBack)
{
	for (const Matrix &matrix : imported(GetParam())) {
		const auto back = parse_matrix(to_toml(matrix), "m.toml");
		ASSERT_TRUE(back) << back.error().message;
		EXPECT_EQ(back->scenario, matrix.scenario);
		EXPECT_EQ(back->title, matrix.title);
		EXPECT_EQ(back->component, matrix.component);
		EXPECT_EQ(lines(*back), lines(matrix));
		for (std::size_t index = 0; index < matrix.rows.size(); index++)
			EXPECT_EQ(back->rows[index].id, matrix.rows[index].id);
		EXPECT_EQ(difference(*back, matrix), "");
		EXPECT_EQ(to_toml(*back), to_toml(matrix));
	}
}

INSTANTIATE_TEST_SUITE_P(, Page, testing::Values(markdown_page, text_page),
			 [](const auto &page) { return page.param.ends_with("md") ? "Markdown" : "Text"; });

TEST(PageRows, WhatSaysThatThePageHasItNotIsNoDifference)
{
	const Matrix page = import_page(*read_file(text_page), "page")->front();
	Matrix policy = page;
	Row more = page.rows[0];
	more.destination = "x";
	more.on_page = false;
	policy.rows.push_back(more);
	EXPECT_EQ(difference(policy, page), "");
	EXPECT_EQ(beyond_page(policy).size(), 1u);
	policy.rows.back().on_page = true;
	EXPECT_NE(difference(policy, page), "");
	// It does not stand for a row of the page, either.
	policy = page;
	policy.rows[0].on_page = false;
	EXPECT_NE(difference(policy, page), "");
}

TEST(PageRows, AUserIsNoDifferenceButIsTold)
{
	Matrix page;
	page.rows.push_back({"a", Direction::out, "node", "r", {6, 1, 1}, "s", "host", Status::mandatory, ""});
	Matrix policy = page;
	policy.rows[0].user = "0";
	EXPECT_EQ(difference(policy, page), "");
	EXPECT_THAT(narrower_than_page(policy),
		    ElementsAre("| out | node | r | TCP/1 | s | host | mandatory |  | user 0 |"));
	for (const char *user : {"0", "4294967294", "node", "a b"}) {
		policy.scenario = "s";
		policy.title = "T";
		policy.component = "node";
		policy.rows[0].user = user;
		policy.rows[0].on_page = false;
		const auto again = parse_matrix(to_toml(policy), "m.toml");
		ASSERT_TRUE(again) << again.error().message;
		EXPECT_EQ(again->rows[0].user, user);
		EXPECT_FALSE(again->rows[0].on_page);
	}
}

TEST(PageRows, ARowInsideATunnelIsNotThePages)
{
	Matrix page;
	page.rows.push_back({"a", Direction::out, "node", "r", {6, 1, 1}, "s", "host", Status::mandatory, "", "", {}});
	Matrix policy = page;
	EXPECT_EQ(difference(policy, page), "");
	policy.rows[0].zone = "tunnel";
	EXPECT_NE(difference(policy, page).find("zone tunnel"), std::string::npos) << difference(policy, page);
	policy.scenario = "s";
	policy.title = "T";
	policy.component = "node";
	const auto again = parse_matrix(to_toml(policy), "m.toml");
	ASSERT_TRUE(again) << again.error().message;
	EXPECT_EQ(again->rows[0].zone, "tunnel");
}

TEST(PageImport, ScenariosOfEachForm)
{
	EXPECT_THAT(names(imported(text_page)),
		    ElementsAre("installation/component", "node-native/node", "researcher-native/researcher",
				"node-vpn/node", "researcher-vpn/researcher"));
	EXPECT_THAT(names(imported(markdown_page)),
		    ElementsAre("installation/component", "node-native/node", "researcher-native/researcher",
				"node-vpn/node", "researcher-vpn/researcher", "node-docker/node",
				"researcher-docker/researcher"));
}

TEST(PageImport, DockerColumnForColumn)
{
	const auto matrices = imported(markdown_page);
	EXPECT_THAT(
		lines(scenario(matrices, "node-docker")),
		ElementsAre(
			"out|node container|researcher container|TCP/50051|gRPC|backend|mandatory|via Docker bridge "
			"network, "
			"using researcher container name",
			"in|localhost (host)|node container|TCP/8484|HTTP|user|optional|Node GUI (published to host)"));
	EXPECT_THAT(lines(scenario(matrices, "researcher-docker")),
		    ElementsAre("in|node containers|researcher container|TCP/50051|gRPC|backend|mandatory|inbound from "
				"any node on the "
				"Docker network (or from a remote host in cross-network setups)",
				"in|localhost (host)|researcher container|TCP/8888|HTTP|user|optional|Jupyter notebook "
				"(published to host)",
				"in|localhost (host)|researcher container|TCP/6007|HTTP|user|optional|TensorBoard "
				"(published to host via "
				"socat proxy; TensorBoard listens internally on TCP/6006)"));
}

TEST(PageImport, IdsAreOfTheRowItself)
{
	const auto matrices = imported(markdown_page);
	std::vector<std::string> ids;
	for (const Matrix &matrix : matrices)
		for (const Row &row : matrix.rows)
			ids.push_back(row.id);
	EXPECT_THAT(ids, ElementsAre("out-internet-tcp-80", "out-internet-tcp-443", "out-researcher-tcp-50051",
				     "in-localhost-tcp-8484", "in-nodes-tcp-50051", "in-localhost-tcp-8888",
				     "in-localhost-tcp-6006", "out-vpnserver-udp-51820", "in-localhost-tcp-8443",
				     "out-vpnserver-udp-51820", "in-localhost-tcp-8888", "in-localhost-tcp-6006",
				     "out-researcher-container-tcp-50051", "in-localhost-host-tcp-8484",
				     "in-node-containers-tcp-50051", "in-localhost-host-tcp-8888",
				     "in-localhost-host-tcp-6007"));
}

constexpr std::string_view good_page = R"(# Page
## Running without VPN/containers
On the `node` component (`node` + `gui`):

| dir | source machine | destination machine | destination port | service | type | status | comment |
| --- | --- | :---: | --- | --- | --- | --- | --- |
| out | *node* | `researcher` | TCP/1 | a \| b | backend | mandatory | c |
| in  | localhost | gui | TCP/2 | x | user | optional |   |
)";

TEST(PageImport, MarksAreNotText)
{
	const auto matrices = import_page(good_page, "page.md");
	ASSERT_TRUE(matrices) << matrices.error().message;
	EXPECT_THAT(lines(matrices->front()), ElementsAre("out|node|researcher|TCP/1|a | b|backend|mandatory|c",
							  "in|localhost|gui|TCP/2|x|user|optional|"));
	EXPECT_EQ(matrices->front().rows.front().place.line, 7u);
}

TEST(PageImport, EqualRowsHaveIdsOfTheirOwn)
{
	const std::string row = "| out | *node* | `researcher` | TCP/1 | a \\| b | backend | mandatory | c |\n";
	const auto matrices = import_page(BadFile{"", row, row + row + row, ""}.text(good_page), "page.md");
	ASSERT_TRUE(matrices) << matrices.error().message;
	EXPECT_EQ(matrices->front().rows[1].id, "out-researcher-tcp-1-2");
	EXPECT_EQ(matrices->front().rows[2].id, "out-researcher-tcp-1-3");
}

class BadPage : public testing::TestWithParam<BadFile> {};

TEST_P(BadPage, IsToldToTheLetter)
{
	EXPECT_EQ(message_of(import_page(GetParam().text(good_page), "page.md")), GetParam().message);
}

constexpr BadFile bad_pages[] = {
	{"empty", good_page, "", "page.md: error: the file is empty\n  the page of the network matrix is wanted"},
	{"no_tables", good_page, "# Page\nwords\n",
	 "page.md: error: the page has no tables\n  give the page's Markdown, or its text"},
	{"unknown_heading", "Running without VPN/containers", "Running on the moon",
	 R"~(page.md:5: error: this table stands under the unknown heading "Running on the moon"
    5 | | dir | source machine | destination machine | destination port | service | type | status | comment |
  the known ones are "Software installation", "Running without VPN/containers", "Running with VPN/containers", "Running with Docker containers (without VPN)")~"},
	{"no_heading", "# Page\n## Running without VPN/containers\n", "",
	 R"~(page.md:3: error: this table stands before any heading of a scenario
    3 | | dir | source machine | destination machine | destination port | service | type | status | comment |
  the known ones are "Software installation", "Running without VPN/containers", "Running with VPN/containers", "Running with Docker containers (without VPN)")~"},
	{"no_component", "On the", "Of the", R"(page.md:5: error: it isn't said of which component this table is
    5 | | dir | source machine | destination machine | destination port | service | type | status | comment |
  a line such as "On the node component" is expected before it)"},
	{"unknown_column", "| status |", "| state |", R"(page.md:5: error: column 7 is "state"
    5 | | dir | source machine | destination machine | destination port | service | type | state | comment |
  "status" is expected there)"},
	{"missing_column", "| comment |\n| --- ", "|\n", R"(page.md:5: error: column "comment" is missing
    5 | | dir | source machine | destination machine | destination port | service | type | status |
  the table has 8 columns)"},
	{"separator_of_other_width", "| --- | --- | :---: ", "",
	 R"(page.md:6: error: the line under the header has another number of columns
    6 | | --- | --- | --- | --- | --- |
  the header has 8)"},
	{"missing_cell", "| TCP/2 ", "", R"(page.md:8: error: this row has 7 cells, the header has 8
    8 | | in  | localhost | gui | x | user | optional |   |
  give every column a cell, if need be an empty one)"},
	{"extra_cell", "\\|", "|", R"(page.md:7: error: this row has 9 cells, the header has 8
    7 | | out | *node* | `researcher` | TCP/1 | a | b | backend | mandatory | c |
  write a bar that belongs to a cell as \|)"},
	{"row_in_no_table", "| in ", "\n| in ",
	 R"(page.md:9: error: this looks like a row of a table, but it stands in none
    9 | | in  | localhost | gui | TCP/2 | x | user | optional |   |
  a table is a header, a line of dashes, and rows without a gap)"},
	{"unknown_direction", "| in ", "| into ", R"(page.md:8: error: "into" is not a direction
    8 | | into  | localhost | gui | TCP/2 | x | user | optional |   |
  use "out" or "in")"},
	{"bad_port", "TCP/2", "TCP/70000", R"(page.md:8: error: port 70000 is not a port
    8 | | in  | localhost | gui | TCP/70000 | x | user | optional |   |
  use 1 to 65535, or a range such as TCP/14000-14999)"},
	{"unknown_type", "| user", "| admin", R"(page.md:8: error: "admin" is not a type
    8 | | in  | localhost | gui | TCP/2 | x | admin | optional |   |
  use "backend", "user" or "host")"},
	{"unknown_status", "optional", "maybe", R"(page.md:8: error: "maybe" is not a status
    8 | | in  | localhost | gui | TCP/2 | x | user | maybe |   |
  use "mandatory" or "optional")"},
	{"empty_cell", "| gui |", "| |", R"(page.md:8: error: "destination machine" is empty
    8 | | in  | localhost | | TCP/2 | x | user | optional |   |
  give it a value)"},
	{"row_of_localhost", "| in ", "| out ",
	 R"(page.md:8: error: the source of an "out" row is a component of this host, which "localhost" is not
    8 | | out  | localhost | gui | TCP/2 | x | user | optional |   |
  name the component, or is dir = "in" meant?)"},
};

INSTANTIATE_TEST_SUITE_P(, BadPage, testing::ValuesIn(bad_pages), name_of);

TEST(PageImport, TwoTablesForOneScenario)
{
	const std::string twice = std::string(good_page) + '\n' + std::string(good_page);
	EXPECT_EQ(message_of(import_page(twice, "page.md")), R"(page.md:14: error: a second table for "node-native"
   14 | | dir | source machine | destination machine | destination port | service | type | status | comment |
  the first one is at line 5)");
}

TEST(Difference, OrderAndWhiteSpaceDontMatter)
{
	const Matrix page = import_page(good_page, "page.md")->front();
	Matrix policy = page;
	std::ranges::reverse(policy.rows);
	policy.rows[0].comment = "  ";
	policy.rows[1].service = " a  |\tb ";
	policy.rows[1].id = "another";
	EXPECT_EQ(difference(policy, page), "");
}

TEST(Difference, EveryColumnMatters)
{
	const Matrix page = import_page(good_page, "page.md")->front();
	const auto differs = [&](auto change) {
		Matrix policy = page;
		change(policy.rows[0]);
		EXPECT_NE(difference(policy, page), "");
	};
	differs([](Row &row) { row.dir = Direction::in; });
	differs([](Row &row) { row.source += 'x'; });
	differs([](Row &row) { row.destination += 'x'; });
	differs([](Row &row) { row.port.last++; });
	differs([](Row &row) { row.service += 'x'; });
	differs([](Row &row) { row.type = "user"; });
	differs([](Row &row) { row.status = Status::optional; });
	differs([](Row &row) { row.comment += 'x'; });
}

TEST(Difference, ToTheLetter)
{
	const Matrix page = import_page(good_page, "page.md")->front();
	Matrix policy = page;
	policy.place.file = "m.toml";
	policy.rows[0].port = {6, 9, 9};
	policy.component = "gui";
	EXPECT_EQ(difference(policy, page), R"(--- policy node-native (m.toml)
+++ page node-native (page.md)
-component gui
+component node
-| out | node | researcher | TCP/9 | a | b | backend | mandatory | c |
 | in | localhost | gui | TCP/2 | x | user | optional |  |
+| out | node | researcher | TCP/1 | a | b | backend | mandatory | c |
)");
}

TEST(Difference, ARowTwiceIsNotARowOnce)
{
	const Matrix page = import_page(good_page, "page.md")->front();
	Matrix policy = page;
	policy.rows.push_back(policy.rows[1]);
	EXPECT_EQ(difference(policy, page), R"(--- policy node-native (page.md)
+++ page node-native (page.md)
 | out | node | researcher | TCP/1 | a | b | backend | mandatory | c |
 | in | localhost | gui | TCP/2 | x | user | optional |  |
-| in | localhost | gui | TCP/2 | x | user | optional |  |
)");
	EXPECT_EQ(difference(page, policy), R"(--- policy node-native (page.md)
+++ page node-native (page.md)
 | out | node | researcher | TCP/1 | a | b | backend | mandatory | c |
 | in | localhost | gui | TCP/2 | x | user | optional |  |
+| in | localhost | gui | TCP/2 | x | user | optional |  |
)");
}

} // namespace
} // namespace weir::policy
