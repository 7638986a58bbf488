// SPDX-License-Identifier: Apache-2.0
#include "daemon/records.h"

#include "policy/difference.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace weir::daemon {
namespace {

std::string timestamp_of(std::string_view line)
{
	constexpr std::string_view begin = "{\"@timestamp\":\"";
	const auto rest = line.starts_with(begin) ? line.substr(begin.size()) : std::string_view();
	return std::string(rest.substr(0, std::min(rest.find('"'), rest.size())));
}

} // namespace

Result<Records> Records::open(const std::string &output, const std::string &journal)
{
	auto sink = Sink::open(output);
	if (!sink)
		return std::unexpected(std::move(sink).error());
	Records records(std::move(*sink));
	if (journal.empty())
		return records;
	auto writer = journal::Writer::open(journal, {}, [&](std::string_view line, bool is_checkpoint) {
		records.balance_.recall(line, is_checkpoint);
		records.past_.any = true;
		records.past_.last_time = timestamp_of(line);
		if (is_checkpoint) {
			records.past_.policies.clear();
			return;
		}
		// The last checkpoint of a run stands behind its last record.
		records.past_.ended = line.contains(R"("action":"recording_ended")");
		if (line.contains(R"("dataset":"weir.policy")"))
			records.past_.policies.emplace_back(line);
	});
	if (!writer)
		return std::unexpected(std::move(writer).error());
	records.journal_ = std::move(*writer);
	records.name_ = fmt::format("the journal {} and {}", journal, records.sink_.name());
	return records;
}

Records Records::relay(Fd socket)
{
	Records records(Sink::of(std::move(socket), "weir run"));
	records.relays_ = true;
	return records;
}

void Records::published(const kernel::Applied &applied)
{
	if (!journal_ && !relays_)
		return;
	auto difference = policy::difference(applied.before ? &*applied.before : nullptr, &applied.policy);
	const nlohmann::ordered_json json = {
		{"verb", "run"},
		{"after", {{"generation", applied.generation}, {"digest", applied.digest}}},
		{"opened", policy::for_record(std::move(difference.opened))},
		{"closed", policy::for_record(std::move(difference.closed))},
		{"used", nlohmann::ordered_json::parse(
				 policy::used_for_record(applied.before ? &*applied.before : nullptr, applied.used))}};
	auto text = json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
	if (journal_) {
		published(std::move(text));
		return;
	}
	line() += fmt::format("published {}\n", text);
	(void)write_out(); // at once: the other process sees what is in force
}

void Records::published(std::string text)
{
	if (journal_)
		published_.push_back(std::move(text));
}

/// The output gets the line as it stands in the journal.
void Records::pass_on(std::string_view line)
{
	if (keeps_new_)
		new_ += line;
	if (is_gone_ || sink_.is_full()) {
		dropped_++;
		return;
	}
	sink_.buffer().append(line);
}

std::string Records::take_new()
{
	return journal_ ? std::exchange(new_, {}) : std::string(sink_.take_new());
}

void Records::finish()
{
	if (!journal_)
		return;
	line_.pop_back(); // the newline
	pass_on(journal_->append(line_));
	line_.clear();
}

void Records::put()
{
	finish();
	puts_++;
	urgent_ = true;
}

void Records::put_event(std::uint8_t gate)
{
	finish();
	events_++;
	balance_.recorded(gate, 1);
}

void Records::put_refusals(std::uint8_t gate, std::uint64_t count)
{
	finish();
	events_++;
	balance_.recorded(gate, count);
}

void Records::put_admitted(std::uint8_t gate, std::uint64_t count)
{
	finish();
	events_++;
	balance_.admitted(gate, count);
}

bool Records::is_batch() const
{
	return journal_ ? journal_->waiting() >= Sink::batch : sink_.waiting() >= Sink::batch;
}

Result<bool> Records::write_out()
{
	if (!journal_)
		return sink_.write_out();
	const bool all = journal_->write_out();
	if (is_gone_)
		return all;
	const auto taken = sink_.write_out();
	if (!taken) {
		is_gone_ = true;
		dropped_ += sink_.unwritten_lines();
		say(taken.error().message + "; the journal goes on");
	} else if (!*taken && sink_.is_full() && complaint_.is_due()) {
		say(fmt::format("{} takes nothing{}{}: the journal goes on, {} lines were not passed on", sink_.name(),
				sink_.problem().empty() ? "" : ", ", sink_.problem(), dropped_));
	}
	return all;
}

int Records::slow_fd() const
{
	return !sink_rests() && sink_.problem().empty() ? sink_.fd() : -1;
}

std::uint64_t Records::unwritten() const
{
	return journal_ ? journal_->waiting_records() : sink_.unwritten_lines();
}

void Records::signed_off()
{
	urgent_ = false;
	signatures_++;
	pass_on(journal_->checkpoint_line());
}

} // namespace weir::daemon
