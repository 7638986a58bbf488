// SPDX-License-Identifier: Apache-2.0
// One record of each kind and form that weir writes, made by the functions that the daemon makes them by.
#pragma once

#include "audit/name_change.h"
#include "audit/note.h"
#include "audit/sink_record.h"
#include "journal/chain.h"
#include "journal/sums.h"
#include "tests/unit/audit/sample.h"

#include <string>
#include <vector>

namespace weir::formats {

constexpr std::int64_t sample_time = audit::sample_to_wall + 1'123'456'789;

/// What a process may call itself, to break out of a line, a quote, a tag or a terminal.
constexpr std::string_view hostile_name = "a\"]|=\\<b>\n\x1b[2J";

inline std::string hostile_line()
{
	auto event = audit::refused_connect();
	audit::set_comm(event, "x\"]|=\\\n\x1b[2J\xff<b>");
	return audit::line_of(event, {.executable = std::string("/tmp/") + std::string(hostile_name),
				      .user = "<script>alert(1)</script>",
				      .cgroup = "/a|b=c\\d\"]",
				      .interface = "e\xe2\x80\xae"});
}

template <typename Append>
std::string made(Append append)
{
	std::string line;
	append(line);
	return line;
}

inline std::string summed_line(std::string_view verdict = "refused")
{
	return made([&](std::string &out) {
		audit::append_summed_json(out,
					  {.scope = 1,
					   .gate = WEIR_GATE_EDGE,
					   .direction = WEIR_IN,
					   .reason = WEIR_REASON_NO_ROW,
					   .count = 70,
					   .total = 700,
					   .since = sample_time - 1'000'000'000,
					   .verdict = verdict},
					  "default", sample_time);
	});
}

inline std::string summed_admission_line()
{
	return made([&](std::string &out) {
		audit::append_summed_json(out,
					  {.scope = 1,
					   .gate = WEIR_GATE_EDGE,
					   .direction = WEIR_IN,
					   .reason = WEIR_REASON_NONE,
					   .count = 70,
					   .total = 700,
					   .verdict = "admitted"},
					  "default", sample_time);
	});
}

inline std::string admission_line()
{
	return audit::admitted_line(audit::admitted_packets(), {.row = "web-tcp", .window = "installation"},
				    {.executable = "/usr/bin/apt", .user = "root", .cgroup = "/weir.slice"});
}

inline std::string loss_line()
{
	return made([](std::string &out) {
		audit::append_lost_json(
			out, {.refused = 100, .observed = 0, .reported = 60, .merged = 20, .summed = 10, .lost = 10}, 4,
			1, "default", sample_time);
	});
}

inline audit::WindowChange window_change(const std::string &action)
{
	return {.action = action,
		.name = "installation",
		.by = "erika (uid 1000, tty pts/0, from 192.0.2.9)",
		.reason = "new release",
		.opened_by = "erika (uid 1000, tty pts/0, from 192.0.2.9)",
		.opened_reason = "new release",
		.opened = sample_time - 600'000'000'000,
		.until = sample_time + 600'000'000'000,
		.at = sample_time,
		.cut = 2,
		.decided = action == "window_expired" ? std::optional<std::uint64_t>(7) : std::nullopt};
}

inline std::string window_line(const audit::WindowChange &change)
{
	return made([&](std::string &out) { append_window_json(out, change, "default", sample_time + 5); });
}

inline std::string component_line(const audit::ComponentRecord &record)
{
	return made([&](std::string &out) { append_component_json(out, record, "default", sample_time); });
}

inline std::string note_line(const audit::Note &note, std::int64_t time = sample_time)
{
	return made([&](std::string &out) { append_note_json(out, note, "default", time); });
}

/// A change of the policy, as the commands record it. Generation "0": none was, or is, in force.
inline std::string policy_line(const std::string &action, const std::string &before, const std::string &after,
			       std::int64_t time = sample_time)
{
	const auto state = [](const std::string &generation) {
		return R"({"generation":)" + generation + R"(,"digest":")" +
		       (generation == "0" ? "" : std::string(64, generation.back())) + "\"}";
	};
	return note_line(
		{.dataset = "weir.policy",
		 .action = action,
		 .text = "weir apply by erika (uid 1000): 1 became reachable, 1 ceased to be",
		 .outcome = action == "policy_unexplained" ? "unknown" : "success",
		 .user = "erika",
		 .facts =
			 R"-({"verb":"apply","by":{"text":"erika (uid 1000, from 192.0.2.9)","uid":0,)-"
			 R"("login_uid":1000,"login_name":"erika","terminal":"pts/0","ssh_from":"192.0.2.9"},)"
			 R"("before":)" +
			 state(before) + R"(,"after":)" + state(after) +
			 R"(,"scenario":"node-native","observe":false,"attached":true,)"
			 R"("used":[{"row":"node-researcher","count":41},{"row":"web-tcp","window":"installation","count":6}],)"
			 R"("opened":["out node to 192.0.2.10 TCP/443, row more"],)"
			 R"("closed":["out node to 192.0.2.11 TCP/443, row less"]})",
		 .id = "1795521784-77"},
		time);
}

inline std::string integrity_line(const std::string &action, std::int64_t time = sample_time)
{
	return note_line({.dataset = "weir.integrity",
			  .action = action,
			  .text = "a map of the instance is missing: flows",
			  .outcome = action == "as_published" ? "success" : "failure",
			  .facts = R"({"problem":"a map of the instance is missing: flows"})"},
			 time);
}

/// What happened to the recording.
inline std::string journal_line(const std::string &action, bool failed, const std::string &facts,
				std::int64_t time = sample_time)
{
	return note_line({.dataset = "weir.journal",
			  .action = action,
			  .text = "something happened to the recording",
			  .outcome = failed ? "failure" : "success",
			  .facts = facts},
			 time);
}

/// The same line as a record of the journal.
inline std::string in_journal(const std::string &line, std::uint64_t sequence)
{
	std::string out;
	journal::append_record(out, std::string_view(line).substr(0, line.size() - 1), sequence, {});
	return out;
}

inline std::string checkpoint_line(std::int64_t time = sample_time)
{
	journal::use_sodium();
	journal::Statement statement{.records = 8, .counters = "77", .ring = "78", .next = 5};
	statement.gates[0].counted = {.refused = 5, .reported = 5};
	statement.gates[0].total = statement.gates[0].counted;
	statement.gates[0].recorded = 5;
	statement.policy = "3:" + std::string(64, '3');
	statement.summed[12] = 3;
	statement.admitted[1].counted = {.observed = 12, .merged = 12};
	statement.admitted[1].total = statement.admitted[1].counted;
	statement.admitted[1].recorded = 12;
	const auto line = note_line({.dataset = "weir.checkpoint",
				     .action = "journal_checkpoint",
				     .text = "8 records since the last checkpoint",
				     .facts = json_of(statement)},
				    time);
	const auto keys = journal::make_keys();
	std::string out;
	journal::append_checkpoint(out, std::string_view(line).substr(0, line.size() - 1), 9, {}, keys.open,
				   keys.secret);
	return out;
}

/// What is in a journal only.
inline std::vector<std::string> journal_records()
{
	std::vector<std::string> all;
	for (const char *action : {"policy_apply", "policy_window", "policy_unexplained"})
		all.push_back(in_journal(policy_line(action, "2", "3"), 3));
	all.push_back(in_journal(policy_line("policy_remove", "3", "0"), 4));
	all.push_back(in_journal(policy_line("policy_apply", "0", "1"), 5));
	all.push_back(in_journal(note_line({.dataset = "weir.policy",
					    .action = "policy_followed",
					    .text = "weir run published generation 4",
					    .facts = R"({"verb":"run","after":{"generation":4,"digest":")" +
						     std::string(64, '4') + "\"}}"}),
				 6));
	for (const char *action : {"not_as_published", "as_published"})
		all.push_back(in_journal(integrity_line(action), 7));
	all.push_back(in_journal(note_line({.dataset = "weir.integrity",
					    .action = "change_unreadable",
					    .text = "the record of a change can't be read",
					    .outcome = "failure",
					    .facts = R"({"path":"/var/log/weir/default/changes/1-2.done"})"}),
				 8));
	all.push_back(in_journal(
		journal_line("recording_began", true,
			     R"({"last_record":"2026-11-24T12:03:04.123456789Z","ended":false,"mended_bytes":77,)"
			     R"("unsigned_records":3,"unrecorded":2,"same_counters":true})"),
		9));
	all.push_back(in_journal(journal_line("recording_paused", true, R"({"seconds":61.250,"stuck":false})"), 10));
	all.push_back(in_journal(journal_line("clock_set", false, R"({"seconds":-3.500})"), 11));
	for (const char *action : {"recording_ended", "counters_began"})
		all.push_back(in_journal(journal_line(action, false, "{}"), 12));
	all.push_back(checkpoint_line());
	return all;
}

/// Lines with their newlines.
inline std::vector<std::string> all_records()
{
	using namespace audit;
	std::vector<std::string> all;
	auto echo = refused_packet();
	echo.protocol = 58;
	echo.remote_port = 7;
	echo.local_port = 128;
	auto observed = refused_connect();
	observed.verdict = WEIR_ALLOW;
	observed.operation = WEIR_OP_UDP_CONNECT;
	observed.protocol = 17;
	for (std::uint8_t reason = 1; reason < WEIR_REASONS; reason++) {
		auto event = refused_packet();
		event.reason = reason;
		event.gate = reason % 2 == 0 ? WEIR_GATE_EDGE : WEIR_GATE_PACKET;
		all.push_back(line_of(event, {.interface = "eth0"}));
	}
	all.push_back(line_of(refused_connect(),
			      {.executable = "/usr/bin/curl", .user = "root", .cgroup = "/weir.slice"}, "node-1"));
	all.insert(all.end(),
		   {line_of(echo), line_of(observed), line_of(refused_frame()), line_of(merged_packets()),
		    summed_line(), summed_line(""), summed_line("observed"), admission_line(),
		    admitted_line(admitted_packets(), {}), summed_admission_line(), loss_line(), hostile_line()});
	for (const char *action : {"interface_held", "interface_gone", "interface_problem", "interface_problem_solved"})
		all.push_back(made([&](std::string &out) {
			append_interface_json(out, {action, action[10] == 'p' ? "" : "eth0", "holds eth0", false},
					      "default", sample_time);
		}));
	for (const char *action : {"window_opened", "window_extended", "window_closed", "window_expired"})
		all.push_back(window_line(window_change(action)));
	auto shortened = window_change("window_shortened");
	shortened.by = shortened.reason = "";
	all.push_back(window_line(shortened));
	all.push_back(component_line({.action = "component_held",
				      .components = {"node", "gui"},
				      .where = "container:node-*",
				      .cgroup = "/sys/fs/cgroup/x",
				      .text = "holds it",
				      .gap = ComponentRecord::Gap{.ns = 1'500'000, .processes = 2, .sockets = 1}}));
	all.push_back(component_line({.action = "component_unheld", .text = "no", .failed = true}));
	all.push_back(made([](std::string &out) {
		append_name_json(out,
				 {.action = "name_changed",
				  .name = "researcher",
				  .host = "researcher.example.org",
				  .text = "changed",
				  .resolver = "192.0.2.53",
				  .answer = {"192.0.2.10"},
				  .before = {"192.0.2.9"},
				  .after = {"192.0.2.10", "2001:db8::/64"},
				  .generation = 4},
				 "default", sample_time);
	}));
	all.push_back(made([](std::string &out) {
		append_name_json(out,
				 {.action = "name_failed",
				  .name = "researcher",
				  .host = "researcher.example.org",
				  .text = "no answer",
				  .failed = true,
				  .problem = "no_answer"},
				 "default", sample_time);
	}));
	all.push_back(made([](std::string &out) {
		append_sink_json(out,
				 {.action = "sink_dropped",
				  .name = "syslog+udp://192.0.2.1:514",
				  .text = "sink did not get 4 records",
				  .failed = true,
				  .sent = 1,
				  .waiting = 2,
				  .dropped = 7,
				  .dropped_since = 4,
				  .problem = "Connection refused"},
				 "default", sample_time);
	}));
	for (auto &line : journal_records())
		all.push_back(std::move(line));
	return all;
}

/// Without its newline.
inline std::string bare(std::string line)
{
	line.pop_back();
	return line;
}

} // namespace weir::formats
