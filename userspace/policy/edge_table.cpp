// SPDX-License-Identifier: Apache-2.0
#include "policy/edge_table.h"

#include "policy/host_services.h"
#include "policy/zones.h"

#include <iterator>

namespace weir::policy {

bool EdgeTable::add(const BoundRow &bound, bool copy)
{
	const auto zones = static_cast<std::uint8_t>(bound.zones & (zone_network | zone_tunnel));
	if (!edge_.present || zones == 0) {
		return false;
	}
	const std::string &component = bound.row.component();
	components_.insert(component);
	BoundRow row = bound;
	row.zones = zones;
	std::erase_if(row.peers, is_loopback); // no such packet is honest on a wire
	// The edge doesn't know whose a packet is, so what a second component may, the first one's row admits. The same
	// row twice for one component is a mistake, which is found where rows are compiled. The host's own are kept, as
	// `show` shows which services are on.
	if (component != host_component) {
		const auto [first, fresh] = seen_.try_emplace({row.row.dir, row.row.port, zones, row.peers}, component);
		if (!fresh && first->second != component) {
			return true;
		}
	}
	if (copy) {
		row.row.id += "@edge";
	}
	rows_.push_back(std::move(row));
	return true;
}

void EdgeTable::append_to(BoundPolicy &policy)
{
	if (!edge_.present) {
		return;
	}
	for (const Scope &scope : policy.scopes) {
		components_.insert(scope.components.begin(), scope.components.end());
	}
	components_.emplace(host_component);
	policy.edge = edge_;
	for (BoundRow &row : rows_) {
		row.scope = static_cast<std::uint8_t>(policy.scopes.size());
	}
	policy.scopes.push_back({"", {components_.begin(), components_.end()}, false});
	policy.rows.insert(policy.rows.end(), std::make_move_iterator(rows_.begin()),
			   std::make_move_iterator(rows_.end()));
}

} // namespace weir::policy
