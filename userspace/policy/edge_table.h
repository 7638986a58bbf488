// SPDX-License-Identifier: Apache-2.0
// The rows that the host's edge is held to: those of all components and of the host. Internal.
#pragma once

#include "policy/model.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace weir::policy {

/// The row as the edge has it, which sees neither loopback nor whose a packet is; nullopt: it holds nowhere there.
/// Its scope is the caller's to set.
std::optional<BoundRow> as_at_edge(BoundRow);

/// Collects the rows of a policy's edge while its cgroups are bound. Does nothing for a site without an edge.
class EdgeTable {
public:
	explicit EdgeTable(const Site &site) : site_(site) {}

	/// False when the row holds nowhere that the edge sees. `copy`: a cgroup has the row, too, so the edge's own
	/// gets another id.
	bool add(const BoundRow &, bool copy);

	[[nodiscard]] bool empty() const { return rows_.empty(); }

	/// Makes the edge the policy's last scope, with its rows behind those of the cgroups.
	void append_to(BoundPolicy &);

private:
	struct Owner {
		std::string component;
		std::string user; ///< Row::user
		bool operator==(const Owner &) const = default;
	};

	const Site &site_;
	std::vector<BoundRow> rows_;
	std::set<std::string> components_;
	/// What admits the same, and whose it was first. A name of DNS is part of it: what it admits changes.
	std::map<std::tuple<Direction, Service, std::uint8_t, std::vector<Prefix>, std::string, bool>, Owner> seen_;
};

} // namespace weir::policy
