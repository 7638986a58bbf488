// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include "formats/record.h"
#include "report/gather.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::report {
namespace {

using formats::at;
using formats::number;
using formats::text;
using formats::time_of;
using Json = nlohmann::json;

Tally &tally_of(std::map<std::string, Tally> &all, const std::string &key)
{
	if (all.size() >= most_keys && !all.contains(key))
		return all[others];
	return all[key];
}

void add(Tally &tally, std::uint64_t count, bool refused, bool out, std::int64_t time, const std::string &detail)
{
	tally.out += out ? count : 0;
	(refused ? tally.refused : tally.observed) += count;
	tally.first = tally.first == 0 ? time : std::min(tally.first, time);
	tally.last = std::max(tally.last, time);
	if (!detail.empty() && tally.details.size() < most_details)
		tally.details.insert(detail);
}

std::string process_of(const Json &record)
{
	const auto name = text(record, "process.name");
	if (name.empty() && text(record, "process.pid").empty())
		return "(no process of this host)";
	auto user = text(record, "user.name");
	if (user.empty())
		user = "uid " + text(record, "user.id");
	return fmt::format("{} ({})", name.empty() ? "?" : name, user);
}

std::vector<std::string> list(const Json &value)
{
	std::vector<std::string> all;
	if (!value.is_array())
		return all;
	all.reserve(value.size());
	for (const auto &each : value)
		if (each.is_string())
			all.push_back(each.get<std::string>());
	return all;
}

} // namespace

std::string service_of(const Json &record, bool out)
{
	auto name = text(record, "network.transport");
	if (const auto type = text(record, "weir.ethertype"); !type.empty())
		return "EtherType " + type;
	if (const auto type = text(record, "weir.icmp.type"); !type.empty())
		return name + " type " + type;
	if (const auto port = text(record, "destination.port"); !port.empty())
		name += "/" + port;
	return name + (out ? " out" : " in");
}

Collector::Collector(std::int64_t since, std::int64_t until, std::string instance)
{
	report_.since = since;
	report_.until = until;
	report_.instance = std::move(instance);
}

void Collector::line(std::string_view line)
{
	if (line.empty())
		return;
	const auto parsed = formats::parse_record(line);
	const auto time = parsed ? time_of(*parsed, "@timestamp") : 0;
	if (time == 0) {
		report_.foreign++;
		return;
	}
	const auto &record = *parsed;
	const auto instance = text(record, "weir.instance");
	if (!instance.empty() && instance != report_.instance)
		return;
	const auto dataset = text(record, "event.dataset");
	const bool in_time = time >= report_.since && time < report_.until;
	if (dataset == "weir.policy" && time < report_.until)
		policy(record, time); // what was in force at the start was put there before it
	if (dataset == "weir.window")
		window(record, time);
	if (dataset == "weir.integrity" && time < report_.until)
		integrity(record, time); // it may have begun before
	if (dataset == "weir.journal")
		journal(record, time);
	if (ended_ != 0 && time > ended_ && dataset != "weir.checkpoint")
		ended_ = 0;
	const bool violates = dataset == "weir.violation", admitted = dataset == "weir.admission";
	if ((violates || admitted) && !in_time) {
		// What a counter of sums had counted before is not of this time.
		if (const auto total = number(record, "weir.count_total"); total != 0 && time < report_.since)
			violates ? violation(record, time) : admission(record, time);
		return;
	}
	if (!in_time)
		return;
	report_.records++;
	report_.first = report_.first == 0 ? time : std::min(report_.first, time);
	report_.last = std::max(report_.last, time);
	if (const auto host = text(record, "host.name"); !host.empty())
		report_.hosts.insert(host);

	const Note note{.time = time, .kind = text(record, "event.action"), .text = text(record, "event.reason")};
	const bool failed = text(record, "event.outcome") == "failure";
	if (violates) {
		violation(record, time);
	} else if (admitted) {
		admission(record, time);
	} else if (dataset == "weir.loss") {
		gap(time, time, "refusals without a record",
		    fmt::format("{} refusals could not be reported, {} could not be written since that run began: {}",
				number(record, "weir.events.lost_since"), number(record, "weir.events.discarded"),
				note.text));
	} else if (dataset == "weir.sink") {
		gap(time, time, "a sink", note.text);
	} else if (dataset == "weir.component" && number(record, "weir.component.gap_us") != 0) {
		gap(time - static_cast<std::int64_t>(number(record, "weir.component.gap_us")) * 1000, time,
		    "a component was not held", note.text);
	} else if (dataset == "weir.checkpoint") {
		checkpoint(record);
	} else if (dataset != "weir.window" && dataset != "weir.policy" && dataset != "weir.journal") {
		(failed ? report_.alarms : report_.changes).push_back(note);
	}
}

void Collector::gap(std::int64_t from, std::int64_t to, std::string kind, std::string text)
{
	if (from < report_.until && (to == 0 || to >= report_.since))
		report_.gaps.push_back({.from = from, .to = to, .kind = std::move(kind), .text = std::move(text)});
}

void Collector::journal(const Json &record, std::int64_t time)
{
	const auto action = text(record, "event.action"), sentence = text(record, "event.reason");
	if (action == "recording_began") {
		if (const auto last = time_of(record, "weir.journal.last_record"); last != 0 && last < time)
			gap(last, time,
			    at(record, "weir.journal.ended") == Json(true) ? "no recorder ran"
									   : "the recorder broke off",
			    sentence);
	} else if (action == "recording_ended") {
		ended_ = time;
	} else if (action == "recording_paused") {
		const auto &seconds = at(record, "weir.journal.seconds");
		const auto length = seconds.is_number() ? static_cast<std::int64_t>(seconds.get<double>() * 1e9) : 0;
		gap(time - length, time,
		    at(record, "weir.journal.stuck") == Json(true) ? "nothing could be written"
								   : "the recorder stood still",
		    sentence);
	} else {
		gap(time, time, action == "clock_set" ? "the clock was set" : "counters began anew", sentence);
	}
}

void Collector::integrity(const Json &record, std::int64_t time)
{
	const auto problem = text(record, "weir.integrity.problem");
	const auto action = text(record, "event.action");
	if (action == "not_as_published") {
		tampered_.try_emplace(problem, Gap{.from = time, .to = 0, .kind = "not as published", .text = problem});
	} else if (const auto open = tampered_.find(problem); action == "as_published" && open != tampered_.end()) {
		gap(open->second.from, time, open->second.kind, open->second.text);
		tampered_.erase(open);
	}
}

void Collector::checkpoint(const Json &record)
{
	const auto add = [](Account &account, const Json &gate) {
		account.judged += number(gate, "refused") + number(gate, "observed") + number(gate, "counted");
		account.recorded += number(gate, "recorded");
		account.lost += number(gate, "lost");
		account.discarded += number(gate, "discarded");
		account.missing += number(gate, "missing");
		account.waiting = static_cast<std::int64_t>(number(gate, "waiting"));
	};
	if (const auto &gates = at(record, "weir.checkpoint.gates"); gates.is_object())
		for (const auto &[name, gate] : gates.items())
			add(report_.accounts[name], gate);
	if (const auto &gates = at(record, "weir.checkpoint.admitted"); gates.is_object())
		for (const auto &[name, gate] : gates.items())
			add(report_.admitted[name], gate);
}

/// Of sums: how many came since the last word of their counter. Each run's first one repeats what the runs before have said.
std::uint64_t Collector::count_of_sum(const Json &record, std::uint64_t total)
{
	auto &last = totals_[fmt::format("{} {} {} {}", text(record, "weir.scope"), text(record, "weir.gate"),
					 text(record, "network.direction"), text(record, "weir.reason"))];
	const auto count = total >= last ? total - last : total;
	last = total;
	return count;
}

void Collector::violation(const Json &record, std::int64_t time)
{
	const bool out = text(record, "network.direction") != "ingress";
	const auto reason = text(record, "weir.reason"), gate = text(record, "weir.gate");
	auto count = std::max<std::uint64_t>(number(record, "weir.count"), 1);
	const auto total = number(record, "weir.count_total");
	if (total != 0)
		count = count_of_sum(record, total);
	if (count == 0 || time < report_.since)
		return;
	const auto verdict = text(record, "weir.verdict");
	const bool refused = verdict != "observed";
	(verdict.empty() ? report_.unknown : refused ? report_.refused : report_.observed) += count;
	const auto span = std::max<std::int64_t>(report_.until - report_.since, 1);
	const auto bucket = static_cast<std::size_t>(static_cast<double>(time - report_.since) /
						     static_cast<double>(span) * static_cast<double>(buckets));
	(out ? report_.out : report_.in).at(std::min(bucket, buckets - 1)) += count;
	add(report_.reasons[reason], count, refused, out, time, text(record, "event.reason"));
	add(report_.gates[gate], count, refused, out, time, "");
	const auto service = service_of(record, out);
	const auto peer = total != 0 ? not_kept : text(record, out ? "destination.ip" : "source.ip");
	add(tally_of(report_.peers, peer.empty() ? "(no address)" : peer), count, refused, out, time, service);
	const auto process = total != 0 ? not_kept : process_of(record);
	add(tally_of(report_.processes, process), count, refused, out, time, text(record, "process.executable"));
	const auto digest = text(record, "weir.policy.digest");
	if (digest.find_first_not_of('0') != std::string::npos) // all zeros: it was replaced in that moment
		reign(digest, text(record, "weir.generation"), time, false);
}

Reign *Collector::reign(const std::string &digest, const std::string &generation, std::int64_t time, bool from_change)
{
	auto &all = report_.policies;
	const auto same = std::ranges::find_if(
		all, [&](const Reign &each) { return each.digest == digest && each.generation == generation; });
	if (same == all.end()) {
		all.push_back({.digest = digest,
			       .generation = generation,
			       .first = time,
			       .last = time,
			       .from_change = from_change});
		return &all.back();
	}
	same->first = from_change ? time : std::min(same->first, time);
	same->last = std::max(same->last, time);
	same->from_change = same->from_change || from_change;
	return &*same;
}

void Collector::policy(const Json &record, std::int64_t time)
{
	const auto generation = text(record, "weir.policy.after.generation");
	if (const auto digest = text(record, "weir.policy.after.digest"); !digest.empty())
		reign(digest, generation, time, true)->observe = at(record, "weir.policy.observe") == Json(true);
	else if (generation == "0")
		ends_.emplace_back(time, text(record, "event.reason"));
	if (time < report_.since)
		return;
	std::map<std::string, std::uint64_t> by_window;
	for (const auto &each : at(record, "weir.policy.used")) {
		auto &use = report_.used_before[text(each, "row")];
		use.count += number(each, "count");
		use.window = text(each, "window");
		if (!use.window.empty())
			by_window[use.window] += number(each, "count");
	}
	for (const auto &[name, count] : by_window)
		decided_[name].emplace_back(time, count);
	Note note{.time = time,
		  .kind = text(record, "event.action"),
		  .text = text(record, "event.reason"),
		  .by = text(record, "weir.policy.by.text"),
		  .opened = list(at(record, "weir.policy.opened")),
		  .closed = list(at(record, "weir.policy.closed"))};
	(note.kind == "policy_unexplained" ? report_.alarms : report_.changes).push_back(std::move(note));
}

Report Collector::finish()
{
	for (auto &[problem, open] : tampered_)
		gap(open.from, 0, open.kind, open.text);
	if (ended_ != 0)
		gap(ended_, 0, "no recorder ran", "the recording ended, and nothing is recorded since");
	auto report = std::move(report_);
	std::vector<Gap> gaps;
	std::erase_if(report.windows, [&](const Window &each) {
		const auto end = each.ended != 0 ? each.ended : each.until;
		return each.opened >= report.until || end < report.since;
	});
	std::ranges::sort(report.windows, {}, &Window::opened);
	std::ranges::sort(report.policies, {}, &Reign::first);
	give_to_windows(report);
	for (auto &each : report.windows) {
		std::uint64_t before = 0;
		std::uint64_t at_its_end = 0;
		for (const auto &[time, count] : decided_[each.name])
			if (time >= each.opened && (each.ended == 0 || time <= each.ended + slack))
				(each.ended == 0 || time < each.ended ? before : at_its_end) += count;
		// The record of its end may say the same as that of the policy without its rows.
		at_its_end = std::max(at_its_end, each.decided.value_or(0));
		if (each.decided || before + at_its_end != 0)
			each.decided = before + at_its_end;
	}
	for (auto *notes : {&report.changes, &report.alarms})
		std::ranges::stable_sort(*notes, {}, &Note::time);
	// Of changes that are recorded, one's end is the next one's beginning; the last is in force. What ended before the
	// time that is asked for is not of it.
	for (std::size_t i = 0; i < report.policies.size(); i++) {
		auto &each = report.policies[i];
		if (!each.from_change)
			continue;
		const auto next = i + 1 < report.policies.size() ? report.policies[i + 1].first : 0;
		each.last = next;
		for (const auto &[time, why] : ends_)
			if (time >= each.first && (each.last == 0 || time < each.last)) {
				each.last = time;
				gaps.push_back({.from = time, .to = next, .kind = "no policy in force", .text = why});
			}
		if (each.observe)
			gaps.push_back(
				{.from = each.first,
				 .to = each.last,
				 .kind = "only observed",
				 .text = fmt::format("generation {} reports what it would refuse, and refuses nothing",
						     each.generation)});
	}
	std::erase_if(report.policies, [&](const Reign &each) { return each.last != 0 && each.last < report.since; });
	for (auto &each : gaps)
		if (each.from < report.until && (each.to == 0 || each.to >= report.since))
			report.gaps.push_back(std::move(each));
	std::ranges::stable_sort(report.gaps, {}, &Gap::from);
	return report;
}

} // namespace weir::report
