// SPDX-License-Identifier: Apache-2.0
#include "kernel/seats.h"

#include "kernel/pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace weir::kernel {

namespace {

bool is_populated(const std::string &cgroup)
{
	std::ifstream events(cgroup + "/cgroup.events");
	std::string key, value;
	while (events >> key >> value)
		if (key == "populated")
			return value == "1";
	return false;
}

} // namespace

Result<std::vector<Match>> matches_of(const Scope &scope)
{
	const auto paths = cgroups_of(scope.cgroup);
	if (!paths)
		return std::unexpected(paths.error());
	std::vector<Match> matches;
	for (const auto &path : *paths) {
		auto cgroup = open_cgroup(path);
		if (cgroup)
			matches.push_back({path, std::move(*cgroup)});
		else if (exists(path))
			return std::unexpected(std::move(cgroup).error());
	}
	return matches;
}

Result<std::optional<Match>> the_match_of(const Scope &scope, bool await)
{
	auto matches = matches_of(scope);
	if (!matches)
		return std::unexpected(std::move(matches).error());
	if (matches->size() > 1)
		return fail(Exit::policy, ambiguity_of(scope, *matches) +
						  "\n  stop what is not the component, or name it more exactly in the "
						  "site; nothing was changed");
	if (matches->size() == 1)
		return std::move(matches->front());
	if (await)
		return std::nullopt;
	return fail(
		fmt::format("{}\n  start the component first, or correct the site; weir apply --await puts the policy "
			    "in force before it is there",
			    absence_of(scope.cgroup)));
}

std::string ambiguity_of(const Scope &scope, const std::vector<Match> &matches)
{
	auto text = fmt::format("{} matches {} cgroups:", scope.cgroup, matches.size());
	for (const auto &[path, cgroup] : matches)
		text += fmt::format("\n  {}{}", path, is_populated(path) ? "" : " (no process is in it)");
	return text;
}

std::string Meetings::add(const Scope &scope, const Match &match)
{
	const auto [at, fresh] = first_.try_emplace(match.cgroup.id, &scope);
	if (fresh)
		return "";
	return fmt::format("{} and {} both match {}: it is held to the rows of both, and what only one of them admits "
			   "is refused\n  name them more exactly in the site",
			   at->second->cgroup, scope.cgroup, match.path);
}

std::string program_path(const std::string &directory, std::size_t scope, const Hook &hook)
{
	return fmt::format("{}/programs/{}_{}", directory, scope, hook.name);
}

std::vector<std::string> seats_of(const std::string &directory, std::size_t scope)
{
	std::vector<std::string> seats;
	const auto prefix = fmt::format("{}_", scope);
	const auto names = names_in(directory + "/links");
	for (const auto &name : names ? *names : std::vector<std::string>{})
		if (name.starts_with(prefix))
			seats.push_back(name.substr(std::min(name.find('+'), name.size())));
	std::ranges::sort(seats);
	const auto [first, last] = std::ranges::unique(seats);
	seats.erase(first, last);
	return seats;
}

std::uint64_t cgroup_of_seat(const std::string &directory, std::size_t scope, const std::string &seat)
{
	for (const auto &hook : hooks) {
		const auto link = open_pin(link_path(directory, scope, hook, seat));
		const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
		if (info && info->type == BPF_LINK_TYPE_CGROUP && info->cgroup.cgroup_id != 0)
			return info->cgroup.cgroup_id;
	}
	return 0;
}

std::optional<std::string> seat_of(const std::string &directory, std::size_t scope, std::uint64_t cgroup_id)
{
	for (auto &seat : seats_of(directory, scope))
		if (cgroup_of_seat(directory, scope, seat) == cgroup_id)
			return std::move(seat);
	return std::nullopt;
}

} // namespace weir::kernel
