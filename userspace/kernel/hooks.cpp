// SPDX-License-Identifier: Apache-2.0
#include "kernel/hooks.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gates.skel.h>

#include <algorithm>
#include <utility>

namespace weir::kernel {

namespace {

std::uint64_t build_of_programs()
{
	std::size_t size = 0;
	const void *bytes = weir_gates__elf_bytes(&size);
	return build_of(bytes, size);
}

using Rodata = std::remove_pointer_t<decltype(weir_gates::rodata)>;

} // namespace

Result<Programs> Programs::load(std::uint8_t scope, const Netns &netns, const Maps &shared)
{
	Programs programs(weir_gates__open());
	if (programs.skeleton_ == nullptr)
		return system_error("opening the kernel programs", errno);
	auto *skeleton = programs.skeleton_;
	set_constants(skeleton->rodata, scope, build_of_programs(), netns);
	if (auto shares = share(skeleton->obj, shared); !shares)
		return std::unexpected(std::move(shares).error());
	if (const int error = weir_gates__load(skeleton); error != 0)
		return system_error("the kernel does not take the programs", -error);
	return programs;
}

Result<Maps> Programs::fitting_of(const Maps &maps)
{
	const Programs programs(weir_gates__open());
	if (programs.skeleton_ == nullptr)
		return system_error("opening the kernel programs", errno);
	return fitting(programs.skeleton_->obj, maps);
}

Programs::Programs(Programs &&other) noexcept : skeleton_(std::exchange(other.skeleton_, nullptr)) {}

Programs &Programs::operator=(Programs &&other) noexcept
{
	std::swap(skeleton_, other.skeleton_);
	return *this;
}

Programs::~Programs()
{
	weir_gates__destroy(skeleton_);
}

Maps Programs::maps() const
{
	return maps_of(skeleton_->obj);
}

int Programs::program(const Hook &hook) const
{
	const auto name = fmt::format("weir_{}", hook.name);
	const auto *program = bpf_object__find_program_by_name(skeleton_->obj, name.c_str());
	return program == nullptr ? -1 : bpf_program__fd(program);
}

Result<Fd> Programs::attach(const Hook &hook, const Cgroup &cgroup) const
{
	return attach_program(program(hook), hook, cgroup);
}

Result<Fd> attach_program(int program, const Hook &hook, const Cgroup &cgroup)
{
	Fd link(bpf_link_create(program, cgroup.directory.get(), hook.type, nullptr));
	if (!link)
		return system_error(fmt::format("attaching {}", hook.name), errno);
	return link;
}

Seen look_at(const std::string &path, const Expected &expected)
{
	const auto link = open_pin(path);
	if (!link)
		return {false, fmt::format("{}: {}: nothing judges there", expected.cgroup,
					   link.error().code == Exit::absent
						   ? fmt::format("{} is not attached", expected.hook.name)
						   : link.error().message)};
	const auto info = info_of<bpf_link_info>(link->get());
	if (!info || info->type != BPF_LINK_TYPE_CGROUP ||
	    info->cgroup.attach_type != static_cast<__u32>(expected.hook.type))
		return {false,
			fmt::format("{}: what is pinned as {} is something else", expected.cgroup, expected.hook.name)};
	if (expected.cgroup_id == 0 || info->cgroup.cgroup_id != expected.cgroup_id)
		return {false, fmt::format("{}: the cgroup was removed{}: {} holds nothing there", expected.cgroup,
					   expected.cgroup_id == 0 ? "" : " and made anew", expected.hook.name)};
	const Fd program(bpf_prog_get_fd_by_id(info->prog_id));
	return {true, problem_of(program.get(), expected)};
}

std::string problem_of(int program, const Expected &expected)
{
	const auto maps = program >= 0 ? maps_of_program(program) : std::vector<__u32>{};
	const auto constants = constants_of<Rodata>(maps);
	const auto about = program >= 0 ? info_of<bpf_prog_info>(program) : std::nullopt;
	const auto name = fmt::format("weir_{}", expected.hook.name); // of which the kernel keeps 15 letters
	if (!about || name.substr(0, BPF_OBJ_NAME_LEN - 1) != about->name)
		return fmt::format("{}: the program at {} is not {}", expected.cgroup, expected.hook.name, name);
	if (!constants || constants->build != build_of_programs())
		return fmt::format("{}: {} is a program of another build of weir", expected.cgroup, expected.hook.name);
	if (constants->scope != expected.scope)
		return fmt::format("{}: {} judges by the rows of another cgroup", expected.cgroup, expected.hook.name);
	if (expected.netns != nullptr && constants->edge_netns != expected.netns->cookie)
		return fmt::format("{}: {} takes another network namespace for that of the edge", expected.cgroup,
				   expected.hook.name);
	if (expected.hook.gate != WEIR_GATE_NONE && std::ranges::find(maps, expected.images_id) == maps.end())
		return fmt::format("{}: {} judges by another policy", expected.cgroup, expected.hook.name);
	return "";
}

std::string link_path(const std::string &directory, std::size_t scope, const Hook &hook, const std::string &seat)
{
	return fmt::format("{}/links/{}_{}{}", directory, scope, hook.name, seat);
}

} // namespace weir::kernel
