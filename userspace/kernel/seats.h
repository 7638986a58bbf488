// SPDX-License-Identifier: Apache-2.0
// Which cgroups a scope holds at present. Internal.
//
// A scope has one cgroup. While a component is restarted, or two cgroups match by mistake, it may hold more: a seat is
// one of them. The links of the first are pinned as SCOPE_HOOK, those of another as SCOPE_HOOK+ID, by its cgroup's id.
// The programs are pinned, too, so that a cgroup that appears is held without loading anything.
#pragma once

#include "kernel/components.h"
#include "kernel/hooks.h"
#include "kernel/maps.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::kernel {

/// A cgroup that matches what a scope says of where it is.
struct Match {
	std::string path;
	Cgroup cgroup;
};
/// Error: cgroup2 is not mounted, or what matches is no cgroup. One that goes at this moment is left out.
Result<std::vector<Match>> matches_of(const Scope &);

/// A scope's one cgroup; nullopt: none, and `await` allows it. Error: none, or more than one, with what to do.
Result<std::optional<Match>> the_match_of(const Scope &, bool await);

/// "container:a matches 2 cgroups:\n  ...": names them all.
std::string ambiguity_of(const Scope &, const std::vector<Match> &);

/// What scopes have each cgroup. Two that name one by patterns meet in it only when it starts: both hold it then.
class Meetings {
public:
	/// What is wrong with it, if another scope has that cgroup already; else "".
	std::string add(const Scope &, const Match &);

private:
	std::map<std::uint64_t, const Scope *> first_; ///< by id
};

std::string program_path(const std::string &directory, std::size_t scope, const Hook &);

/// What the seats of a scope are called: "" and "+ID"; sorted.
std::vector<std::string> seats_of(const std::string &directory, std::size_t scope);
/// Cgroup id that a seat's links are on; 0: on none any more. A cgroup that was removed is still held while a socket
/// of it lives.
std::uint64_t cgroup_of_seat(const std::string &directory, std::size_t scope, const std::string &seat);
/// The seat that holds a cgroup, or would if its links were whole.
std::optional<std::string> seat_of(const std::string &directory, std::size_t scope, std::uint64_t cgroup_id);

} // namespace weir::kernel
