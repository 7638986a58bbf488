// SPDX-License-Identifier: Apache-2.0
// Host services: rows of the host itself, which a policy with an edge has besides those of its matrix. Internal.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <optional>
#include <string_view>

namespace weir::policy {

constexpr std::string_view host_scenario = "host-services"; ///< and HOST_SCENARIO.toml the file
constexpr std::string_view host_component = "host";

/// The address of a peer that means the same on every host, by which DHCP looks for its servers; of host services
/// only, so that a matrix may have names like these.
std::optional<Prefix> builtin_host_peer(std::string_view name);

/// The name that turns the row on where the site binds it: its peer, of a built-in peer that of the servers.
std::string_view switch_of(const Row &);

/// A row of the host itself, which the site turns on by binding a name.
bool is_host_service(const Row &);

/// Every row is optional, of type "host" and of component "host". Error: names the row.
Result<> check_host_services(const Matrix &);

} // namespace weir::policy
