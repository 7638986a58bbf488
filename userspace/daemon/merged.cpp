// SPDX-License-Identifier: Apache-2.0
#include "daemon/merged.h"

#include "audit/event.h"
#include "kernel/counter_place.h"

#include <algorithm>

namespace weir::daemon {
namespace {

constexpr std::int64_t admitted_pause = 5 * second;

} // namespace

void Merged::take()
{
	const auto now = clock_ns(CLOCK_MONOTONIC);
	const bool is_due = now >= admitted_at_;
	if (is_due && is_empty())
		admitted_at_ = now + admitted_pause;
	take(is_due);
}

void Merged::take_all()
{
	take(true);
}

void Merged::take(bool admitted)
{
	if (!is_empty())
		return;
	taken_.clear();
	next_ = 0;
	auto taken = broker_.take_merges(admitted);
	has_admitted_ = admitted && taken;
	if (taken) {
		complaint_.settle();
		taken_ = std::move(*taken);
	} else if (taken.error().code != Exit::absent && complaint_.is_due()) {
		say("cannot take the counts of like refusals, which the kernel goes on with: " + taken.error().message);
	}
}

void Merged::put(Records &records, audit::Enricher &enricher, std::int64_t to_wall)
{
	for (; next_ < taken_.size() && !records.is_full(); next_++) {
		auto &[key, merge] = taken_[next_];
		if (merge.count == 0)
			continue; // the first was reported, and no other came
		if (merge.last == 0) // without a policy the gate asks no clock: it was in the last second
			merge.first = merge.last = static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
		put(records, enricher, to_wall, key, merge);
	}
	if (is_empty() && !taken_.empty()) {
		taken_ = {}; // and its memory: a flood is rare
		next_ = 0;
	}
}

void Merged::put(Records &records, audit::Enricher &enricher, std::int64_t to_wall, const weir_merge_key &key,
		 const weir_merge &merge)
{
	const auto &more = enricher.enrich(audit::event_of(key, merge));
	if (key.reason == WEIR_REASON_NONE) {
		const auto &row = rows_.of(key.generation, merge.row);
		audit::append_admitted_json(records.line(), key, merge, more, {.row = row.id, .window = row.window},
					    broker_.instance(), to_wall);
		records.put_admitted(key.gate, merge.count);
		return;
	}
	audit::append_merged_json(records.line(), key, merge, more, broker_.instance(), to_wall);
	records.put_refusals(key.gate, merge.count);
	counted_ += merge.count;
}

void Merged::put_sums(const kernel::Counters &counters, Records &records)
{
	const auto now = clock_ns(CLOCK_REALTIME);
	sums_.resize(std::max(sums_.size(), counters.size()));
	for (std::size_t i = 0; i < counters.size() && !records.is_full(); i++) {
		const auto &counter = counters[i];
		if (counter.summed <= sums_[i])
			continue;
		const auto [scope, gate, direction, reason] = kernel::place_of(i);
		audit::Summed sum;
		sum.scope = scope;
		sum.gate = gate;
		sum.direction = direction;
		sum.reason = reason;
		sum.count = counter.summed - sums_[i];
		sum.total = counter.summed;
		sum.since = looked_at_;
		if (!kernel::is_of_refusals(i))
			sum.verdict = "admitted";
		else if (counter.observed == 0 && counter.refused != 0)
			sum.verdict = "refused";
		else if (counter.refused == 0 && counter.observed != 0)
			sum.verdict = "observed";
		audit::append_summed_json(records.line(), sum, broker_.instance(), now);
		sums_[i] = counter.summed;
		if (!kernel::is_of_refusals(i)) {
			records.put_admitted(sum.gate, sum.count);
			continue;
		}
		records.put_refusals(sum.gate, sum.count);
		counted_ += sum.count;
	}
	if (!records.is_full())
		looked_at_ = now;
}

std::uint64_t Merged::discard(Balance &balance)
{
	std::uint64_t count = 0;
	for (; next_ < taken_.size(); next_++) {
		const auto &[key, merge] = taken_[next_];
		if (key.reason == WEIR_REASON_NONE)
			balance.discarded_admitted(key.gate, merge.count);
		else
			balance.discarded(key.gate, merge.count);
		count += merge.count;
	}
	taken_.clear();
	next_ = 0;
	return count;
}

void Merged::forget_sums()
{
	sums_.clear();
	looked_at_ = 0;
}

std::map<std::uint32_t, std::uint64_t> Merged::sums() const
{
	std::map<std::uint32_t, std::uint64_t> sums;
	for (std::size_t i = 0; i < sums_.size(); i++)
		if (sums_[i] != 0)
			sums[static_cast<std::uint32_t>(i)] = sums_[i];
	return sums;
}

void Merged::resume(const std::map<std::uint32_t, std::uint64_t> &sums)
{
	sums_.assign(static_cast<std::size_t>(WEIR_COUNTERS), 0);
	for (const auto &[index, total] : sums)
		if (index < sums_.size())
			sums_[index] = total;
}

} // namespace weir::daemon
