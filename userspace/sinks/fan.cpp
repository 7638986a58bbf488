// SPDX-License-Identifier: Apache-2.0
#include "sinks/fan.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace weir::sinks {
namespace {

constexpr std::chrono::seconds between_losses{10};

} // namespace

void Fan::offer(std::string_view lines)
{
	if (lines.empty())
		return;
	for (auto &place : places_)
		place.sender->offer(lines);
}

void Fan::tell(Place &place, Clock::time_point now, bool last, std::vector<audit::SinkRecord> &news)
{
	const auto figures = place.sender->figures();
	const auto &name = place.sender->name();
	const audit::SinkRecord record{.action = "",
				       .name = name,
				       .text = "",
				       .sent = figures.sent,
				       .waiting = figures.waiting,
				       .dropped = figures.dropped,
				       .problem = figures.problem};
	const bool is_bad = !figures.problem.empty();
	if (is_bad != place.is_bad && !last) {
		place.is_bad = is_bad;
		auto &change = news.emplace_back(record);
		change.action = is_bad ? "sink_failed" : "sink_recovered";
		change.failed = is_bad;
		change.text = is_bad ? fmt::format("sink {} takes nothing: {}", name, figures.problem)
				     : fmt::format("sink {} takes records again; {} wait", name, figures.waiting);
	}
	if (figures.dropped > place.dropped_said && (last || now >= place.next_loss)) {
		auto &loss = news.emplace_back(record);
		loss.action = "sink_dropped";
		loss.failed = true;
		loss.dropped_since = figures.dropped - place.dropped_said;
		loss.text = fmt::format("sink {} did not get {} records{}", name, loss.dropped_since,
					is_bad ? ": " + figures.problem : "");
		place.dropped_said = figures.dropped;
		place.next_loss = now + between_losses;
	}
}

std::vector<audit::SinkRecord> Fan::news(Clock::time_point now)
{
	std::vector<audit::SinkRecord> news;
	for (auto &place : places_)
		tell(place, now, false, news);
	return news;
}

std::vector<audit::SinkRecord> Fan::settle(Clock::time_point end)
{
	constexpr std::chrono::milliseconds look_again{10};
	const auto rests = [](const Place &place) { return place.sender->figures().waiting == 0; };
	while (!std::ranges::all_of(places_, rests) && Clock::now() < end)
		std::this_thread::sleep_for(look_again);
	std::vector<audit::SinkRecord> news;
	for (auto &place : places_) {
		if (!rests(place))
			place.sender->close(end);
		tell(place, Clock::now(), true, news);
	}
	return news;
}

std::vector<audit::SinkRecord> Fan::close(Clock::time_point end)
{
	std::vector<audit::SinkRecord> news;
	for (auto &place : places_) {
		place.sender->close(end);
		tell(place, Clock::now(), true, news);
	}
	return news;
}

std::vector<std::pair<std::string, Figures>> Fan::figures() const
{
	std::vector<std::pair<std::string, Figures>> all;
	all.reserve(places_.size());
	for (const auto &place : places_)
		all.emplace_back(place.sender->name(), place.sender->figures());
	return all;
}

} // namespace weir::sinks
