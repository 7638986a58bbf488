// SPDX-License-Identifier: Apache-2.0
#include "daemon/windows.h"

#include "policy/policy.h"
#include "policy/windows.h"

#include <nlohmann/json.hpp>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace weir::daemon {
namespace {

std::uint64_t boot_ns()
{
	return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
}

/// UNIX time of a moment of the boot clock, as the wall clock is now.
std::int64_t wall(std::uint64_t moment)
{
	return clock_ns(CLOCK_REALTIME) + static_cast<std::int64_t>(moment - boot_ns());
}

Result<BoundPolicy> policy_of(const Image &image)
{
	const auto text = text_of(image);
	return text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
}

std::pair<std::string, std::uint64_t> key_of(const Opening &opening)
{
	return {opening.window, opening.deadline};
}

std::uint64_t first_end(const BoundPolicy &policy)
{
	std::uint64_t first = 0;
	for (const auto &row : policy.rows)
		if (row.deadline != 0 && (first == 0 || row.deadline < first))
			first = row.deadline;
	return first;
}

/// How often the window's rows decided since this policy was published.
std::uint64_t decided_by(const std::string &window, const BoundPolicy &policy,
			 const std::vector<std::uint64_t> &tallies)
{
	std::uint64_t sum = 0;
	for (std::size_t row = 0; row < std::min(policy.rows.size(), tallies.size()); ++row)
		if (policy.rows[row].window == window)
			sum += tallies[row];
	return sum;
}

} // namespace

Windows::Windows(kernel::Where where)
	: where_(std::move(where)), timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC))
{
	recall();
}

void Windows::look(Records &records)
{
	if (next_ == 0 || std::max(next_, retry_) > boot_ns())
		return;
	end(records);
	tell(records);
}

void Windows::tick(Records &records)
{
	const auto generation = kernel::read_generation(where_);
	if (generation && *generation != generation_) {
		read();
	} else if (!generation && generation.error().code == Exit::absent) { // it was removed, and all with it
		generation_ = 0;
		next_ = 0;
		openings_.clear();
		is_read_ = true;
	}
	look(records);
	tell(records);
}

void Windows::read()
{
	const auto image = kernel::read_image(where_);
	const auto policy = image ? policy_of(*image) : Result<BoundPolicy>(std::unexpected(image.error()));
	if (!policy)
		return; // what is wrong with it, status tells; the next tick asks again
	generation_ = image->header().generation;
	openings_ = policy->openings;
	is_read_ = true;
	next_ = first_end(*policy);
	set_timer();
}

void Windows::set_timer()
{
	itimerspec when{};
	const auto at = next_ == 0 ? 0 : std::max(next_, retry_);
	when.it_value.tv_sec = static_cast<time_t>(at / second);
	when.it_value.tv_nsec = static_cast<long>(at % second);
	::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

/// The rows that ended admit nothing any more, by the kernel's clock. Here their connections go, and then they do.
void Windows::end(Records &records)
{
	const auto now = boot_ns();
	std::string problem;
	const auto image = kernel::read_image(where_);
	const auto before = image ? policy_of(*image) : Result<BoundPolicy>(std::unexpected(image.error()));
	const auto cut = before ? kernel::cut_ended(where_, *before)
				: Result<kernel::Cut>(std::unexpected(before.error()));
	if (!cut)
		problem = cut.error().message;
	else if (!cut->problems.empty())
		problem = cut->problems.front();
	if (cut)
		for (const auto &opening : before->openings)
			if (opening.closed == 0 && opening.deadline <= now)
				cut_[key_of(opening)] = {cut->connections.size(),
							 decided_by(opening.window, *before, tallies_of(*image))};
	constexpr int patience = 0; // while it waited for others, no event would be read
	const auto changed = kernel::change(
		where_,
		[](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
			return policy::without_expired(policy, boot_ns());
		},
		patience);
	retry_ = 0;
	if (changed && *changed)
		records.published(**changed);
	if (!changed) {
		problem = changed.error().message;
		retry_ = now + second;
	}
	read();
	set_timer();
	if (problem.empty())
		complaint_.settle();
	else if (complaint_.is_due())
		say("a window has ended, and the kernel refuses what it admitted, but: " + problem);
}

void Windows::tell(Records &records)
{
	for (const auto &opening : openings_)
		if (!tell(records, opening))
			return; // in their order: what comes later waits, too
	cut_.clear();
	if (!is_read_)
		return;
	for (auto at = told_.begin(); at != told_.end();) {
		if (remembers(at->first)) {
			++at;
			continue;
		}
		if (!tell_gone(records, at->first, at->second))
			return;
		at = told_.erase(at);
	}
}

bool Windows::remembers(const Key &key) const
{
	return std::ranges::any_of(openings_, [&](const Opening &one) { return key_of(one) == key; });
}

/// It was open when it was last looked at, and no policy knows of it any more: that went, with its rows. False when there
/// is no room.
bool Windows::tell_gone(Records &records, const Key &key, const Told &told)
{
	const bool goes_on = std::ranges::any_of(openings_, [&](const Opening &one) { // with another end
		return one.window == key.first && one.opened == told.opened;
	});
	if (told.ended || goes_on)
		return true;
	const auto until = wall(key.second);
	return put(records, {.action = "window_closed",
			     .name = key.first,
			     .by = "",
			     .reason = "the policy that it was opened in is no longer in force",
			     .opened_by = told.by,
			     .opened_reason = told.reason,
			     .opened = told.opened,
			     .until = until,
			     .at = std::min(until, clock_ns(CLOCK_REALTIME))});
}

/// How an opening that wasn't told of began.
std::string Windows::beginning(const Opening &opening) const
{
	const bool extends = std::ranges::any_of(openings_, [&](const Opening &one) {
		return &one < &opening && one.window == opening.window && one.opened == opening.opened;
	});
	const bool replaces = std::ranges::any_of(told_, [&](const auto &each) {
		return each.first.first == opening.window && each.second.opened == opening.opened;
	});
	return extends ? "window_extended" : replaces ? "window_shortened" : "window_opened";
}

/// False when there is no room.
bool Windows::tell(Records &records, const Opening &opening)
{
	audit::WindowChange change{.name = opening.window,
				   .by = opening.by,
				   .reason = opening.reason,
				   .opened_by = opening.by,
				   .opened_reason = opening.reason,
				   .opened = opening.opened,
				   .until = wall(opening.deadline),
				   .at = opening.opened};
	if (!told_.contains(key_of(opening))) {
		change.action = beginning(opening);
		if (change.action != "window_opened")
			change.at = clock_ns(CLOCK_REALTIME);
		if (change.action == "window_shortened") // by a policy that was applied
			change.by = change.reason = "";
		if (!put(records, change))
			return false;
		told_[key_of(opening)] = {.opened = opening.opened, .by = opening.by, .reason = opening.reason};
	}
	return tell_end(records, opening, std::move(change));
}

bool Windows::tell_end(Records &records, const Opening &opening, audit::WindowChange change)
{
	auto &told = told_[key_of(opening)];
	if (told.ended || (opening.closed == 0 && opening.deadline > boot_ns()))
		return true;
	const bool goes_on = std::ranges::any_of(openings_, [&](const Opening &one) {
		return &one > &opening && one.window == opening.window && one.opened == opening.opened;
	});
	change.action = opening.closed != 0 ? "window_closed" : "window_expired";
	change.at = opening.closed != 0 ? opening.closed : change.until;
	change.by = opening.closed_by;
	change.reason = opening.closed_reason;
	if (const auto cut = cut_.find(key_of(opening)); cut != cut_.end()) {
		change.cut = cut->second.cut;
		change.decided = cut->second.decided;
	}
	if (!goes_on && !put(records, change))
		return false;
	told.ended = true;
	unwritten_ = true;
	return true;
}

bool Windows::put(Records &records, const audit::WindowChange &change)
{
	if (records.is_jammed())
		return false;
	say(audit::text_of(change));
	audit::append_window_json(records.line(), change, where_.instance, clock_ns(CLOCK_REALTIME));
	records.put();
	unwritten_ = true;
	return true;
}

// A line of JSON for each opening. It stands beside the locks, so it goes with the next boot, as windows do.
void Windows::recall()
{
	const auto path = kernel::note_path(where_, "windows");
	std::ifstream file(path ? *path : "");
	for (std::string line; std::getline(file, line);) {
		const auto json = nlohmann::json::parse(line, nullptr, false);
		if (json.is_object())
			told_[{json.value("name", ""), json.value("deadline", std::uint64_t{0})}] = {
				.opened = json.value("opened", std::int64_t{0}),
				.ended = json.value("ended", false),
				.by = json.value("by", ""),
				.reason = json.value("reason", "")};
	}
}

void Windows::written()
{
	if (!unwritten_)
		return;
	const auto path = kernel::note_path(where_, "windows");
	if (!path)
		return;
	const auto fresh = *path + ".new";
	std::ofstream file(fresh, std::ios::trunc);
	for (const auto &[key, told] : told_)
		file << nlohmann::json{{"name", key.first},   {"deadline", key.second}, {"opened", told.opened},
				       {"ended", told.ended}, {"by", told.by},          {"reason", told.reason}}
				.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)
		     << '\n';
	file.close();
	// Without the note the next run tells again: better than not at all.
	if (file && std::rename(fresh.c_str(), path->c_str()) == 0)
		unwritten_ = false;
}

} // namespace weir::daemon
