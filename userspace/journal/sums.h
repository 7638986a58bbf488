// SPDX-License-Identifier: Apache-2.0
// Where every refusal went, and every packet that a row of a window admitted: what a checkpoint states of it, and whether
// that agrees with itself and with the records.
//
// For each gate, of refusals and apart from them of what was admitted, which is all `observed`, since the checkpoint before (`waiting` and `in_hand` are as of now):
//
//   in_hand before + refused + observed = reported + merged + summed + lost + in_hand       what the kernel counted
//   waiting before + reported + merged + summed = recorded + discarded + missing + waiting  what became of it here
//
// docs/journal.md has the words.
#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::journal {

inline constexpr std::array<const char *, 3> gate_names{"socket", "packet", "edge"};
template <typename T>
using PerGate = std::array<T, gate_names.size()>;
/// Index of a gate by its name; nullopt: it is none.
std::optional<std::size_t> gate_named(std::string_view);

/// The kernel's counters of one gate.
struct Counted {
	std::uint64_t refused = 0;
	std::uint64_t observed = 0;
	std::uint64_t reported = 0;
	std::uint64_t merged = 0;
	std::uint64_t summed = 0;
	std::uint64_t lost = 0;
	[[nodiscard]] std::uint64_t judged() const { return refused + observed; }
	[[nodiscard]] std::uint64_t to_be_recorded() const { return reported + merged + summed; }
	bool operator==(const Counted &) const = default;
};

struct GateSums {
	Counted counted; ///< since the checkpoint before
	Counted total; ///< since the counters began
	std::uint64_t recorded = 0; ///< have a record here, of their own or with others
	std::uint64_t discarded = 0; ///< were taken out of the kernel and not recorded
	std::uint64_t missing =
		0; ///< were taken by a process that was killed, or went with the instance: in no record here
	std::int64_t waiting = 0; ///< are in the kernel, or in the daemon's hands
	std::int64_t in_hand = 0; ///< are being counted just now
	bool operator==(const GateSums &) const = default;
};

/// What a checkpoint states.
struct Statement {
	std::uint64_t records = 0; ///< since the checkpoint before
	std::string counters; ///< which
	PerGate<GateSums> gates{}; ///< of refusals
	PerGate<GateSums>
		admitted{}; ///< of packets that rows of windows admitted: observed, merged, summed, not others
	std::string ring; ///< which
	std::uint64_t next = 0; ///< number of the event that is read next
	std::uint64_t unrecorded = 0; ///< events of the ring, since the checkpoint before, that have no record here
	std::string policy{}; ///< "GENERATION:DIGEST" of the policy in force; "": none, or it is not known
	std::map<std::uint32_t, std::uint64_t> summed{}; ///< by weir_counter_index(): what the records say of `summed`
};

/// The value of the member "checkpoint", in one line.
std::string json_of(const Statement &);
/// nullopt: the line, which is JSON, states nothing. Error: it can't be read.
Result<std::optional<Statement>> statement_of(std::string_view line);

/// Follows the records of a journal, in their order.
class Sums {
public:
	/// A record that is no checkpoint.
	void add(std::string_view line);
	/// A checkpoint: "" or what does not add up. What follows is counted from here.
	std::string close(std::string_view line);
	/// The same for who writes on: what it says is taken as it is.
	void take(std::string_view line);

	[[nodiscard]] const std::optional<Statement> &last() const { return last_; }
	[[nodiscard]] const PerGate<std::uint64_t> &recorded() const { return recorded_; } ///< since that
	[[nodiscard]] const PerGate<std::uint64_t> &admitted() const
	{
		return admitted_;
	} ///< have a record, since that
	[[nodiscard]] std::uint64_t ring_records() const
	{
		return ring_records_;
	} ///< records of events of the ring, since
	[[nodiscard]] std::uint64_t next() const { return next_; } ///< behind the last one of them

private:
	std::string problem_of(const Statement &) const;
	std::string ring_problem(const Statement &);
	void begin(std::optional<Statement>);

	std::optional<Statement> last_;
	std::uint64_t records_ = 0;
	PerGate<std::uint64_t> recorded_{};
	PerGate<std::uint64_t> admitted_{};
	std::uint64_t ring_records_ = 0;
	std::uint64_t next_ = 0;
	std::uint64_t unrecorded_ = 0; ///< of all checkpoints
	std::uint64_t explained_ = 0;
	std::string disorder_; ///< of the records since the last checkpoint
};

} // namespace weir::journal
