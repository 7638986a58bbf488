// SPDX-License-Identifier: Apache-2.0
#include "compile/evaluate.h"

#include <algorithm>

namespace weir {

namespace {

bool service_matches(const Service &service, const Question &q)
{
	if (service.protocol != q.protocol)
		return false;
	return !service.has_ports() || (service.first <= q.port && q.port <= service.last);
}

/// Why a row that speaks of the packet does not hold for it, WEIR_REASON_NONE: it does.
weir_reason what_stops(const BoundRow &row, const Question &q)
{
	if (row.kernel_only && !q.from_kernel)
		return WEIR_REASON_ORIGIN;
	if (row.user && row.user != q.user)
		return WEIR_REASON_USER;
	if (row.deadline != 0 && row.deadline <= q.now)
		return WEIR_REASON_CLOSED;
	if (row.row.needs_journal && !q.journal)
		return WEIR_REASON_JOURNAL;
	return WEIR_REASON_NONE;
}

/// Of the reasons that several rows have, the one that lacks the least.
weir_reason nearer(weir_reason a, weir_reason b)
{
	for (const auto reason : {WEIR_REASON_JOURNAL, WEIR_REASON_CLOSED, WEIR_REASON_USER, WEIR_REASON_ORIGIN})
		if (a == reason || b == reason)
			return reason;
	return WEIR_REASON_NO_ROW;
}

/// Rows that need no journal decide before those that do; of either kind those for good before those that end, later
/// ends before earlier ones, else the first.
bool decides_before(const BoundRow &a, const BoundRow &b)
{
	if (a.row.needs_journal != b.row.needs_journal)
		return b.row.needs_journal;
	return a.deadline == 0 ? b.deadline != 0 : b.deadline != 0 && a.deadline > b.deadline;
}

} // namespace

Answer evaluate(const BoundPolicy &policy, const Question &q)
{
	if (!refused_form(q.remote).empty())
		return {.reason = WEIR_REASON_EMBEDDED};
	const Address remote = judged_form(q.remote);

	Answer answer{.reason = WEIR_REASON_NO_ROW};
	for (std::uint32_t number = 0; number < policy.rows.size(); ++number) {
		const BoundRow &row = policy.rows[number];
		if (row.scope != q.scope || row.row.dir != q.dir || !service_matches(row.row.port, q) ||
		    (row.zones & q.zone) == 0)
			continue;
		if (std::ranges::none_of(row.peers, [&](const Prefix &p) { return p.contains(remote); }))
			continue;
		if (const auto stops = what_stops(row, q); stops != WEIR_REASON_NONE)
			answer.reason = nearer(answer.reason, stops);
		else if (answer.row == WEIR_NO_ROW || decides_before(row, policy.rows[answer.row]))
			answer.row = number;
	}
	if (answer.row != WEIR_NO_ROW)
		return {.allowed = true, .row = answer.row};
	if (q.zone == zone_loopback && q.scope < policy.scopes.size() && policy.scopes[q.scope].open_loopback)
		return {.allowed = true};
	return answer;
}

} // namespace weir
