// SPDX-License-Identifier: Apache-2.0
#include "daemon/balance.h"

#include "audit/event.h"

#include <algorithm>
#include <charconv>

namespace weir::daemon {
namespace {

using journal::Counted;

struct ByGate {
	journal::PerGate<Counted> refusals{}, admitted{};
};

/// Sums over scopes and directions; of refusals over all reasons, of what was admitted of the one that is none.
ByGate by_gate(const kernel::Counters &counters)
{
	ByGate gates;
	for (std::size_t i = 0; i < counters.size(); ++i) {
		const auto gate = i / (std::size_t{WEIR_DIRECTIONS} * WEIR_REASONS) % WEIR_GATES;
		if (gate == WEIR_GATE_NONE)
			continue;
		auto &sums = (kernel::is_of_refusals(i) ? gates.refusals : gates.admitted).at(gate - 1);
		const auto &one = counters[i];
		sums.refused += one.refused;
		sums.observed += one.observed;
		sums.reported += one.reported;
		sums.merged += one.merged;
		sums.summed += one.summed;
		sums.lost += one.lost;
	}
	return gates;
}

/// What follows on `key`, in a record that weir wrote; "": it isn't there.
std::string_view behind(std::string_view line, std::string_view key)
{
	const auto at = line.find(key);
	return at == std::string_view::npos ? std::string_view() : line.substr(at + key.size());
}

std::uint64_t number_of(std::string_view text)
{
	std::uint64_t number = 0;
	std::from_chars(text.data(), text.data() + text.size(), number);
	return number;
}

/// Of an id of Ring.
std::string_view boot_of(std::string_view id)
{
	return id.substr(0, id.find(':'));
}

void grow(std::uint64_t &since, std::uint64_t &total, std::uint64_t now)
{
	since += now - total;
	total = now;
}

/// `anew`: other counters than those of the total.
void grow(journal::PerGate<journal::GateSums> &gates, const journal::PerGate<Counted> &counted, bool anew)
{
	for (std::size_t i = 0; i < gates.size(); ++i) {
		auto &since = gates[i].counted;
		auto &total = gates[i].total;
		if (anew)
			total = {};
		const auto &now = counted[i];
		grow(since.refused, total.refused, now.refused);
		grow(since.observed, total.observed, now.observed);
		grow(since.reported, total.reported, now.reported);
		grow(since.merged, total.merged, now.merged);
		grow(since.summed, total.summed, now.summed);
		grow(since.lost, total.lost, now.lost);
	}
}

std::int64_t waiting(const journal::GateSums &sums)
{
	return sums.waiting +
	       static_cast<std::int64_t>(sums.counted.to_be_recorded() - sums.recorded - sums.discarded - sums.missing);
}

std::int64_t in_hand(const journal::GateSums &sums)
{
	const auto &counted = sums.counted;
	return sums.in_hand + static_cast<std::int64_t>(counted.judged() - counted.to_be_recorded() - counted.lost);
}

} // namespace

void Balance::recall(std::string_view line, bool is_checkpoint)
{
	if (!is_checkpoint) {
		recalled_.add(line);
		recall_sum(line);
		return;
	}
	recalled_.take(line);
	recalled_sums_ = recalled_.last() ? recalled_.last()->summed : decltype(recalled_sums_)();
}

/// Of a record of append_summed_json().
void Balance::recall_sum(std::string_view line)
{
	const auto weir = line.substr(std::min(line.find(R"(,"weir":{)"), line.size()));
	const auto total = behind(weir, R"(,"count_total":)");
	if (total.empty())
		return;
	std::uint8_t gate = 1;
	while (gate < WEIR_GATES && !behind(weir, R"(,"gate":")").starts_with(audit::gate_name(gate)))
		gate++;
	const auto reason_text = behind(weir, R"(,"reason":")");
	std::uint8_t reason = line.contains(R"("dataset":"weir.admission")") ? WEIR_REASON_NONE : 1;
	while (reason != WEIR_REASON_NONE && reason < WEIR_REASONS &&
	       reason_text.substr(0, reason_text.find('"')) != audit::reason_name(reason))
		reason++;
	const auto scope = number_of(behind(weir, R"(,"scope":)"));
	if (gate == WEIR_GATES || reason == WEIR_REASONS || scope >= WEIR_SCOPES)
		return;
	const auto direction = line.contains(R"("direction":"egress")") ? WEIR_OUT : WEIR_IN;
	recalled_sums_[weir_counter_index(static_cast<std::uint32_t>(scope), gate, direction, reason)] =
		number_of(total);
}

std::uint64_t Balance::begin(const std::string &ring, std::uint64_t next)
{
	std::uint64_t taken = next; // out of this ring, so far
	if (now_.ring.empty()) {
		if (const auto &last = recalled_.last()) {
			now_ = *last;
			stated(*last);
			was_rebooted_ = boot_of(last->ring) != boot_of(ring);
		}
		for (std::size_t i = 0; i < now_.gates.size(); ++i) {
			now_.gates[i].recorded = recalled_.recorded()[i];
			now_.admitted[i].recorded = recalled_.admitted()[i];
		}
		const bool same_ring = now_.ring == ring || !recalled_.last();
		if (same_ring && recalled_.next() == next + 1)
			in_hand_then_ = next;
		if (same_ring)
			taken -= std::min(taken, (recalled_.last() ? now_.next : 0) + recalled_.ring_records());
	} else if (now_.ring == ring) {
		taken = 0;
	} else {
		in_hand_then_.reset();
	}
	now_.ring = ring;
	now_.unrecorded += taken;
	return taken;
}

void Balance::count(const kernel::Counters &counters, const std::string &id)
{
	const auto gates = by_gate(counters);
	grow(now_.gates, gates.refusals, now_.counters != id);
	grow(now_.admitted, gates.admitted, now_.counters != id);
	now_.counters = id;
}

bool Balance::settle(bool refusals, bool admitted)
{
	bool any = false;
	const auto settle_one = [&any](journal::GateSums &sums) {
		if (const auto never = waiting(sums); never > 0) {
			sums.missing += static_cast<std::uint64_t>(never);
			any = true;
		}
	};
	if (refusals)
		std::ranges::for_each(now_.gates, settle_one);
	if (admitted)
		std::ranges::for_each(now_.admitted, settle_one);
	return any;
}

bool Balance::is_even() const
{
	for (const auto *gates : {&now_.gates, &now_.admitted})
		for (const auto &sums : *gates)
			if (in_hand(sums) != 0)
				return false;
	return true;
}

journal::Statement Balance::statement(std::uint64_t records, std::uint64_t next) const
{
	auto statement = now_;
	statement.records = records;
	statement.next = next;
	for (auto *gates : {&statement.gates, &statement.admitted})
		for (auto &sums : *gates) {
			const auto left = waiting(sums);
			sums.in_hand = in_hand(sums);
			sums.waiting = left;
		}
	return statement;
}

void Balance::stated(const journal::Statement &statement)
{
	now_.unrecorded = 0;
	now_.next = statement.next;
	const auto begin = [](journal::PerGate<journal::GateSums> &gates,
			      const journal::PerGate<journal::GateSums> &said) {
		for (std::size_t i = 0; i < gates.size(); ++i) {
			auto &sums = gates[i];
			sums.counted = {};
			sums.recorded = sums.discarded = sums.missing = 0;
			sums.waiting = said[i].waiting;
			sums.in_hand = said[i].in_hand;
		}
	};
	begin(now_.gates, statement.gates);
	begin(now_.admitted, statement.admitted);
}

} // namespace weir::daemon
