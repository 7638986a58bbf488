// SPDX-License-Identifier: Apache-2.0
// Every change of the policy in force is evidence: takes the records of those who changed it, finds what no record
// explains, and reads back whether the kernel still has what was published. Without a journal it does nothing.
#pragma once

#include "daemon/clock.h"
#include "daemon/records.h"
#include "journal/spool.h"
#include "kernel/instance.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

class Watch {
public:
	Watch(kernel::Where where, std::string journal) : where_(std::move(where)), journal_(std::move(journal)) {}

	/// Once a second, and at the start.
	void tick(Records &);
	/// What was taken is signed: it need not wait on the disk any more.
	void signed_off();

private:
	void begin(Records &);
	bool take(Records &);
	void take(Records &, const journal::Waiting &);
	void own_changes(Records &);
	void compare(Records &);
	void read_back(Records &);
	void note(Records &, const std::string &dataset, const std::string &action, const std::string &text,
		  const std::string &facts, const char *outcome);
	void explain(std::string policy) { explained_.insert(std::move(policy)); }

	kernel::Where where_;
	std::string journal_; ///< "": there is none
	bool begun_ = false;
	std::string known_; ///< "GENERATION:DIGEST" of the policy that was in force last; "": none was
	std::set<std::string> explained_; ///< by records, and by what this process itself published
	std::vector<std::pair<std::string, std::string>>
		claims_; ///< "before" and "after" of records that were just taken
	std::vector<journal::Waiting> taken_; ///< in the journal, and not signed yet
	std::uint64_t taken_at_ = 0; ///< Records::signatures() then
	std::set<std::string> problems_; ///< that were found the last time
	std::set<std::string> told_;     ///< of them
	std::int64_t next_read_back_ = 0;
	Complaint complaint_;
};

} // namespace weir::daemon
