// SPDX-License-Identifier: Apache-2.0
#include "formats/format.h"

#include "audit/event.h"
#include "audit/events_view.h"
#include "audit/json.h"
#include "formats/convert.h"

#include <algorithm>
#include <array>

namespace weir::formats {
namespace {

constexpr std::array names = {"ecs", "ocsf", "cef", "syslog"};

/// RFC 5424 section 6: 33 to 126, and no more than `most` of them.
std::string printable_ascii(std::string_view text, std::size_t most)
{
	std::string clean(text.substr(0, most));
	std::ranges::replace_if(clean, [](char c) { return c <= ' ' || c > '~'; }, '_');
	return clean.empty() ? "-" : clean;
}

/// for_people() begins with the time of day, and a space.
constexpr std::size_t clock_width = std::string_view("12:03:04.123 ").size();

unsigned severity_of(const Json &record)
{
	const auto dataset = text(record, "event.dataset");
	const auto outcome = text(record, "event.outcome");
	if (dataset == "weir.loss" || (dataset == "weir.integrity" && outcome != "success") ||
	    text(record, "event.action") == "policy_unexplained")
		return 3;
	if (outcome == "failure" || outcome == "unknown" || text(record, "weir.verdict") == "refused")
		return 4;
	if (dataset == "weir.checkpoint")
		return 6;
	return 5;
}

} // namespace

std::optional<Format> format_of(std::string_view name)
{
	const auto *const found = std::ranges::find(names, name);
	if (found == names.end())
		return std::nullopt;
	return static_cast<Format>(found - names.begin());
}

const char *name_of(Format format)
{
	return names.at(static_cast<std::size_t>(format));
}

Summary summary_of(const Json &record, std::string_view line)
{
	Summary summary;
	const auto time = time_of(record, "@timestamp");
	if (time != 0) {
		audit::append_time(summary.time, time);
		summary.time.replace(summary.time.size() - std::string_view("789Z").size(), 4, "Z");
	} else {
		summary.time = "-";
	}
	summary.host = printable_ascii(text(record, "host.name"), 255);
	summary.id = printable_ascii(text(record, "event.action"), 32);
	summary.severity = severity_of(record);
	const auto people = audit::for_people(line, false);
	if (time != 0 && people && people->size() > clock_width)
		summary.sentence = people->substr(clock_width);
	else // of a kind that people get no line of its own for
		summary.sentence = audit::printable(text(record, "event.reason"));
	return summary;
}

Result<Summary> summarize(std::string_view line)
{
	const auto record = parse_record(line);
	if (!record)
		return std::unexpected(record.error());
	return summary_of(*record, line);
}

Result<std::vector<std::pair<std::string, std::string>>> fields_of(std::string_view line)
{
	const auto record = parse_record(line);
	if (!record)
		return std::unexpected(record.error());
	std::vector<std::pair<std::string, std::string>> all;
	for_each_field(*record,
		       [&](const std::string &name, const std::string &value) { all.emplace_back(name, value); });
	return all;
}

Result<std::string> convert(Format format, std::string_view line)
{
	const auto record = parse_record(line);
	if (!record)
		return std::unexpected(record.error());
	switch (format) {
	case Format::ecs:
		return std::string(line);
	case Format::ocsf:
		return ocsf(*record, line);
	case Format::cef:
		return cef(*record, line);
	case Format::syslog:
		return syslog(*record, line);
	}
	return fail("a format that this version does not know");
}

} // namespace weir::formats
