// SPDX-License-Identifier: Apache-2.0
// Following the interfaces: what appeared is held, what went is forgotten. The policy stays as it is.
#include "kernel/edge_hold.h"
#include "kernel/image_map.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <optional>

namespace weir::kernel {

namespace {

const char *zone_name(std::uint8_t zone)
{
	return zone == zone_tunnel ? "tunnel" : "network";
}

class Cover {
public:
	Cover(const Where &where, const Maps &maps, EdgePlan planned)
		: directory_(where.directory()), maps_(maps), planned_(std::move(planned)),
		  images_(id_of_map(map_of(maps, "images")))
	{}

	Result<std::vector<std::string>> run()
	{
		for (const auto *state : planned_.held())
			for (const Way way : ways)
				if (look(*state, way).other_build)
					return fail(
						"what is loaded is of another build of weir\n  weir apply replaces it; "
						"until then interfaces that appear stay refused");
		if (auto gone = forget(); !gone)
			return std::unexpected(std::move(gone).error());
		auto noted = planned_.states;
		for (const auto *state : planned_.held())
			if (!is_well(*state) && !hold(*state))
				std::erase_if(noted, [&](const auto &each) { return each.ifindex == state->ifindex; });
		const auto changed = note_interfaces(map_of(maps_, "interfaces"), noted);
		if (!changed)
			return std::unexpected(changed.error());
		for (const auto &state : noted)
			if (std::ranges::find(*changed, state.ifindex) != changed->end())
				say(state);
		return std::move(lines_);
	}

private:
	/// Of what went, or is no longer to be held: first its traffic is refused, then its programs go.
	Result<> forget()
	{
		const auto held = planned_.held();
		std::uint32_t last = 0;
		for (const auto &[ifindex, way] : edge_pins(directory_)) {
			if (std::ranges::find(held, ifindex, &InterfaceState::ifindex) != held.end())
				continue;
			const auto there = std::ranges::find(planned_.interfaces, ifindex, &Interface::ifindex);
			bpf_map_delete_elem(map_of(maps_, "interfaces"), &ifindex);
			if (auto gone = let_go(directory_, ifindex, way); !gone)
				return gone;
			if (std::exchange(last, ifindex) != ifindex)
				lines_.push_back(there == planned_.interfaces.end()
							 ? fmt::format("forgot interface {}, which is gone", ifindex)
							 : fmt::format("let go of {}", there->name));
		}
		return {};
	}

	[[nodiscard]] SeenEdge look(const InterfaceState &state, Way way) const
	{
		return look_at_edge(directory_, way, planned_.expected(state, images_));
	}

	[[nodiscard]] bool is_well(const InterfaceState &state) const
	{
		return std::ranges::all_of(ways, [&](Way way) { return look(state, way).problem.empty(); });
	}

	/// False, with a line that says why, when it can't be held.
	bool hold(const InterfaceState &state)
	{
		const auto &one = planned_.interface(state);
		bpf_map_delete_elem(map_of(maps_, "interfaces"), &one.ifindex);
		const auto set = programs_of(state, one);
		const auto held = set ? attach(one, *set) : std::unexpected(set.error());
		if (held)
			lines_.push_back(fmt::format("holds {} ({}; {})", one.name, zone_name(state.zone), *held));
		else if (::if_indextoname(one.ifindex, std::array<char, IF_NAMESIZE>{}.data()) != nullptr)
			lines_.push_back(fmt::format("cannot hold {}: {}", one.name, held.error().message));
		return held.has_value();
	}

	Result<EdgePrograms::Set> programs_of(const InterfaceState &state, const Interface &one)
	{
		if (!programs_) {
			auto loaded =
				EdgePrograms::load(planned_.scope, planned_.edge, planned_.netns, duplicates(maps_));
			if (!loaded)
				return std::unexpected(std::move(loaded).error());
			programs_ = std::move(*loaded);
		}
		return programs_->of(state.zone, *link_header(one.link_type));
	}

	/// What is there of it is put right from the beginning; on an error nothing of it stays. Gives the modes.
	Result<std::string> attach(const Interface &one, const EdgePrograms::Set &set)
	{
		std::vector<Attachment> made;
		auto done = Result<>();
		for (const Way way : ways) {
			done = let_go(directory_, one.ifindex, way);
			if (!done)
				break;
			auto attached = attach_way(one, way, set, planned_.edge.ingress, directory_, "");
			if (!attached) {
				done = std::unexpected(std::move(attached).error());
				break;
			}
			made.push_back(std::move(*attached));
		}
		if (done)
			done = pin_links(made, directory_);
		if (!done)
			for (const Way way : ways)
				(void)let_go(directory_, one.ifindex, way);
		if (!done)
			return std::unexpected(std::move(done).error());
		return made[0].mode + ", " + made[1].mode;
	}

	void say(const InterfaceState &state)
	{
		if (state.flags == WEIR_INTERFACE_CARRIED)
			lines_.push_back(
				fmt::format("{} is carried by what is held ({})", state.name, zone_name(state.zone)));
		else if (state.flags == WEIR_INTERFACE_INSIDE)
			lines_.push_back(fmt::format("{} leads only into this host", state.name));
	}

	std::string directory_;
	const Maps &maps_;
	EdgePlan planned_;
	std::uint32_t images_;
	std::optional<EdgePrograms> programs_;
	std::vector<std::string> lines_;
};

} // namespace

Result<std::vector<std::string>> cover(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const Uninterrupted whole;
	const auto locked = lock(where, "policy", daemon_waits);
	if (!locked)
		return std::unexpected(locked.error());
	if (auto tidied = tidy(where); !tidied)
		return std::unexpected(std::move(tidied).error());
	const auto image = read_image(where);
	if (!image)
		return std::unexpected(image.error());
	const auto text = text_of(*image);
	const auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	if (!policy)
		return std::unexpected(policy.error());
	if (!policy->edge.present)
		return std::vector<std::string>{};
	if (!is_edge_here(where.directory()))
		return fail(elsewhere(where));
	const auto maps = open_maps(where.directory());
	if (!maps)
		return std::unexpected(maps.error());
	auto planned = plan_edge(*policy);
	if (!planned)
		return std::unexpected(std::move(planned).error());
	return Cover(where, *maps, std::move(*planned)).run();
}

} // namespace weir::kernel
