// SPDX-License-Identifier: Apache-2.0
// The journal's lease: a map of its own, so that whoever writes the journal needs to write no other.
#include "kernel/image_map.h"
#include "kernel/pins.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace weir::kernel {

namespace {

Result<Fd> pinned_lease(const Where &where)
{
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	return open_pin(where.directory() + "/maps/lease");
}

} // namespace

Result<weir_lease> read_lease(const Where &where)
{
	const auto map = pinned_lease(where);
	if (!map)
		return std::unexpected(map.error());
	const __u32 slot = 0;
	weir_lease lease{};
	if (bpf_map_lookup_elem(map->get(), &slot, &lease) != 0)
		return system_error("reading the journal's lease", errno);
	lease.problem[sizeof(lease.problem) - 1] = '\0';
	return lease;
}

Result<> write_lease(const Where &where, const weir_lease &lease)
{
	const auto map = pinned_lease(where);
	if (!map)
		return std::unexpected(map.error());
	void *const at = ::mmap(nullptr, sizeof(lease), PROT_READ | PROT_WRITE, MAP_SHARED, map->get(), 0);
	if (at == MAP_FAILED)
		return system_error("writing the journal's lease", errno);
	auto &there = *static_cast<weir_lease *>(at);
	std::memcpy(there.problem, lease.problem, sizeof(lease.problem));
	// One store: no gate sees half of it.
	std::atomic_ref(there.until).store(lease.until, std::memory_order_release);
	::munmap(at, sizeof(lease));
	return {};
}

Result<std::uint32_t> read_flags(const Where &where)
{
	const auto header = read_header(where);
	if (!header)
		return std::unexpected(header.error());
	return header->flags;
}

} // namespace weir::kernel
