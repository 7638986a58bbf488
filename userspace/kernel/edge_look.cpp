// SPDX-License-Identifier: Apache-2.0
// Looking at what is attached to an interface: the kernel is asked, and everything that it says is checked.
#include "kernel/edge.h"
#include "kernel/edge_programs.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>

namespace weir::kernel {

namespace {

constexpr std::string_view other_build = "its program is of another build of weir";

/// Where the kernel says that the pinned program is attached. `mode` empty: nowhere.
struct Place {
	std::string mode;
	std::string problem;
};

Place place_of_link(const bpf_link_info &info, std::uint32_t program, Way way, const Interface &interface)
{
	// struct bpf_link_info of Linux 6.6 has tcx.ifindex and tcx.attach_type where it has these of netns.
	const bool tcx = info.type == link_type_tcx &&
			 info.netns.attach_type == static_cast<std::uint32_t>(tcx_type(way));
	const bool xdp = info.type == link_type_xdp && way == Way::in;
	if (!tcx && !xdp)
		return {"", "what is pinned there is something else"};
	if (info.xdp.ifindex != interface.ifindex)
		return {"", "it was detached"};
	if (info.prog_id != program)
		return {tcx ? "tcx" : "xdp", "another program was put into its place"};
	if (tcx)
		return {"tcx", ""};
	if (interface.xdp_native == program)
		return {"xdp", ""};
	if (interface.xdp_generic == program)
		return {"xdp-generic", ""};
	return {"", "it was detached"};
}

Place place_of_filter(std::uint32_t program, Way way, std::uint32_t ifindex)
{
	const auto filters = filters_of(ifindex, way);
	if (!filters)
		return {"", filters.error().message};
	const auto at = std::ranges::find(*filters, program, &Filter::program);
	if (at == filters->end())
		return {"", "its filter was removed"};
	return {"clsact", at->direct ? "" : "its filter does not decide"};
}

/// What is wrong with a program that is attached; "" nothing.
std::string complaint_about(int program, const std::string &name, const ExpectedEdge &expected)
{
	const auto about = info_of<bpf_prog_info>(program);
	const auto maps = maps_of_program(program);
	const auto constants = constants_of<EdgeConstants>(maps);
	if (!about || name != about->name)
		return fmt::format("the program there is not {}", name);
	if (!constants || constants->build != build_of_edge())
		return std::string(other_build);
	if (constants->scope != expected.scope || constants->edge_netns != expected.netns.cookie)
		return "its program judges by the rows of another scope";
	if (constants->edge_zone != expected.zone ||
	    constants->edge_link_header != link_header(expected.interface.link_type))
		return "its program is made for another kind of interface";
	if (std::ranges::find(maps, expected.images_id) == maps.end())
		return "its program judges by another policy";
	return "";
}

bool is_wanted(const std::string &mode, const std::string &ingress)
{
	if (mode == "xdp")
		return ingress == "auto";
	return mode != "xdp-generic" || ingress == "xdp-generic";
}

} // namespace

SeenEdge look_at_edge(const std::string &directory, Way way, const ExpectedEdge &expected)
{
	const auto ifindex = expected.interface.ifindex;
	const auto pinned = open_pin(edge_program_path(directory, ifindex, way));
	if (!pinned)
		return {false, "", pinned.error().code == Exit::absent ? "it is not attached" : pinned.error().message};
	const auto id = id_of_program(pinned->get());
	const auto link = open_pin(edge_link_path(directory, ifindex, way));
	const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
	const auto [mode, problem] = info ? place_of_link(*info, id, way, expected.interface)
					  : place_of_filter(id, way, ifindex);
	SeenEdge seen{!mode.empty(), mode, problem};
	if (!problem.empty())
		return seen;
	const char *const name = mode.starts_with("xdp") ? "weir_edge_xdp"
				 : way == Way::in        ? "weir_edge_in"
							 : "weir_edge_out";
	seen.problem = complaint_about(pinned->get(), name, expected);
	seen.other_build = seen.problem == other_build;
	if (seen.problem.empty() && way == Way::in && !is_wanted(mode, expected.ingress))
		seen.problem = fmt::format("it is attached by {}, the site wants {}", mode, expected.ingress);
	return seen;
}

std::vector<std::string> before_weir(const Interface &interface, Way way, const SeenEdge &seen, std::uint32_t images_id)
{
	std::vector<std::string> lines;
	// True of one that belongs to weir, whichever instance: they let pass what they admit to those behind.
	const auto add = [&](std::uint32_t id, const char *hook) {
		const Fd program(bpf_prog_get_fd_by_id(id));
		const auto about = program ? info_of<bpf_prog_info>(program.get()) : std::nullopt;
		const std::string name = about ? about->name : "";
		if (!name.starts_with("weir_edge_"))
			lines.push_back(
				fmt::format("{}: another program ({}, id {}, {}) runs before weir's on the way {}: "
					    "what it takes, weir does not judge",
					    interface.name, name, id, hook, text_of(way)));
	};
	if (seen.mode.starts_with("xdp"))
		return lines;
	for (const auto id : {interface.xdp_native, interface.xdp_generic})
		if (way == Way::in && id != 0)
			add(id, "XDP");
	const auto ours = [&](std::uint32_t id) {
		const Fd program(bpf_prog_get_fd_by_id(id));
		const auto maps = program ? maps_of_program(program.get()) : std::vector<__u32>{};
		return std::ranges::find(maps, images_id) != maps.end();
	};
	for (const auto id : tcx_programs(interface.ifindex, way)) {
		if (ours(id))
			return lines;
		add(id, "tcx");
	}
	if (seen.mode != "clsact")
		return lines;
	for (const auto &filter : filters_of(interface.ifindex, way).value_or(std::vector<Filter>{})) {
		if (filter.program == 0)
			lines.push_back(
				fmt::format("{}: a {} filter runs before weir's on the way {}: what it takes, weir "
					    "does not judge",
					    interface.name, filter.kind, text_of(way)));
		else if (ours(filter.program))
			return lines;
		else
			add(filter.program, "clsact");
	}
	return lines;
}

} // namespace weir::kernel
