// SPDX-License-Identifier: Apache-2.0
// One function for each form; format.h is what others use.
#pragma once

#include "formats/format.h"
#include "formats/record.h"

namespace weir::formats {

// `line` is what `record` was read from.
Summary summary_of(const Json &record, std::string_view line);
std::string ocsf(const Json &record, std::string_view line);
std::string cef(const Json &record, std::string_view line);
std::string syslog(const Json &record, std::string_view line);
std::string structured_data(const Json &record);

} // namespace weir::formats
