// SPDX-License-Identifier: Apache-2.0
// Who types a command, for the record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::cli {

/// What is known of them. Names are "" where there is none.
struct Person {
	/// The user that logged in, whatever became of it by su and sudo since (/proc/self/loginuid, kept by the kernel);
	/// nullopt: nobody did, as of a service.
	std::optional<std::uint32_t> login{};
	std::string login_name{};
	std::string sudo_name{}; ///< what sudo says (SUDO_USER); a variable, so anybody may have set it
	std::uint32_t uid = 0; ///< real uid of this process
	std::string name{};
	std::string terminal{}; ///< "pts/3"
	std::string ssh_peer{}; ///< address that the SSH session comes from
};

/// One readable text, that begins with a name or an id: "alice (login uid 1000), as root, on pts/3, by SSH from
/// 192.0.2.7".
std::string text_of(const Person &);

Person this_person();

} // namespace weir::cli
