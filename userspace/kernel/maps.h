// SPDX-License-Identifier: Apache-2.0
// The maps of an instance, and what a program in the kernel says of itself. Internal.
#pragma once

#include "kernel/system.h"

#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

struct bpf_object;

namespace weir::kernel {

/// By their names in bpf/maps.bpf.h and bpf/edge_maps.bpf.h: first those of each policy, then those of an edge.
inline constexpr std::array<const char *, 12> map_names{"images",  "counters", "events",   "flows",
							"sockets", "owners",   "lease",    "interfaces",
							"merges",  "opened",   "accepted", "fragments"};
inline constexpr std::size_t common_maps = 9;
using Maps = std::array<Fd, map_names.size()>;
/// Its descriptor; -1: it isn't there.
int map_of(const Maps &, std::string_view name);

/// Opens the pins of a directory. Error: one that each policy has is missing. Those of an edge may be.
Result<Maps> open_maps(const std::string &directory);

/// Makes the programs of an object that isn't loaded yet use these maps instead of new ones.
Result<> share(bpf_object *, const Maps &);
/// Duplicates of the maps of an object that is loaded; they live on without it.
Maps maps_of(const bpf_object *);
Maps duplicates(const Maps &);
/// Those of `maps` that are just what the object would make. Duplicates.
Maps fitting(const bpf_object *, const Maps &maps);

/// Ids of the maps that a program uses.
std::vector<__u32> maps_of_program(int program);
std::uint32_t id_of_program(int program); ///< 0: it is none
std::uint32_t id_of_map(int map);         ///< 0: it is none

/// Which build a skeleton's programs are of: a hash of its object.
std::uint64_t build_of(const void *elf, std::size_t size);

/// The constants that a loaded program was given; nullopt: it is no program of this kind.
template <typename Rodata>
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

/// The network namespace that this process is in.
struct Netns {
	std::uint64_t inode = 0;
	std::uint64_t cookie = 0; ///< SO_NETNS_COOKIE; 0 before Linux 5.14
	bool initial = false;     ///< known to be the first one, where there is no cookie
};
Result<Netns> this_netns();

template <typename Rodata>
void set_constants(Rodata *data, std::uint8_t scope, std::uint64_t build, const Netns &netns)
{
	data->scope = scope;
	data->build = build;
	data->edge_netns = netns.cookie;
	data->edge_netns_is_initial = netns.cookie == 0 && netns.initial ? 1 : 0;
}

/// Of the map `counters`: sums over all processors.
Result<Counters> counters_of(int map);

} // namespace weir::kernel
