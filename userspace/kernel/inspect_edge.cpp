// SPDX-License-Identifier: Apache-2.0
#include "kernel/inspect_edge.h"

#include "kernel/edge_hold.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace weir::kernel {

namespace {

/// What is there on an interface that is to be held; gives its complaints.
std::vector<std::string> look_at_both(const std::string &directory, const EdgePlan &planned, InterfaceState &state,
				      std::uint32_t images)
{
	const auto in = look_at_edge(directory, Way::in, planned.expected(state, images));
	const auto out = look_at_edge(directory, Way::out, planned.expected(state, images));
	state.ingress = in.mode;
	state.egress = out.mode;
	if (!in.attached && !out.attached && !exists(edge_program_path(directory, state.ifindex, Way::in)) &&
	    !exists(edge_program_path(directory, state.ifindex, Way::out)))
		return {fmt::format(
			"{} appeared and is not held: what sockets send and get by it is refused by the packet "
			"gate, what has no socket passes; weir run or weir apply holds it",
			state.name)};
	std::vector<std::string> complaints;
	for (const auto &[way, seen] : {std::pair(Way::in, in), std::pair(Way::out, out)}) {
		if (!seen.problem.empty())
			complaints.push_back(fmt::format("{}, way {}: {}: {}; weir run or weir apply holds it anew",
							 state.name, text_of(way), seen.problem,
							 seen.attached ? "what it judges by is not this policy"
								       : "nothing judges there"));
		std::ranges::move(before_weir(planned.interface(state), way, seen, images),
				  std::back_inserter(complaints));
	}
	return complaints;
}

} // namespace

std::optional<Netns> inspect_edge(const Where &where, const Maps &maps, State &state)
{
	if (!is_edge_here(where.directory())) {
		state.problems.push_back(elsewhere(where));
		return std::nullopt;
	}
	const auto planned = plan_edge(state.policy);
	if (!planned) {
		state.problems.push_back(planned.error().message);
		return std::nullopt;
	}
	for (std::size_t i = common_maps; i < maps.size(); ++i)
		if (!maps.at(i))
			state.problems.push_back(
				fmt::format("the map {} of the edge is missing, apply again", map_names.at(i)));
	std::map<std::uint32_t, weir_interface> noted;
	for (const auto &[ifindex, value] : noted_interfaces(map_of(maps, "interfaces")))
		noted[ifindex] = value;
	const auto images = id_of_map(map_of(maps, "images"));
	for (auto one : planned->states) {
		std::vector<std::string> complaints;
		if (!one.problem.empty())
			complaints.push_back(one.problem);
		if (one.flags == WEIR_INTERFACE_HELD)
			complaints = look_at_both(where.directory(), *planned, one, images);
		const auto at = noted.find(one.ifindex);
		const weir_interface note = at == noted.end() ? weir_interface{} : at->second;
		if (complaints.empty() && (note.flags != one.flags || (one.flags != 0 && note.zone != one.zone)))
			complaints.push_back(fmt::format(
				"{} changed, and the packet gate {}; weir run or weir apply puts it right", one.name,
				note.flags == 0 ? "refuses what passes by it" : "takes it for what it was"));
		one.flags = note.flags; // what is, not what is wanted
		one.problem = complaints.empty() ? "" : complaints.front();
		std::ranges::move(complaints, std::back_inserter(state.problems));
		state.interfaces.push_back(std::move(one));
	}
	return planned->netns;
}

} // namespace weir::kernel
