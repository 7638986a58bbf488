// SPDX-License-Identifier: Apache-2.0
// Putting a policy in force. Over one that holds the same cgroups by the same programs it is one swap of the
// image; else a new set of programs is attached beside the old one, which goes when the new one is in force.
#include "kernel/hooks.h"
#include "kernel/image_map.h"
#include "kernel/owners.h"
#include "kernel/pins.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>

namespace weir::kernel {

namespace {

constexpr int lock_seconds = 10;

Result<std::vector<Cgroup>> open_cgroups(const BoundPolicy &policy)
{
	std::vector<Cgroup> cgroups;
	for (const auto &scope : policy.scopes) {
		auto cgroup = open_cgroup(scope.cgroup);
		if (!cgroup)
			return std::unexpected(std::move(cgroup).error());
		for (std::size_t i = 0; i < cgroups.size(); ++i)
			if (cgroups[i].id == cgroup->id)
				return fail(
					Exit::policy,
					fmt::format(
						"{} and {} are the same cgroup\n  give both components one name for it",
						policy.scopes[i].cgroup, scope.cgroup));
		cgroups.push_back(std::move(*cgroup));
	}
	return cgroups;
}

/// Are just these cgroups held, by programs as this weir would load, with every link in place?
bool holds(const Where &where, const Maps &maps, const BoundPolicy &policy, const std::vector<Cgroup> &cgroups)
{
	const auto images = info_of<bpf_map_info>(map_of(maps, "images"));
	if (!images)
		return false;
	for (std::size_t scope = 0; scope < cgroups.size(); ++scope)
		for (const auto &hook : hooks) {
			const Expected expected{hook, static_cast<std::uint8_t>(scope), policy.scopes[scope].cgroup,
						cgroups[scope].id, images->id};
			if (!look_at(link_path(where.directory(), scope, hook), expected).problem.empty())
				return false;
		}
	return !exists(link_path(where.directory(), cgroups.size(), hooks.front())); // not one more
}

/// Do the maps that are there hold what this build's programs want of them?
bool same_shape(int one, int other)
{
	const auto a = info_of<bpf_map_info>(one);
	const auto b = info_of<bpf_map_info>(other);
	return a && b && a->type == b->type && a->key_size == b->key_size && a->value_size == b->value_size &&
	       a->max_entries == b->max_entries && a->map_flags == b->map_flags;
}

/// What a new set of programs takes over: who opened which connection, and the record. Not the images, which the
/// old programs judge by until they go; not the counters of other cgroups.
Result<Maps> inherited(const Maps &old, bool same_scopes)
{
	const auto fresh = Programs::load(0, Maps{});
	if (!fresh)
		return std::unexpected(fresh.error());
	const auto wanted = fresh->maps();
	Maps shared;
	for (std::size_t i = 0; i < shared.size(); ++i) {
		const std::string_view name = map_names[i];
		const bool wants = name != "images" && (name != "counters" || same_scopes);
		if (wants && old[i] && same_shape(old[i].get(), wanted[i].get()))
			shared[i] = Fd(::fcntl(old[i].get(), F_DUPFD_CLOEXEC, 0));
	}
	return shared;
}

/// Loads, publishes, attaches and pins everything in the new directory. Whoever fails here drops it.
Result<> build(const Where &where, const Image &image, Maps shared, const BoundPolicy &policy,
	       const std::vector<Cgroup> &cgroups)
{
	const auto directory = new_directory(where);
	if (auto made = make_directory(directory); !made)
		return made;
	std::vector<Programs> programs;
	for (std::size_t scope = 0; scope < cgroups.size(); ++scope) {
		auto loaded = Programs::load(static_cast<std::uint8_t>(scope), shared);
		if (!loaded)
			return std::unexpected(std::move(loaded).error());
		if (scope == 0)
			shared = loaded->maps();
		programs.push_back(std::move(*loaded));
	}
	const auto map = make_image_map(image);
	if (!map)
		return std::unexpected(map.error());
	if (auto swapped = publish(map_of(shared, "images"), map->get()); !swapped)
		return swapped;
	for (std::size_t i = 0; i < shared.size(); ++i)
		if (auto pinned = pin(shared[i].get(), directory + "/maps/" + map_names[i]); !pinned)
			return pinned;

	std::vector<std::pair<Fd, std::string>> links;
	for (const auto &hook : hooks) {
		for (std::size_t scope = 0; scope < cgroups.size(); ++scope) {
			auto link = programs[scope].attach(hook, cgroups[scope]);
			if (!link)
				return std::unexpected(std::move(link).error().during(
					fmt::format("cgroup {}", policy.scopes[scope].cgroup)));
			links.emplace_back(std::move(*link), link_path(directory, scope, hook));
			if (hook.gate == WEIR_GATE_NONE)
				note_owners(map_of(shared, "owners"), policy.scopes[scope].cgroup);
		}
	}
	// Until here all of it would go with this process.
	for (const auto &[link, path] : links)
		if (auto pinned = pin(link.get(), path); !pinned)
			return pinned;
	return replace(where);
}

} // namespace

Result<Applied> apply(const Where &where, const BoundPolicy &policy, bool observe)
{
	const Libbpf quiet;
	if (auto good = check_bpffs(where); !good)
		return std::unexpected(std::move(good).error());
	const auto cgroups = open_cgroups(policy);
	if (!cgroups)
		return std::unexpected(cgroups.error());
	const Uninterrupted whole;
	const auto locked = lock(where, "policy", lock_seconds);
	if (!locked)
		return std::unexpected(locked.error());
	const auto root = where.bpffs + "/weir";
	if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST)
		return system_error("making " + root, errno);
	if (auto tidied = tidy(where); !tidied)
		return std::unexpected(std::move(tidied).error());

	const auto maps = open_maps(where.directory());
	const auto old = maps ? published(map_of(*maps, "images")) : Result<Image>(std::unexpected(maps.error()));
	Applied applied;
	applied.generation = old ? old->header().generation + 1 : 1;
	const auto image = compile(policy, {.generation = applied.generation, .observe = observe});
	if (!image) {
		if (!exists(where.directory()))
			::rmdir(root.c_str()); // it was made for this
		return std::unexpected(image.error());
	}
	applied.digest = hex(image->trailer().digest);

	const auto begin = std::chrono::steady_clock::now();
	if (maps && holds(where, *maps, policy, *cgroups)) {
		const auto map = make_image_map(*image);
		if (!map)
			return std::unexpected(map.error());
		if (auto swapped = publish(map_of(*maps, "images"), map->get()); !swapped)
			return std::unexpected(std::move(swapped).error());
	} else {
		applied.first = true;
		bool same_scopes = false;
		if (old) {
			const auto text = text_of(*old);
			const auto was = text ? policy::from_canonical(*text)
					      : Result<BoundPolicy>(std::unexpected(text.error()));
			same_scopes = was && std::ranges::equal(was->scopes, policy.scopes, {}, &Scope::cgroup,
								&Scope::cgroup);
		}
		// What is noted under generations that nobody knows must not meet one of the same number.
		auto shared = old ? inherited(*maps, same_scopes) : Result<Maps>(Maps{});
		if (!shared)
			return std::unexpected(std::move(shared).error());
		if (auto built = build(where, *image, std::move(*shared), policy, *cgroups); !built) {
			(void)tidy(where);
			if (!exists(where.directory()))
				::rmdir(root.c_str());
			return std::unexpected(std::move(built).error());
		}
	}
	applied.publish_ms =
		std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
	return applied;
}

Result<std::vector<std::string>> remove(const Where &where)
{
	const Libbpf quiet;
	const Uninterrupted whole;
	if (auto there = must_exist(where); !there && there.error().code != Exit::degraded)
		return std::unexpected(std::move(there).error());
	const auto locked = lock(where, "policy", lock_seconds);
	if (!locked)
		return std::unexpected(locked.error());
	std::vector<std::string> lines;
	const auto tidied = tidy(where);
	if (!tidied)
		return std::unexpected(tidied.error());
	if (*tidied)
		lines.emplace_back("removed what an interrupted command had left");

	std::vector<std::string> cgroups;
	std::string policy_line;
	if (const auto image = read_image(where)) {
		const auto text = text_of(*image);
		if (const auto policy = text ? policy::from_canonical(*text)
					     : Result<BoundPolicy>(std::unexpected(text.error()))) {
			for (const auto &scope : policy->scopes)
				cgroups.push_back(scope.cgroup);
			policy_line = fmt::format("removed {}, generation {}, digest {}", policy->scenario,
						  image->header().generation, hex(image->trailer().digest));
		}
	}
	const auto dropped = drop(where.directory());
	if (!dropped)
		return std::unexpected(dropped.error());
	for (const auto &name : *dropped) {
		std::size_t scope = cgroups.size(); // of a pin that is not weir's
		std::from_chars(name.data(), name.data() + name.size(), scope);
		lines.push_back(fmt::format("detached {} from {}", name.substr(name.find('_') + 1),
					    scope < cgroups.size() ? cgroups[scope] : "its cgroup"));
	}
	if (!policy_line.empty())
		lines.push_back(policy_line);
	::rmdir((where.bpffs + "/weir").c_str()); // stays while another instance is there
	return lines;
}

} // namespace weir::kernel
