// SPDX-License-Identifier: Apache-2.0
// Is a journal whole and as it was written? Needs the files and one key, and nothing of the system that wrote them.
#pragma once

#include "base/result.h"
#include "journal/chain.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weir::journal {

/// A line that head_of() made, kept elsewhere.
struct Head {
	std::string key; ///< the first 16 digits of the first key
	std::uint64_t sequence = 0;
	Hash hash{};
};
Result<Head> parse_head(std::string_view);

enum class Fault : std::uint8_t {
	damaged,      ///< a file can't be read, or is cut off
	no_record,    ///< a line is no record
	edited,       ///< a record is not what its successor says it was
	missing,      ///< records are missing
	misplaced,    ///< a record stands where another belongs: inserted, doubled or moved
	forged,       ///< a checkpoint's signature is not by the key that the one before it announced
	truncated,    ///< a head that was kept elsewhere is of a checkpoint that the journal doesn't reach
	other_head,   ///< the record of a head's number is another one
	other_key,    ///< the journal's first key is not the auditor's
	sums,         ///< a checkpoint's sums don't add up
};
const char *name_of(Fault);

struct Finding {
	Fault fault = Fault::damaged;
	std::string file;
	std::uint64_t line = 0;     ///< 0: of the file as a whole
	std::uint64_t sequence = 0; ///< of the record; 0: not known
	std::string text;           ///< for people
};

/// What a verdict since some time rests on: the checkpoint that verifying began at.
struct Rest {
	std::uint64_t checkpoint = 0; ///< its number; 0: there is none before that time, and all was verified
	std::string at;               ///< its @timestamp
	std::uint64_t followed = 0;   ///< checkpoints before it whose keys were followed, from the first key
	bool by_head = false;         ///< instead of that: it is the one that a given head is of
};

struct Verdict {
	std::vector<Finding> findings; ///< in their order; empty: all is well. At most `most_findings`
	std::uint64_t records = 0;
	std::uint64_t checkpoints = 0;
	std::uint64_t first = 0;       ///< number of the first record that is there
	std::uint64_t last = 0;
	std::uint64_t covered = 0;     ///< number of the last checkpoint
	std::string covered_at;        ///< its @timestamp
	std::uint64_t retired = 0;     ///< records that retention took away
	std::string head;              ///< of the last checkpoint
	std::optional<Rest> rest{};    ///< where Question::since was given
};

constexpr std::size_t most_findings = 20;

struct Question {
	std::string directory;
	std::optional<PublicKey> key{}; ///< the auditor's; absent: the journal's own first-key, which proves less
	std::vector<Head> heads{};
	/// UNIX time, ns: what stands before the last checkpoint that is not after it is not looked at, but for the keys
	/// of its checkpoints; or not at all, where a head is of such a checkpoint.
	std::optional<std::int64_t> since{};
};

/// Is told the bytes that are read and all that there are.
using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

/// Error: there is no journal to be read.
Result<Verdict> verify(const Question &, const Progress &progress = {});

} // namespace weir::journal
