// SPDX-License-Identifier: Apache-2.0
#include "report/page_text.h"

#include "audit/events_view.h"
#include "audit/json.h"

#include <fmt/format.h>

namespace weir::report {

std::string escaped(std::string_view text)
{
	std::string out;
	for (const char c : audit::printable(text)) {
		switch (c) {
		case '&':
			out += "&amp;";
			break;
		case '<':
			out += "&lt;";
			break;
		case '>':
			out += "&gt;";
			break;
		case '"':
			out += "&quot;";
			break;
		case '\'':
			out += "&#39;";
			break;
		default:
			out += c;
		}
	}
	return out;
}

std::string joined(const std::set<std::string> &all)
{
	return escaped(fmt::format("{}", fmt::join(all, ", ")));
}

std::string utc(std::int64_t time)
{
	if (time == 0)
		return "–";
	std::string text;
	audit::append_time(text, time);
	text[10] = ' ';
	return text.substr(0, 19);
}

std::string when(std::int64_t time)
{
	const auto text = utc(time);
	return time == 0 ? text
			 : fmt::format("<span class=\"t\">{}</span> <span class=\"t\">{}</span>", text.substr(0, 10),
				       text.substr(11));
}

std::string grouped(std::uint64_t value)
{
	auto digits = std::to_string(value);
	for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
		digits.insert(static_cast<std::size_t>(at), "\u202f");
	return digits;
}

std::string lasting(std::int64_t ns)
{
	const auto seconds = static_cast<double>(ns) / 1e9;
	if (ns <= 0)
		return "";
	if (seconds < 1)
		return fmt::format("{:.0f} ms", seconds * 1e3);
	if (seconds < 120)
		return fmt::format("{:.0f} s", seconds);
	if (seconds < 7200)
		return fmt::format("{:.0f} min", seconds / 60);
	if (seconds < 172800)
		return fmt::format("{:.1f} h", seconds / 3600);
	return fmt::format("{:.1f} d", seconds / 86400);
}

} // namespace weir::report
