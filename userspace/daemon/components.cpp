// SPDX-License-Identifier: Apache-2.0
#include "daemon/components.h"

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
}

void Components::follow(Records &records)
{
	const auto followed = kernel::follow_components(where_);
	if (!followed) {
		if (followed.error().code != Exit::absent && complaint_.is_due())
			tell(records, {.action = "component_unheld",
				       .text = on_one_line("components cannot be followed, trying on: " +
							   followed.error().message),
				       .failed = true});
		return;
	}
	std::vector<audit::ComponentRecord> problems;
	for (const auto &change : followed->changes) {
		auto record = record_of(change, followed->policy);
		if (record.failed)
			problems.push_back(std::move(record));
		else
			tell(records, record);
	}
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
	if (records.is_jammed())
		return;
	audit::append_component_json(records.line(), record, where_.instance, clock_ns(CLOCK_REALTIME));
	records.put();
}

} // namespace weir::daemon
