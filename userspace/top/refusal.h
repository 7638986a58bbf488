// SPDX-License-Identifier: Apache-2.0
// One line of the journal, as far as `weir top` counts it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::top {

/// A record of refusals. Texts are short and fit for a terminal, whatever a process has called itself.
struct Refusal {
	std::int64_t time = 0;   ///< UNIX time, ns
	std::uint64_t count = 1; ///< so many refusals in one record
	bool incoming = false;
	std::string peer;    ///< the other end's address; "" where the record does not say
	std::string service; ///< "tcp/443", "icmp", "0x88cc"; ""
	std::string reason;
	std::string process; ///< name; ""
	std::uint64_t pid = 0;
	std::string user; ///< name, else uid; ""
	std::string cgroup;
};

/// nullopt: of another kind, of another instance, or no record at all.
std::optional<Refusal> refusal_of(std::string_view line, std::string_view instance);

} // namespace weir::top
