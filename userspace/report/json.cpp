// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include "audit/json.h"

namespace weir::report {
namespace {

using Ordered = nlohmann::ordered_json;

/// null where there is none.
Ordered moment(std::int64_t time)
{
	if (time == 0)
		return nullptr;
	std::string text;
	audit::append_time(text, time);
	return text;
}

Ordered tallies(const std::map<std::string, Tally> &all, const char *name)
{
	auto out = Ordered::array();
	for (const auto &[key, tally] : all)
		out.push_back({{name, key},
			       {"refused", tally.refused},
			       {"observed", tally.observed},
			       {"out", tally.out},
			       {"first", moment(tally.first)},
			       {"last", moment(tally.last)},
			       {"details", tally.details}});
	return out;
}

Ordered connections(const Connections &all)
{
	auto out = Ordered::array();
	for (const auto &[key, passed] : all)
		out.push_back({{"peer", key.peer},
			       {"service", key.service},
			       {"direction", key.out ? "out" : "in"},
			       {"process", key.process},
			       {"user", key.user},
			       {"executables", passed.executables},
			       {"gate", key.gate},
			       {"row", key.row},
			       {"packets", passed.packets},
			       {"first", moment(passed.first)},
			       {"last", moment(passed.last)}});
	return out;
}

Ordered accounts(const std::map<std::string, Account> &all)
{
	auto out = Ordered::object();
	for (const auto &[gate, sums] : all)
		out[gate] = {{"counted", sums.judged},      {"recorded", sums.recorded}, {"lost", sums.lost},
			     {"discarded", sums.discarded}, {"missing", sums.missing},   {"waiting", sums.waiting}};
	return out;
}

Ordered notes(const std::vector<Note> &all)
{
	auto out = Ordered::array();
	for (const auto &note : all) {
		Ordered one = {{"time", moment(note.time)}, {"action", note.kind}, {"text", note.text}};
		if (!note.by.empty())
			one["by"] = note.by;
		if (!note.opened.empty() || !note.closed.empty()) {
			one["opened"] = note.opened;
			one["closed"] = note.closed;
		}
		out.push_back(std::move(one));
	}
	return out;
}

} // namespace

Ordered json(const Report &report)
{
	static constexpr const char *states[] = {"not_checked", "good", "good_by_own_key", "bad"};
	auto policies = Ordered::array(), windows = Ordered::array(), rows = Ordered::array();
	for (const auto &each : report.policies)
		policies.push_back({{"digest", each.digest},
				    {"generation", each.generation},
				    {"first", moment(each.first)},
				    {"last", moment(each.last)},
				    {"change_recorded", each.from_change},
				    {"observe", each.observe}});
	for (const auto &each : report.windows)
		windows.push_back({{"window", each.name},
				   {"opened", moment(each.opened)},
				   {"until", moment(each.until)},
				   {"ended", moment(each.ended)},
				   {"end", each.end},
				   {"opened_by", each.opened_by},
				   {"opened_reason", each.opened_reason},
				   {"closed_by", each.closed_by},
				   {"closed_reason", each.closed_reason},
				   {"decided", each.decided ? Ordered(*each.decided) : Ordered()},
				   {"connections_cut", each.cut},
				   {"connections", connections(each.connections)}});
	for (const auto &each : report.rows)
		rows.push_back({{"id", each.id},
				{"dir", each.dir},
				{"source", each.source},
				{"destination", each.destination},
				{"port", each.port},
				{"service", each.service},
				{"status", each.status},
				{"place", each.place},
				{"window", each.window},
				{"decided", each.used}});
	auto gaps = Ordered::array(), before = Ordered::array();
	for (const auto &gap : report.gaps)
		gaps.push_back(
			{{"from", moment(gap.from)}, {"to", moment(gap.to)}, {"what", gap.kind}, {"text", gap.text}});
	for (const auto &[row, use] : report.used_before)
		before.push_back({{"id", row}, {"window", use.window}, {"decided", use.count}});
	return {{"since", moment(report.since)},
		{"until", moment(report.until)},
		{"made", moment(report.made)},
		{"instance", report.instance},
		{"hosts", report.hosts},
		{"sources", report.sources},
		{"records", report.records},
		{"foreign_lines", report.foreign},
		{"first", moment(report.first)},
		{"last", moment(report.last)},
		{"integrity",
		 {{"state", states[static_cast<std::size_t>(report.integrity.state)]},
		  {"text", report.integrity.text},
		  {"fingerprint", report.integrity.fingerprint},
		  {"checkpoint", report.integrity.checkpoint},
		  {"checkpoint_at", report.integrity.checkpoint_at},
		  {"records", report.integrity.records},
		  {"checkpoints", report.integrity.checkpoints},
		  {"unsigned_records", report.integrity.after},
		  {"findings", report.integrity.findings}}},
		{"violations",
		 {{"refused", report.refused},
		  {"observed", report.observed},
		  {"verdict_unknown", report.unknown},
		  {"by_time", {{"out", report.out}, {"in", report.in}}},
		  {"by_reason", tallies(report.reasons, "reason")},
		  {"by_gate", tallies(report.gates, "gate")},
		  {"by_peer", tallies(report.peers, "peer")},
		  {"by_process", tallies(report.processes, "process")}}},
		{"policies", policies},
		{"rows", {{"digest", report.rows_digest}, {"rows", rows}, {"before", before}}},
		{"accounts", accounts(report.accounts)},
		{"admitted_accounts", accounts(report.admitted)},
		{"windows", windows},
		{"connections_under_unnamed_windows", connections(report.unnamed)},
		{"changes", notes(report.changes)},
		{"alarms", notes(report.alarms)},
		{"gaps", gaps}};
}

} // namespace weir::report
