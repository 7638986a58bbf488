// SPDX-License-Identifier: Apache-2.0
#include "kernel/edge_hold.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

namespace weir::kernel {

const Interface &EdgePlan::interface(const InterfaceState &state) const
{
	return *std::ranges::find(interfaces, state.ifindex, &Interface::ifindex); // plan() made one out of the other
}

std::vector<const InterfaceState *> EdgePlan::held() const
{
	std::vector<const InterfaceState *> all;
	for (const auto &state : states)
		if (state.flags == WEIR_INTERFACE_HELD)
			all.push_back(&state);
	return all;
}

ExpectedEdge EdgePlan::expected(const InterfaceState &state, std::uint32_t images_id) const
{
	return {interface(state), state.zone, scope, images_id, netns, edge.ingress};
}

Result<EdgePlan> plan_edge(const BoundPolicy &policy)
{
	EdgePlan planned{.edge = policy.edge, .scope = static_cast<std::uint8_t>(policy.cgroups())};
	const auto netns = this_netns();
	if (!netns)
		return std::unexpected(netns.error());
	planned.netns = *netns;
	auto all = interfaces();
	if (!all)
		return std::unexpected(std::move(all).error());
	planned.interfaces = std::move(*all);
	planned.states = plan(planned.interfaces, policy.edge);
	if (planned.states.size() > WEIR_INTERFACES)
		return fail(fmt::format("there are {} interfaces; weir can hold {}", planned.states.size(),
					WEIR_INTERFACES));
	return planned;
}

bool holds_edge(const Where &where, const Maps &maps, const EdgePlan &planned)
{
	for (std::size_t i = common_maps; i < maps.size(); ++i)
		if (!maps.at(i))
			return false;
	const auto opened = info_of<bpf_map_info>(map_of(maps, "opened"));
	if (!opened || opened->max_entries != planned.edge.flows || !is_edge_here(where.directory()))
		return false;
	const auto held = planned.held();
	if (edge_pins(where.directory()).size() != held.size() * ways.size())
		return false;
	const auto images = id_of_map(map_of(maps, "images"));
	return std::ranges::all_of(held, [&](const InterfaceState *state) {
		return std::ranges::all_of(ways, [&](Way way) {
			return look_at_edge(where.directory(), way, planned.expected(*state, images)).problem.empty();
		});
	});
}

std::vector<std::pair<std::uint32_t, weir_interface>> noted_interfaces(int interfaces_fd)
{
	std::vector<std::pair<std::uint32_t, weir_interface>> noted;
	std::uint32_t key = 0;
	const std::uint32_t *before = nullptr;
	while (noted.size() <= WEIR_INTERFACES && bpf_map_get_next_key(interfaces_fd, before, &key) == 0) {
		weir_interface value{};
		if (bpf_map_lookup_elem(interfaces_fd, &key, &value) == 0)
			noted.emplace_back(key, value);
		before = &key;
	}
	return noted;
}

Result<std::vector<std::uint32_t>> note_interfaces(int interfaces_fd, const std::vector<InterfaceState> &states)
{
	std::map<std::uint32_t, weir_interface> wanted;
	for (const auto &state : states)
		if (state.flags != 0)
			wanted[state.ifindex] = {state.zone, state.flags};
	std::vector<std::uint32_t> changed;
	for (const auto &[ifindex, value] : noted_interfaces(interfaces_fd)) {
		const auto at = wanted.find(ifindex);
		if (at == wanted.end()) {
			if (bpf_map_delete_elem(interfaces_fd, &ifindex) != 0 && errno != ENOENT)
				return system_error("forgetting an interface", errno);
			changed.push_back(ifindex);
		} else if (at->second.zone == value.zone && at->second.flags == value.flags) {
			wanted.erase(at);
		}
	}
	for (const auto &[ifindex, value] : wanted) {
		if (bpf_map_update_elem(interfaces_fd, &ifindex, &value, BPF_ANY) != 0)
			return system_error("noting an interface", errno);
		changed.push_back(ifindex);
	}
	return changed;
}

Result<std::vector<Attachment>> hold_all(const Where &where, const EdgePlan &planned, EdgePrograms &programs,
					 int interfaces_fd)
{
	const auto directory = new_directory(where);
	const auto in_force = exists(where.directory()) && is_edge_here(where.directory()) ? where.directory()
											   : std::string();
	const auto mark = netns_mark(directory, planned.netns.inode);
	if (::mkdir(mark.c_str(), 0700) != 0)
		return system_error("making " + mark, errno);
	std::vector<Attachment> attached;
	auto noted = planned.states;
	for (const auto *state : planned.held()) {
		const auto &one = planned.interface(*state);
		const auto set = programs.of(state->zone, *link_header(one.link_type));
		if (!set)
			return std::unexpected(set.error());
		for (const Way way : ways) {
			auto made = attach_way(one, way, *set, planned.edge.ingress, directory, in_force);
			char name[IF_NAMESIZE];
			if (!made && ::if_indextoname(one.ifindex, name) == nullptr) { // it went meanwhile
				std::erase_if(noted, [&](const auto &each) { return each.ifindex == one.ifindex; });
				continue;
			}
			if (!made)
				return std::unexpected(
					std::move(made).error().during(fmt::format("interface {}", one.name)));
			attached.push_back(std::move(*made));
		}
	}
	if (auto done = note_interfaces(interfaces_fd, noted); !done)
		return std::unexpected(std::move(done).error());
	return attached;
}

Result<> pin_links(const std::vector<Attachment> &attached, const std::string &directory)
{
	for (const auto &each : attached)
		if (each.link)
			if (auto pinned = pin(each.link.get(), edge_link_path(directory, each.ifindex, each.way));
			    !pinned)
				return pinned;
	return {};
}

Result<> hold_by_xdp(const Where &where, const EdgePlan &planned, EdgePrograms &programs)
{
	if (planned.edge.ingress == "tc")
		return {};
	for (const auto *state : planned.held()) {
		const auto &one = planned.interface(*state);
		const auto other = planned.edge.ingress == "auto" ? one.xdp_generic : one.xdp_native;
		const auto set = other == 0 ? Result<EdgePrograms::Set>()
					    : programs.of(state->zone, *link_header(one.link_type));
		if (!set)
			return std::unexpected(set.error());
		if (other == 0)
			continue;
		if (auto done = change_to_xdp(one, set->xdp, planned.edge.ingress, where.directory()); !done)
			return done;
	}
	return {};
}

} // namespace weir::kernel
