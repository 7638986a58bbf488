// SPDX-License-Identifier: Apache-2.0
// A record that was read: fields by their names with dots. For the files of this folder and others that read records.
#pragma once

#include "base/result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::formats {

using Json = nlohmann::json;

/// Error: not a JSON object with an "event.dataset" that begins with "weir.".
Result<Json> parse_record(std::string_view line);

/// null when it is not there.
const Json &at(const Json &record, std::string_view dotted);
/// Text, or a number as text; "" when there is none. As it was recorded: whoever shows it has to escape it.
std::string text(const Json &record, std::string_view dotted);
/// 0 when there is none.
std::uint64_t number(const Json &record, std::string_view dotted);
/// UNIX time in ns of a field that is a time; 0 when there is none.
std::int64_t time_of(const Json &record, std::string_view dotted);

/// Calls `take` for each field that is no object, in the order of the names.
using TakeField = std::function<void(const std::string &dotted, const std::string &value)>;
void for_each_field(const Json &record, const TakeField &take);

} // namespace weir::formats
