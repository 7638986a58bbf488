// SPDX-License-Identifier: Apache-2.0
#include "top/sections.h"

#include "top/table.h"
#include "top/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <tuple>

namespace weir::top {
namespace {

constexpr std::size_t name_cells = 22, rate_cells = 9, count_cells = 8;

bool holds(std::string_view text, std::string_view wanted)
{
	const auto same = [](char a, char b) {
		return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
	};
	return !std::ranges::search(text, wanted, same).empty() || wanted.empty();
}

bool admits(const Ui &ui, std::initializer_list<std::string_view> texts)
{
	return ui.filter.empty() || std::ranges::any_of(texts, [&](auto text) { return holds(text, ui.filter); });
}

template <typename T, typename Key, typename Figure>
std::vector<const T *> arranged(const std::vector<T> &all, const Ui &ui, Key texts, Figure figure)
{
	std::vector<const T *> chosen;
	chosen.reserve(all.size());
	for (const auto &each : all)
		if (ui.filter.empty() || texts(each))
			chosen.push_back(&each);
	std::ranges::stable_sort(chosen, [&](const T *a, const T *b) {
		const Rate &left = figure(*a), &right = figure(*b);
		if (ui.sort == Sort::rate && left.per_second != right.per_second)
			return left.per_second > right.per_second;
		if (ui.sort != Sort::name && left.total != right.total)
			return left.total > right.total;
		if constexpr (requires { a->id; })
			return ui.sort == Sort::name && a->id < b->id; // else as the policy has them
		else
			return std::tie(a->name, a->place) < std::tie(b->name, b->place);
	});
	return chosen;
}

std::vector<const RowLine *> rows_of(const View &view, const Ui &ui)
{
	return arranged(
		view.rows, ui,
		[&](const RowLine &row) {
			return admits(ui, {row.id, row.direction, row.peer, row.service, row.place, row.window});
		},
		[](const RowLine &row) -> const Rate & { return row.decided; });
}

std::vector<const Talker *> talkers_of(const Talkers &talkers, const Ui &ui)
{
	return arranged(
		talkers.kept, ui,
		[&](const Talker &each) {
			return admits(ui, {each.name, each.place, each.user, each.latest, each.reason});
		},
		[](const Talker &each) -> const Rate & { return each.refused; });
}

std::string per_second(const View &view, const Rate &rate)
{
	return view.seconds > 0 ? rate_text(rate.per_second) : "-";
}

template <typename T, typename Make>
std::vector<Cells> cells_of(const std::vector<T> &all, const Cut &cut, Make make)
{
	std::vector<Cells> cells;
	const auto first = std::min(cut.first, all.size()), last = std::min(first + cut.most, all.size());
	cells.reserve(last - first);
	for (auto i = first; i < last; i++)
		cells.push_back(make(all[i]));
	return cells;
}

Section section(std::vector<Column> columns, const std::vector<Cells> &cells, std::size_t all, const Cut &cut)
{
	if (all > cells.size() && cut.first != 0) // what is not shown is said where it costs no line
		columns.front().title += fmt::format(" {}-{} of {}", cut.first + 1, cut.first + cells.size(), all);
	else if (all > cells.size())
		columns.front().title += fmt::format(" {} of {}", cells.size(), all);
	auto lines = table_text(columns, cells, cut.width);
	Section part{.heading = std::move(lines.front()), .lines = {}, .all = all};
	lines.erase(lines.begin());
	part.lines = std::move(lines);
	return part;
}

/// Lines that are no table.
Section text_section(std::string_view heading, const std::vector<std::string> &lines, const Cut &cut)
{
	Section part{.heading = fit(lines.empty() ? fmt::format("{}: none", heading) : std::string(heading), cut.width),
		     .lines = {},
		     .all = lines.size()};
	for (auto i = cut.first; i < std::min(cut.first + cut.most, lines.size()); i++)
		part.lines.push_back(fit(lines[i], cut.width));
	return part;
}

Section rows_section(const View &view, const Ui &ui, const Cut &cut)
{
	const auto rows = rows_of(view, ui);
	const auto cells = cells_of(rows, cut, [&](const RowLine *row) {
		return Cells{row->id,
			     per_second(view, row->decided),
			     count_text(row->decided.total),
			     row->direction,
			     row->peer,
			     row->service,
			     row->place,
			     row->window};
	});
	// Where one place has all the rows, its name is no news; a window's name is, wherever there is one.
	const bool has_window = std::ranges::any_of(view.rows, [](const RowLine &row) { return !row.window.empty(); });
	return section({{.title = "ROW", .least = 12, .usual = name_cells},
			{.title = "decided/s", .right = true, .least = rate_cells, .usual = rate_cells},
			{.title = "decided", .right = true, .least = count_cells, .usual = count_cells, .rank = 1},
			{.title = "dir", .least = 3, .rank = 4},
			{.title = "peer", .least = 10, .rank = 3},
			{.title = "service", .least = 10, .rank = 2},
			{.title = "place", .least = 5, .rank = 5, .may_idle = true},
			{.title = "window", .least = 8, .rank = 6, .may_idle = !has_window}},
		       cells, rows.size(), cut);
}

std::string ago(const Talker &each, const View &view)
{
	return span_text((view.unix_ns - each.seen) / 1'000'000'000);
}

Section peers_section(const View &view, const Ui &ui, const Cut &cut)
{
	const auto peers = talkers_of(view.peers, ui);
	const auto cells = cells_of(peers, cut, [&](const Talker *each) {
		return Cells{each->name.empty() ? "(not told apart)" : each->name,
			     per_second(view, each->refused),
			     count_text(each->refused.total),
			     each->place,
			     each->latest,
			     each->reason,
			     ago(*each, view)};
	});
	return section({{.title = "REFUSED PEER", .least = 12, .usual = name_cells},
			{.title = "refused/s", .right = true, .least = rate_cells, .usual = rate_cells},
			{.title = "refused", .right = true, .least = count_cells, .usual = count_cells, .rank = 1},
			{.title = "dir", .least = 3, .rank = 3},
			{.title = "last tried", .least = 10, .usual = 12, .rank = 2},
			{.title = "reason", .least = 6, .rank = 4},
			{.title = "ago", .right = true, .least = 4, .usual = 6, .rank = 5}},
		       cells, peers.size(), cut);
}

Section processes_section(const View &view, const Ui &ui, const Cut &cut)
{
	const auto processes = talkers_of(view.processes, ui);
	const auto cells = cells_of(processes, cut, [&](const Talker *each) {
		return Cells{each->name.empty() ? "(no process here)" : each->name,
			     per_second(view, each->refused),
			     count_text(each->refused.total),
			     each->pid == 0 ? "" : fmt::format("{}", each->pid),
			     each->user,
			     each->latest,
			     each->place,
			     ago(*each, view)};
	});
	return section({{.title = "REFUSED PROCESS", .least = 15, .usual = name_cells},
			{.title = "refused/s", .right = true, .least = rate_cells, .usual = rate_cells},
			{.title = "refused", .right = true, .least = count_cells, .usual = count_cells, .rank = 1},
			{.title = "pid", .right = true, .least = 5, .usual = 5, .rank = 3},
			{.title = "user", .least = 4, .rank = 4},
			{.title = "last tried", .least = 18, .usual = 22, .rank = 2},
			{.title = "cgroup", .least = 16, .rank = 6},
			{.title = "ago", .right = true, .least = 4, .usual = 4, .rank = 5}},
		       cells, processes.size(), cut);
}

std::string attached_text(const GateLine &gate)
{
	if (gate.awaited)
		return "awaited";
	return fmt::format("{}{} of {}", gate.attached < gate.wanted ? "! " : "", gate.attached, gate.wanted);
}

Section gates_section(const View &view, const Cut &cut)
{
	const auto cells = cells_of(view.gates, cut, [&](const GateLine &gate) {
		return Cells{gate.gate + (gate.place == gate.gate ? "" : " of " + gate.place),
			     per_second(view, gate.refused),
			     count_text(gate.refused.total),
			     attached_text(gate),
			     per_second(view, gate.observed),
			     per_second(view, gate.lost),
			     count_text(gate.lost.total)};
	});
	return section({{.title = "GATE", .least = 12, .usual = name_cells},
			{.title = "refused/s", .right = true, .least = rate_cells, .usual = rate_cells},
			{.title = "refused", .right = true, .least = count_cells, .usual = count_cells, .rank = 2},
			{.title = "attached", .least = 8, .rank = 1},
			{.title = "observed/s", .right = true, .least = 10, .rank = 4},
			{.title = "lost/s", .right = true, .least = 6, .rank = 3},
			{.title = "lost", .right = true, .least = 4, .usual = 6, .rank = 5}},
		       cells, view.gates.size(), cut);
}

std::string left_text(const WindowLine &each, std::uint64_t boot_ns)
{
	// Up, as `weir window list` says it: what has begun is not over.
	const auto left = each.deadline > boot_ns ? (each.deadline - boot_ns + 999'999'999) / 1'000'000'000 : 0;
	return left == 0 ? "ended" : span_text(static_cast<std::int64_t>(left));
}

Section windows_section(const View &view, const Cut &cut, std::uint64_t boot_ns)
{
	const auto cells = cells_of(view.windows, cut, [&](const WindowLine &each) {
		// None is longer than a day, so the time of day will do.
		const auto until = each.until.size() > 19 ? each.until.substr(11, 8) : each.until;
		return Cells{each.name, left_text(each, boot_ns), until, each.by, each.reason};
	});
	return section({{.title = "WINDOW", .least = 12, .usual = name_cells},
			{.title = "left", .right = true, .least = rate_cells, .usual = rate_cells},
			{.title = "until", .least = 8, .rank = 3},
			{.title = "by", .least = 12, .rank = 2},
			{.title = "why", .least = 12, .rank = 1}},
		       cells, view.windows.size(), cut);
}

/// With all the words of whoever opened them.
Section windows_in_full(const View &view, const Cut &cut, std::uint64_t boot_ns)
{
	std::vector<std::string> lines;
	for (const auto &each : view.windows) {
		const auto left = left_text(each, boot_ns);
		lines.push_back(
			fmt::format("{}: {}{}, until {}", each.name, left, left == "ended" ? "" : " left", each.until));
		for (const auto &text : {"by " + each.by, "why: " + each.reason})
			for (const auto &line : wrapped(text, cut.width > 4 ? cut.width - 4 : 1, 8))
				lines.push_back("    " + line);
	}
	return text_section("WINDOWS THAT ARE OPEN", lines, cut);
}

/// Each may take several lines: they are what has to be read.
Section problems_section(const View &view, const Cut &cut)
{
	std::vector<std::string> lines;
	for (const auto &problem : view.problems)
		std::ranges::move(wrapped(problem, cut.width, 8), std::back_inserter(lines));
	return text_section("PROBLEMS", lines, cut);
}

} // namespace

std::size_t count_of(Pane pane, const View &view, const Ui &ui)
{
	switch (pane) {
	case Pane::rows:
		return rows_of(view, ui).size();
	case Pane::peers:
		return talkers_of(view.peers, ui).size();
	case Pane::processes:
		return talkers_of(view.processes, ui).size();
	case Pane::gates:
		return view.gates.size();
	case Pane::windows:
		return view.windows.size();
	default:
		return view.problems.size();
	}
}

Section section_of(Pane pane, const View &view, const Ui &ui, const Cut &cut, std::uint64_t boot_ns)
{
	switch (pane) {
	case Pane::rows:
		return rows_section(view, ui, cut);
	case Pane::peers:
		return peers_section(view, ui, cut);
	case Pane::processes:
		return processes_section(view, ui, cut);
	case Pane::gates:
		return gates_section(view, cut);
	case Pane::windows:
		return cut.in_full ? windows_in_full(view, cut, boot_ns) : windows_section(view, cut, boot_ns);
	default:
		return problems_section(view, cut);
	}
}

} // namespace weir::top
