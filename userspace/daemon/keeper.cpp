// SPDX-License-Identifier: Apache-2.0
#include "daemon/keeper.h"

#include "audit/json.h"
#include "audit/note.h"

#include <fmt/format.h>

#include <cstdlib>

namespace weir::daemon {
namespace {

constexpr std::int64_t retry_pause = second;
constexpr std::int64_t idle_pause = 3600 * second; ///< a journal that nothing is written to is signed so often
constexpr std::int64_t long_pause = 5 * second;    ///< between two ticks
constexpr std::int64_t clock_step = second;

std::string quoted(std::string_view text)
{
	std::string out;
	audit::append_quoted(out, text);
	return out;
}

std::string utc(std::int64_t unix_ns)
{
	std::string out;
	audit::append_time(out, unix_ns);
	return out;
}

double seconds_of(std::int64_t ns)
{
	return static_cast<double>(ns) / 1e9;
}

std::string text_of(const journal::Statement &statement)
{
	std::string text = fmt::format("{} records since the last checkpoint", statement.records);
	for (std::size_t i = 0; i < statement.gates.size(); ++i) {
		const auto &sums = statement.gates[i];
		if (sums.counted == journal::Counted{} && sums.recorded + sums.discarded + sums.missing == 0)
			continue;
		text += fmt::format("; {} gate: {} refused, {} observed, {} in records, {} lost",
				    journal::gate_names[i], sums.counted.refused, sums.counted.observed, sums.recorded,
				    sums.counted.lost);
		if (sums.discarded + sums.missing != 0)
			text += fmt::format(", {} discarded, {} missing", sums.discarded, sums.missing);
		if (sums.waiting != 0)
			text += fmt::format(", {} wait", sums.waiting);
	}
	for (std::size_t i = 0; i < statement.admitted.size(); ++i) {
		const auto &sums = statement.admitted[i];
		if (sums.counted == journal::Counted{} && sums.recorded + sums.discarded + sums.missing == 0)
			continue;
		text += fmt::format("; {} gate: {} packets admitted by windows, {} in records", journal::gate_names[i],
				    sums.counted.observed, sums.recorded);
		if (sums.discarded + sums.missing != 0)
			text += fmt::format(", {} discarded, {} missing", sums.discarded, sums.missing);
		if (sums.waiting != 0)
			text += fmt::format(", {} wait", sums.waiting);
	}
	return text;
}

} // namespace

void Keeper::note(Records &records, const std::string &action, const std::string &text, const std::string &facts,
		  const char *outcome)
{
	audit::append_note_json(
		records.line(),
		{.dataset = "weir.journal", .action = action, .text = text, .outcome = outcome, .facts = facts},
		instance_, clock_(CLOCK_REALTIME));
	records.put();
}

void Keeper::note_begin(Records &records, bool same_counters, std::uint64_t unrecorded)
{
	const auto &past = records.past();
	const auto &mend = records.journal()->mend();
	std::string text = !past.any    ? "the recording began, in an empty journal"
			   : past.ended ? fmt::format("the recording went on, that ended at {}", past.last_time)
					: fmt::format("the recording went on, that broke off at {}: the process was "
						      "killed, or the host",
						      past.last_time);
	if (mend && mend->bytes != 0)
		text += fmt::format("; {} bytes of a record that was being written were taken off the end",
				    mend->bytes);
	if (past.any && past.last_time > utc(clock_(CLOCK_REALTIME)))
		text += "; the clock was set back since";
	if (unrecorded != 0)
		text += fmt::format("; {} events were taken out of the kernel before, and have no record here",
				    unrecorded);
	if (past.any && !same_counters)
		text += "; the kernel's counters have begun anew since, so what was counted after the last checkpoint "
			"is "
			"not known";
	const auto facts = fmt::format(
		R"({{"last_record":{},"ended":{},"mended_bytes":{},"unsigned_records":{},"unrecorded":{},"same_counters":{}}})",
		past.any ? quoted(past.last_time) : "null", past.ended, mend ? mend->bytes : 0,
		mend ? mend->unsigned_records : 0, unrecorded, same_counters);
	note(records, "recording_began", text, facts, past.any && !past.ended ? "failure" : "success");
}

void Keeper::begin(Records &records, const kernel::Ring &ring, Merged &merged)
{
	if (records.journal() == nullptr)
		return;
	auto &balance = records.balance();
	const auto unrecorded = balance.begin(ring.id(), ring.next());
	const bool same = balance.counters() == ring.counters_id();
	if (same)
		merged.resume(balance.recalled_sums());
	note_begin(records, same, unrecorded);
	count(records, ring);
}

void Keeper::leave(Records &records, const kernel::Ring &ring)
{
	if (records.journal() == nullptr)
		return;
	count(records, ring);
	ring_ = ring.id();
	next_ = ring.next();
}

void Keeper::turn_to(Records &records, const kernel::Ring &ring, const Merged &merged)
{
	if (records.journal() == nullptr)
		return;
	if (ring.id() != ring_)
		records.balance().settle(); // what waited went with the old one
	records.balance().begin(ring.id(), ring.next());
	note(records, "counters_began", "the instance was loaded anew: the kernel counts from 0", "{}");
	// At once: a checkpoint is of one set of counters only, so that the next run knows which it goes on with.
	if (auto done = sign(records, &ring, merged); !done)
		say(done.error().message);
}

/// Reads the counters; again while a refusal is just being counted.
void Keeper::count(Records &records, const kernel::Ring &ring)
{
	constexpr int tries = 8;
	for (int i = 0; i < tries; ++i) {
		const auto counters = ring.counters();
		if (!counters)
			return; // as of the last time
		records.balance().count(*counters, ring.counters_id());
		if (records.balance().is_even())
			return;
	}
}

bool Keeper::wants_to_sign(Records &records) const
{
	auto &journal = *records.journal();
	return journal.is_due(std::chrono::steady_clock::now()) || records.is_urgent() ||
	       clock_(CLOCK_MONOTONIC) - signed_at_ > idle_pause;
}

Result<> Keeper::sign(Records &records, const kernel::Ring *ring, const Merged &merged)
{
	auto &journal = *records.journal();
	auto statement = records.balance().statement(journal.since_checkpoint(), 0);
	std::string object;
	if (!journal.is_pending()) {
		if (ring != nullptr)
			count(records, *ring);
		statement =
			records.balance().statement(journal.since_checkpoint(), ring != nullptr ? ring->next() : next_);
		statement.summed = merged.sums();
		audit::append_note_json(object,
					{.dataset = "weir.checkpoint",
					 .action = "journal_checkpoint",
					 .text = text_of(statement),
					 .facts = journal::json_of(statement)},
					instance_, clock_(CLOCK_REALTIME));
		object.pop_back();
	}
	const auto before = journal.sequence();
	const auto done = journal.checkpoint(object);
	if (journal.sequence() != before)
		records.balance().stated(statement);
	if (!done)
		return done;
	signed_at_ = clock_(CLOCK_MONOTONIC);
	records.signed_off();
	return journal.is_full() ? journal.rotate() : Result<>();
}

void Keeper::look(Records &records, const kernel::Ring &ring, const Merged &merged)
{
	if (records.journal() == nullptr || !wants_to_sign(records) || clock_(CLOCK_MONOTONIC) < next_try_)
		return;
	if (auto done = sign(records, &ring, merged); done) {
		next_try_ = 0;
		if (complaint_.settle())
			say("the journal is signed again");
	} else {
		next_try_ = clock_(CLOCK_MONOTONIC) + retry_pause;
		if (complaint_.is_due())
			say("the journal cannot be signed, trying on: " + done.error().message);
	}
}

/// That this process did not run, or that the clock was set: who reads the record has to know.
void Keeper::notice_time(Records &records)
{
	const auto now = clock_(CLOCK_BOOTTIME);
	const auto to_wall = clock_(CLOCK_REALTIME) - now;
	const auto pause = now - ticked_at_;
	if (ticked_at_ != 0 && pause > long_pause) {
		const auto why = stuck_.empty() ? "this process did not run" : "nothing could be written: " + stuck_;
		note(records, "recording_paused", fmt::format("for {:.1f} s {}", seconds_of(pause), why),
		     fmt::format(R"({{"seconds":{:.3f},"stuck":{}}})", seconds_of(pause), !stuck_.empty()), "failure");
	}
	if (ticked_at_ != 0 && std::abs(to_wall - to_wall_) > clock_step)
		note(records, "clock_set",
		     fmt::format("the clock was set {} by {:.3f} s", to_wall > to_wall_ ? "forward" : "back",
				 seconds_of(std::abs(to_wall - to_wall_))),
		     fmt::format(R"({{"seconds":{:.3f}}})", seconds_of(to_wall - to_wall_)));
	ticked_at_ = now;
	to_wall_ = to_wall;
	stuck_.clear();
}

/// Nothing was refused since the last tick, and all that was has been taken: what has no record by now gets none. It
/// went with a process that was killed. The same of what windows admit, by itself: their traffic may never rest.
void Keeper::notice_quiet(Records &records, const kernel::Ring &ring, const Merged &merged)
{
	const auto counters = ring.counters();
	if (!counters)
		return;
	records.balance().count(*counters, ring.counters_id());
	std::uint64_t judged = 0, admitted = 0;
	for (std::size_t i = 0; i < counters->size(); ++i)
		(kernel::is_of_refusals(i) ? judged : admitted) += (*counters)[i].refused + (*counters)[i].observed;
	const bool taken = merged.is_empty() && !records.is_full();
	const bool refusals_rest = taken && judged == judged_ && ring.next() == ring.made();
	const bool windows_rest = taken && merged.has_admitted() && admitted == admitted_;
	judged_ = judged;
	admitted_ = admitted;
	if (records.balance().settle(refusals_rest, windows_rest))
		records.make_urgent();
}

/// One step at a time: a segment is compressed, or an old one is retired.
void Keeper::tidy(Records &records)
{
	const auto done = records.journal()->tidy(std::chrono::system_clock::now());
	if (done)
		untidy_.settle();
	else if (untidy_.is_due())
		say("old parts of the journal can't be compressed or retired: " + done.error().message);
}

void Keeper::tick(Records &records, const kernel::Ring &ring, const Merged &merged)
{
	if (records.journal() == nullptr)
		return;
	notice_time(records);
	notice_quiet(records, ring, merged);
	tidy(records);
}

Result<> Keeper::end(Records &records, const kernel::Ring *ring, const Merged &merged, bool is_removed)
{
	if (records.journal() == nullptr)
		return {};
	note(records, "recording_ended", "the recording ended", "{}");
	if (is_removed)
		records.balance().settle();
	if (records.journal()->is_pending()) // an earlier one first
		if (auto done = sign(records, ring, merged); !done)
			return done;
	return sign(records, ring, merged);
}

} // namespace weir::daemon
