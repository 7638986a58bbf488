// SPDX-License-Identifier: Apache-2.0
// The record of a change of the policy in force, for the journal: who, what was in force, what is, and the difference.
#pragma once

#include "cli/cli.h"
#include "journal/spool.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

class Evidence {
public:
	/// `verb`: what is about to be done: "apply", "remove", "window open". Without a journal nothing is recorded; where
	/// the record can't be written, that is said, and `weir run` will find a change that no record explains.
	Evidence(const Context &, std::string verb);

	/// It was done. Policies: nullptr where none is, or none could be read. `used`: how often each row of `before` decided.
	/// `facts`: more of weir.policy, a JSON object.
	void done(const BoundPolicy *before, const std::vector<std::uint64_t> &used, const BoundPolicy *after,
		  const std::string &facts = "{}");
	/// Nothing was changed.
	void drop();

private:
	struct InForce {
		std::uint32_t generation = 0;
		std::string digest;
	};
	[[nodiscard]] InForce in_force() const;
	[[nodiscard]] std::string record(const std::string &text, const char *outcome, const std::string &facts) const;
	void complain(const Error &) const;

	const Context &context_;
	std::string verb_;
	std::string by_;
	std::string id_; ///< of the record: it may come twice
	InForce before_;
	std::optional<journal::Spooled> spooled_;
};

} // namespace weir::cli
