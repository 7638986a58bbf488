// SPDX-License-Identifier: Apache-2.0
// Records of what weir itself did or found: that a recording began, that a policy was changed, that something in the
// kernel is not as it was published. docs/journal.md lists them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::audit {

struct Note {
	std::string dataset;            ///< "weir.journal", "weir.policy", "weir.integrity"
	std::string action;             ///< "recording_began", "policy_applied", ...
	std::string text;               ///< for people
	std::string outcome = "success"; ///< "failure", or "unknown" as ECS has it
	std::string user{};             ///< name of who did it; "": nobody that is known
	/// A JSON object, in one line: what weir.NAME has, where NAME is the dataset's last part.
	std::string facts = "{}";
	std::string id{}; ///< event.id, where the record may come twice; ""
};

/// One line, newline included.
void append_note_json(std::string &out, const Note &, std::string_view instance, std::int64_t unix_ns);

} // namespace weir::audit
