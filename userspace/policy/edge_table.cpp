// SPDX-License-Identifier: Apache-2.0
#include "policy/edge_table.h"

#include "policy/host_services.h"
#include "policy/zones.h"

#include <iterator>

namespace weir::policy {

std::optional<BoundRow> as_at_edge(BoundRow row)
{
	row.zones = static_cast<std::uint8_t>(row.zones & (zone_network | zone_tunnel));
	std::erase_if(row.peers, is_loopback); // no such packet is honest on a wire
	row.user.reset();
	row.row.user.clear();
	return row.zones == 0 ? std::nullopt : std::optional(std::move(row));
}

bool EdgeTable::add(const BoundRow &bound, bool copy)
{
	std::optional<BoundRow> row = site_.edge.present ? as_at_edge(bound) : std::nullopt;
	if (!row) {
		return false;
	}
	const std::string &component = bound.row.component();
	components_.insert(component);
	// The edge doesn't know whose a packet is, so what a second component or user may, the first one's row admits.
	// The same row twice for one is a mistake, which is found where rows are compiled. The host's own are kept, as
	// `show` shows which services are on.
	if (component != host_component) {
		const Owner owner{component, bound.row.user};
		const std::string dns_name = site_.hosts.contains(row->row.peer()) ? row->row.peer() : "";
		const auto [first, fresh] = seen_.try_emplace(
			{row->row.dir, row->row.port, row->zones, row->peers, dns_name, row->row.needs_journal}, owner);
		if (!fresh && first->second != owner) {
			return true;
		}
	}
	if (copy) {
		row->row.id += "@edge";
	}
	rows_.push_back(std::move(*row));
	return true;
}

void EdgeTable::append_to(BoundPolicy &policy)
{
	if (!site_.edge.present) {
		return;
	}
	for (const Scope &scope : policy.scopes) {
		components_.insert(scope.components.begin(), scope.components.end());
	}
	components_.emplace(host_component);
	policy.edge = site_.edge;
	for (BoundRow &row : rows_) {
		row.scope = static_cast<std::uint8_t>(policy.scopes.size());
	}
	policy.scopes.push_back({"", {components_.begin(), components_.end()}, false});
	policy.rows.insert(policy.rows.end(), std::make_move_iterator(rows_.begin()),
			   std::make_move_iterator(rows_.end()));
}

} // namespace weir::policy
