// SPDX-License-Identifier: Apache-2.0
#include "kernel/edge.h"

#include "kernel/edge_programs.h"
#include "kernel/pins.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace weir::kernel {

std::uint64_t build_of_edge()
{
	std::size_t size = 0;
	const void *bytes = weir_edge__elf_bytes(&size);
	return build_of(bytes, size);
}

namespace {

Result<> set_flows(weir_edge *skeleton, std::uint32_t flows)
{
	for (auto *map : {skeleton->maps.opened, skeleton->maps.accepted})
		if (const int error = bpf_map__set_max_entries(map, flows); error != 0)
			return system_error("sizing the tables of flows", -error);
	return {};
}

} // namespace

EdgePrograms::EdgePrograms(std::uint8_t scope, const Edge &edge, const Netns &netns)
	: scope_(scope), flows_(edge.flows), netns_(netns)
{}
EdgePrograms::EdgePrograms(EdgePrograms &&) noexcept = default;
EdgePrograms &EdgePrograms::operator=(EdgePrograms &&) noexcept = default;
EdgePrograms::~EdgePrograms() = default;

Result<EdgePrograms> EdgePrograms::load(std::uint8_t scope, const Edge &edge, const Netns &netns, Maps shared)
{
	EdgePrograms programs(scope, edge, netns);
	programs.shared_ = std::move(shared);
	// The usual kind, whether there is an interface of it or not: the maps are there from the beginning.
	if (auto usual = programs.of(zone_network, 14); !usual)
		return std::unexpected(std::move(usual).error());
	programs.shared_ = maps_of(programs.loaded_.begin()->second->obj);
	return programs;
}

Result<Maps> EdgePrograms::fitting_of(const Edge &edge, const Maps &maps)
{
	const Skeleton skeleton(weir_edge__open(), weir_edge__destroy);
	if (!skeleton)
		return system_error("opening the programs of the edge", errno);
	if (auto sized = set_flows(skeleton.get(), edge.flows); !sized)
		return std::unexpected(std::move(sized).error());
	return fitting(skeleton->obj, maps);
}

Maps EdgePrograms::maps() const
{
	return maps_of(loaded_.begin()->second->obj);
}

Result<EdgePrograms::Set> EdgePrograms::of(std::uint8_t zone, std::uint32_t link_header)
{
	auto at = loaded_.find({zone, link_header});
	if (at == loaded_.end()) {
		Skeleton skeleton(weir_edge__open(), weir_edge__destroy);
		if (!skeleton)
			return system_error("opening the programs of the edge", errno);
		set_constants(skeleton->rodata, scope_, build_of_edge(), netns_);
		skeleton->rodata->edge_zone = zone;
		skeleton->rodata->edge_link_header = link_header;
		skeleton->rodata->has_coarse_clock =
			libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 1 ? 1 : 0;
		if (auto sized = set_flows(skeleton.get(), flows_); !sized)
			return std::unexpected(std::move(sized).error());
		if (auto shares = share(skeleton->obj, shared_); !shares)
			return std::unexpected(std::move(shares).error());
		if (const int error = weir_edge__load(skeleton.get()); error != 0)
			return system_error("the kernel does not take the programs of the edge", -error);
		at = loaded_.emplace(std::pair(zone, link_header), std::move(skeleton)).first;
	}
	const auto &programs = at->second->progs;
	return Set{bpf_program__fd(programs.weir_edge_xdp), bpf_program__fd(programs.weir_edge_in),
		   bpf_program__fd(programs.weir_edge_out)};
}

std::string edge_link_path(const std::string &directory, std::uint32_t ifindex, Way way)
{
	return fmt::format("{}/links/{}@{}", directory, ifindex, text_of(way));
}

std::string edge_program_path(const std::string &directory, std::uint32_t ifindex, Way way)
{
	return fmt::format("{}/programs/{}@{}", directory, ifindex, text_of(way));
}

std::string qdisc_mark(const std::string &directory, std::uint32_t ifindex)
{
	return fmt::format("{}/marks/qdisc={}", directory, ifindex);
}

std::string netns_mark(const std::string &directory, std::uint64_t inode)
{
	return fmt::format("{}/marks/netns={}", directory, inode);
}

std::vector<std::pair<std::uint32_t, Way>> edge_pins(const std::string &directory)
{
	std::vector<std::pair<std::uint32_t, Way>> pins;
	const auto names = names_in(directory + "/programs");
	if (!names)
		return pins;
	for (const auto &name : *names) {
		std::uint32_t ifindex = 0;
		const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), ifindex);
		for (const Way way : ways)
			if (error == std::errc{} && std::string_view(end) == std::string("@") + text_of(way))
				pins.emplace_back(ifindex, way);
	}
	std::ranges::sort(pins);
	return pins;
}

Result<std::optional<Filter>> filter_by(std::uint32_t ifindex, Way way, std::uint32_t images_id)
{
	const auto filters = filters_of(ifindex, way);
	if (!filters)
		return std::unexpected(filters.error());
	for (const auto &filter : *filters) {
		const Fd program(filter.program != 0 ? bpf_prog_get_fd_by_id(filter.program) : -1);
		if (!program)
			continue;
		const auto maps = maps_of_program(program.get());
		if (images_id != 0 && std::ranges::find(maps, images_id) != maps.end())
			return filter;
	}
	return std::nullopt;
}

namespace {

Fd attach_xdp(int program, std::uint32_t ifindex, bool generic)
{
	bpf_link_create_opts options{};
	options.sz = sizeof(options);
	options.flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	return Fd(bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
}

/// The XDP link of the set in force, where it can be taken over: it is there, and in the mode that is wanted.
Fd xdp_in_force(const Interface &interface, bool generic, const std::string &in_force)
{
	if (in_force.empty())
		return {};
	auto link = open_pin(edge_link_path(in_force, interface.ifindex, Way::in));
	const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
	const auto there = generic ? interface.xdp_generic : interface.xdp_native;
	if (!info || info->type != link_type_xdp || info->xdp.ifindex != interface.ifindex || there != info->prog_id)
		return {};
	return std::move(*link);
}

/// A filter of clsact: taken over, or added at once.
Result<> attach_filter(Attachment &attachment, const std::string &directory, const std::string &in_force)
{
	if (!in_force.empty()) {
		auto filter = filter_by(attachment.ifindex, attachment.way, images_of(in_force));
		if (!filter)
			return std::unexpected(std::move(filter).error());
		attachment.filter = std::move(*filter);
	}
	const auto made = attachment.filter ? Result<bool>(false) : make_clsact(attachment.ifindex);
	if (!made)
		return std::unexpected(made.error());
	const bool ours = *made || (!in_force.empty() && exists(qdisc_mark(in_force, attachment.ifindex)));
	const auto mark = qdisc_mark(directory, attachment.ifindex);
	if (ours && ::mkdir(mark.c_str(), 0700) != 0 && errno != EEXIST)
		return system_error("making " + mark, errno);
	return attachment.filter ? Result<>() : add_filter(attachment.ifindex, attachment.way, attachment.program);
}

} // namespace

Result<> change_to_xdp(const Interface &interface, int program, const std::string &ingress,
		       const std::string &directory)
{
	const auto link = attach_xdp(program, interface.ifindex, ingress == "xdp-generic");
	if (!link)
		return {}; // what there is holds as well
	// Both judge until the new one has the other's place.
	if (auto gone = let_go(directory, interface.ifindex, Way::in); !gone)
		return gone;
	if (auto pinned = pin(program, edge_program_path(directory, interface.ifindex, Way::in)); !pinned)
		return pinned;
	return pin(link.get(), edge_link_path(directory, interface.ifindex, Way::in));
}

Result<> Attachment::finish() const
{
	if (same_link && bpf_link_update(link.get(), program, nullptr) != 0)
		return system_error("replacing the XDP program", errno);
	return filter ? replace_filter(ifindex, way, *filter, program) : Result<>();
}

Result<Attachment> attach_way(const Interface &interface, Way way, const EdgePrograms::Set &programs,
			      const std::string &ingress, const std::string &directory, const std::string &in_force)
{
	Attachment made{
		.ifindex = interface.ifindex, .way = way, .program = way == Way::in ? programs.in : programs.out};
	const auto path = edge_program_path(directory, interface.ifindex, way);
	if (way == Way::in && ingress != "tc") {
		const bool generic = ingress == "xdp-generic";
		made.link = xdp_in_force(interface, generic, in_force);
		made.same_link = static_cast<bool>(made.link);
		if (!made.link)
			made.link = attach_xdp(programs.xdp, interface.ifindex, generic);
		if (made.link) {
			made.program = programs.xdp;
			made.mode = generic ? "xdp-generic" : "xdp";
		}
	}
	// Refused by the driver, for its MTU, or because another program is there: the hook behind it takes any.
	if (!made.link) {
		made.link = attach_tcx(made.program, interface.ifindex, way);
		made.mode = made.link ? "tcx" : "clsact";
	}
	forget_errors();
	if (auto pinned = pin(made.program, path); !pinned)
		return std::unexpected(std::move(pinned).error());
	if (!made.link)
		if (auto added = attach_filter(made, directory, in_force); !added)
			return std::unexpected(std::move(added).error());
	return made;
}

} // namespace weir::kernel
