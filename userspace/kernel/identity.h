// SPDX-License-Identifier: Apache-2.0
// Which instance has a name. For whoever goes on over one that is removed and loaded anew.
#pragma once

#include "kernel/instance.h"

#include <sys/stat.h>

#include <cstdint>

namespace weir::kernel {

/// The inode of the directory of its pins: another one by the same name is another instance. 0: there is none.
inline std::uint64_t identity_of(const Where &where)
{
	struct stat status{};
	return ::stat(where.directory().c_str(), &status) == 0 ? status.st_ino : 0;
}

} // namespace weir::kernel
