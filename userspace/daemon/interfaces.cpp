// SPDX-License-Identifier: Apache-2.0
#include "daemon/interfaces.h"

#include <string_view>
#include <vector>

namespace weir::daemon {
namespace {

/// What kernel::cover() says of an interface: a few words, and its name before or behind them.
struct Phrase {
	std::string_view before;
	std::string_view behind;
	const char *action;
};
constexpr Phrase phrases[] = {
	{"holds ", " (", "interface_held"},           {"let go of ", "", "interface_gone"},
	{"forgot interface ", ",", "interface_gone"}, // it has no name any more: its index
	{"cannot hold ", ": ", "interface_problem"},  {"", " is carried ", "interface_carried"},
	{"", " leads only ", "interface_inside"},
};

audit::InterfaceChange change_of(const std::string &line)
{
	for (const auto &[before, behind, action] : phrases) {
		const auto end = behind.empty() ? line.size() : line.find(behind, before.size());
		if (line.starts_with(before) && end != std::string::npos)
			return {action, line.substr(before.size(), end - before.size()), line,
				std::string_view(action) == "interface_problem"};
	}
	return {"interface_changed", "", line, false};
}

} // namespace

bool Interfaces::look(Records &records)
{
	// Emptied before cover(): what changes while that looks is looked at again.
	return watch_ && kernel::drain_interfaces(watch_) && cover(records);
}

bool Interfaces::tick(Records &records)
{
	if (!watch_) {
		wanted_ = true;
		if (auto watch = kernel::watch_interfaces())
			watch_ = std::move(*watch);
		else if (deaf_.is_due())
			say("cannot hear of interfaces that appear, so looks for them each second: " +
			    watch.error().message);
	}
	return wanted_ ? cover(records) : look(records);
}

bool Interfaces::cover(Records &records)
{
	const auto changes = kernel::cover(where_);
	if (!changes) {
		wanted_ = true;
		if (changes.error().code != Exit::absent && complaint_.is_due())
			tell(records, {"interface_problem", "",
				       "interfaces cannot be held, trying on: " + changes.error().message, true});
		return false;
	}
	wanted_ = false;
	std::vector<audit::InterfaceChange> problems;
	for (const auto &line : *changes) {
		auto change = change_of(line);
		if (change.failed)
			problems.push_back(std::move(change));
		else
			tell(records, change);
	}
	if (problems.empty()) {
		if (complaint_.settle())
			tell(records, {"interface_problem_solved", "", "every interface is held again", false});
		return true;
	}
	wanted_ = true;
	if (complaint_.is_due())
		for (const auto &problem : problems)
			tell(records, problem);
	return true;
}

void Interfaces::tell(Records &records, const audit::InterfaceChange &change)
{
	say("edge: " + change.text);
	if (records.is_jammed())
		return;
	audit::append_interface_json(records.line(), change, where_.instance, clock_ns(CLOCK_REALTIME));
	records.put();
}

} // namespace weir::daemon
