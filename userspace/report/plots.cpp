// SPDX-License-Identifier: Apache-2.0
#include "report/plots.h"

#include "report/page_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace weir::report {
namespace {

constexpr double left = 104, right = 712; ///< of the time axis; the picture is 720 wide
constexpr double width = right - left;
constexpr std::int64_t second = 1'000'000'000, hour = 3600 * second, day = 24 * hour;

/// "17 Nov", of "2026-11-17 12:03:04".
std::string day_of(const std::string &text)
{
	static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const auto month = static_cast<std::size_t>((text[5] - '0') * 10 + text[6] - '1');
	return text.substr(8, 2) + " " + months.at(month);
}

class Plot {
public:
	Plot(const Report &report, int height, const std::string &name) : report_(report), height_(height)
	{
		put("<figure>\n<svg viewBox=\"0 0 720 {}\" role=\"img\" aria-label=\"{}\">\n", height, escaped(name));
	}
	template <typename... Values>
	void put(fmt::format_string<Values...> format, Values &&...values)
	{
		fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
	}
	[[nodiscard]] double x(std::int64_t time) const
	{
		const auto span = std::max<std::int64_t>(report_.until - report_.since, 1);
		const auto part = static_cast<double>(time - report_.since) / static_cast<double>(span);
		return left + width * std::clamp(part, 0.0, 1.0);
	}
	/// Ticks where a day or an hour begins, some six of them, with lines up to `top`.
	void time_axis(double top, double bottom)
	{
		static constexpr std::array steps{60 * second, 300 * second, 900 * second, hour,     3 * hour,
						  6 * hour,    12 * hour,    day,          2 * day,  7 * day,
						  14 * day,    28 * day,     91 * day,     365 * day};
		const auto span = report_.until - report_.since;
		const auto *const step =
			std::ranges::find_if(steps, [&](std::int64_t each) { return span / each <= 6; });
		const auto each = step == steps.end() ? steps.back() : *step;
		put("<line x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\"/>\n", left, right, bottom);
		for (auto time = (report_.since / each + 1) * each; time < report_.until; time += each) {
			const auto at = x(time);
			const auto text = utc(time);
			put("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n", at,
			    top, bottom);
			if (at > left + 24 && at < right - 24)
				put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", at,
				    bottom + 17, each < day && time % day != 0 ? text.substr(11, 5) : day_of(text));
		}
	}
	std::string finish(const std::string &caption)
	{
		put("</svg>\n<figcaption>{}</figcaption>\n</figure>\n", caption);
		return std::move(out_);
	}

private:
	const Report &report_;
	int height_;
	std::string out_;
};

/// The next of 1, 2, 5, 10, 20, ... that is not below.
std::uint64_t round_up(std::uint64_t value)
{
	for (std::uint64_t ten = 1;; ten *= 10)
		for (const std::uint64_t factor : {1u, 2u, 5u})
			if (ten * factor >= value || ten > UINT64_MAX / 100)
				return ten * factor;
}

struct Span {
	std::int64_t from = 0, to = 0;
	std::string name;
	std::string label{}; ///< on it, where there is room
};

} // namespace

std::string refusals_plot(const Report &report, bool out)
{
	constexpr double top = 16, bottom = 106;
	const auto &counts = out ? report.out : report.in;
	const auto busiest = std::ranges::max_element(counts);
	const auto scale = round_up(std::max<std::uint64_t>(*busiest, 1));
	const auto length = (report.until - report.since) / static_cast<std::int64_t>(buckets);
	const auto *const what = out ? "what this host tried to send" : "what was to come in";
	Plot plot(report, 132,
		  fmt::format("Refusals over time of {}: {} in all; the most, {}, in the {} from {}", what,
			      std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), *busiest,
			      lasting(length), utc(report.since + (busiest - counts.begin()) * length)));
	plot.time_axis(top, bottom);
	for (const auto part : {std::uint64_t{0}, scale}) {
		const auto y = part == 0 ? bottom : top;
		if (part != 0)
			plot.put("<line class=\"grid\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\"/>\n", left, y,
				 right, y);
		plot.put("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 6, y + 4, grouped(part));
	}
	constexpr double bar = width / static_cast<double>(buckets);
	for (std::size_t i = 0; i < buckets; i++) {
		if (counts[i] == 0)
			continue;
		const auto height =
			std::max(1.0, (bottom - top) * static_cast<double>(counts[i]) / static_cast<double>(scale));
		plot.put("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
			 out ? "out" : "in", left + bar * static_cast<double>(i) + 0.75, bottom - height, bar - 1.5,
			 height);
	}
	return plot.finish(fmt::format("<i class=\"{}\"></i> Refusals of {}, over time (UTC); a bar is {}",
				       out ? "out" : "in", what, lasting(length)));
}

std::string coverage_plot(const Report &report)
{
	constexpr double lane = 30, top = 6;
	std::array<std::pair<const char *, std::vector<Span>>, 3> lanes{
		{{"Policy", {}}, {"Windows", {}}, {"Gaps", {}}}};
	const auto until = [&](std::int64_t to) { return to == 0 ? report.until : to; };
	for (const auto &each : report.policies)
		lanes[0].second.push_back({each.first, until(each.last),
					   fmt::format("generation {}, {} to {}", each.generation, utc(each.first),
						       each.last == 0 ? "now" : utc(each.last)),
					   each.generation});
	for (const auto &each : report.windows)
		lanes[1].second.push_back({each.opened,
					   each.ended != 0 ? each.ended : std::min(each.until, report.until),
					   fmt::format("{}, from {}", each.name, utc(each.opened))});
	for (const auto &each : report.gaps)
		lanes[2].second.push_back(
			{each.from, until(each.to), fmt::format("{}, {}", each.kind, utc(each.from))});
	Plot plot(report, 122,
		  fmt::format("Coverage over time: {} policies, {} windows, {} gaps; the tables have each of them",
			      report.policies.size(), report.windows.size(), report.gaps.size()));
	constexpr double bottom = top + 3 * lane;
	plot.time_axis(top, bottom);
	static constexpr std::array classes{"policy", "window", "gap"};
	for (std::size_t i = 0; i < lanes.size(); i++) {
		const auto y = top + lane * static_cast<double>(i) + 6;
		plot.put("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 6, y + 13,
			 lanes[i].first);
		for (const auto &span : lanes[i].second) {
			const auto x = plot.x(span.from);
			// A millimetre at least: a gap of a second in a month is to be seen.
			plot.put("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
				 "height=\"18\"><title>{}</title></rect>\n",
				 classes.at(i), std::min(x, right - 3), y, std::max(3.0, plot.x(span.to) - x),
				 escaped(span.name));
			if (const auto room = plot.x(span.to) - x; room > 12.0 * static_cast<double>(span.label.size()))
				plot.put("<text class=\"on\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 5, y + 13,
					 escaped(span.label));
		}
	}
	return plot.finish(
		"What was in force, which windows were open, and where the record has gaps (UTC). Short ones are "
		"drawn wider than they were");
}

} // namespace weir::report
