// SPDX-License-Identifier: Apache-2.0
// Taking an instance out of the kernel.
#include "kernel/hooks.h"
#include "kernel/image_map.h"
#include "kernel/pins.h"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace weir::kernel {

namespace {

/// Of "2@in".
std::string line_of_edge(const std::string &name, bool here)
{
	std::uint32_t ifindex = 0;
	std::from_chars(name.data(), name.data() + name.size(), ifindex);
	std::array<char, IF_NAMESIZE> buffer{};
	const bool known = here && ::if_indextoname(ifindex, buffer.data()) != nullptr;
	const auto way = name.substr(name.find('@') + 1);
	if (!here) // a filter of clsact can't be reached; one of a namespace that is gone went with it
		return fmt::format(
			"detached what judged interface {} of another network namespace, way {}; where it has no "
			"tcx, look there with tc filter show",
			ifindex, way);
	return fmt::format("detached the edge from {}, way {}",
			   known ? std::string(buffer.data()) : fmt::format("interface {}, which is gone", ifindex),
			   way);
}

} // namespace

Result<Removed> remove(const Where &where)
{
	const Libbpf quiet;
	const Uninterrupted whole;
	if (auto there = must_exist(where); !there && there.error().code != Exit::degraded)
		return std::unexpected(std::move(there).error());
	const auto locked = lock(where, "policy", command_waits);
	if (!locked)
		return std::unexpected(locked.error());
	Removed removed;
	auto &lines = removed.lines;
	const auto tidied = tidy(where);
	if (!tidied)
		return std::unexpected(tidied.error());
	if (*tidied)
		lines.emplace_back("removed what an interrupted command had left");

	std::vector<std::string> cgroups;
	const auto here = is_edge_here(where.directory());
	std::string policy_line;
	const auto images = open_pin(where.directory() + "/maps/images");
	const auto old = images ? in_force(images->get()) : Result<InForce>(std::unexpected(images.error()));
	if (old && old->policy) {
		removed.before = old->policy;
		for (const auto &scope : removed.before->scopes)
			cgroups.push_back(scope.cgroup);
		policy_line = fmt::format("removed {}, generation {}, digest {}", removed.before->scenario,
					  old->image.header().generation, hex(old->image.trailer().digest));
	}
	const auto dropped = drop(where.directory());
	if (!dropped)
		return std::unexpected(dropped.error());
	for (const auto &name : *dropped) {
		if (name.contains('@')) {
			lines.push_back(line_of_edge(name, here));
			continue;
		}
		std::size_t scope = cgroups.size(); // of a pin that is not weir's
		std::from_chars(name.data(), name.data() + name.size(), scope);
		lines.push_back(fmt::format("detached {} from {}", name.substr(name.find('_') + 1),
					    scope < cgroups.size() ? cgroups[scope] : "its cgroup"));
	}
	if (!policy_line.empty())
		lines.push_back(policy_line);
	::rmdir((where.bpffs + "/weir").c_str()); // stays while another instance is there
	if (old)
		removed.used = old->used();
	return removed;
}

} // namespace weir::kernel
