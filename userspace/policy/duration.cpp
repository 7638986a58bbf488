// SPDX-License-Identifier: Apache-2.0
#include "policy/duration.h"

#include "policy/text.h"

#include <array>
#include <charconv>

namespace weir::policy {
namespace {

struct Unit {
	char letter;
	std::uint32_t seconds;
};

constexpr std::array<Unit, 3> units = {{{'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr std::string_view duration_forms = "write it like \"90s\", \"30m\", \"4h\" or \"1h30m\"";

std::unexpected<Error> bad_duration(std::string_view text, std::string_view what,
				    std::string_view hint = duration_forms)
{
	return fail(Exit::policy, in_quotes(text) + ' ' + std::string(what) + '\n' + std::string(hint));
}

} // namespace

Result<std::uint32_t> parse_duration(std::string_view text)
{
	if (text.starts_with('-')) {
		return bad_duration(text, "is negative");
	}
	std::uint64_t total = 0;
	std::size_t next_unit = 0; // each unit once, the longest first
	for (std::string_view rest = text; !rest.empty();) {
		std::uint64_t number = 0;
		const auto [stopped, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
		if (problem == std::errc::result_out_of_range || number > longest_window) {
			return bad_duration(text, "is longer than a day",
					    "a window is an exception: use at most \"24h\"");
		}
		const auto digits = static_cast<std::size_t>(stopped - rest.data());
		if (problem != std::errc{} || !is_digit(rest.front())) {
			return bad_duration(text, "is not a duration");
		}
		rest.remove_prefix(digits);
		if (rest.empty()) {
			return bad_duration(text, "has no unit");
		}
		while (next_unit < units.size() && units[next_unit].letter != rest.front()) {
			next_unit++;
		}
		if (next_unit == units.size()) {
			return bad_duration(text, "is not a duration");
		}
		total += number * units[next_unit++].seconds;
		rest.remove_prefix(1);
	}
	if (text.empty()) {
		return bad_duration(text, "is not a duration");
	}
	if (total == 0) {
		return bad_duration(text, "is no time at all");
	}
	if (total > longest_window) {
		return bad_duration(text, "is longer than a day", "a window is an exception: use at most \"24h\"");
	}
	return static_cast<std::uint32_t>(total);
}

std::string duration_text(std::uint32_t seconds)
{
	std::string out;
	for (const Unit &unit : units) {
		if (seconds >= unit.seconds) {
			out += std::to_string(seconds / unit.seconds) + unit.letter;
			seconds %= unit.seconds;
		}
	}
	return out.empty() ? "0s" : out;
}

} // namespace weir::policy
