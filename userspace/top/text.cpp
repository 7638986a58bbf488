// SPDX-License-Identifier: Apache-2.0
#include "top/text.h"

#include "audit/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cwchar>

namespace weir::top {
namespace {

struct Shown {
	std::string_view bytes;
	std::size_t cells;
	std::size_t size; ///< bytes of the text that this was
};

/// The first character of `text`, which is not empty. Whatever a cell can't hold, control characters among it, is "?".
Shown first_of(std::string_view text)
{
	const auto [value, size] = audit::decode_utf8(text);
	const int cells = audit::is_hostile(value) ? -1 : ::wcwidth(static_cast<wchar_t>(value));
	const bool broken = value == 0xfffd && size == 1;
	if (cells < 0 || broken)
		return {"?", 1, size};
	return {text.substr(0, size), static_cast<std::size_t>(cells), size};
}

std::string scaled(double value)
{
	static constexpr std::array units{"k", "M", "G", "T", "P", "E"};
	std::size_t unit = 0;
	for (value /= 1000; value >= 999.5 && unit + 1 < units.size(); value /= 1000)
		unit++;
	const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	return fmt::format("{:.{}f}{}", value, digits, units[unit]);
}

} // namespace

std::size_t width_of(std::string_view text)
{
	std::size_t cells = 0;
	while (!text.empty()) {
		const auto each = first_of(text);
		cells += each.cells;
		text.remove_prefix(each.size);
	}
	return cells;
}

std::string fit(std::string_view text, std::size_t width, bool right)
{
	const auto all = width_of(text);
	const bool cut = all > width;
	const auto room = cut && width > 0 ? width - 1 : width;
	std::string out;
	std::size_t used = 0;
	for (auto rest = text; !rest.empty();) {
		const auto each = first_of(rest);
		if (used + each.cells > room)
			break;
		out.append(each.bytes);
		used += each.cells;
		rest.remove_prefix(each.size);
	}
	if (cut && width > 0) {
		out.append(room - used, ' ').append("~");
		used = width;
	}
	if (right)
		out.insert(0, width - used, ' ');
	else
		out.append(width - used, ' ');
	return out;
}

std::string rate_text(double per_second)
{
	if (per_second <= 0)
		return "0";
	if (per_second < 0.1)
		return "<0.1";
	if (per_second < 9.95)
		return fmt::format("{:.1f}", per_second);
	if (per_second < 9999.5)
		return fmt::format("{:.0f}", per_second);
	return scaled(per_second);
}

std::string count_text(std::uint64_t count)
{
	return count < 1'000'000 ? fmt::format("{}", count) : scaled(static_cast<double>(count));
}

std::string span_text(std::int64_t seconds)
{
	seconds = std::max<std::int64_t>(seconds, 0);
	if (seconds < 60)
		return fmt::format("{}s", seconds);
	if (seconds < 3600)
		return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
	if (seconds < 86400)
		return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
	return fmt::format("{}d", seconds / 86400);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::size_t most)
{
	std::vector<std::string> lines;
	while (!text.empty() && lines.size() < most && width > 0) {
		std::size_t end = 0, blank = 0;
		for (std::size_t used = 0; end < text.size();) {
			const auto each = first_of(text.substr(end));
			if (used + each.cells > width)
				break;
			if (each.bytes == " ")
				blank = end;
			used += each.cells;
			end += each.size;
		}
		const bool is_last = end >= text.size() || lines.size() + 1 == most;
		if (is_last || end == 0) { // nothing fits: one character wider than the line
			lines.push_back(fit(text, std::min(width, width_of(text))));
			break;
		}
		const auto cut = text[end] == ' ' || blank == 0 ? end : blank;
		lines.push_back(fit(text.substr(0, cut), width_of(text.substr(0, cut))));
		text.remove_prefix(cut);
		text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
	}
	return lines;
}

} // namespace weir::top
