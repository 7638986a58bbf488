// SPDX-License-Identifier: Apache-2.0
// Changing the rows of the policy in force: read out of the kernel, changed, put back by one swap. What is attached
// stays as it is, so no file, no cgroup and no interface is looked at.
#include "kernel/image_map.h"
#include "kernel/pins.h"
#include "policy/policy.h"

#include <algorithm>
#include <chrono>

namespace weir::kernel {

namespace {

bool holds_the_same(const BoundPolicy &a, const BoundPolicy &b)
{
	return a.edge == b.edge && std::ranges::equal(a.scopes, b.scopes, {}, &Scope::cgroup, &Scope::cgroup);
}

} // namespace

Result<std::optional<Applied>> change(const Where &where,
				      const std::function<Result<std::optional<BoundPolicy>>(const BoundPolicy &)> &how,
				      int patience)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	if (auto good = check_clock(); !good)
		return std::unexpected(std::move(good).error());
	const Uninterrupted whole;
	const auto locked = lock(where, "policy", patience);
	if (!locked)
		return std::unexpected(locked.error());
	if (!is_edge_here(new_directory(where)))
		return fail(elsewhere(where)); // what another command left there can't be put right from here
	if (auto tidied = tidy(where); !tidied)
		return std::unexpected(std::move(tidied).error());
	const auto images = open_pin(where.directory() + "/maps/images");
	if (!images)
		return std::unexpected(images.error());
	const auto old = in_force(images->get());
	if (!old)
		return std::unexpected(old.error());
	const auto &policy = old->policy;
	if (!policy)
		return fail("the text of the policy in force can't be read");

	const auto changed = how(*policy);
	if (!changed)
		return std::unexpected(changed.error());
	if (!*changed)
		return std::nullopt;
	if (!holds_the_same(*policy, **changed))
		return fail("a change of rows can't change which cgroups and interfaces are held\n  weir apply does");

	const auto image = compile(**changed, {.generation = old->image.header().generation + 1,
					       .observe = (old->image.header().flags & WEIR_IMAGE_OBSERVE) != 0});
	if (!image)
		return std::unexpected(image.error());
	const auto begin = std::chrono::steady_clock::now();
	const auto map = make_image_map(*image);
	if (!map)
		return std::unexpected(map.error());
	if (auto swapped = publish(images->get(), map->get()); !swapped)
		return std::unexpected(std::move(swapped).error());
	Applied applied;
	applied.generation = image->header().generation;
	applied.digest = hex(image->trailer().digest);
	applied.publish_ms =
		std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
	applied.policy = **changed;
	applied.before = *policy;
	applied.used = old->used();
	return applied;
}

} // namespace weir::kernel
