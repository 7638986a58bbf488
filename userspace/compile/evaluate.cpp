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
		if (row.kernel_only && !q.from_kernel) {
			answer.reason = WEIR_REASON_ORIGIN;
			continue;
		}
		return {.allowed = true, .row = number};
	}
	if (q.zone == zone_loopback && q.scope < policy.scopes.size() && policy.scopes[q.scope].open_loopback)
		return {.allowed = true};
	return answer;
}

} // namespace weir
