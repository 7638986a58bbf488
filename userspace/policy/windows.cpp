// SPDX-License-Identifier: Apache-2.0
#include "policy/windows.h"

#include "policy/duration.h"
#include "policy/text.h"

#include <algorithm>

namespace weir::policy {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

bool is_open(const Opening &opening, std::uint64_t boot_ns)
{
	return opening.closed == 0 && opening.deadline > boot_ns;
}

const Window *window_of(const BoundPolicy &policy, const std::string &name)
{
	const auto window = std::ranges::find(policy.windows, name, &Window::name);
	return window == policy.windows.end() ? nullptr : &*window;
}

std::unexpected<Error> no_such_window(const BoundPolicy &policy, const std::string &name)
{
	std::vector<std::string> names;
	std::string all;
	for (const Window &window : policy.windows) {
		names.push_back(window.name);
		all += (all.empty() ? "there are: " : ", ") + window.name;
	}
	const std::string near = did_you_mean(name, names);
	return fail(Exit::policy, "the policy in force has no window " + in_quotes(name) + "\n  " +
					  (!near.empty()  ? near
					   : !all.empty() ? all
							  : "a site allows one: [windows." + name + "]"));
}

/// The latest opening of that window whose rows are in force.
std::vector<Opening>::iterator open_one(BoundPolicy &policy, const std::string &name)
{
	const auto is_it = [&](const Opening &opening) { return opening.window == name && opening.closed == 0; };
	const bool has_rows = std::ranges::find(policy.rows, name, &BoundRow::window) != policy.rows.end();
	const auto last = std::ranges::find_if(policy.openings.rbegin(), policy.openings.rend(), is_it);
	return !has_rows || last == policy.openings.rend() ? policy.openings.end() : std::prev(last.base());
}

void take_out(BoundPolicy &policy, const std::string &name)
{
	std::erase_if(policy.rows, [&](const BoundRow &row) { return row.window == name; });
}

void put_in(BoundPolicy &policy, const Window &window, std::uint64_t deadline)
{
	for (const BoundRow &row : window.rows) {
		BoundRow &open = policy.rows.emplace_back(row);
		open.deadline = deadline;
		open.window = window.name;
	}
}

/// The oldest that are over make room: of those that are open there are no more than windows.
void forget_old(BoundPolicy &policy, std::uint64_t boot_ns)
{
	while (policy.openings.size() > most_openings) {
		const auto over = std::ranges::find_if(
			policy.openings, [&](const Opening &opening) { return !is_open(opening, boot_ns); });
		policy.openings.erase(over == policy.openings.end() ? policy.openings.begin() : over);
	}
}

Result<> is_sensible(const BoundPolicy &policy, const WindowRequest &request)
{
	const Window *window = window_of(policy, request.name);
	if (window == nullptr) {
		return no_such_window(policy, request.name);
	}
	if (request.seconds == 0) {
		return fail(Exit::usage, "a window of no time is none\n  say how long, such as: --for 30m");
	}
	if (const std::string complaint = text_complaint(request.reason, false); !complaint.empty()) {
		return fail(Exit::usage, "the reason " + complaint.substr(0, complaint.find('\n')) +
						 "\n  say why, such as: --reason \"update of the packages\"");
	}
	if (request.seconds > window->longest) {
		return fail(Exit::policy, duration_text(request.seconds) + " is longer than the site allows for " +
						  in_quotes(request.name) + "\n  open it for at most " +
						  duration_text(window->longest));
	}
	return {};
}

} // namespace

Result<BoundPolicy> open_window(const BoundPolicy &in_force, const WindowRequest &request)
{
	if (const Result<> good = is_sensible(in_force, request); !good) {
		return std::unexpected(good.error());
	}
	BoundPolicy policy = without_expired(in_force, request.boot_ns).value_or(in_force);
	const auto before = open_one(policy, request.name);
	const bool again = before != policy.openings.end();
	if (again && !request.extend) {
		return fail(Exit::policy, "the window " + in_quotes(request.name) + " is open already, by " +
						  before->by + ": " + before->reason +
						  "\n  close it, or give it another end with --extend");
	}
	if (!again && request.extend) {
		return fail(Exit::policy,
			    "the window " + in_quotes(request.name) +
				    " is not open: there is nothing to extend\n  open it without --extend");
	}
	const std::uint64_t lasts = request.seconds * second;
	Opening opening{request.name,
			request.unix_ns,
			request.unix_ns + static_cast<std::int64_t>(lasts),
			request.boot_ns + lasts,
			request.by,
			request.reason};
	if (again) {
		opening.opened = before->opened;
		before->closed = request.unix_ns;
		before->closed_by = request.by;
		before->closed_reason = "another end: " + request.reason;
	}
	take_out(policy, request.name);
	put_in(policy, *window_of(policy, request.name), opening.deadline);
	policy.openings.push_back(std::move(opening));
	forget_old(policy, request.boot_ns);
	return policy;
}

Result<BoundPolicy> close_window(const BoundPolicy &in_force, const std::string &name, const std::string &by,
				 const std::string &reason, std::int64_t unix_ns)
{
	if (window_of(in_force, name) == nullptr) {
		return no_such_window(in_force, name);
	}
	BoundPolicy policy = in_force;
	const auto opening = open_one(policy, name);
	if (opening == policy.openings.end()) {
		return fail(Exit::policy,
			    "the window " + in_quotes(name) + " is not open\n  weir window list shows which are");
	}
	opening->closed = unix_ns;
	opening->closed_by = by;
	opening->closed_reason = reason;
	take_out(policy, name);
	return policy;
}

std::optional<BoundPolicy> without_expired(const BoundPolicy &in_force, std::uint64_t boot_ns)
{
	const auto is_over = [&](const BoundRow &row) { return row.deadline != 0 && row.deadline <= boot_ns; };
	if (std::ranges::none_of(in_force.rows, is_over)) {
		return std::nullopt;
	}
	BoundPolicy policy = in_force;
	std::erase_if(policy.rows, is_over);
	return policy;
}

BoundPolicy carry_windows(const BoundPolicy &old, BoundPolicy fresh, std::uint64_t boot_ns, std::int64_t unix_ns)
{
	for (Opening opening : old.openings) {
		const Window *window = window_of(fresh, opening.window);
		if (is_open(opening, boot_ns) && window == nullptr) {
			opening.closed = unix_ns;
			opening.closed_by = "weir apply";
			opening.closed_reason = "the policy that was applied has no such window";
		} else if (is_open(opening, boot_ns)) {
			const std::uint64_t latest = boot_ns + window->longest * second;
			if (latest < opening.deadline) {
				opening.ends -= static_cast<std::int64_t>(opening.deadline - latest);
				opening.deadline = latest;
			}
			put_in(fresh, *window, opening.deadline);
		}
		fresh.openings.push_back(std::move(opening));
	}
	forget_old(fresh, boot_ns);
	return fresh;
}

std::vector<Opening> open_now(const BoundPolicy &policy, std::uint64_t boot_ns)
{
	std::vector<Opening> open;
	std::ranges::copy_if(policy.openings, std::back_inserter(open),
			     [&](const Opening &opening) { return is_open(opening, boot_ns); });
	return open;
}

} // namespace weir::policy
