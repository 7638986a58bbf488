// SPDX-License-Identifier: Apache-2.0
#include "daemon/lease.h"

#include "audit/note.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::daemon {
namespace {

/// "": it takes records, and its disk takes writes.
std::string problem_of(Records &records)
{
	auto *const journal = records.journal();
	if (journal == nullptr)
		return "weir run writes no journal: it was started without --journal";
	if (!journal->write_out())
		return journal->problem();
	if (journal->is_pending())
		return "a checkpoint can't be brought to the disk";
	const auto proved = journal->prove_writable();
	return proved ? "" : proved.error().message;
}

std::uint64_t boot_now()
{
	return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
}

} // namespace

void Lease::look(Records &records)
{
	const auto now = clock_ns(CLOCK_MONOTONIC);
	if (now < next_)
		return;
	next_ = now + pause;
	const auto flags = broker_.read_flags();
	if (!flags || (*flags & WEIR_IMAGE_JOURNAL) == 0)
		return;
	if (const auto problem = problem_of(records); problem.empty())
		renew(records);
	else
		withdraw(records, problem);
}

void Lease::note(Records &records, const char *action, const std::string &text, std::uint64_t closed_for)
{
	if (records.is_jammed())
		return;
	audit::append_note_json(
		records.line(),
		{.dataset = "weir.journal",
		 .action = action,
		 .text = text,
		 .outcome = "success",
		 .facts = fmt::format(R"({{"seconds":{:.3f}}})", static_cast<double>(closed_for) / 1e9)},
		broker_.instance(), clock_ns(CLOCK_REALTIME));
	records.put();
}

void Lease::renew(Records &records)
{
	const auto before = broker_.read_lease();
	const auto now = boot_now(); // behind the proof, which may have taken a while
	weir_lease lease{};
	lease.until = now + static_cast<std::uint64_t>(length);
	if (!before || !broker_.write_lease(lease))
		return; // it was removed just now
	said_.clear();
	if (before->until > now)
		return;
	const auto closed_for = before->until == 0 ? 0 : now - before->until;
	const auto text = closed_for == 0 ? std::string("rows that need the journal are open: it is written")
					  : fmt::format("rows that need the journal are open again, after {:.1f} s{}{}",
							static_cast<double>(closed_for) / 1e9,
							before->problem[0] == '\0' ? "" : ": ", before->problem);
	say(text);
	note(records, "rows_opened", text, closed_for);
}

void Lease::withdraw(Records &records, const std::string &problem)
{
	const auto before = broker_.read_lease();
	if (!before)
		return;
	const auto now = boot_now();
	weir_lease lease{};
	lease.until = std::min<std::uint64_t>(before->until, now);
	problem.copy(lease.problem, sizeof(lease.problem) - 1);
	if (!broker_.write_lease(lease))
		return;
	const auto text = "rows that need the journal are closed: " + problem;
	if (std::exchange(said_, problem) != problem)
		say(text);
	if (before->until > now)
		note(records, "rows_closed", text, 0);
}

} // namespace weir::daemon
