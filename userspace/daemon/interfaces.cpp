// SPDX-License-Identifier: Apache-2.0
#include "daemon/interfaces.h"

#include "audit/event.h"

#include <string_view>

namespace weir::daemon {
namespace {

/// kernel::cover() says "holds eth1 (...)": a verb, then the interface.
std::pair<std::string, std::string> parts_of(std::string_view line)
{
	const auto space = line.find(' ');
	const auto verb = line.substr(0, space);
	auto name = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
	name = name.substr(0, name.find_first_of(" :,"));
	return {verb == "holds" ? "interface_held" : "interface_gone", std::string(name)};
}

} // namespace

bool Interfaces::look(Sink &sink)
{
	// Emptied before cover(): what changes while that looks is looked at again.
	return watch_ && kernel::drain_interfaces(watch_) && cover(sink);
}

bool Interfaces::tick(Sink &sink)
{
	if (!watch_) {
		wanted_ = true;
		if (auto watch = kernel::watch_interfaces())
			watch_ = std::move(*watch);
		else if (deaf_.is_due())
			say("cannot hear of interfaces that appear, so looks for them each second: " +
			    watch.error().message);
	}
	return wanted_ ? cover(sink) : look(sink);
}

bool Interfaces::cover(Sink &sink)
{
	const auto changes = kernel::cover(where_);
	wanted_ = !changes;
	if (!changes) {
		if (changes.error().code != Exit::absent && complaint_.is_due())
			tell(sink, "interface_problem", "",
			     "not every interface is held, trying on: " + changes.error().message, true);
		return false;
	}
	if (complaint_.settle())
		tell(sink, "interface_problem_solved", "", "every interface is held again", false);
	for (const auto &line : *changes) {
		const auto [action, name] = parts_of(line);
		tell(sink, action, name, line, false);
	}
	return true;
}

void Interfaces::tell(Sink &sink, const std::string &action, const std::string &name, const std::string &text,
		      bool failed)
{
	say("edge: " + text);
	if (sink.is_full())
		return;
	audit::append_interface_json(sink.buffer(), {action, name, text, failed}, where_.instance,
				     clock_ns(CLOCK_REALTIME));
}

} // namespace weir::daemon
