// SPDX-License-Identifier: Apache-2.0
// The directories of an instance in bpffs. Internal.
//
//   BPFFS/weir/NAME        in force
//   BPFFS/weir/NAME@new    being made: what is attached by it goes when it is dropped
//   BPFFS/weir/NAME@old    being replaced by the new one
#pragma once

#include "kernel/system.h"
#include "kernel/tc.h"

#include <string>
#include <vector>

namespace weir::kernel {

/// Of a directory's entries, sorted; none where there is no directory.
Result<std::vector<std::string>> names_in(const std::string &directory);

std::string new_directory(const Where &);
std::string old_directory(const Where &);

/// Finishes or undoes what a killed process left behind, so that what judges is what the directory in force pins.
/// Call it under the lock. Gives whether there was anything.
Result<bool> tidy(const Where &);

/// Makes the directory with its `maps`, `links` and `programs`, and what an edge needs besides.
Result<> make_directory(const std::string &, bool edge);

/// The id of the map of images that a directory pins; 0 when there is none, or no directory ("").
std::uint32_t images_of(const std::string &directory);

/// What is not there is no error.
Result<> unpin(const std::string &path);

/// Detaches everything that `stays`, another directory of the instance, doesn't pin as well, unpins everything, removes
/// the directory. Gives the names of the links of cgroups and of the programs of interfaces: "0_egress", "2@in".
Result<std::vector<std::string>> drop(const std::string &directory, const std::string &stays = "");

/// Detaches one way of an interface, and unpins it.
Result<> let_go(const std::string &directory, std::uint32_t ifindex, Way, const std::string &stays = "");

/// Whether the edge of a directory is in this network namespace; true when it has none.
bool is_edge_here(const std::string &directory);
std::string elsewhere(const Where &); ///< the complaint when it isn't

/// Puts the new directory in the place of the one in force.
Result<> replace(const Where &);

/// Exit::absent when the instance is not loaded, Exit::degraded when only an interrupted command's part of it is
/// there, Exit::failure when nobody but root may know.
Result<> must_exist(const Where &);

} // namespace weir::kernel
