// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/top/samples.h"

#include "top/json.h"
#include "top/layout.h"
#include "top/table.h"
#include "top/text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <clocale>
#include <cstdlib>
#include <ctime>

namespace weir::top {
namespace {

class TopLayout : public ::testing::Test {
protected:
	void SetUp() override
	{
		ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr);
		::setenv("TZ", "UTC", 1);
		::tzset();
	}
	void TearDown() override { std::setlocale(LC_CTYPE, "C"); }

	/// A busy instance, two seconds after it was first looked at.
	static View busy(int peers = 3)
	{
		Model model("default");
		auto state = loaded();
		model.end_interval(at(0, state));
		for (int i = 0; i < peers; i++)
			model.add(refusal("203.0.113." + std::to_string(i), static_cast<std::uint64_t>(i) + 1), false);
		state.tallies = {30, 4};
		counter(state).refused = 6;
		state.policy.openings = {{"installation", start, start, 1100 * static_cast<std::uint64_t>(second),
					  "alice (uid 1000)", "a new release"}};
		model.end_interval(at(2, state));
		return model.view();
	}
	static std::vector<std::string> texts(const Page &page)
	{
		std::vector<std::string> all;
		for (const auto &line : page.lines) {
			std::string text;
			for (const auto &span : line)
				text += span.text;
			all.push_back(text);
		}
		return all;
	}
	static std::string screen(const View &view, const Ui &ui = {}, const Size &size = {})
	{
		std::string all;
		for (const auto &line : texts(page_of(view, view, ui, size, view.boot_ns)))
			all += line + '\n';
		return all;
	}
	static bool has(const std::string &text, std::string_view part) { return text.contains(part); }
};

TEST_F(TopLayout, EachSizeIsFilledAndNeverLeft)
{
	auto view = busy(50);
	view.mode = Mode::degraded;
	view.problems.assign(9, "the gate of /sys/fs/cgroup/node is not attached, so that what runs there is open");
	for (const auto help : {false, true})
		for (unsigned pane = 0; pane < panes; pane++)
			for (const std::size_t lines : {0, 1, 2, 3, 5, 10, 24, 60})
				for (const std::size_t columns : {1, 2, 8, 20, 40, 80, 200}) {
					Ui ui;
					ui.pane = static_cast<Pane>(pane);
					ui.shows_help = help;
					ui.filter = pane == 3 ? "203" : "";
					ui.scroll = 7;
					const auto page = page_of(view, view, ui, {lines, columns}, view.boot_ns);
					ASSERT_EQ(page.lines.size(), lines);
					for (const auto &text : texts(page))
						ASSERT_LE(width_of(text), columns) << lines << 'x' << columns << text;
				}
}

TEST_F(TopLayout, NotEnforcingIsTheFirstLine)
{
	auto view = busy();
	EXPECT_TRUE(screen(view).starts_with("ENFORCING ")) << screen(view);
	view.mode = Mode::degraded;
	view.problems = {"connect4 is open", "connect6 is open"};
	for (const auto &[lines, columns] : {std::pair{24, 80}, std::pair{10, 40}}) {
		const auto page = page_of(view, view, {},
					  {static_cast<std::size_t>(lines), static_cast<std::size_t>(columns)},
					  view.boot_ns);
		EXPECT_TRUE(texts(page)[0].starts_with(" NOT ENFORCING as published: 2 problems")) << texts(page)[0];
		EXPECT_EQ(page.lines[0][0].style, Style::alarm);
		EXPECT_TRUE(has(texts(page)[1], "connect4 is open")) << texts(page)[1];
		for (const auto &text : texts(page))
			EXPECT_FALSE(text.starts_with("ENFORCING"));
	}
	view.mode = Mode::not_loaded;
	EXPECT_TRUE(screen(view).starts_with(" NOT LOADED: nothing is enforced by instance default"));
	view.mode = Mode::observing;
	EXPECT_TRUE(screen(view).starts_with(" OBSERVING: nothing is refused"));
}

TEST_F(TopLayout, ProblemsShowWhilePaused)
{
	const auto held = busy();
	auto live = held;
	live.mode = Mode::degraded;
	live.problems = {"connect4 is open"};
	Ui ui;
	ui.is_paused = true;
	const auto lines = texts(page_of(live, held, ui, {}, held.boot_ns));
	EXPECT_TRUE(has(lines[0], "NOT ENFORCING"));
	EXPECT_TRUE(has(lines[2], "PAUSED at 12:03:05")) << lines[2];
}

TEST_F(TopLayout, AllPartsAreOnATerminalOf80x24)
{
	const auto text = screen(busy());
	EXPECT_TRUE(has(text, "refused 3.0/s, 6 in all")) << text;
	EXPECT_TRUE(has(text, "GATE                    refused/s   refused  attached")) << text;
	EXPECT_TRUE(has(text, "socket of node                3.0         6  3 of 3")) << text;
	EXPECT_TRUE(has(text, "installation                1m38s  12:04:43  alice (uid 1000)  a new release")) << text;
	EXPECT_TRUE(has(text, "grpc                           10        30  out  researcher  TCP/50051")) << text;
	EXPECT_TRUE(has(text, "203.0.113.2                   1.5         3  out  tcp/443       no_row      2s"))
		<< text;
	EXPECT_TRUE(has(text, "curl                          3.0         6   1234  root  203.0.113.2 tcp/443")) << text;
	EXPECT_TRUE(has(text, "q quit   ? help   Tab pane   s sort: rate   p pause   / filter")) << text;
}

TEST_F(TopLayout, AWindowCountsDown)
{
	const auto view = busy();
	Ui ui;
	ui.pane = Pane::windows;
	const auto left = [&](std::uint64_t later) {
		return texts(page_of(view, view, ui, {}, view.boot_ns + later * static_cast<std::uint64_t>(second)))[4];
	};
	EXPECT_TRUE(has(left(0), "installation: 1m38s left, until 2026-11-24 12:04:43 UTC")) << left(0);
	EXPECT_TRUE(has(left(40), "installation: 58s left, until")) << left(40);
	EXPECT_TRUE(has(left(99), "installation: ended")) << left(99);
}

TEST_F(TopLayout, SortingFilteringScrolling)
{
	const auto view = busy(40);
	Ui ui;
	ui.pane = Pane::peers;
	const auto first = [&] { return texts(page_of(view, view, ui, {}, view.boot_ns))[4]; };
	EXPECT_TRUE(first().starts_with("203.0.113.39 ")) << first();
	ui.press({Key::Kind::character, 's'});
	ui.press({Key::Kind::character, 's'});
	EXPECT_TRUE(first().starts_with("203.0.113.0 ")) << "by name: " << first();
	ui.press({Key::Kind::character, 's'});
	ui.scroll = 5;
	EXPECT_TRUE(first().starts_with("203.0.113.34 ")) << first();
	EXPECT_TRUE(has(screen(view, ui), "REFUSED PEER 6-24 of 40")) << screen(view, ui);
	EXPECT_EQ(page_of(view, view, ui, {}, view.boot_ns).most_scroll, 21U);
	for (const char c : std::string("/113.1"))
		ui.press({Key::Kind::character, c});
	EXPECT_TRUE(has(screen(view, ui), "filter: 113.1_")) << screen(view, ui);
	ui.press({Key::Kind::enter});
	EXPECT_TRUE(first().starts_with("203.0.113.19 ")) << first();
	ui.press({Key::Kind::character, '/'});
	for (const char c : std::string("CURL"))
		ui.press({Key::Kind::character, c});
	EXPECT_FALSE(has(screen(view, ui), "203.0.113.19")) << "of a peer no process is known";
}

TEST_F(TopLayout, TheRecordsThatAreMissingAreSaid)
{
	auto view = busy();
	view.record.problem = "there is no /var/log/weir/default.jsonl: `weir run` writes it";
	EXPECT_TRUE(has(screen(view), "peers and processes: there is no /var/log/weir/default.jsonl"));
	view.record.problem.clear();
	view.record.has_writer = false;
	EXPECT_TRUE(has(screen(view), "no `weir run` takes events"));
	view.record.has_writer = true;
	view.record.skipped = 12'345'678;
	EXPECT_TRUE(has(screen(view), "12.3M bytes of records came too fast"));
	view.record.skipped = 0;
	EXPECT_TRUE(has(screen(view), "peers and processes since 12:03:03, of /var/log")) << screen(view);
	view.peers.forgotten = 4711;
	EXPECT_TRUE(has(screen(view), "since 12:03:03 (4711 refused are of peers not kept), of")) << screen(view);
}

TEST_F(TopLayout, PlainTextIsNotCut)
{
	auto view = busy();
	view.peers.kept[0].name = "2001:db8:0:1:aaaa:bbbb:cccc:dddd";
	const auto text = plain_text(view, 1000, view.boot_ns);
	EXPECT_TRUE(text.starts_with("weir top: default  node-native, generation 3: ENFORCING\n")) << text;
	EXPECT_TRUE(has(text, "2001:db8:0:1:aaaa:bbbb:cccc:dddd  ")) << text;
	EXPECT_TRUE(has(text, "digest " + std::string(64, 'a'))) << text;
	EXPECT_FALSE(has(text, " \n")) << "no blanks at a line's end";
}

TEST_F(TopLayout, Json)
{
	auto view = busy(300);
	view.processes.kept[0].name = "\xef\xbf\xbd[2J";
	const auto line = json_line(view);
	EXPECT_EQ(line.find('\n'), line.size() - 1);
	for (const char c : line)
		ASSERT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f));
	const auto facts = nlohmann::json::parse(line);
	EXPECT_EQ(facts["state"], "enforcing");
	EXPECT_EQ(facts["refused"]["per_second"], 3.0);
	EXPECT_EQ(facts["rows"][0]["decided"]["total"], 30);
	EXPECT_EQ(facts["peers"]["known"], 300);
	EXPECT_EQ(facts["peers"]["busiest"].size(), 100U);
	EXPECT_EQ(facts["peers"]["busiest"][0]["address"], "203.0.113.299");
	EXPECT_EQ(facts["windows"][0]["seconds_left"], 98);
}

TEST_F(TopLayout, TextInCells)
{
	EXPECT_EQ(fit("abc", 5), "abc  ");
	EXPECT_EQ(fit("abc", 5, true), "  abc");
	EXPECT_EQ(fit("abcdef", 5), "abcd~");
	EXPECT_EQ(fit("abcdef", 0), "");
	EXPECT_EQ(width_of("日本"), 4U);
	EXPECT_EQ(fit("日本語", 6), "日本語");
	EXPECT_EQ(fit("日本語", 5), "日本~");
	EXPECT_EQ(fit("日本語", 4), "日 ~") << "half of a wide character is a blank";
	EXPECT_EQ(fit("e\xcc\x81t", 3), "e\xcc\x81t ") << "a combining accent takes no cell";
	EXPECT_EQ(fit("a\x1b\xff", 4), "a?? ");
	std::setlocale(LC_CTYPE, "C");
	EXPECT_EQ(fit("日本", 3), "?? ") << "a terminal without UTF-8";
}

TEST_F(TopLayout, Numbers)
{
	EXPECT_EQ(rate_text(0), "0");
	EXPECT_EQ(rate_text(0.04), "<0.1");
	EXPECT_EQ(rate_text(0.5), "0.5");
	EXPECT_EQ(rate_text(9.96), "10");
	EXPECT_EQ(rate_text(4711), "4711");
	EXPECT_EQ(rate_text(12'345), "12.3k");
	EXPECT_EQ(rate_text(999'999), "1.00M");
	EXPECT_EQ(count_text(999'999), "999999");
	EXPECT_EQ(count_text(1'234'567), "1.23M");
	EXPECT_EQ(count_text(~0ULL), "18.4E");
	EXPECT_EQ(span_text(59), "59s");
	EXPECT_EQ(span_text(725), "12m05s");
	EXPECT_EQ(span_text(11'040), "3h04m");
	EXPECT_EQ(span_text(-3), "0s");
}

TEST_F(TopLayout, WrappedAtBlanks)
{
	using Lines = std::vector<std::string>;
	EXPECT_EQ(wrapped("the gate is open", 8, 9), (Lines{"the gate", "is open"}));
	EXPECT_EQ(wrapped("abcdefghij", 4, 9), (Lines{"abcd", "efgh", "ij"}));
	EXPECT_EQ(wrapped("the gate is open", 8, 1), (Lines{"the gat~"}));
	EXPECT_EQ(wrapped("", 8, 1), Lines{});
	EXPECT_EQ(wrapped("日", 1, 3), (Lines{"~"}));
}

TEST_F(TopLayout, ColumnsAreLeftOutFromTheLeastImportantOn)
{
	const std::vector<Column> columns{{.title = "NAME", .least = 4},
					  {.title = "n", .right = true, .least = 3, .rank = 1},
					  {.title = "more", .least = 4, .rank = 2},
					  {.title = "idle", .rank = 3, .may_idle = true}};
	const std::vector<Cells> rows{{"a long name", "1", "and more", ""}};
	using Lines = std::vector<std::string>;
	EXPECT_EQ(table_text(columns, rows, 30),
		  (Lines{"NAME         n  more          ", "a long name  1  and more      "}));
	EXPECT_EQ(table_text(columns, rows, 20), (Lines{"NAME         n  more", "a long name  1  and~"}));
	EXPECT_EQ(table_text(columns, rows, 12), (Lines{"NAME       n", "a long n~  1"}));
	EXPECT_EQ(table_text(columns, rows, 6), (Lines{"NAME  ", "a lon~"}));
}

TEST(TopKeys, QuitOnlyWhereNothingElseIsToBeLeft)
{
	const Key q{Key::Kind::character, 'q'}, escape{Key::Kind::escape}, tab{Key::Kind::tab};
	Ui ui;
	EXPECT_FALSE(ui.press(q));
	EXPECT_FALSE(ui.press(escape));
	ui.press({Key::Kind::character, '?'});
	EXPECT_TRUE(ui.shows_help);
	EXPECT_TRUE(ui.press(escape));
	EXPECT_FALSE(ui.shows_help);
	ui.press({Key::Kind::character, '/'});
	EXPECT_TRUE(ui.press(q)) << "it is a letter of the filter";
	EXPECT_EQ(ui.filter, "q");
	ui.press({Key::Kind::backspace});
	ui.press({Key::Kind::backspace});
	EXPECT_EQ(ui.filter, "");
	EXPECT_TRUE(ui.press(escape));
	EXPECT_FALSE(ui.press(escape));
	for (unsigned i = 0; i < panes; i++)
		ui.press(tab);
	EXPECT_EQ(ui.pane, Pane::all);
	ui.press({Key::Kind::back_tab});
	EXPECT_EQ(ui.pane, Pane::problems);
	ui.press({Key::Kind::character, '3'});
	EXPECT_EQ(ui.pane, Pane::peers);
	ui.press({Key::Kind::up});
	EXPECT_EQ(ui.scroll, 0U);
}

} // namespace
} // namespace weir::top
