// SPDX-License-Identifier: Apache-2.0
// Reads back whether the kernel still has what was published: a program that is detached or another, a map that is not
// what it was. Without a journal it does nothing.
#pragma once

#include "daemon/clock.h"
#include "daemon/records.h"
#include "kernel/instance.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace weir::daemon {

class ReadBack {
public:
	ReadBack(kernel::Where where, std::string journal) : where_(std::move(where)), journal_(std::move(journal)) {}

	/// Once a second, and at the start.
	void tick(Records &);

private:
	void note(Records &, const std::string &action, const std::string &text, const std::string &facts,
		  const char *outcome);

	kernel::Where where_;
	std::string journal_; ///< "": there is none
	std::set<std::string> problems_; ///< that were found the last time
	std::set<std::string> told_;     ///< of them
	std::int64_t next_read_back_ = 0; ///< monotonic
};

} // namespace weir::daemon
