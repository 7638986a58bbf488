// SPDX-License-Identifier: Apache-2.0
// Every change of the policy in force is evidence: takes the records of those who changed it, and finds what no record
// explains. Without a journal it does nothing.
#pragma once

#include "daemon/broker.h"
#include "daemon/clock.h"
#include "daemon/records.h"
#include "journal/spool.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

class Watch {
public:
	/// `patience`: how long a record may be on its way from another process of this run, ns.
	Watch(Broker &broker, std::string journal, std::int64_t patience = 0)
		: broker_(broker), journal_(std::move(journal)), patience_(patience)
	{}

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
	std::optional<std::string> read();
	bool is_strange_enough();
	void note(Records &, const std::string &dataset, const std::string &action, const std::string &text,
		  const std::string &facts, const char *outcome);
	void explain(std::string policy) { explained_.insert(std::move(policy)); }

	Broker &broker_;
	std::string journal_; ///< "": there is none
	std::int64_t patience_;
	std::int64_t strange_since_ = 0; ///< monotonic: a policy is in force that nothing explains; 0: none is
	struct {
		std::uint64_t identity = 0;
		std::uint32_t generation = 0;
		std::string policy{};
	} read_; ///< what read() gave the last time
	bool begun_ = false;
	std::string known_; ///< "GENERATION:DIGEST" of the policy that was in force last; "": none was
	std::set<std::string> explained_; ///< by records, and by what this process itself published
	std::vector<std::pair<std::string, std::string>>
		claims_; ///< "before" and "after" of records that were just taken
	std::vector<journal::Waiting> taken_; ///< in the journal, and not signed yet
	std::uint64_t taken_at_ = 0; ///< Records::signatures() then
	Complaint complaint_;
};

} // namespace weir::daemon
