// SPDX-License-Identifier: Apache-2.0
#include "cli/journal_need.h"

#include "audit/events_view.h"
#include "cli/windows_view.h"
#include "journal/writer.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace weir::cli {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

std::size_t count_of(const BoundPolicy &policy)
{
	return static_cast<std::size_t>(
		std::ranges::count_if(policy.rows, [](const BoundRow &row) { return row.row.needs_journal; }));
}

bool is_way_in(const BoundRow &row)
{
	constexpr std::uint16_t ssh = 22;
	const auto &port = row.row.port;
	return row.row.needs_journal && row.row.dir == Direction::in && port.protocol == IPPROTO_TCP &&
	       port.first <= ssh && ssh <= port.last;
}

} // namespace

std::vector<std::string> rows_with_need(const BoundPolicy &policy)
{
	std::vector<std::string> ids;
	const auto add = [&ids](const std::vector<BoundRow> &rows) {
		for (const auto &row : rows)
			if (row.row.needs_journal)
				ids.push_back(row.row.id);
	};
	add(policy.rows);
	for (const auto &window : policy.windows)
		add(window.rows);
	return ids;
}

JournalNeed need_of(const BoundPolicy &policy, const weir_lease &lease, bool has_reader, std::uint64_t boot_ns,
		    const std::string &instance)
{
	JournalNeed need;
	need.rows = count_of(policy);
	need.open = need.rows == 0 || lease.until > boot_ns;
	if (need.open)
		return need;
	const std::string problem = audit::printable(lease.problem);
	need.closed_for = lease.until == 0 ? 0 : (boot_ns - lease.until) / second;
	if (!has_reader) {
		need.why = "no weir run is there to write it" +
			   (problem.empty() ? "" : ", and before it ended: " + problem);
		need.remedy =
			fmt::format("start it: systemctl start weir-events@{}, or weir run --journal DIR", instance);
	} else if (!problem.empty()) {
		need.why = problem;
		need.remedy = "put that right: weir run tries each second, and the rows open by themselves";
	} else {
		need.why = "weir run does not say that it is written: it is stopped, or waits for its disk";
		need.remedy = fmt::format("look at it: systemctl status weir-events@{}", instance);
	}
	return need;
}

JournalNeed wait_for_journal(const BoundPolicy &policy, const Context &context)
{
	constexpr int tries = 25;
	for (int i = 0;; ++i) {
		const auto lease = kernel::read_lease(context.where);
		const bool has_reader = kernel::has_reader(context.where);
		auto need = need_of(policy, lease.value_or(weir_lease{}), has_reader, Moment::now().boot_ns,
				    context.where.instance);
		if (need.open || !has_reader || i == tries)
			return need;
		std::this_thread::sleep_for(std::chrono::milliseconds(100));
	}
}

std::string text_of(const JournalNeed &need)
{
	const auto rows = fmt::format("{} {} the journal", need.rows, need.rows == 1 ? "row needs" : "rows need");
	if (need.open)
		return rows + ": it is written";
	return fmt::format("{}, and {} CLOSED{}: {}\n  {}", rows, need.rows == 1 ? "is" : "are",
			   need.closed_for == 0 ? "" : fmt::format(" since {} s", need.closed_for), need.why,
			   need.remedy);
}

nlohmann::ordered_json as_json(const JournalNeed &need)
{
	nlohmann::ordered_json json = {{"rows", need.rows}, {"open", need.open}};
	if (!need.open)
		json.update({{"why", need.why}, {"remedy", need.remedy}, {"closed_seconds", need.closed_for}});
	return json;
}

std::vector<std::string> need_warnings(const BoundPolicy &policy, const Context &context)
{
	std::vector<std::string> warnings;
	const auto look = [&warnings](const std::vector<BoundRow> &rows) {
		for (const auto &row : rows)
			if (is_way_in(row))
				warnings.push_back(fmt::format(
					"row {} lets SSH in only while the journal is written: who comes by it can't "
					"come "
					"to repair the journal\n  leave another way in, or the row without journal = "
					"\"required\"",
					row.row.id));
	};
	look(policy.rows);
	for (const auto &window : policy.windows)
		look(window.rows);
	const auto needing = rows_with_need(policy).size();
	if (needing == 0)
		return warnings;
	const auto directory = context.journal_directory();
	if (const auto key = journal::read_first_key(directory); !key && key.error().code == Exit::absent)
		warnings.push_back(fmt::format("{} {} the journal, and {} is none: {} closed until there is one and "
					       "weir run writes it\n  begin "
					       "it: weir journal init {}",
					       needing, needing == 1 ? "row needs" : "rows need", directory,
					       needing == 1 ? "it stays" : "they stay", directory));
	return warnings;
}

} // namespace weir::cli
