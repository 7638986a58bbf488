// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"

#include "audit/event.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <ctime>

namespace weir::audit {
namespace {

using Json = nlohmann::json;

std::string dataset_of(const Json &record)
{
	const auto event = record.is_object() ? record.find("event") : record.end();
	if (!record.is_object() || event == record.end() || !event->is_object())
		return "";
	const auto dataset = event->find("dataset");
	return dataset != event->end() && dataset->is_string() ? dataset->get<std::string>() : "";
}

} // namespace

Result<std::int64_t> parse_since(std::string_view text, std::int64_t now)
{
	if (const auto time = parse_time(text))
		return *time;
	std::uint32_t amount = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
	const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
	const std::int64_t seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
	if (error != std::errc() || seconds == 0 || amount > 100u * 366)
		return fail(Exit::usage, fmt::format("\"{}\" is not a time. Give an age (90s, 30m, 4h, 7d) or a moment "
						     "with its zone (2026-11-24T12:00:00Z).",
						     printable(text)));
	return now - amount * seconds * 1'000'000'000;
}

EventsView::EventsView(Filter filter, Style style, Write show, Write warn)
	: chooser_(std::move(filter)), style_(std::move(style)), show_(std::move(show)), warn_(std::move(warn))
{}

void EventsView::line(std::string_view text)
{
	number_++;
	if (done() || text.empty())
		return;
	const auto record = Json::parse(text, nullptr, false);
	const auto dataset = dataset_of(record);
	const auto stamp = record.is_object() ? record.find("@timestamp") : record.end();
	const auto time = is_kind(dataset) && stamp != record.end() && stamp->is_string()
				  ? parse_time(stamp->get_ref<const std::string &>())
				  : std::nullopt;
	if (!time) {
		warn_(fmt::format("line {}: not a record of weir: {}\n", number_, printable(text.substr(0, 60))));
		return;
	}
	if (!chooser_.admits(record, dataset, *time, style_.json))
		return;
	const auto shown = !style_.json     ? for_people(text, style_.color)
			   : style_.convert ? style_.convert(text)
					    : Result<std::string>(text);
	if (!shown) {
		warn_(fmt::format("line {}: {}\n", number_, shown.error().message));
		return;
	}
	if (!style_.json)
		show_day(*time);
	show_(*shown + "\n");
	shown_++;
}

void EventsView::torn(std::string_view text)
{
	if (!text.empty() && !done())
		warn_(fmt::format("line {}: has no end: it is being written, or a write was cut off\n", number_ + 1));
}

/// The lines carry the time of day only: a new day is a line of its own, with the zone that the times are in.
void EventsView::show_day(std::int64_t time)
{
	const auto seconds = static_cast<std::time_t>(time / 1'000'000'000);
	std::tm local{};
	::localtime_r(&seconds, &local);
	char text[48];
	const auto size = std::strftime(text, sizeof(text), "-- %Y-%m-%d (UTC%z)\n", &local);
	if (std::string_view(text, size) == day_)
		return;
	day_.assign(text, size);
	show_(day_);
}

} // namespace weir::audit
