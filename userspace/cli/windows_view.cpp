// SPDX-License-Identifier: Apache-2.0
#include "cli/windows_view.h"

#include "audit/events_view.h"
#include "audit/json.h"
#include "compile/image.h"
#include "policy/duration.h"
#include "policy/hosts.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t second = 1'000'000'000;

std::int64_t clock_ns(clockid_t clock)
{
	timespec now{};
	::clock_gettime(clock, &now);
	return now.tv_sec * static_cast<std::int64_t>(second) + now.tv_nsec;
}

/// "WHAT is empty\n  give it a value", out of a phrase with its hint.
std::unexpected<Error> usage(const std::string &what, const std::string &phrase)
{
	const auto line = phrase.find('\n');
	return fail(Exit::usage, what + ' ' + phrase.substr(0, line) +
					 (line == std::string::npos ? "" : "\n  " + phrase.substr(line + 1)));
}

bool is_open(const Opening &opening, const Moment &now)
{
	return opening.closed == 0 && opening.deadline > now.boot_ns;
}

std::uint64_t seconds_left(const Opening &opening, const Moment &now)
{
	return (opening.deadline - now.boot_ns + second - 1) / second;
}

std::int64_t ended_at(const Opening &opening, const Moment &now)
{
	return opening.closed != 0 ? opening.closed : now.wall(opening.deadline);
}

ordered_json row_json(const BoundRow &bound)
{
	const auto &row = bound.row;
	return {{"id", row.id},
		{"dir", policy::text_of(row.dir)},
		{"source", row.source},
		{"destination", row.destination},
		{"port", row.port.text()}};
}

std::string row_text(const BoundRow &bound)
{
	const auto &row = bound.row;
	return fmt::format("  {}: {} {} -> {} {}\n", row.id, policy::text_of(row.dir), row.source, row.destination,
			   row.port.text());
}

} // namespace

Moment Moment::now()
{
	return {.unix_ns = clock_ns(CLOCK_REALTIME), .boot_ns = static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME))};
}

std::int64_t Moment::wall(std::uint64_t boot) const
{
	return unix_ns + static_cast<std::int64_t>(boot - boot_ns);
}

Result<> check_reason(const std::string &reason)
{
	constexpr std::size_t most = 200;
	if (auto complaint = policy::text_complaint(reason, false); !complaint.empty())
		return usage("--reason", complaint);
	if (reason.size() > most)
		return usage("--reason", fmt::format("is longer than {} bytes\nshorten it, or name a ticket", most));
	return {};
}

Result<policy::WindowRequest> window_request(const std::string &name, const std::string &length,
					     const std::string &reason, bool extend, const std::string &by,
					     const Moment &now)
{
	if (auto complaint = policy::id_complaint(name); !complaint.empty())
		return usage("the window's name " + policy::in_quotes(name), complaint);
	const auto seconds = policy::parse_duration(length);
	if (!seconds)
		return usage("--for:", seconds.error().message);
	if (auto good = check_reason(reason); !good)
		return std::unexpected(std::move(good).error());
	return policy::WindowRequest{.name = name,
				     .seconds = *seconds,
				     .by = by,
				     .reason = reason,
				     .extend = extend,
				     .unix_ns = now.unix_ns,
				     .boot_ns = now.boot_ns};
}

std::string approved_digest(const BoundPolicy &policy)
{
	return hex(digest_of(policy::approved_text(policy)));
}

std::string utc(std::int64_t unix_ns)
{
	std::string text;
	audit::append_time(text, unix_ns);
	return text;
}

ordered_json rows_json(const std::vector<BoundRow> &rows, const std::string &window)
{
	ordered_json all = ordered_json::array();
	for (const auto &row : rows)
		if (row.window == window)
			all.push_back(row_json(row));
	return all;
}

ordered_json windows_json(const BoundPolicy &policy, const Moment &now)
{
	ordered_json open = ordered_json::array(), ended = ordered_json::array(), allowed = ordered_json::array();
	for (const auto &each : policy.openings) {
		ordered_json facts = {{"window", each.window},
				      {"opened", utc(each.opened)},
				      {"by", each.by},
				      {"reason", each.reason},
				      {"until", utc(now.wall(each.deadline))}};
		if (is_open(each, now)) {
			facts["seconds_left"] = seconds_left(each, now);
			facts["rows"] = rows_json(policy.rows, each.window);
			open.push_back(std::move(facts));
			continue;
		}
		facts["ended"] = utc(ended_at(each, now));
		facts["how"] = each.closed != 0 ? "closed" : "expired";
		if (each.closed != 0) {
			facts["closed_by"] = each.closed_by;
			facts["closed_reason"] = each.closed_reason;
		}
		ended.push_back(std::move(facts));
	}
	for (const auto &each : policy.windows) {
		ordered_json rows = ordered_json::array();
		for (const auto &row : each.rows)
			rows.push_back(row_json(row));
		allowed.push_back({{"window", each.name}, {"longest_seconds", each.longest}, {"rows", rows}});
	}
	return {{"open", open}, {"ended", ended}, {"allowed", allowed}};
}

std::string rows_text(const std::vector<BoundRow> &rows, const std::string &window)
{
	std::string text;
	for (const auto &row : rows)
		if (row.window == window)
			text += row_text(row);
	return text;
}

std::string open_windows_text(const BoundPolicy &policy, const Moment &now)
{
	std::string text;
	for (const auto &each : policy.openings)
		if (is_open(each, now))
			text += fmt::format("  {}: open until {}, {} left; since {}\n    by {}: {}\n", each.window,
					    audit::local_time(now.wall(each.deadline)),
					    policy::duration_text(static_cast<std::uint32_t>(seconds_left(each, now))),
					    audit::local_time(each.opened), audit::printable(each.by),
					    audit::printable(each.reason));
	return text;
}

std::string ended_windows_text(const BoundPolicy &policy, const Moment &now)
{
	std::string text;
	for (const auto &each : policy.openings) {
		if (is_open(each, now))
			continue;
		text += fmt::format("  {}: {} {}; opened {}\n    by {}: {}\n", each.window,
				    each.closed != 0 ? "closed" : "expired", audit::local_time(ended_at(each, now)),
				    audit::local_time(each.opened), audit::printable(each.by),
				    audit::printable(each.reason));
		if (each.closed != 0)
			text += fmt::format("    closed by {}{}{}\n", audit::printable(each.closed_by),
					    each.closed_reason.empty() ? "" : ": ",
					    audit::printable(each.closed_reason));
	}
	return text;
}

std::string allowed_windows_text(const BoundPolicy &policy)
{
	std::string text;
	for (const auto &each : policy.windows) {
		text += fmt::format("  {}: for at most {}\n", each.name, policy::duration_text(each.longest));
		for (const auto &row : each.rows)
			text += "  " + row_text(row);
	}
	return text;
}

} // namespace weir::cli
