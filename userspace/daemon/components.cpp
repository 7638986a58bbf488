// SPDX-License-Identifier: Apache-2.0
#include "daemon/components.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

namespace weir::daemon {
namespace {

/// Of the lines of a message: "two match: a; b".
std::string on_one_line(std::string text)
{
	for (auto at = text.find("\n  "); at != std::string::npos; at = text.find("\n  ", at))
		text.replace(at, 3, at > 0 && text[at - 1] == ':' ? " " : "; ");
	return text;
}

audit::ComponentRecord record_of(const kernel::ComponentChange &change, const BoundPolicy &policy)
{
	using What = kernel::ComponentChange::What;
	const auto &scope = policy.scopes.at(change.scope);
	audit::ComponentRecord record{.action = "component_held",
				      .components = scope.components,
				      .where = scope.cgroup,
				      .cgroup = change.cgroup,
				      .text = on_one_line(change.text)};
	switch (change.what) {
	case What::held:
		record.gap = {change.gap_ns, change.processes, change.sockets};
		break;
	case What::gone:
		record.action = "component_gone";
		break;
	case What::ambiguous:
		record.action = "component_ambiguous";
		record.failed = true;
		break;
	case What::unheld:
		record.action = "component_unheld";
		record.failed = true;
		break;
	}
	return record;
}

} // namespace

void Components::look(Records &records)
{
	// Emptied before the look: what changes meanwhile is looked at again.
	if (watch_ && watch_->drain())
		follow(records);
}

void Components::tick(Records &records)
{
	if (!watch_) {
		if (auto watch = kernel::ComponentWatch::open())
			watch_ = std::move(*watch);
		else if (deaf_.is_due())
			say("cannot hear of cgroups that appear, so looks for them each second: " +
			    watch.error().message);
	} else if (watch_->is_short_sighted() && deaf_.is_due()) {
		say("cannot watch every cgroup of this host, so looks at all of them each second\n  raise "
		    "fs.inotify.max_user_watches");
	}
	if (watch_)
		watch_->drain();
	follow(records);
	put_kept(records);
}

void Components::follow(Records &records)
{
	const auto followed = kernel::follow_components(where_);
	if (!followed) {
		is_left_ = true; // it may have held some
		if (followed.error().code != Exit::absent && complaint_.is_due())
			tell(records, {.action = "component_unheld",
				       .text = on_one_line("components cannot be followed, trying on: " +
							   followed.error().message),
				       .failed = true});
		return;
	}
	if (std::exchange(is_left_, false))
		tell_left(records, *followed);
	std::vector<audit::ComponentRecord> problems;
	for (const auto &change : followed->changes) {
		auto record = record_of(change, followed->policy);
		if (record.failed)
			problems.push_back(std::move(record));
		else
			tell(records, record);
	}
	if (!followed->changes.empty())
		note();
	if (problems.empty()) {
		if (complaint_.settle())
			tell(records, {.action = "component_solved", .text = "every component that runs is held"});
	} else if (complaint_.is_due()) {
		for (const auto &problem : problems)
			tell(records, problem);
	}
}

void Components::tell(Records &records, const audit::ComponentRecord &record)
{
	say("components: " + record.text);
	std::string line;
	audit::append_component_json(line, record, where_.instance, clock_ns(CLOCK_REALTIME));
	if (!record.failed) {
		keep(line);
		put_kept(records);
	} else if (!records.is_jammed()) { // it is told again
		records.line().append(line);
		records.put();
	}
}

void Components::keep(const std::string &line)
{
	constexpr std::size_t most = 1000;
	if (kept_.size() < most)
		kept_.push_back({line});
}

void Components::put_kept(Records &records)
{
	for (auto &each : kept_) {
		if (each.is_put)
			continue;
		if (records.is_jammed())
			return;
		records.line().append(each.line);
		records.put();
		each.is_put = true;
	}
}

/// What a run left in the note that was killed: records that nobody has written, and what it was about to hold.
void Components::tell_left(Records &records, const kernel::Followed &followed)
{
	const auto path = kernel::note_path(where_, kernel::components_note);
	std::ifstream file(path ? *path : "");
	for (std::string line; std::getline(file, line);) {
		if (line.starts_with('{')) {
			line += '\n';
			if (std::ranges::find(kept_, line, &Kept::line) == kept_.end())
				keep(line);
			continue;
		}
		std::istringstream words(line);
		std::size_t scope = 0;
		std::uint64_t id = 0;
		std::string cgroup;
		struct stat status{};
		if (!(words >> scope >> id >> std::ws && std::getline(words, cgroup)) ||
		    scope >= followed.policy.scopes.size() || ::stat(cgroup.c_str(), &status) != 0 ||
		    status.st_ino != id ||
		    std::ranges::find(followed.changes, cgroup, &kernel::ComponentChange::cgroup) !=
			    followed.changes.end())
			continue; // it is no more, or is told of now
		const auto &about = followed.policy.scopes[scope];
		tell(records,
		     {.action = "component_held",
		      .components = about.components,
		      .where = about.cgroup,
		      .cgroup = cgroup,
		      .text = fmt::format("{} ({}) is held, by a run that was killed before it could record it: "
					  "for how long it was there before is not known",
					  cgroup, fmt::join(about.components, ", "))});
	}
	put_kept(records);
	note();
}

/// In the place of what was in the note: all of it is among these, or needs no record.
void Components::note() const
{
	const auto path = kernel::note_path(where_, kernel::components_note);
	if (!path)
		return;
	const auto fresh = *path + ".new";
	std::ofstream file(fresh, std::ios::trunc);
	for (const auto &each : kept_)
		file << each.line;
	file.close();
	if (file)
		std::rename(fresh.c_str(), path->c_str());
}

void Components::written()
{
	if (std::erase_if(kept_, [](const Kept &each) { return each.is_put; }) != 0)
		note();
}

} // namespace weir::daemon
