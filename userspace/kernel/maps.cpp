// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.h"

#include "compile/image.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace weir::kernel {

namespace {

Fd duplicate(int fd)
{
	return Fd(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

bool same_shape(const bpf_map *wanted, int fd)
{
	const auto info = info_of<bpf_map_info>(fd);
	return info && info->type == bpf_map__type(wanted) && info->key_size == bpf_map__key_size(wanted) &&
	       info->value_size == bpf_map__value_size(wanted) && info->max_entries == bpf_map__max_entries(wanted) &&
	       info->map_flags == bpf_map__map_flags(wanted);
}

/// A map of maps says nothing of those in it.
bool same_inner_shape(bpf_map *wanted, int fd)
{
	auto *const inner = bpf_map__inner_map(wanted);
	if (inner == nullptr)
		return true;
	const __u32 slot = 0;
	__u32 id = 0;
	if (bpf_map_lookup_elem(fd, &slot, &id) != 0)
		return false;
	const Fd there(bpf_map_get_fd_by_id(id));
	return there && same_shape(inner, there.get());
}

std::optional<std::uint64_t> inode_of(const char *path)
{
	struct stat status{};
	if (::stat(path, &status) != 0)
		return std::nullopt;
	return status.st_ino;
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
		auto map = open_pin(directory + "/maps/" + map_names.at(i));
		if (map)
			maps.at(i) = std::move(*map);
		else if (i < common_maps || map.error().code != Exit::absent)
			return std::unexpected(std::move(map).error());
	}
	return maps;
}

Result<> share(bpf_object *object, const Maps &shared)
{
	for (std::size_t i = 0; i < shared.size(); ++i) {
		auto *map = shared.at(i) ? bpf_object__find_map_by_name(object, map_names.at(i)) : nullptr;
		if (map != nullptr && bpf_map__reuse_fd(map, shared.at(i).get()) != 0)
			return system_error(fmt::format("sharing the map {}", map_names.at(i)), errno);
	}
	return {};
}

Maps maps_of(const bpf_object *object)
{
	Maps maps;
	for (std::size_t i = 0; i < maps.size(); ++i)
		maps.at(i) = duplicate(bpf_object__find_map_fd_by_name(object, map_names.at(i)));
	return maps;
}

Maps duplicates(const Maps &maps)
{
	Maps copies;
	for (std::size_t i = 0; i < maps.size(); ++i)
		copies.at(i) = duplicate(maps.at(i).get());
	return copies;
}

Maps fitting(const bpf_object *object, const Maps &maps)
{
	Maps found;
	for (std::size_t i = 0; i < maps.size(); ++i) {
		auto *wanted = bpf_object__find_map_by_name(object, map_names.at(i));
		if (wanted != nullptr && maps.at(i) && same_shape(wanted, maps.at(i).get()) &&
		    same_inner_shape(wanted, maps.at(i).get()))
			found.at(i) = duplicate(maps.at(i).get());
	}
	return found;
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

std::uint32_t id_of_program(int program)
{
	const auto info = program < 0 ? std::nullopt : info_of<bpf_prog_info>(program);
	return info ? info->id : 0;
}

std::uint32_t id_of_map(int map)
{
	const auto info = map < 0 ? std::nullopt : info_of<bpf_map_info>(map);
	return info ? info->id : 0;
}

std::uint64_t build_of(const void *elf, std::size_t size)
{
	const auto digest = digest_of({static_cast<const char *>(elf), size});
	std::uint64_t build = 0;
	std::memcpy(&build, digest.data(), sizeof(build));
	return build;
}

Result<Netns> this_netns()
{
	constexpr std::uint64_t first_pid_namespace = 0xEFFFFFFC; // PROC_PID_INIT_INO, include/linux/proc_ns.h
	const auto here = inode_of("/proc/thread-self/ns/net");
	if (!here)
		return system_error("/proc/thread-self/ns/net", errno);
	Netns netns{.inode = *here};
	const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	socklen_t size = sizeof(netns.cookie);
	if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &netns.cookie, &size) != 0)
		netns.cookie = 0;
	// In a container process 1 is the container's: nobody here can tell, and every socket is taken to be of the edge.
	netns.initial = inode_of("/proc/self/ns/pid") == first_pid_namespace &&
			inode_of("/proc/1/ns/net") == netns.inode;
	return netns;
}

Result<Counters> counters_of(int map)
{
	const int processors = libbpf_num_possible_cpus();
	if (processors < 1)
		return system_error("counting the processors", -processors);
	std::vector<weir_counter> each(static_cast<std::size_t>(processors));
	Counters sums(static_cast<std::size_t>(WEIR_COUNTERS));
	for (__u32 index = 0; index < WEIR_COUNTERS; ++index) {
		if (bpf_map_lookup_elem(map, &index, each.data()) != 0)
			return system_error("reading the counters", errno);
		for (const auto &one : each) {
			sums[index].refused += one.refused;
			sums[index].observed += one.observed;
			sums[index].reported += one.reported;
			sums[index].merged += one.merged;
			sums[index].summed += one.summed;
			sums[index].lost += one.lost;
		}
	}
	return sums;
}

} // namespace weir::kernel
