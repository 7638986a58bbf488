// SPDX-License-Identifier: Apache-2.0
// The network interfaces of this network namespace (rtnetlink), and what a policy's edge makes of each. Internal.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::kernel {

/// One interface, as rtnetlink tells it.
struct Interface {
	std::uint32_t ifindex = 0;
	std::string name{};
	std::string kind{};          ///< IFLA_INFO_KIND: "vlan", "veth", "wireguard", ...; "" of hardware
	std::uint16_t link_type = 1; ///< ARPHRD_*
	std::uint32_t flags = 0;     ///< IFF_*
	std::uint32_t master = 0;    ///< ifindex of the bridge, bond, ... whose port it is
	std::uint32_t lower = 0;     ///< ifindex of what it is stacked on; 0: nothing, or it is in another namespace
	std::uint32_t xdp_native = 0;  ///< ids of the programs that are attached
	std::uint32_t xdp_generic = 0;
};

/// All of them, by ifindex.
Result<std::vector<Interface>> interfaces();

/// Bytes before the IP header; nullopt: weir can't read the frames of this link type.
std::optional<std::uint32_t> link_header(std::uint16_t link_type);

/// What the edge does with each: all but loopback, and, with ifindex 0, those that are listed and not there. `flags`
/// is what is wanted; `problem` is set where it can't be had. Pure.
std::vector<InterfaceState> plan(const std::vector<Interface> &, const Edge &);

} // namespace weir::kernel
