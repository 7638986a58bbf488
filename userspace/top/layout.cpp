// SPDX-License-Identifier: Apache-2.0
#include "top/layout.h"

#include "audit/events_view.h"
#include "top/sections.h"
#include "top/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <utility>

namespace weir::top {
namespace {

/// "13:03:04", in the local zone.
std::string clock_text(std::int64_t unix_ns)
{
	const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
	std::tm local{};
	::localtime_r(&seconds, &local);
	return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

struct Banner {
	std::string text;
	Style style;
};

/// What everybody has to see first. Empty text: all is in force.
Banner banner_of(const View &view)
{
	const auto count = view.problems.size();
	switch (view.mode) {
	case Mode::enforcing:
		return {"", Style::good};
	case Mode::observing:
		return {"OBSERVING: nothing is refused, only counted and reported", Style::warning};
	case Mode::degraded:
		return {fmt::format("NOT ENFORCING as published: {} problem{}", count, count == 1 ? "" : "s"),
			Style::alarm};
	case Mode::not_loaded:
		return {fmt::format("NOT LOADED: nothing is enforced by instance {}; `weir apply` loads it",
				    view.instance),
			Style::alarm};
	case Mode::unknown:
		break;
	}
	return {"UNKNOWN: what is in force cannot be read", Style::alarm};
}

/// What is between the records and the peers and processes that are shown.
std::string record_warning(const View &view)
{
	if (!view.record.problem.empty())
		return "peers and processes: " + view.record.problem;
	if (!view.record.has_writer && view.mode != Mode::not_loaded)
		return "no `weir run` takes events: peers and processes are of before, the gates' counts of now";
	if (view.record.skipped != 0)
		return fmt::format("{} bytes of records came too fast and are left out of peers and processes",
				   count_text(view.record.skipped));
	return "";
}

/// Since when peers and processes are counted: not since the instance was loaded, as the gates' counts are.
std::string record_text(const View &view, std::string (*moment)(std::int64_t unix_ns))
{
	auto text = fmt::format("peers and processes {}",
				view.record.since == 0 ? "none yet" : "since " + moment(view.record.since));
	if (const auto others = view.peers.forgotten; others != 0)
		text += fmt::format(" ({} refused are of peers not kept)", count_text(others));
	return text + ", of " + view.record.path;
}

std::string title_of(const View &view, const Ui &ui)
{
	auto title = fmt::format("weir top: {}", view.instance);
	if (!view.scenario.empty())
		title += fmt::format("  {}, generation {}", view.scenario, view.generation);
	if (ui.pane != Pane::all)
		title += fmt::format("  [{}]", name_of(ui.pane));
	return title;
}

std::string totals_of(const View &view, std::size_t digits)
{
	const auto one = [&](const char *what, const Rate &rate) {
		return fmt::format("{} {}/s, {} in all", what, view.seconds > 0 ? rate_text(rate.per_second) : "-",
				   count_text(rate.total));
	};
	auto text = one("refused", view.refused);
	if (view.observed.total != 0)
		text += "   " + one("observed", view.observed);
	text += view.lost.total != 0 ? "   " + one("lost", view.lost) : "   lost none";
	if (!view.digest.empty())
		text += "   digest " + view.digest.substr(0, digits);
	return text;
}

Line one(std::string text, Style style = Style::normal)
{
	return {{std::move(text), style}};
}

std::vector<Line> header_of(const View &live, const View &held, const Ui &ui, const Size &size)
{
	std::vector<Line> lines;
	const auto banner = banner_of(live);
	if (!banner.text.empty())
		lines.push_back(one(fit(' ' + banner.text, size.columns), banner.style));
	// In the pane of the problems they are all there.
	const std::size_t room = ui.pane == Pane::problems ? 0 : std::max<std::size_t>(size.lines / 6, 1);
	std::vector<std::string> texts;
	std::size_t shown = 0;
	for (; shown < live.problems.size() && texts.size() < room; shown++)
		std::ranges::move(wrapped(live.problems[shown], size.columns > 2 ? size.columns - 2 : 0, 2),
				  std::back_inserter(texts));
	if (shown < live.problems.size() && room != 0)
		texts.push_back(fmt::format("{} more: key 7", live.problems.size() - shown));
	for (const auto &text : texts)
		lines.push_back(one(fit("  " + text, size.columns), Style::warning));

	const std::string mode = live.mode == Mode::enforcing ? "ENFORCING  " : "";
	const auto paused = ui.is_paused ? fmt::format("PAUSED at {}", clock_text(held.unix_ns)) : "";
	const auto right = paused.empty() ? clock_text(live.unix_ns) : paused;
	const auto left_cells = std::min(mode.size(), size.columns);
	const auto right_cells = std::min(right.size() + 1, size.columns - left_cells);
	lines.push_back({{fit(mode, left_cells), Style::good},
			 {fit(title_of(live, ui), size.columns - left_cells - right_cells), Style::normal},
			 {fit(' ' + right, right_cells), paused.empty() ? Style::normal : Style::warning}});
	lines.push_back(one(fit(totals_of(held, 12), size.columns)));
	constexpr std::size_t roomy = 16; // lines
	if (const auto warning = record_warning(live); !warning.empty())
		lines.push_back(one(fit(warning, size.columns), Style::warning));
	else if (size.lines >= roomy)
		lines.push_back(one(fit(record_text(held, clock_text), size.columns)));
	return lines;
}

Line footer_of(const Ui &ui, std::size_t columns)
{
	if (ui.is_typing)
		return one(fit(fmt::format("filter: {}_   Enter keeps it, Esc clears it", ui.filter), columns),
			   Style::heading);
	std::vector<std::string> items{"q quit", "? help"};
	if (!ui.filter.empty()) // nobody should wonder where the others are
		items.push_back("/ filter: " + ui.filter);
	items.insert(items.end(),
		     {"Tab pane", fmt::format("s sort: {}", name_of(ui.sort)), ui.is_paused ? "p go on" : "p pause"});
	if (ui.filter.empty())
		items.emplace_back("/ filter");
	std::string text;
	for (const auto &item : items)
		if (text.size() + item.size() + 3 <= columns || text.empty())
			text += (text.empty() ? "" : "   ") + item;
	return one(fit(text, columns), Style::heading);
}

constexpr const char *help[] = {
	"q, Esc, Ctrl-C  quit",
	"1 to 7          all, rows, peers, processes, gates, windows, problems",
	"Tab, Shift-Tab  the next of them, the one before",
	"s               sort by rate, by total, by name",
	"p, space        hold what is shown; counting goes on",
	"/               only what has this text in it; an empty one, or Esc: all",
	"arrows, j, k, PgUp, PgDn, Home   scroll",
	"",
	"Rates are over the last interval. A row's count is of verdicts, not of",
	"packets: a connection keeps its verdict. It begins anew with each policy,",
	"also when a window opens; refusals begin with the instance.",
	"Peers and processes are those of the records of `weir run`. \"not told",
	"apart\": of a flood the kernel counts what it cannot keep apart.",
};

void add_section(std::vector<Line> &lines, Section section)
{
	lines.push_back(one(std::move(section.heading), Style::heading));
	for (auto &text : section.lines)
		lines.push_back(one(std::move(text)));
}

/// How many lines each part gets, heading included: first the least of each, in the order of what matters most where
/// there is little room, then one more for each in turn.
std::array<std::size_t, panes> shares(const View &view, const Ui &ui, std::size_t height)
{
	std::array<std::size_t, panes> wanted{}, given{};
	const auto slot = [](Pane pane) { return static_cast<std::size_t>(pane); };
	for (const auto pane : {Pane::gates, Pane::windows, Pane::rows, Pane::peers, Pane::processes})
		if (const auto count = count_of(pane, view, ui); count != 0)
			wanted[slot(pane)] = count + 1;
	constexpr std::array order{Pane::windows, Pane::peers, Pane::processes, Pane::gates, Pane::rows};
	for (const auto pane : order)
		if (wanted[slot(pane)] != 0 && height >= 2) {
			given[slot(pane)] = 2;
			height -= 2;
		}
	for (bool more = true; more && height > 0;) {
		more = false;
		for (const auto pane : order) {
			auto &share = given[slot(pane)];
			if (share == 0 || share >= wanted[slot(pane)] || height == 0)
				continue;
			share++;
			height--;
			more = true;
		}
	}
	return given;
}

constexpr std::array in_order{Pane::gates, Pane::windows, Pane::rows, Pane::peers, Pane::processes};

} // namespace

Page page_of(const View &live, const View &held, const Ui &ui, const Size &size, std::uint64_t boot_ns)
{
	Page page;
	auto &lines = page.lines;
	lines = header_of(live, held, ui, size);
	const auto height = size.lines > lines.size() + 1 ? size.lines - lines.size() - 1 : 0;
	if (ui.shows_help) {
		for (const auto *text : help)
			if (lines.size() + 1 < size.lines)
				lines.push_back(one(fit(text, size.columns)));
	} else if (ui.pane == Pane::all) {
		const auto given = shares(held, ui, height);
		for (const auto pane : in_order) {
			const auto share = given[static_cast<std::size_t>(pane)];
			if (share > 1)
				add_section(lines, section_of(pane, held, ui,
							      {.width = size.columns, .first = 0, .most = share - 1},
							      boot_ns));
		}
	} else if (height > 1) {
		const auto &shown = ui.pane == Pane::problems ? live : held;
		page.page = height - 1;
		Cut cut{.width = size.columns, .first = 0, .most = 0, .in_full = true};
		const auto all = section_of(ui.pane, shown, ui, cut, boot_ns).all;
		page.most_scroll = all > page.page ? all - page.page : 0;
		cut.first = std::min(ui.scroll, page.most_scroll);
		cut.most = page.page;
		add_section(lines, section_of(ui.pane, shown, ui, cut, boot_ns));
	}
	if (size.lines == 0)
		return {};
	lines.resize(size.lines - 1);
	lines.push_back(footer_of(ui, size.columns));
	return page;
}

std::string plain_text(const View &view, std::size_t columns, std::uint64_t boot_ns)
{
	constexpr std::size_t most = 20;
	std::string text;
	const auto add = [&text](std::string line) {
		line.erase(line.find_last_not_of(' ') + 1);
		text += line + '\n';
	};
	const auto banner = banner_of(view);
	add(fit(fmt::format("{}: {}", title_of(view, {}), banner.text.empty() ? "ENFORCING" : banner.text), columns));
	for (const auto &problem : view.problems)
		for (const auto &line : wrapped(problem, columns, 8))
			add("  " + line);
	add(fit(audit::local_time(view.unix_ns) + "   " + totals_of(view, view.digest.size()), columns));
	if (const auto warning = record_warning(view); !warning.empty())
		add(fit(warning, columns));
	else
		add(fit(record_text(view, audit::local_time), columns));
	for (const auto pane : in_order) {
		const auto section = section_of(pane, view, {}, {.width = columns, .first = 0, .most = most}, boot_ns);
		if (section.all == 0)
			continue;
		text += '\n';
		add(section.heading);
		for (const auto &line : section.lines)
			add(line);
	}
	return text;
}

} // namespace weir::top
