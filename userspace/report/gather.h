// SPDX-License-Identifier: Apache-2.0
// What the parts of the collector share.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::report {

inline constexpr std::size_t most_details = 6;
inline constexpr std::size_t most_keys = 50'000; ///< peers, processes: a flood of forged addresses is one entry more
inline constexpr std::int64_t slack = 5'000'000'000; ///< ns: a change is recorded when it is done
inline constexpr const char *others = "(others)", *not_kept = "(ends not kept)";

/// "tcp/443 out", of a record of an attempt.
std::string service_of(const nlohmann::json &record, bool out);

} // namespace weir::report
