// SPDX-License-Identifier: Apache-2.0
// Holding the interfaces of a policy's edge: all of them for apply(), those that came and went for cover(). Internal.
#pragma once

#include "kernel/edge.h"
#include "kernel/hooks.h"
#include "kernel/pins.h"

#include <string>
#include <vector>

namespace weir::kernel {

/// What an edge is to hold, here and now.
struct EdgePlan {
	Edge edge;
	std::uint8_t scope = 0;
	Netns netns{};
	std::vector<Interface> interfaces{};
	std::vector<InterfaceState> states{}; ///< plan() of them
	[[nodiscard]] const Interface &interface(const InterfaceState &) const;
	/// Those that programs are to be attached to.
	[[nodiscard]] std::vector<const InterfaceState *> held() const;
	[[nodiscard]] ExpectedEdge expected(const InterfaceState &, std::uint32_t images_id) const;
};
Result<EdgePlan> plan_edge(const BoundPolicy &);

/// Is just this held, in the directory in force, by programs as this weir would load?
bool holds_edge(const Where &, const Maps &maps, const EdgePlan &);

/// Makes `interfaces` say just what `states` say; gives the ifindexes that were added, changed or taken away.
Result<std::vector<std::uint32_t>> note_interfaces(int interfaces_fd, const std::vector<InterfaceState> &states);
std::vector<std::pair<std::uint32_t, weir_interface>> noted_interfaces(int interfaces_fd);

/// Attaches every interface in the new directory, and notes them in `interfaces`. The maps are pinned there already.
Result<std::vector<Attachment>> hold_all(const Where &, const EdgePlan &, EdgePrograms &, int interfaces_fd);
Result<> pin_links(const std::vector<Attachment> &, const std::string &directory);

/// The set that was in force had XDP in another mode than is wanted now, which two can't have at once: tc stood in,
/// until that set had gone.
Result<> hold_by_xdp(const Where &, const EdgePlan &, EdgePrograms &);

/// Puts the first table into `merges`, where there is none.
Result<> prepare_merges(int merges_fd);

} // namespace weir::kernel
