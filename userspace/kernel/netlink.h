// SPDX-License-Identifier: Apache-2.0
// What weir needs of rtnetlink. Internal.
#pragma once

#include "base/result.h"

#include <libmnl/libmnl.h>

#include <functional>

namespace weir::kernel {

using HandleAttribute = std::function<void(const nlattr &)>;
using HandleMessage = std::function<void(const nlmsghdr &)>;

/// Sends a dump request, hands each message of the answer to `handle`. A dump that was interrupted by a change is
/// begun anew, after `restart`.
Result<> dump(nlmsghdr *request, const std::function<void()> &restart, const HandleMessage &handle);

/// Calls `handle` with each attribute that stands in the message behind a header of `header` bytes.
void each_attribute(const nlmsghdr &, std::size_t header, HandleAttribute handle);
void each_nested(const nlattr &, HandleAttribute handle);

/// 0 when it is too short.
std::uint32_t number_of(const nlattr &);
std::string text_of(const nlattr &);

} // namespace weir::kernel
