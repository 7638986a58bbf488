// SPDX-License-Identifier: Apache-2.0
// Taking away what a directory pins. What another directory of the same instance also has is left to that one.
#include "kernel/edge.h"
#include "kernel/pins.h"
#include "kernel/restore.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace weir::kernel {

namespace {

std::uint32_t id_of_link(const std::string &path)
{
	const auto link = open_pin(path);
	const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
	return info ? info->id : 0;
}

Result<> drop_link(const std::string &path, const std::string &same)
{
	const auto link = open_pin(path);
	const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
	// Unpinning detaches, too, but some time later.
	if (info && (same.empty() || info->id != id_of_link(same)))
		bpf_link_detach(link->get());
	return unpin(path);
}

/// clsact that weir made is removed with the last filter; one that is used by others stays.
Result<> drop_qdisc(const std::string &mark, std::uint32_t ifindex, bool remove)
{
	for (const Way way : ways) {
		const auto filters = filters_of(ifindex, way);
		remove = remove && filters && filters->empty();
	}
	if (remove)
		if (auto removed = remove_clsact(ifindex); !removed)
			return removed;
	if (::rmdir(mark.c_str()) != 0 && errno != ENOENT)
		return system_error("removing " + mark, errno);
	return {};
}

Result<> drop_marks(const std::string &directory, const std::string &stays, bool here)
{
	const auto marks = names_in(directory + "/marks");
	if (!marks)
		return std::unexpected(marks.error());
	constexpr std::string_view qdisc = "qdisc=";
	for (const auto &name : *marks) {
		const auto path = fmt::format("{}/marks/{}", directory, name);
		std::uint32_t ifindex = 0;
		if (name.starts_with(qdisc))
			std::from_chars(name.data() + qdisc.size(), name.data() + name.size(), ifindex);
		const bool kept = !stays.empty() && exists(qdisc_mark(stays, ifindex));
		if (auto dropped = drop_qdisc(path, ifindex, ifindex != 0 && here && !kept); !dropped)
			return dropped;
	}
	return {};
}

} // namespace

bool is_edge_here(const std::string &directory)
{
	const auto marks = names_in(directory + "/marks");
	const auto netns = this_netns();
	if (!marks || !netns)
		return false;
	for (const auto &name : *marks)
		if (name.starts_with("netns="))
			return exists(netns_mark(directory, netns->inode));
	return true;
}

std::string elsewhere(const Where &where)
{
	return fmt::format(
		"the edge of instance {} is in another network namespace\n  run weir there (nsenter --net=...)",
		where.instance);
}

Result<> let_go(const std::string &directory, std::uint32_t ifindex, Way way, const std::string &stays)
{
	const auto link = edge_link_path(directory, ifindex, way);
	if (exists(link)) {
		if (auto dropped = drop_link(link, stays.empty() ? "" : edge_link_path(stays, ifindex, way)); !dropped)
			return dropped;
	} else if (is_edge_here(directory)) {
		const auto filter = filter_by(ifindex, way, images_of(directory));
		if (!filter)
			return std::unexpected(filter.error());
		if (*filter)
			if (auto removed = remove_filter(ifindex, way, **filter); !removed)
				return removed;
	}
	return unpin(edge_program_path(directory, ifindex, way));
}

Result<std::vector<std::string>> drop(const std::string &directory, const std::string &stays)
{
	struct stat status{};
	// Never through it, to another's pins.
	if (::lstat(directory.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
		if (auto unlinked = unpin(directory); !unlinked)
			return std::unexpected(std::move(unlinked).error());
		return std::vector<std::string>{};
	}
	std::vector<std::string> names;
	for (const auto &[ifindex, way] : edge_pins(directory)) {
		if (auto gone = let_go(directory, ifindex, way, stays); !gone)
			return std::unexpected(std::move(gone).error());
		names.push_back(fmt::format("{}@{}", ifindex, text_of(way)));
	}
	if (auto dropped = drop_marks(directory, stays, is_edge_here(directory)); !dropped)
		return std::unexpected(std::move(dropped).error());
	for (const char *const part : {"links", "programs", "maps"}) {
		const auto pins = names_in(fmt::format("{}/{}", directory, part));
		if (!pins)
			return std::unexpected(pins.error());
		for (const auto &name : *pins) {
			const auto path = fmt::format("{}/{}/{}", directory, part, name);
			const auto same = stays.empty() ? "" : fmt::format("{}/{}/{}", stays, part, name);
			auto dropped = std::string_view(part) == "links" ? drop_link(path, same) : unpin(path);
			if (!dropped)
				return std::unexpected(std::move(dropped).error());
			if (std::string_view(part) == "links")
				names.push_back(name);
		}
	}
	for (const char *const part : {"/links", "/programs", "/marks", "/maps", ""})
		if (::rmdir((directory + part).c_str()) != 0 && errno != ENOENT)
			return system_error("removing " + directory + part, errno);
	return names;
}

Result<> restore(const std::string &directory, const std::string &left)
{
	const bool here = is_edge_here(directory) && is_edge_here(left);
	for (const auto &[ifindex, way] : edge_pins(directory)) {
		const auto program = open_pin(edge_program_path(directory, ifindex, way));
		const auto other = open_pin(edge_program_path(left, ifindex, way));
		if (!program || !other)
			continue;
		const auto path = edge_link_path(directory, ifindex, way);
		if (exists(path)) {
			const auto link = open_pin(path);
			const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
			if (info && info->type == link_type_xdp && info->prog_id == id_of_program(other->get()) &&
			    info->prog_id != id_of_program(program->get()) &&
			    bpf_link_update(link->get(), program->get(), nullptr) != 0)
				return system_error("putting the XDP program back", errno);
			continue;
		}
		const auto filter = here ? filter_by(ifindex, way, images_of(left))
					 : Result<std::optional<Filter>>(std::nullopt);
		const auto own = here ? filter_by(ifindex, way, images_of(directory)) : filter;
		if (!filter || !own)
			return std::unexpected((!filter ? filter : own).error());
		if (*filter && !*own)
			if (auto replaced = replace_filter(ifindex, way, **filter, program->get()); !replaced)
				return replaced;
	}
	return {};
}

} // namespace weir::kernel
