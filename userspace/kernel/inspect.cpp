// SPDX-License-Identifier: Apache-2.0
// Reading back what is in force: only the kernel is asked, and everything that it says is checked.
#include "kernel/edge_hold.h"
#include "kernel/hooks.h"
#include "kernel/inspect_edge.h"
#include "kernel/image_map.h"
#include "kernel/pins.h"
#include "kernel/seats.h"
#include "policy/policy.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace weir::kernel {

namespace {

/// The image in the kernel is what its own policy compiles to; only the tallies may differ.
Result<> check_image(const Image &image, const BoundPolicy &policy)
{
	const auto &header = image.header();
	const auto text = text_of(image);
	if (!text)
		return std::unexpected(text.error());
	if (digest_of(*text) != std::to_array(image.trailer().digest))
		return fail("the policy in the kernel does not have the digest that stands beside it");
	const auto again =
		compile(policy, {.generation = header.generation, .observe = (header.flags & WEIR_IMAGE_OBSERVE) != 0});
	if (!again)
		return std::unexpected(again.error());
	const auto differs = [] { return fail("the image in the kernel is not what its policy compiles to"); };
	if (again->lines.size() != image.lines.size())
		return differs();
	const auto first = header.tallies;
	const auto last = first + (header.row_count + WEIR_TALLY_SLOTS - 1) / WEIR_TALLY_SLOTS;
	if (std::memcmp(&again->lines[0], &image.lines[0], WEIR_LINE) != 0)
		return differs();
	for (std::size_t line = 1; line < image.lines.size(); ++line)
		if ((line < first || line >= last) &&
		    std::memcmp(&again->lines[line], &image.lines[line], WEIR_LINE) != 0)
			return differs();
	return {};
}

/// What is attached in the policy's name, and what should be.
class Hooks {
public:
	Hooks(const Where &where, std::uint32_t images_id, const Netns *netns, State &state)
		: directory_(where.directory()), images_id_(images_id), netns_(netns), state_(state)
	{}

	void inspect(std::uint8_t scope)
	{
		const auto &about = state_.policy.scopes[scope];
		const auto matches = matches_of(about);
		if (!matches) {
			state_.problems.push_back(matches.error().message);
			return;
		}
		ComponentState component{scope, {}, false};
		for (const auto &match : *matches) {
			const auto seat = seat_of(directory_, scope, match.cgroup.id);
			look(scope, seat.value_or(""), match.path, match.cgroup.id, component.cgroups.empty());
			component.cgroups.push_back(match.path);
			if (auto met = meetings_.add(about, match); !met.empty())
				state_.problems.push_back(std::move(met));
		}
		if (matches->size() > 1)
			state_.problems.push_back(ambiguity_of(about, *matches));
		// A directory that was held and was removed has no business to be away: it may come by another name.
		component.awaited = matches->empty() && (kind_of(about.cgroup) != ComponentKind::directory ||
							 seats_of(directory_, scope).empty());
		if (component.awaited)
			look_at_programs(scope, about.cgroup);
		else if (matches->empty())
			look(scope, "", about.cgroup, 0, true);
		state_.components.push_back(std::move(component));
	}

private:
	void look(std::uint8_t scope, const std::string &seat, const std::string &path, std::uint64_t id, bool first)
	{
		for (const auto &hook : hooks) {
			auto seen = look_at(link_path(directory_, scope, hook, seat),
					    {hook, scope, path, id, images_id_, netns_});
			if (!seen.problem.empty())
				state_.problems.push_back(seen.problem);
			if (first)
				state_.hooks.push_back({hook.name, static_cast<std::uint8_t>(hook.gate), scope,
							seen.attached, std::move(seen.problem)});
		}
	}

	/// Nothing is attached, and yet all is ready to be.
	void look_at_programs(std::uint8_t scope, const std::string &cgroup)
	{
		for (const auto &hook : hooks) {
			const auto program = open_pin(program_path(directory_, scope, hook));
			auto problem =
				program ? problem_of(program->get(), {hook, scope, cgroup, 0, images_id_, netns_})
					: fmt::format("{}: the program for {} is not pinned, so that nothing "
						      "can hold it when it starts",
						      cgroup, hook.name);
			if (!problem.empty())
				state_.problems.push_back(problem);
			state_.hooks.push_back(
				{hook.name, static_cast<std::uint8_t>(hook.gate), scope, false, std::move(problem)});
		}
	}

	std::string directory_;
	std::uint32_t images_id_;
	const Netns *netns_;
	State &state_;
	Meetings meetings_;
};

} // namespace

Result<Image> read_image(const Where &where)
{
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const auto images = open_pin(where.directory() + "/maps/images");
	if (!images)
		return std::unexpected(images.error());
	return published(images->get());
}

Result<std::uint32_t> read_generation(const Where &where)
{
	const auto header = read_header(where);
	if (!header)
		return std::unexpected(header.error());
	return header->generation;
}

Result<Counters> read_counters(const Where &where)
{
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const auto counters = open_pin(where.directory() + "/maps/counters");
	if (!counters)
		return std::unexpected(counters.error());
	return counters_of(counters->get());
}

Result<State> inspect(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	State state;
	state.counters.resize(static_cast<std::size_t>(WEIR_COUNTERS));
	const auto broken = [&state](const Error &error, const std::string &what) {
		state.problems.push_back(what + ": " + error.message);
		return state;
	};
	const auto maps = open_maps(where.directory());
	if (!maps)
		return broken(maps.error(), "a map of the instance is missing, apply again");
	if (auto counters = counters_of(map_of(*maps, "counters")))
		state.counters = std::move(*counters);
	else
		state.problems.push_back(counters.error().message);
	if (const auto lease = read_lease(where))
		state.lease = *lease;
	const auto image = published(map_of(*maps, "images"));
	if (!image)
		return broken(image.error(), "the policy can't be read");
	const auto text = text_of(*image);
	if (!text)
		return broken(text.error(), "the policy can't be read");
	auto policy = policy::from_canonical(*text);
	if (!policy)
		return broken(policy.error(), "the policy can't be read");
	const auto &header = image->header();
	state.policy = std::move(*policy);
	state.generation = header.generation;
	state.observe = (header.flags & WEIR_IMAGE_OBSERVE) != 0;
	state.digest = hex(image->trailer().digest);
	if (auto good = check_image(*image, state.policy); !good) {
		state.problems.push_back(good.error().message);
	} else {
		state.tallies.resize(header.row_count);
		std::memcpy(state.tallies.data(), &image->lines[header.tallies],
			    header.row_count * sizeof(std::uint64_t));
	}
	const auto netns = state.policy.edge.present ? inspect_edge(where, *maps, state) : std::nullopt;
	Hooks attached(where, id_of_map(map_of(*maps, "images")), netns ? &*netns : nullptr, state);
	for (std::size_t scope = 0; scope < state.policy.cgroups(); ++scope)
		attached.inspect(static_cast<std::uint8_t>(scope));
	return state;
}

} // namespace weir::kernel
