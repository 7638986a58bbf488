// SPDX-License-Identifier: Apache-2.0
// Putting a policy in force. Over one that holds the same cgroups by the same programs it is one swap of the
// image; else a new set of programs is attached beside the old one, which goes when the new one is in force.
#include "kernel/edge_hold.h"
#include "kernel/hooks.h"
#include "kernel/image_map.h"
#include "kernel/owners.h"
#include "kernel/pins.h"
#include "kernel/seats.h"
#include "policy/policy.h"
#include "policy/windows.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

namespace weir::kernel {

namespace {

/// By scope; nullopt: it is awaited.
using Cgroups = std::vector<std::optional<Match>>;

Result<Cgroups> open_cgroups(const BoundPolicy &policy, bool await)
{
	Cgroups cgroups;
	for (const auto &scope : policy.scopes) {
		if (scope.is_edge())
			continue;
		auto match = the_match_of(scope, await);
		if (!match)
			return std::unexpected(std::move(match).error());
		for (std::size_t i = 0; *match && i < cgroups.size(); ++i)
			if (cgroups[i] && cgroups[i]->cgroup.id == (*match)->cgroup.id)
				return fail(
					Exit::policy,
					fmt::format(
						"{} and {} are the same cgroup\n  give both components one name for it",
						policy.scopes[i].cgroup, scope.cgroup));
		cgroups.push_back(std::move(*match));
	}
	return cgroups;
}

/// What a policy is put upon.
struct Place {
	Cgroups cgroups;
	std::optional<EdgePlan> edge;
	[[nodiscard]] Netns netns() const { return edge ? edge->netns : Netns{}; }
};

Result<Place> find_place(const BoundPolicy &policy, bool await)
{
	Place place;
	auto cgroups = open_cgroups(policy, await);
	if (!cgroups)
		return std::unexpected(std::move(cgroups).error());
	place.cgroups = std::move(*cgroups);
	if (policy.edge.present) {
		auto planned = plan_edge(policy);
		if (!planned)
			return std::unexpected(std::move(planned).error());
		place.edge = std::move(*planned);
	}
	return place;
}

/// Is just this held, by programs as this weir would load, with every link in place?
bool holds(const Where &where, const Maps &maps, const BoundPolicy &policy, const Place &place)
{
	const auto images = id_of_map(map_of(maps, "images"));
	if (images == 0)
		return false;
	for (std::size_t scope = 0; scope < place.cgroups.size(); ++scope) {
		const auto &match = place.cgroups[scope];
		if (match && seats_of(where.directory(), scope) != std::vector<std::string>{""})
			return false;
		for (const auto &hook : hooks) {
			const auto program = open_pin(program_path(where.directory(), scope, hook));
			const Expected expected{hook,
						static_cast<std::uint8_t>(scope),
						match ? match->path : policy.scopes[scope].cgroup,
						match ? match->cgroup.id : 0,
						images,
						place.edge ? &place.edge->netns : nullptr};
			if (!program || !problem_of(program->get(), expected).empty() ||
			    (match && !look_at(link_path(where.directory(), scope, hook), expected).problem.empty()))
				return false;
		}
	}
	if (!seats_of(where.directory(), place.cgroups.size()).empty()) // one more
		return false;
	return place.edge ? holds_edge(where, maps, *place.edge) : edge_pins(where.directory()).empty();
}

/// What a new set of programs takes over: who opened which connection and flow, and the record. Not the images, which
/// the old programs judge by until they go, nor the interfaces, which they may know others of; not the counters of
/// other cgroups.
Result<Maps> inherited(const Maps &old, bool same_scopes, const Edge &edge)
{
	auto shared = Programs::fitting_of(old);
	if (!shared)
		return shared;
	if (edge.present) {
		auto more = EdgePrograms::fitting_of(edge, old);
		if (!more)
			return more;
		for (std::size_t i = common_maps; i < shared->size(); ++i)
			shared->at(i) = std::move(more->at(i));
	}
	for (std::size_t i = 0; i < shared->size(); ++i) {
		const std::string_view name = map_names.at(i);
		if (name == "images" || name == "interfaces" || (name == "counters" && !same_scopes))
			shared->at(i) = Fd();
	}
	return shared;
}

/// The programs of every scope.
struct Loaded {
	std::vector<Programs> cgroups;
	std::optional<EdgePrograms> edge;
	Maps maps;
};

Result<Loaded> load(const Place &place, Maps shared)
{
	Loaded all;
	// One set at least: its maps are there in any case.
	for (std::size_t scope = 0; scope < std::max<std::size_t>(place.cgroups.size(), 1); ++scope) {
		auto loaded =
			Programs::load(static_cast<std::uint8_t>(scope), place.netns(), scope == 0 ? shared : all.maps);
		if (!loaded)
			return std::unexpected(std::move(loaded).error());
		if (scope == 0)
			all.maps = loaded->maps();
		all.cgroups.push_back(std::move(*loaded));
	}
	if (auto prepared = prepare_merges(map_of(all.maps, "merges")); !prepared)
		return std::unexpected(std::move(prepared).error());
	if (!place.edge)
		return all;
	for (std::size_t i = common_maps; i < shared.size(); ++i)
		all.maps.at(i) = std::move(shared.at(i));
	auto loaded = EdgePrograms::load(place.edge->scope, place.edge->edge, place.netns(), duplicates(all.maps));
	if (!loaded)
		return std::unexpected(std::move(loaded).error());
	auto maps = loaded->maps();
	for (std::size_t i = common_maps; i < maps.size(); ++i)
		all.maps.at(i) = std::move(maps.at(i));
	all.edge = std::move(*loaded);
	return all;
}

/// Attaches the programs of the cgroups; they are so for as long as the links live, or their pins.
Result<std::vector<std::pair<Fd, std::string>>> attach(const std::string &directory, const Loaded &loaded,
						       const Place &place)
{
	std::vector<std::pair<Fd, std::string>> links;
	for (const auto &hook : hooks) {
		for (std::size_t scope = 0; scope < place.cgroups.size(); ++scope) {
			const auto &match = place.cgroups[scope];
			if (!match)
				continue;
			auto link = loaded.cgroups[scope].attach(hook, match->cgroup);
			if (!link)
				return std::unexpected(
					std::move(link).error().during(fmt::format("cgroup {}", match->path)));
			links.emplace_back(std::move(*link), link_path(directory, scope, hook));
			if (hook.gate == WEIR_GATE_NONE)
				note_owners(map_of(loaded.maps, "owners"), match->path, place.edge.has_value());
		}
	}
	return links;
}

/// Loads, publishes, attaches and pins everything in the new directory. Whoever fails here tidies.
Result<> build(const Where &where, const Image &image, Maps shared, const Place &place)
{
	const auto directory = new_directory(where);
	if (auto made = make_directory(directory, place.edge.has_value()); !made)
		return made;
	auto loaded = load(place, std::move(shared));
	if (!loaded)
		return std::unexpected(std::move(loaded).error());
	const auto map = make_image_map(image);
	if (!map)
		return std::unexpected(map.error());
	const auto &maps = loaded->maps;
	if (auto swapped = publish(map_of(maps, "images"), map->get()); !swapped)
		return swapped;
	for (std::size_t i = 0; i < maps.size(); ++i)
		if (maps.at(i))
			if (auto pinned = pin(maps.at(i).get(), directory + "/maps/" + map_names.at(i)); !pinned)
				return pinned;

	// The edge before the cgroups: their packet gate refuses what passes by interfaces that aren't held yet.
	auto edge = Result<std::vector<Attachment>>();
	if (place.edge)
		edge = hold_all(where, *place.edge, *loaded->edge, map_of(maps, "interfaces"));
	if (!edge)
		return std::unexpected(std::move(edge).error());
	const auto links = attach(directory, *loaded, place);
	if (!links)
		return std::unexpected(links.error());
	for (std::size_t scope = 0; scope < place.cgroups.size(); ++scope)
		for (const auto &hook : hooks)
			if (auto pinned =
				    pin(loaded->cgroups[scope].program(hook), program_path(directory, scope, hook));
			    !pinned)
				return pinned;
	// Until here all links would go with this process.
	for (const auto &[link, path] : *links)
		if (auto pinned = pin(link.get(), path); !pinned)
			return pinned;
	if (auto pinned = pin_links(*edge, directory); !pinned)
		return pinned;
	// From here on the new programs judge where two can't stand side by side. tidy() puts back the old ones.
	for (const auto &each : *edge)
		if (auto finished = each.finish(); !finished)
			return finished;
	if (auto replaced = replace(where); !replaced || !place.edge)
		return replaced;
	(void)hold_by_xdp(where, *place.edge, *loaded->edge); // it is held; how, inspect() tells
	return {};
}

} // namespace

Result<Applied> apply(const Where &where, const BoundPolicy &fresh, bool observe, bool await)
{
	const Libbpf quiet;
	if (auto good = check_bpffs(where); !good)
		return std::unexpected(std::move(good).error());
	if (auto good = check_clock(); !good)
		return std::unexpected(std::move(good).error());
	const Uninterrupted whole;
	const auto locked = lock(where, "policy", command_waits);
	if (!locked)
		return std::unexpected(locked.error());
	const auto root = where.bpffs + "/weir";
	if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST)
		return system_error("making " + root, errno);
	if (!is_edge_here(where.directory()) || !is_edge_here(new_directory(where)))
		return fail(elsewhere(where));
	if (auto tidied = tidy(where); !tidied)
		return std::unexpected(std::move(tidied).error());
	const auto place = find_place(fresh, await);
	if (!place) {
		if (!exists(where.directory()))
			::rmdir(root.c_str()); // it was made for this
		return std::unexpected(place.error());
	}

	const auto maps = open_maps(where.directory());
	const auto old = maps ? in_force(map_of(*maps, "images")) : Result<InForce>(std::unexpected(maps.error()));
	const auto was = old ? old->policy : std::nullopt;
	Applied applied;
	applied.generation = old ? old->image.header().generation + 1 : 1;
	applied.policy = was ? policy::carry_windows(*was, fresh, boot_clock(), wall_clock()) : fresh;
	const auto &policy = applied.policy;
	const auto image = compile(policy, {.generation = applied.generation, .observe = observe});
	if (!image) {
		if (!exists(where.directory()))
			::rmdir(root.c_str());
		return std::unexpected(image.error());
	}
	applied.digest = hex(image->trailer().digest);

	const auto begin = std::chrono::steady_clock::now();
	if (maps && was && was->edge.ingress == policy.edge.ingress && holds(where, *maps, policy, *place)) {
		const auto map = make_image_map(*image);
		if (!map)
			return std::unexpected(map.error());
		if (auto swapped = publish(map_of(*maps, "images"), map->get()); !swapped)
			return std::unexpected(std::move(swapped).error());
		if (place->edge)
			if (auto noted = note_interfaces(map_of(*maps, "interfaces"), place->edge->states); !noted)
				return std::unexpected(noted.error());
	} else {
		applied.first = true;
		const bool same_scopes =
			was && std::ranges::equal(was->scopes, policy.scopes, {}, &Scope::cgroup, &Scope::cgroup);
		// What is noted under generations that nobody knows must not meet one of the same number.
		auto shared = old ? inherited(*maps, same_scopes, policy.edge) : Result<Maps>(Maps{});
		if (!shared)
			return std::unexpected(std::move(shared).error());
		if (auto built = build(where, *image, std::move(*shared), *place); !built) {
			(void)tidy(where);
			if (!exists(where.directory()))
				::rmdir(root.c_str());
			return std::unexpected(std::move(built).error());
		}
	}
	applied.publish_ms =
		std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
	applied.before = was;
	if (old)
		applied.used = old->used();
	return applied;
}

} // namespace weir::kernel
