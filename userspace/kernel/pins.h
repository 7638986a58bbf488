// SPDX-License-Identifier: Apache-2.0
// The directories of an instance in bpffs. Internal.
//
//   BPFFS/weir/NAME        in force
//   BPFFS/weir/NAME@new    being made: what is attached by it goes when it is dropped
//   BPFFS/weir/NAME@old    being replaced by the new one
#pragma once

#include "kernel/system.h"

#include <string>
#include <vector>

namespace weir::kernel {

std::string new_directory(const Where &);
std::string old_directory(const Where &);

/// Finishes or undoes what a killed process left behind. Call it under the lock. Gives whether there was anything.
Result<bool> tidy(const Where &);

/// Makes the directory with its `maps` and `links`.
Result<> make_directory(const std::string &);

/// Detaches every link, unpins everything, removes the directory; gives the names of the links that were detached.
Result<std::vector<std::string>> drop(const std::string &directory);

/// Puts the new directory in the place of the one in force.
Result<> replace(const Where &);

/// Exit::absent when the instance is not loaded, Exit::degraded when only an interrupted command's part of it is
/// there, Exit::failure when nobody but root may know.
Result<> must_exist(const Where &);

} // namespace weir::kernel
