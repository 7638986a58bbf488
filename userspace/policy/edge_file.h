// SPDX-License-Identifier: Apache-2.0
// The table [edge] of a site file. Internal.
#pragma once

#include "policy/toml_file.h"

namespace weir::policy {

/// Bounds on `flows`: a table of less is full in a moment; one of more takes gigabytes of the kernel's memory.
constexpr std::uint32_t least_flows = 1024;
constexpr std::uint32_t most_flows = 16777216;

/// The site's edge; `present` is false where the file has no [edge].
Result<Edge> read_edge(const TomlFile &);

/// How [edge] may say that packets are received.
const std::vector<std::string> &ingress_modes();

/// "LLDP", "EAPOL", else "0x88f7".
std::string ethertype_text(std::uint16_t);

} // namespace weir::policy
