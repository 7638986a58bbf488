// SPDX-License-Identifier: Apache-2.0
#include "daemon/read_back.h"

#include "audit/note.h"
#include "journal/spool.h"

#include <nlohmann/json.hpp>

namespace weir::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t read_back_pause = 5 * second;
constexpr std::int64_t second_look = second; ///< what is found is looked at again, as others may be changing it

std::string dump(const Json &json)
{
	return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace

void ReadBack::note(Records &records, const std::string &action, const std::string &text, const std::string &facts,
		    const char *outcome)
{
	audit::append_note_json(
		records.line(),
		{.dataset = "weir.integrity", .action = action, .text = text, .outcome = outcome, .facts = facts},
		where_.instance, clock_ns(CLOCK_REALTIME));
	records.put();
}

/// What is found twice in a row stands in the record, and that it is well again.
void ReadBack::tick(Records &records)
{
	if (journal_.empty() || records.is_jammed())
		return;
	const auto now = clock_ns(CLOCK_MONOTONIC);
	if (now < next_read_back_)
		return;
	const auto spool = journal::spool_of(journal_);
	if (!spool || spool->at_work)
		return; // a command is changing something just now
	const auto state = kernel::inspect(where_);
	if (!state)
		return; // it is gone: that is another record
	const std::set<std::string> found(state->problems.begin(), state->problems.end());
	for (const auto &each : found) {
		if (!problems_.contains(each) || !told_.insert(each).second)
			continue;
		say("not as it was published: " + each);
		note(records, "not_as_published", "not as it was published: " + each,
		     dump({{"problem", each},
			   {"policy", {{"generation", state->generation}, {"digest", state->digest}}}}),
		     "failure");
	}
	std::erase_if(told_, [&](const std::string &each) {
		if (found.contains(each))
			return false;
		note(records, "as_published", "as it was published again: " + each, dump({{"problem", each}}),
		     "success");
		return true;
	});
	problems_ = found;
	next_read_back_ = now + (found == told_ ? read_back_pause : second_look);
}

} // namespace weir::daemon
