// SPDX-License-Identifier: Apache-2.0
// What a change of policy means: what became reachable by it, and what ceased to be.
#pragma once

#include "policy/model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::policy {

/// A line for each peer and service: "out node to 192.0.2.10 TCP/50051, row node-researcher". Sorted. What another row
/// of the other policy covers wholly is no difference, whatever its id; what several rows cover only together is one.
struct Difference {
	std::vector<std::string> opened; ///< `after` lets it through, `before` did not
	std::vector<std::string> closed;
};

/// nullptr: none is in force, and nothing is held by it.
Difference difference(const BoundPolicy *before, const BoundPolicy *after);

/// For a record: of very many lines the first, and how many there are more.
std::vector<std::string> for_record(std::vector<std::string> lines);

/// The rows that decided, and how often: "used" of a record, as JSON. `used`: by row of the policy; nullptr: there is none. Of
/// very many the first.
std::string used_for_record(const BoundPolicy *, const std::vector<std::uint64_t> &used);

} // namespace weir::policy
