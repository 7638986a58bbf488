// SPDX-License-Identifier: Apache-2.0
#include "kernel/hooks.h"

#include "compile/image.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gates.skel.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::kernel {

namespace {

/// Tells one build of the programs from another.
std::uint64_t build_of_programs()
{
	std::size_t size = 0;
	const auto *bytes = static_cast<const char *>(weir_gates__elf_bytes(&size));
	const auto digest = digest_of({bytes, size});
	std::uint64_t build = 0;
	std::memcpy(&build, digest.data(), sizeof(build));
	return build;
}

using Rodata = std::remove_pointer_t<decltype(weir_gates::rodata)>;

/// The constants that a loaded program was given; nullopt: it is no program of this kind.
std::optional<Rodata> constants_of(const std::vector<__u32> &map_ids)
{
	for (const auto id : map_ids) {
		const Fd map(bpf_map_get_fd_by_id(id));
		const auto info = map ? info_of<bpf_map_info>(map.get()) : std::nullopt;
		if (!info || !std::string_view(info->name).ends_with(".rodata") || info->value_size < sizeof(Rodata))
			continue;
		std::vector<char> bytes(info->value_size); // the compiler's constants stand behind ours
		const __u32 zero = 0;
		if (bpf_map_lookup_elem(map.get(), &zero, bytes.data()) != 0)
			continue;
		Rodata data{};
		std::memcpy(&data, bytes.data(), sizeof(data));
		return data;
	}
	return std::nullopt;
}

std::vector<__u32> maps_of_program(int program)
{
	std::vector<__u32> ids(32);
	bpf_prog_info info{};
	info.nr_map_ids = static_cast<__u32>(ids.size());
	info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
	__u32 size = sizeof(info);
	if (bpf_obj_get_info_by_fd(program, &info, &size) != 0)
		return {};
	ids.resize(std::min<std::size_t>(ids.size(), info.nr_map_ids));
	return ids;
}

} // namespace

int map_of(const Maps &maps, std::string_view name)
{
	const auto at = std::ranges::find(map_names, name);
	return at == map_names.end() ? -1 : maps.at(static_cast<std::size_t>(at - map_names.begin())).get();
}

Result<Maps> open_maps(const std::string &directory)
{
	Maps maps;
	for (std::size_t i = 0; i < maps.size(); ++i) {
		auto map = open_pin(directory + "/maps/" + map_names[i]);
		if (!map)
			return std::unexpected(std::move(map).error());
		maps[i] = std::move(*map);
	}
	return maps;
}

Result<Programs> Programs::load(std::uint8_t scope, const Maps &shared)
{
	Programs programs(weir_gates__open());
	if (programs.skeleton_ == nullptr)
		return system_error("opening the kernel programs", errno);
	auto *skeleton = programs.skeleton_;
	skeleton->rodata->scope = scope;
	skeleton->rodata->build = build_of_programs();
	for (std::size_t i = 0; i < shared.size(); ++i) {
		if (!shared[i])
			continue;
		auto *map = bpf_object__find_map_by_name(skeleton->obj, map_names[i]);
		if (map == nullptr || bpf_map__reuse_fd(map, shared[i].get()) != 0)
			return system_error(fmt::format("sharing the map {}", map_names[i]), errno);
	}
	if (const int error = weir_gates__load(skeleton); error != 0)
		return system_error("the kernel does not take the programs", -error);
	return programs;
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
	Maps maps;
	for (std::size_t i = 0; i < maps.size(); ++i)
		maps[i] =
			Fd(::fcntl(bpf_object__find_map_fd_by_name(skeleton_->obj, map_names[i]), F_DUPFD_CLOEXEC, 0));
	return maps;
}

Result<Fd> Programs::attach(const Hook &hook, const Cgroup &cgroup) const
{
	const auto name = fmt::format("weir_{}", hook.name);
	const auto *program = bpf_object__find_program_by_name(skeleton_->obj, name.c_str());
	if (program == nullptr)
		return fail("there is no program " + name);
	Fd link(bpf_link_create(bpf_program__fd(program), cgroup.directory.get(), hook.type, nullptr));
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
	const auto maps = program ? maps_of_program(program.get()) : std::vector<__u32>{};
	const auto constants = constants_of(maps);
	const auto about = program ? info_of<bpf_prog_info>(program.get()) : std::nullopt;
	const auto name = fmt::format("weir_{}", expected.hook.name); // of which the kernel keeps 15 letters
	if (!about || name.substr(0, BPF_OBJ_NAME_LEN - 1) != about->name)
		return {true,
			fmt::format("{}: the program at {} is not {}", expected.cgroup, expected.hook.name, name)};
	if (!constants || constants->build != build_of_programs())
		return {true, fmt::format("{}: {} is a program of another build of weir", expected.cgroup,
					  expected.hook.name)};
	if (constants->scope != expected.scope)
		return {true, fmt::format("{}: {} judges by the rows of another cgroup", expected.cgroup,
					  expected.hook.name)};
	if (expected.hook.gate != WEIR_GATE_NONE && std::ranges::find(maps, expected.images_id) == maps.end())
		return {true, fmt::format("{}: {} judges by another policy", expected.cgroup, expected.hook.name)};
	return {true, ""};
}

std::string link_path(const std::string &directory, std::size_t scope, const Hook &hook)
{
	return fmt::format("{}/links/{}_{}", directory, scope, hook.name);
}

} // namespace weir::kernel
