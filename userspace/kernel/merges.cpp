// SPDX-License-Identifier: Apache-2.0
// Taking the counts of like refusals out of the kernel: the table is replaced by an empty one, then read at leisure.
#include "kernel/edge_hold.h"

#include <cerrno>
#include <ctime>

namespace weir::kernel {

namespace {

using Entry = std::pair<weir_merge_key, weir_merge>;

/// As bpf/maps.bpf.h has it.
Result<Fd> make_table()
{
	Fd table(bpf_map_create(BPF_MAP_TYPE_HASH, "weir_merge", sizeof(weir_merge_key), sizeof(weir_merge),
				WEIR_MERGES, nullptr));
	if (!table)
		return system_error("a table for like refusals", errno);
	return table;
}

Result<> put(int merges_fd, __u32 slot, const Fd &table)
{
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

Fd table_of(int merges_fd, __u32 slot)
{
	__u32 id = 0;
	return Fd(bpf_map_lookup_elem(merges_fd, &slot, &id) == 0 ? bpf_map_get_fd_by_id(id) : -1);
}

/// What one table has, out of the kernel.
Result<> take_from(int merges_fd, __u32 slot, std::vector<Entry> &entries)
{
	const auto table = table_of(merges_fd, slot);
	weir_merge_key key{};
	if (table && bpf_map_get_next_key(table.get(), nullptr, &key) != 0)
		return {};
	const auto fresh = make_table();
	if (!fresh)
		return std::unexpected(fresh.error());
	// Returns when no program that runs can have the old one (Linux: maybe_wait_bpf_programs()).
	if (auto replaced = put(merges_fd, slot, *fresh); !replaced || !table)
		return replaced;
	const auto slept = time_asleep();
	const weir_merge_key *before = nullptr;
	for (__u32 taken = 0; taken < WEIR_MERGES && bpf_map_get_next_key(table.get(), before, &key) == 0; ++taken) {
		weir_merge merge{};
		if (bpf_map_lookup_elem(table.get(), &key, &merge) == 0) {
			// The gates tell the time by the monotonic clock, events by the boot clock.
			merge.first += merge.first == 0 ? 0 : slept;
			merge.last += merge.last == 0 ? 0 : slept;
			entries.emplace_back(key, merge);
		}
		before = &key;
	}
	return {};
}

} // namespace

Result<> prepare_merges(int merges_fd)
{
	for (__u32 slot = 0; slot < WEIR_MERGE_TABLES; ++slot) {
		if (table_of(merges_fd, slot))
			continue;
		const auto table = make_table();
		if (!table)
			return std::unexpected(table.error());
		if (auto there = put(merges_fd, slot, *table); !there)
			return there;
	}
	return {};
}

Result<std::vector<Entry>> take_merges(const Where &where, bool admitted)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const auto merges = open_pin(where.directory() + "/maps/merges");
	if (!merges)
		return std::unexpected(merges.error());
	std::vector<Entry> entries;
	for (__u32 slot = 0; slot < (admitted ? WEIR_MERGE_TABLES : WEIR_MERGE_ADMITTED); ++slot)
		if (auto taken = take_from(merges->get(), slot, entries); !taken && entries.empty())
			return std::unexpected(std::move(taken).error());
	return entries;
}

} // namespace weir::kernel
