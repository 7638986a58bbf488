// SPDX-License-Identifier: Apache-2.0
// Where everything went that the kernel counted, refusals and, apart from them, packets that rows of windows admitted:
// recorded, discarded, missing, or waiting. What a checkpoint of the journal states of it.
#pragma once

#include "journal/sums.h"
#include "kernel/instance.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::daemon {

class Balance {
public:
	/// The journal's last records, in their order, before anything else.
	void recall(std::string_view line, bool is_checkpoint);
	/// The ring is read from now on: also another one, when the instance was loaded anew. Gives how many of its events
	/// somebody has taken before who did not record them.
	std::uint64_t begin(const std::string &ring, std::uint64_t next);

	/// Of the event that a process had in hand when it was killed: it had recorded it, and the ring gives it once more.
	[[nodiscard]] bool was_recorded(std::uint64_t number) const { return number == in_hand_then_; }

	/// `count` refusals of a gate (enum weir_gate) have a record.
	void recorded(std::uint8_t gate, std::uint64_t count) { of(gate).recorded += count; }
	void discarded(std::uint8_t gate, std::uint64_t count) { of(gate).discarded += count; }
	/// The same of packets that rows of windows admitted.
	void admitted(std::uint8_t gate, std::uint64_t count) { now_.admitted.at(gate - 1U).recorded += count; }
	void discarded_admitted(std::uint8_t gate, std::uint64_t count)
	{
		now_.admitted.at(gate - 1U).discarded += count;
	}
	void discarded_event(std::uint8_t gate)
	{
		discarded(gate, 1);
		now_.unrecorded++;
	}
	/// What the kernel's counters say, and which they are.
	void count(const kernel::Counters &, const std::string &id);
	/// Nothing is in the kernel or in anyone's hands, of refusals or of what was admitted: what still waits never comes.
	/// True: there was something.
	bool settle(bool refusals = true, bool admitted = true);
	/// The counters that were counted last are all in: nothing is just being judged.
	[[nodiscard]] bool is_even() const;

	/// As of the last count(); `next` is the ring's.
	[[nodiscard]] journal::Statement statement(std::uint64_t records, std::uint64_t next) const;
	/// It stands in the journal: what follows is counted from there.
	void stated(const journal::Statement &);

	/// Of the policy in force: "GENERATION:DIGEST", or "".
	void in_force(const std::string &policy) { now_.policy = policy; }
	[[nodiscard]] const std::string &policy() const { return now_.policy; }
	/// The ring that the last checkpoint speaks of is another boot's.
	[[nodiscard]] bool was_rebooted() const { return was_rebooted_; }
	[[nodiscard]] const std::string &counters() const { return now_.counters; } ///< which; "": none were counted
	/// By weir_counter_index(): what the recalled records say of `summed`.
	[[nodiscard]] const std::map<std::uint32_t, std::uint64_t> &recalled_sums() const { return recalled_sums_; }

private:
	journal::GateSums &of(std::uint8_t gate) { return now_.gates.at(gate - 1U); }
	void recall_sum(std::string_view line);

	journal::Sums recalled_;
	bool was_rebooted_ = false;
	std::optional<std::uint64_t> in_hand_then_;
	std::map<std::uint32_t, std::uint64_t> recalled_sums_;
	journal::Statement now_; ///< since the last checkpoint; `waiting` and `in_hand` as of then
};

} // namespace weir::daemon
