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

TEST(Report, LossesAreGapsAndFailuresAreAlarms)
{
	const auto report = of(formats::all_records());
	EXPECT_TRUE(std::ranges::any_of(report.gaps, [](const Note &note) { return note.kind == "events_lost"; }));
	EXPECT_TRUE(std::ranges::any_of(report.gaps, [](const Note &note) { return note.kind == "component_held"; }));
	EXPECT_TRUE(std::ranges::any_of(report.gaps, [](const Note &note) { return note.kind == "sink_dropped"; }));
	EXPECT_TRUE(std::ranges::any_of(report.alarms, [](const Note &note) { return note.kind == "name_failed"; }));
	EXPECT_TRUE(std::ranges::any_of(report.changes, [](const Note &note) { return note.kind == "name_changed"; }));
}

/// A change of the policy, as the journal records it (docs/events.md).
std::string policy_line(std::int64_t time, const std::string &generation, char digit)
{
	std::string stamp;
	audit::append_time(stamp, time);
	return R"({"@timestamp":")" + stamp +
	       R"(","event":{"action":"policy_apply","reason":"applied","dataset":"weir.policy","outcome":"success"},)"
	       R"("weir":{"instance":"default","policy":{"by":{"text":"erika <root>"},"after":{"generation":)" +
	       generation + R"(,"digest":")" + std::string(64, digit) +
	       R"("},"opened":["out tcp 192.0.2.1:443"],"closed":["in tcp 0.0.0.0/0:22"]}}})" + "\n";
}

TEST(Report, PoliciesReignFromChangeToChange)
{
	const auto report = of({policy_line(sample_time - 3 * minute, "1", 'a'),
				policy_line(sample_time - 2 * minute, "2", 'b'), policy_line(sample_time, "3", 'c')});
	ASSERT_EQ(report.policies.size(), 2u) << "the first ended before the time of the report";
	EXPECT_EQ(report.policies[0].generation, "2");
	EXPECT_EQ(report.policies[0].last, sample_time);
	EXPECT_EQ(report.policies[1].last, 0) << "in force";
	ASSERT_EQ(report.changes.size(), 1u);
	const auto page = html(report);
	EXPECT_NE(page.find("<ins>+ out tcp 192.0.2.1:443</ins>"), std::string::npos);
	EXPECT_NE(page.find("by erika &lt;root&gt;"), std::string::npos);
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
