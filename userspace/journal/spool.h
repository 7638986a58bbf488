// SPDX-License-Identifier: Apache-2.0
// Changes wait here for the journal: a command that changes the policy is short-lived, and the one process that writes
// the journal need not run then. What is about to be done is on the disk before it is done; what came of it, after.
//
//   JOURNAL/changes/TIME-PID.begun   the record as it stands if the command dies; locked while it is at work
//   JOURNAL/changes/TIME-PID.done    the record of what was done
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::journal {

std::string spool_directory(const std::string &journal);

/// A change that a command makes.
class Spooled {
public:
	/// `record`: a line of JSON with its newline, to be recorded if nothing follows. On the disk when this has come back.
	static Result<Spooled> begin(const std::string &journal, std::string_view record);
	Spooled(Spooled &&) noexcept = default;
	Spooled &operator=(Spooled &&) noexcept = default;
	~Spooled();

	/// Instead of the first record.
	Result<> finish(std::string_view record);
	/// Nothing was changed: no record.
	void drop();

private:
	Spooled() = default;
	Fd directory_;
	std::string path_; ///< by way of directory_, without its ending; "": it is finished
	Fd file_;
};

/// One that waits.
struct Waiting {
	std::string path;
	std::string record; ///< a line, with its newline
};

struct Spool {
	std::vector<Waiting> changes{}; ///< oldest first
	bool at_work = false; ///< a command is changing something just now
};

/// Those that are done, and those whose command died. Error: it can't be read.
Result<Spool> spool_of(const std::string &journal);
/// It is in the journal, on the disk.
void forget(const Waiting &);

} // namespace weir::journal
