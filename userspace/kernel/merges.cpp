// SPDX-License-Identifier: Apache-2.0
// Taking the counts of like refusals out of the kernel: the table is replaced by an empty one, then read at leisure.
#include "kernel/edge_hold.h"

#include <cerrno>
#include <ctime>

namespace weir::kernel {

namespace {

using Entry = std::pair<weir_merge_key, weir_merge>;

/// As bpf/edge_maps.bpf.h has it.
Result<Fd> make_table()
{
	Fd table(bpf_map_create(BPF_MAP_TYPE_HASH, "weir_merge", sizeof(weir_merge_key), sizeof(weir_merge),
				WEIR_MERGES, nullptr));
	if (!table)
		return system_error("a table for like refusals", errno);
	return table;
}

Result<> put(int merges_fd, const Fd &table)
{
	const __u32 slot = 0;
	const int fd = table.get();
	if (bpf_map_update_elem(merges_fd, &slot, &fd, BPF_ANY) != 0)
		return system_error("replacing the table of like refusals", errno);
	return {};
}

/// By how much the boot clock is ahead of the monotonic one, ns.
std::uint64_t time_asleep()
{
	const auto ns = [](clockid_t clock) {
		timespec now{};
		::clock_gettime(clock, &now);
		return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
		       static_cast<std::uint64_t>(now.tv_nsec);
	};
	const auto monotonic = ns(CLOCK_MONOTONIC);
	return ns(CLOCK_BOOTTIME) - monotonic;
}

Fd table_of(int merges_fd)
{
	const __u32 slot = 0;
	__u32 id = 0;
	return Fd(bpf_map_lookup_elem(merges_fd, &slot, &id) == 0 ? bpf_map_get_fd_by_id(id) : -1);
}

} // namespace

Result<> prepare_merges(int merges_fd)
{
	if (table_of(merges_fd))
		return {};
	const auto table = make_table();
	return table ? put(merges_fd, *table) : std::unexpected(table.error());
}

Result<std::vector<Entry>> take_merges(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	std::vector<Entry> entries;
	const auto merges = open_pin(where.directory() + "/maps/merges");
	if (!merges) {
		if (merges.error().code == Exit::absent) // a policy without an edge
			return entries;
		return std::unexpected(merges.error());
	}
	const auto table = table_of(merges->get());
	weir_merge_key key{};
	if (table && bpf_map_get_next_key(table.get(), nullptr, &key) != 0)
		return entries;
	const auto fresh = make_table();
	if (!fresh)
		return std::unexpected(fresh.error());
	// Returns when no program that runs can have the old one (Linux: maybe_wait_bpf_programs()).
	if (auto replaced = put(merges->get(), *fresh); !replaced)
		return std::unexpected(std::move(replaced).error());
	if (!table)
		return entries;
	const auto slept = time_asleep();
	const weir_merge_key *before = nullptr;
	while (entries.size() < WEIR_MERGES && bpf_map_get_next_key(table.get(), before, &key) == 0) {
		weir_merge merge{};
		if (bpf_map_lookup_elem(table.get(), &key, &merge) == 0) {
			// The gate tells the time by the monotonic clock, events by the boot clock.
			merge.first += merge.first == 0 ? 0 : slept;
			merge.last += merge.last == 0 ? 0 : slept;
			entries.emplace_back(key, merge);
		}
		before = &key;
	}
	return entries;
}

} // namespace weir::kernel
