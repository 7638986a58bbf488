// SPDX-License-Identifier: Apache-2.0
// What the report says is what the records say, and nothing in a record gets out of its place on the page.
#include "report/report.h"

#include "audit/json.h"
#include "tests/unit/formats/samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace weir::report {
namespace {

using formats::sample_time;

constexpr std::int64_t minute = 60'000'000'000;

Report of(const std::vector<std::string> &lines, std::int64_t since = sample_time - minute,
	  std::int64_t until = sample_time + minute)
{
	Collector collector(since, until, "default");
	for (const auto &line : lines)
		collector.line(formats::bare(line));
	auto report = collector.finish();
	report.made = until;
	report.version = "1";
	report.integrity.text = "not checked";
	return report;
}

/// Parsed strictly, as XML; gives the names of all elements, each once. "" when it is not well formed.
std::string elements_of(const std::string &page)
{
	std::string path = testing::TempDir() + "weir-report-XXXXXX";
	::close(::mkstemp(path.data()));
	std::ofstream(path) << page;
	const auto command =
		"/usr/bin/python3 -c 'import sys, xml.etree.ElementTree as tree\n"
		"root = tree.parse(sys.argv[1]).getroot()\n"
		"print(*sorted({each.tag for each in root.iter()}))\n"
		"bad = [n for e in root.iter() for n in e.attrib if n.startswith(\"on\") or n in (\"src\", "
		"\"href\")]\n"
		"print(\"BAD\", *bad) if bad else None' " +
		path + " 2>/dev/null";
	std::FILE *output = ::popen(command.c_str(), "r");
	std::string said;
	std::array<char, 4096> buffer;
	while (const auto size = std::fread(buffer.data(), 1, buffer.size(), output))
		said.append(buffer.data(), size);
	::pclose(output);
	std::remove(path.c_str());
	return said;
}

TEST(Report, CountsWhatTheRecordsStandFor)
{
	auto observed = audit::refused_connect();
	observed.verdict = WEIR_ALLOW;
	const auto report = of({audit::line_of(audit::refused_connect(), {.user = "root"}), audit::line_of(observed),
				audit::line_of(audit::merged_packets()), formats::summed_line("")});
	EXPECT_EQ(report.refused, 1u + 1234u);
	EXPECT_EQ(report.observed, 1u);
	EXPECT_EQ(report.unknown, 700u) << "the first sum of a counter is all that it had counted";
	EXPECT_EQ(report.peers.at("203.0.113.7").all(), 2u);
	EXPECT_EQ(report.peers.at("198.51.100.7").refused, 1234u);
	EXPECT_EQ(report.peers.at("203.0.113.7").details, (std::set<std::string>{"tcp/443 out"}));
	EXPECT_EQ(report.processes.at("curl (root)").refused, 1u);
	EXPECT_EQ(report.records, 4u);
	ASSERT_EQ(report.policies.size(), 1u);
	EXPECT_EQ(report.policies[0].generation, "3");
}

/// A run's first sum repeats what the runs before said; what a counter had before the time is not of it.
TEST(Report, SumsAreNotCountedTwice)
{
	EXPECT_EQ(of({formats::summed_line(), formats::summed_line()}).refused, 700u);
	const auto earlier = formats::made([](std::string &out) {
		audit::append_summed_json(out,
					  {.scope = 1,
					   .gate = WEIR_GATE_EDGE,
					   .direction = WEIR_IN,
					   .reason = WEIR_REASON_NO_ROW,
					   .count = 600,
					   .total = 600,
					   .verdict = "refused"},
					  "default", sample_time - 2 * minute);
	});
	EXPECT_EQ(of({earlier, formats::summed_line()}).refused, 100u);
}

TEST(Report, TimeIsHalfOpenAndInstancesAreKeptApart)
{
	const auto line = audit::line_of(audit::refused_connect());
	EXPECT_EQ(of({line}, sample_time, sample_time + 1).refused, 1u);
	EXPECT_EQ(of({line}, sample_time - 1, sample_time).refused, 0u);
	EXPECT_EQ(of({line}, sample_time + 1, sample_time + 2).refused, 0u);
	std::string other;
	audit::append_json(other, audit::refused_connect(), {}, "other", "", audit::sample_to_wall);
	EXPECT_EQ(of({other}).refused, 0u);
	const auto report = of({"nonsense\n", "{}\n", line});
	EXPECT_EQ(report.foreign, 2u);
}

TEST(Report, WindowHasWhoWhyAndItsEnd)
{
	const auto opened = formats::window_change("window_opened");
	auto closed = formats::window_change("window_expired");
	const auto report = of({formats::window_line(opened), formats::window_line(closed)});
	ASSERT_EQ(report.windows.size(), 1u);
	const auto &window = report.windows[0];
	EXPECT_EQ(window.name, "installation");
	EXPECT_EQ(window.opened_reason, "new release");
	EXPECT_EQ(window.end, "expired");
	EXPECT_EQ(window.cut, 2u);
	const auto page = html(report);
	EXPECT_NE(page.find("new release"), std::string::npos);
	EXPECT_NE(page.find("erika (uid 1000"), std::string::npos);
	EXPECT_NE(page.find("its time was over"), std::string::npos);
}

/// Of a connection under the window: `who` and how many packets, so long after the window was opened.
std::string admitted(const char *gate, const char *who, std::uint64_t packets, std::int64_t after = 0,
		     std::uint32_t generation = 3)
{
	auto many = audit::admitted_packets();
	many.first.gate = gate == std::string("edge") ? WEIR_GATE_EDGE : WEIR_GATE_PACKET;
	many.first.generation = generation;
	many.second.count = packets;
	many.second.first += static_cast<std::uint64_t>(after);
	many.second.last += static_cast<std::uint64_t>(after);
	std::memset(many.second.comm, 0, sizeof(many.second.comm));
	std::strcpy(many.second.comm, who);
	if (*who == '\0')
		many.first.pid = 0;
	return audit::admitted_line(
		many, {.row = "web-tcp", .window = "installation"},
		{.executable = *who == '\0' ? "" : "/usr/bin/tool", .user = *who == '\0' ? "" : "root"});
}

TEST(Report, ConnectionsStandUnderTheirWindow)
{
	auto first = formats::window_change("window_opened"), over = formats::window_change("window_closed");
	over.at = sample_time + 10'000'000'000;
	auto second = first;
	second.opened = second.at = sample_time + 20'000'000'000;
	// The records' own order does not matter.
	const auto report = of({admitted("packet", "apt", 30, 21'000'000'000, 5), admitted("packet", "apt", 12),
				admitted("packet", "apt", 8, 1'000'000'000), admitted("packet", "curl", 5),
				admitted("edge", "", 7), admitted("edge", "apt", 12), formats::window_line(first),
				formats::window_line(over), formats::window_line(second)});
	ASSERT_EQ(report.windows.size(), 2u);
	EXPECT_EQ(report.refused + report.observed, 0u) << "they are no violations";
	EXPECT_TRUE(report.reasons.empty());
	EXPECT_TRUE(report.unnamed.empty());
	const auto &under = report.windows[0].connections;
	ASSERT_EQ(under.size(), 3u);
	const Connection apt{.peer = "198.51.100.7",
			     .service = "tcp/443 out",
			     .process = "apt",
			     .user = "root",
			     .gate = "packet",
			     .row = "web-tcp",
			     .out = true};
	ASSERT_TRUE(under.contains(apt));
	EXPECT_EQ(under.at(apt).packets, 20u);
	EXPECT_EQ(under.at(apt).last - under.at(apt).first, 1'500'000'000);
	auto at_the_edge = apt;
	at_the_edge.gate = "edge";
	EXPECT_EQ(under.at(at_the_edge).packets, 19u) << "with the answers, that are of no process there";
	ASSERT_EQ(report.windows[1].connections.size(), 1u);
	EXPECT_EQ(report.windows[1].connections.at(apt).packets, 30u);
	const auto page = html(report);
	EXPECT_NE(page.find("Connections under installation"), std::string::npos);
	EXPECT_NE(page.find("curl"), std::string::npos);
	const auto all = json(report);
	EXPECT_EQ(all["windows"][0]["connections"].size(), 3u);
	EXPECT_EQ(all["windows"][0]["connections"][2]["packets"], 5);
}

TEST(Report, AnswersOfSeveralProcessesAreOfNone)
{
	const auto report = of({admitted("edge", "", 7), admitted("edge", "apt", 12), admitted("edge", "curl", 1)});
	EXPECT_EQ(report.unnamed.size(), 3u) << "and no record tells of the window";
	EXPECT_NE(html(report).find("windows that are not known"), std::string::npos);
}

TEST(Report, SumsOfWhatWindowsAdmittedAreToldOnce)
{
	const auto report = of({formats::summed_admission_line(), formats::summed_admission_line()});
	ASSERT_EQ(report.unnamed.size(), 1u);
	EXPECT_EQ(report.unnamed.begin()->second.packets, 700u);
	EXPECT_EQ(report.refused + report.observed + report.unknown, 0u);
}

TEST(Report, ManyConnectionsAreCutOnThePageOnly)
{
	std::vector<std::string> lines{formats::window_line(formats::window_change("window_opened"))};
	for (int i = 0; i < 40; ++i)
		lines.push_back(admitted("packet", ("tool" + std::to_string(i)).c_str(), 1));
	const auto report = of(lines);
	EXPECT_EQ(json(report)["windows"][0]["connections"].size(), 40u);
	EXPECT_NE(html(report).find("And 15 more"), std::string::npos);
}

TEST(Report, LossesAreGapsAndFailuresAreAlarms)
{
	const auto report = of(formats::all_records());
	for (const char *kind : {"refusals without a record", "a component was not held", "a sink"})
		EXPECT_TRUE(std::ranges::any_of(report.gaps, [&](const Gap &gap) { return gap.kind == kind; })) << kind;
	EXPECT_TRUE(std::ranges::any_of(report.alarms, [](const Note &note) { return note.kind == "name_failed"; }));
	EXPECT_TRUE(std::ranges::any_of(report.changes, [](const Note &note) { return note.kind == "name_changed"; }));
}

using formats::policy_line;

TEST(Report, PoliciesReignFromChangeToChange)
{
	const auto report = of({policy_line("policy_apply", "0", "1", sample_time - 3 * minute),
				policy_line("policy_apply", "1", "2", sample_time - 2 * minute),
				policy_line("policy_apply", "2", "3", sample_time)});
	ASSERT_EQ(report.policies.size(), 2u) << "the first ended before the time of the report";
	EXPECT_EQ(report.policies[0].generation, "2");
	EXPECT_EQ(report.policies[0].last, sample_time);
	EXPECT_EQ(report.policies[1].last, 0) << "in force";
	ASSERT_EQ(report.changes.size(), 1u);
	EXPECT_TRUE(report.gaps.empty());
	EXPECT_EQ(report.used_before.at("node-researcher").count, 41u);
	const auto page = html(report);
	EXPECT_NE(page.find("<ins>+ out node to 192.0.2.10 TCP/443, row more</ins>"), std::string::npos);
	EXPECT_NE(page.find("by erika (uid 1000"), std::string::npos);
}

TEST(Report, WithoutAPolicyThereIsAGap)
{
	const auto report = of({policy_line("policy_apply", "0", "1", sample_time - 3 * minute),
				policy_line("policy_remove", "1", "0", sample_time - minute / 2),
				policy_line("policy_apply", "0", "2", sample_time)});
	ASSERT_EQ(report.policies.size(), 2u);
	EXPECT_EQ(report.policies[0].last, sample_time - minute / 2);
	ASSERT_EQ(report.gaps.size(), 1u);
	EXPECT_EQ(report.gaps[0].kind, "no policy in force");
	EXPECT_EQ(report.gaps[0].from, sample_time - minute / 2);
	EXPECT_EQ(report.gaps[0].to, sample_time);
}

TEST(Report, GapsOfTheRecordingHaveTheirTime)
{
	std::string last;
	audit::append_time(last, sample_time - minute / 2);
	const auto began = [&](const char *ended) {
		return formats::journal_line("recording_began", false,
					     R"({"last_record":")" + last + R"(","ended":)" + ended + "}");
	};
	const auto paused = [](const char *stuck) {
		return formats::journal_line("recording_paused", true,
					     std::string(R"({"seconds":10.000,"stuck":)") + stuck + "}");
	};
	const auto only = [](const std::vector<std::string> &lines) {
		const auto report = of(lines);
		EXPECT_EQ(report.gaps.size(), 1u);
		return report.gaps.empty() ? Gap{} : report.gaps[0];
	};
	EXPECT_EQ(only({began("true")}).kind, "no recorder ran");
	EXPECT_EQ(only({began("true")}).from, sample_time - minute / 2);
	EXPECT_EQ(only({began("true")}).to, sample_time);
	EXPECT_EQ(only({began("false")}).kind, "the recorder broke off");
	EXPECT_EQ(only({paused("false")}).kind, "the recorder stood still");
	EXPECT_EQ(only({paused("false")}).from, sample_time - 10'000'000'000);
	EXPECT_EQ(only({paused("true")}).kind, "nothing could be written");
	const auto ended = formats::journal_line("recording_ended", false, "{}", sample_time - 1000);
	EXPECT_EQ(only({ended}).to, 0) << "and nothing came since";
	EXPECT_TRUE(of({ended, audit::line_of(audit::refused_connect())}).gaps.empty());
	EXPECT_TRUE(of({formats::journal_line("recording_began", false, R"({"last_record":null,"ended":false})")})
			    .gaps.empty())
		<< "an empty journal";
	EXPECT_EQ(of({formats::integrity_line("not_as_published", sample_time)}).gaps.at(0).to, 0);
	const auto tampered = only({formats::integrity_line("not_as_published", sample_time - 2 * minute),
				    formats::integrity_line("as_published", sample_time)});
	EXPECT_EQ(tampered.kind, "not as published");
	EXPECT_EQ(tampered.from, sample_time - 2 * minute) << "it began before the time of the report";
	EXPECT_EQ(tampered.to, sample_time);
}

TEST(Report, WhatAWindowsRowsDecided)
{
	const auto opened = formats::window_line(formats::window_change("window_opened"));
	const auto expired = formats::window_line(formats::window_change("window_expired"));
	const auto extended = policy_line("policy_window", "2", "3", sample_time - 1000); // of installation's rows: 6
	EXPECT_EQ(of({opened, expired}).windows.at(0).decided, 7u);
	EXPECT_EQ(of({opened, extended, expired}).windows.at(0).decided, 13u);
	const auto followed = policy_line("policy_followed", "3", "4", sample_time);
	EXPECT_EQ(of({opened, extended, expired, followed}).windows.at(0).decided, 13u) << "the same, told twice";
	auto unread = formats::window_change("window_expired");
	unread.decided.reset(); // by a run that was killed
	EXPECT_EQ(of({opened, extended, formats::window_line(unread), followed}).windows.at(0).decided, 12u);
	EXPECT_FALSE(of({opened}).windows.at(0).decided);
}

TEST(Report, SumsOfCheckpointsAreOfThisTime)
{
	const auto report = of({formats::checkpoint_line(sample_time - 2 * minute), formats::checkpoint_line(),
				formats::checkpoint_line(sample_time + 1)});
	EXPECT_EQ(report.accounts.at("socket").judged, 10u);
	EXPECT_EQ(report.accounts.at("socket").recorded, 10u);
	EXPECT_EQ(report.accounts.at("edge").judged, 0u);
	EXPECT_NE(html(report).find("Every refusal accounted for"), std::string::npos);
}

/// One of each kind, and what is long and cannot be broken at a space.
std::vector<std::string> all_long_records()
{
	auto lines = formats::all_records();
	for (std::uint8_t i = 0; i < 40; i++) {
		auto event = audit::refused_connect();
		audit::set_address(event.remote, "2001:db8:ffff:1234:5678:9abc:def0:1234");
		event.remote[15] = i;
		lines.push_back(audit::line_of(
			event, {.executable = "/" + std::string(200, 'x'), .user = std::string(32, 'u')}));
	}
	auto window = formats::window_change("window_opened");
	window.opened_reason = window.reason = std::string(300, 'w');
	lines.push_back(formats::window_line(window));
	return lines;
}

TEST(ReportPage, IsWellFormedAndLoadsNothing)
{
	auto report = of(formats::all_records());
	report.rows = {{.id = "node-researcher",
			.dir = "out",
			.source = "node",
			.destination = "researcher",
			.port = "TCP/50051",
			.service = "gRPC",
			.status = "mandatory",
			.place = "node",
			.used = 12345}};
	for (const auto &page : {html(report), html(of({}))}) {
		const auto elements = elements_of(page);
		EXPECT_NE(elements, "") << "not well formed:\n" << page.substr(0, 500);
		for (const char *bad : {"script", "link", "img", "iframe", "BAD", "object"})
			EXPECT_EQ(elements.find(bad), std::string::npos) << elements;
		for (const char *bad : {"http:", "https:", "url(", "@import"})
			EXPECT_EQ(page.find(bad), std::string::npos) << bad;
	}
	EXPECT_EQ(elements_of("<html><p></html>"), "") << "this test can fail";
}

/// Names, paths, reasons and addresses of sinks: whatever comes out of a record stays text.
TEST(ReportPage, NothingOutOfARecordIsMarkup)
{
	const std::string evil = "</td><script>alert(1)</script>\"'&\x1b[2J\xe2\x80\xae";
	auto event = audit::refused_connect();
	audit::set_comm(event, "<b>\"'&\x1b");
	auto window = formats::window_change("window_opened");
	window.name = window.opened_by = window.opened_reason = window.by = window.reason = evil;
	auto report = of({audit::line_of(event, {.executable = evil, .user = evil}), formats::window_line(window),
			  formats::component_line({.action = evil, .where = evil, .text = evil})});
	report.sources = {evil};
	report.hosts = {evil};
	report.integrity = {.state = Integrity::State::bad,
			    .text = evil,
			    .fingerprint = evil,
			    .checkpoint = evil,
			    .findings = {evil}};
	report.rows = {{.id = evil,
			.dir = evil,
			.source = evil,
			.destination = evil,
			.port = evil,
			.service = evil,
			.status = evil,
			.place = evil,
			.window = evil}};
	const auto page = html(report);
	EXPECT_EQ(page.find("<script"), std::string::npos);
	EXPECT_EQ(page.find("<b>\""), std::string::npos);
	EXPECT_EQ(page.find('\x1b'), std::string::npos);
	EXPECT_EQ(page.find("\xe2\x80\xae"), std::string::npos) << "text that runs backwards";
	EXPECT_NE(elements_of(page), "");
	EXPECT_EQ(elements_of(page).find("script"), std::string::npos);
	EXPECT_NE(page.find("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), std::string::npos);
}

/// Also of hundreds of records, with names and digests that are long: neither too wide on a telephone nor pale, in light
/// and dark; nothing is asked for, and the console says nothing.
TEST(ReportPage, IsWellInABrowser)
{
	auto lines = all_long_records();
	auto report = of(lines);
	report.hosts = {"a-host-with-a-very-long-name.department.hospital.example.org"};
	report.integrity = {.state = Integrity::State::bad,
			    .text = "The journal is not as it was written",
			    .fingerprint = "SHA256:" + std::string(43, 'M'),
			    .checkpoint = "weir-journal-head:1:" + std::string(16, 'a') +
					  ":123456789:" + std::string(64, 'b'),
			    .checkpoint_at = "2026-11-24T12:03:04.123456789Z",
			    .findings = {"0000000000000001.jsonl:5: edited: record 4 is not what its successor says"}};
	report.rows = {{.id = "node-researcher",
			.dir = "out",
			.source = "node",
			.destination = "researcher",
			.port = "TCP/50051",
			.service = "gRPC",
			.status = "mandatory",
			.place = "node",
			.used = 12345}};
	report.rows_digest = std::string(64, 'c');
	const std::string path = testing::TempDir() + "weir-report-browser.html";
	std::ofstream(path) << html(report);
	const int status = std::system((WEIR_SOURCE_DIR "/tests/unit/report/in_a_browser " + path + " >&2").c_str());
	std::remove(path.c_str());
	if (WEXITSTATUS(status) == 77)
		GTEST_SKIP() << "no Chromium here";
	EXPECT_EQ(status, 0);
}

TEST(ReportJson, SaysTheSame)
{
	const auto report = of(formats::all_records());
	const auto out = json(report);
	EXPECT_EQ(out["violations"]["refused"], report.refused);
	EXPECT_EQ(out["violations"]["by_peer"].size(), report.peers.size());
	EXPECT_EQ(out["windows"].size(), report.windows.size());
	EXPECT_EQ(out["integrity"]["state"], "not_checked");
	EXPECT_EQ(out["since"], "2026-11-24T12:02:04.123456789Z");
}

} // namespace
} // namespace weir::report
