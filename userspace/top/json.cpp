// SPDX-License-Identifier: Apache-2.0
#include "top/json.h"

#include "audit/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace weir::top {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t most_talkers = 100;

const char *word_of(Mode mode)
{
	static constexpr const char *words[] = {"unknown", "not_loaded", "degraded", "observing", "enforcing"};
	return words[static_cast<unsigned>(mode)];
}

std::string utc(std::int64_t unix_ns)
{
	std::string text;
	audit::append_time(text, unix_ns);
	return text;
}

ordered_json rate(const Rate &each)
{
	return {{"total", each.total}, {"per_second", std::round(each.per_second * 1000) / 1000}};
}

/// `as` fills in what a talker of this kind has.
template <typename As>
ordered_json talkers_json(const Talkers &talkers, As as)
{
	std::vector<const Talker *> all;
	all.reserve(talkers.kept.size());
	for (const auto &each : talkers.kept)
		all.push_back(&each);
	const auto shown = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), most_talkers));
	std::ranges::partial_sort(all, shown, [](const Talker *a, const Talker *b) {
		return std::tuple(b->refused.per_second, b->refused.total, a->name, a->place) <
		       std::tuple(a->refused.per_second, a->refused.total, b->name, b->place);
	});
	ordered_json busiest = ordered_json::array();
	for (auto each = all.begin(); each != shown; ++each)
		busiest.push_back(as(**each));
	return {{"known", talkers.kept.size()},
		{"refused", rate(talkers.all)},
		{"forgotten", talkers.forgotten},
		{"busiest", busiest}};
}

/// What is not known is left out.
void put(ordered_json &object, const char *key, const std::string &text)
{
	if (!text.empty())
		object[key] = text;
}

ordered_json peer_json(const Talker &each)
{
	ordered_json object = ordered_json::object();
	put(object, "address", each.name);
	object["dir"] = each.place;
	object["refused"] = rate(each.refused);
	object["last"] = utc(each.seen);
	put(object, "last_service", each.latest);
	put(object, "last_reason", each.reason);
	return object;
}

ordered_json process_json(const Talker &each)
{
	ordered_json object = ordered_json::object();
	put(object, "name", each.name);
	put(object, "cgroup", each.place);
	if (each.pid != 0)
		object["last_pid"] = each.pid;
	put(object, "last_user", each.user);
	object["refused"] = rate(each.refused);
	object["last"] = utc(each.seen);
	put(object, "last_tried", each.latest);
	put(object, "last_reason", each.reason);
	return object;
}

ordered_json record_json(const RecordState &record)
{
	ordered_json object = {{"written", record.has_writer}, {"skipped_bytes", record.skipped}};
	put(object, "path", record.path);
	put(object, "problem", record.problem);
	if (record.since != 0)
		object["since"] = utc(record.since);
	return object;
}

} // namespace

std::string json_line(const View &view)
{
	ordered_json rows = ordered_json::array(), gates = ordered_json::array(), windows = ordered_json::array();
	for (const auto &row : view.rows) {
		ordered_json object = {{"id", row.id},       {"dir", row.direction},
				       {"peer", row.peer},   {"service", row.service},
				       {"place", row.place}, {"decided", rate(row.decided)}};
		put(object, "window", row.window);
		rows.push_back(std::move(object));
	}
	for (const auto &gate : view.gates)
		gates.push_back({{"gate", gate.gate},
				 {"place", gate.place},
				 {"attached", gate.attached},
				 {"wanted", gate.wanted},
				 {"awaited", gate.awaited},
				 {"refused", rate(gate.refused)},
				 {"observed", rate(gate.observed)},
				 {"lost", rate(gate.lost)}});
	for (const auto &each : view.windows) {
		const auto left = each.deadline > view.boot_ns ? each.deadline - view.boot_ns : 0;
		windows.push_back({{"window", each.name},
				   {"seconds_left", (left + 999'999'999) / 1'000'000'000},
				   {"until", utc(view.unix_ns + static_cast<std::int64_t>(left))},
				   {"by", each.by},
				   {"reason", each.reason}});
	}
	ordered_json all = {{"@timestamp", utc(view.unix_ns)},
			    {"instance", view.instance},
			    {"state", word_of(view.mode)},
			    {"seconds", std::round(view.seconds * 1000) / 1000}};
	put(all, "scenario", view.scenario);
	if (view.generation != 0)
		all["generation"] = view.generation;
	put(all, "digest", view.digest);
	all["problems"] = view.problems;
	all["refused"] = rate(view.refused);
	all["observed"] = rate(view.observed);
	all["lost"] = rate(view.lost);
	all["rows"] = std::move(rows);
	all["gates"] = std::move(gates);
	all["windows"] = std::move(windows);
	all["peers"] = talkers_json(view.peers, peer_json);
	all["processes"] = talkers_json(view.processes, process_json);
	all["record"] = record_json(view.record);
	return all.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + '\n';
}

} // namespace weir::top
