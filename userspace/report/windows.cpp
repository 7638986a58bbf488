// SPDX-License-Identifier: Apache-2.0
// Windows of the report, and the connections that were made under them.
#include "formats/record.h"
#include "report/gather.h"
#include "report/report.h"

#include <algorithm>
#include <tuple>

namespace weir::report {
namespace {

using formats::at;
using formats::number;
using formats::text;
using formats::time_of;
using Json = nlohmann::json;

void add(Passed &to, const Passed &from)
{
	to.packets += from.packets;
	to.first = to.first == 0 ? from.first : std::min(to.first, from.first);
	to.last = std::max(to.last, from.last);
	to.executables.insert(from.executables.begin(), from.executables.end());
}

/// Answers that come in at the edge are of no process there: they go to the one that they answer, if it is the only one.
void fold_answers(Connections &all)
{
	for (auto each = all.begin(); each != all.end();) {
		const auto here = each++;
		const auto &key = here->first;
		if (key.gate != "edge" || !key.process.empty())
			continue;
		auto only = all.end();
		unsigned found = 0;
		for (auto other = all.lower_bound({.peer = key.peer, .service = key.service});
		     other != all.end() && other->first.peer == key.peer && other->first.service == key.service;
		     ++other)
			if (!other->first.process.empty() &&
			    std::tie(other->first.gate, other->first.row) == std::tie(key.gate, key.row)) {
				only = other;
				found++;
			}
		if (found != 1)
			continue;
		add(only->second, here->second);
		all.erase(here);
	}
}

} // namespace

void Collector::window(const Json &record, std::int64_t time)
{
	const auto name = text(record, "weir.window.name");
	const auto opened = time_of(record, "weir.window.opened");
	auto &all = report_.windows;
	auto found = std::ranges::find_if(
		all, [&](const Window &each) { return each.name == name && each.opened == opened; });
	if (found == all.end())
		found = all.insert(all.end(), {.name = name,
					       .opened = opened,
					       .opened_by = text(record, "weir.window.opened_by"),
					       .opened_reason = text(record, "weir.window.opened_reason")});
	found->until = time_of(record, "weir.window.until");
	const auto action = text(record, "event.action");
	if (action != "window_closed" && action != "window_expired")
		return;
	found->ended = time;
	found->end = action == "window_closed" ? "closed" : "expired";
	found->closed_by = text(record, "weir.window.by");
	found->closed_reason = text(record, "weir.window.reason");
	found->cut = number(record, "weir.window.connections_cut");
	if (at(record, "weir.window.decided").is_number_unsigned())
		found->decided = number(record, "weir.window.decided");
}

void Collector::admission(const Json &record, std::int64_t time)
{
	constexpr std::int64_t hour = 3'600'000'000'000;
	const auto total = number(record, "weir.count_total");
	const auto count = total != 0 ? count_of_sum(record, total) : number(record, "network.packets");
	if (count == 0 || time < report_.since)
		return;
	const bool out = text(record, "network.direction") != "ingress";
	Connection key{.gate = text(record, "weir.gate"), .out = out};
	if (total != 0) {
		key.peer = not_kept;
	} else {
		key.peer = text(record, out ? "destination.ip" : "source.ip");
		key.service = service_of(record, out);
		key.process = text(record, "process.name");
		key.user = text(record, "user.name");
		if (key.user.empty() && !text(record, "user.id").empty())
			key.user = "uid " + text(record, "user.id");
		key.row = text(record, "rule.id");
	}
	auto &all = admitted_[{text(record, "weir.window.name"), text(record, "weir.generation"), time / hour}];
	if (!all.contains(key) && ++connections_ > most_keys)
		key = {.peer = others, .gate = key.gate, .out = out};
	const auto start = time_of(record, "event.start");
	auto &passed = all[key];
	passed.packets += count;
	passed.first = std::min(passed.first == 0 ? time : passed.first, start == 0 ? time : start);
	passed.last = std::max(passed.last, time);
	const auto executable = text(record, "process.executable");
	if (!executable.empty() && passed.executables.size() < most_details)
		passed.executables.insert(executable);
}

void Collector::give_to_windows(Report &report)
{
	for (const auto &[where, connections] : admitted_) {
		std::int64_t first = INT64_MAX;
		for (const auto &[key, passed] : connections)
			first = std::min(first, passed.first);
		// The last one that was opened by then; windows are in the order of their openings.
		Window *under = nullptr;
		for (auto &each : report.windows)
			if (each.name == std::get<0>(where) && each.opened <= first + slack &&
			    (each.ended == 0 || first <= each.ended + slack))
				under = &each;
		auto &to = under != nullptr ? under->connections : report.unnamed;
		for (const auto &[key, passed] : connections)
			add(to[key], passed);
	}
	for (auto &each : report.windows)
		fold_answers(each.connections);
	fold_answers(report.unnamed);
}

} // namespace weir::report
