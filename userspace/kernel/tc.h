// SPDX-License-Identifier: Apache-2.0
// The hooks of an interface's traffic control: tcx (from Linux 6.6 on), else filters of the clsact qdisc. Internal.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <bpf/bpf.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::kernel {

enum class Way : std::uint8_t { in = 0, out = 1 };
inline constexpr std::array<Way, 2> ways{Way::in, Way::out};
inline const char *text_of(Way way)
{
	return way == Way::in ? "in" : "out";
}

// linux/bpf.h of 6.6; Debian 12's is older.
inline constexpr std::uint32_t link_type_tcx = 11; ///< BPF_LINK_TYPE_TCX
inline constexpr std::uint32_t link_type_xdp = 6;
constexpr bpf_attach_type tcx_type(Way way)
{
	// BPF_TCX_INGRESS, BPF_TCX_EGRESS
	const int number = way == Way::in ? 46 : 47;
	return static_cast<bpf_attach_type>(number); // NOLINT(clang-analyzer-optin.core.EnumCastOutOfRange)
}

/// Attaches before all others. Invalid, with errno: this kernel has none, or refuses.
Fd attach_tcx(int program, std::uint32_t ifindex, Way);
/// Ids of the programs, in the order in which they run. Empty where the kernel has no tcx.
std::vector<std::uint32_t> tcx_programs(std::uint32_t ifindex, Way);

/// A filter of clsact.
struct Filter {
	std::string kind{};
	std::uint32_t priority = 0;
	std::uint32_t handle = 0;
	std::uint32_t program = 0; ///< id; 0: it is no BPF filter
	bool direct = false;       ///< its program decides by itself (direct action)
};
/// In the order in which they run; none where there is no clsact, and no interface.
Result<std::vector<Filter>> filters_of(std::uint32_t ifindex, Way);

/// Gives whether it was made: false when it was there.
Result<bool> make_clsact(std::uint32_t ifindex);
Result<> remove_clsact(std::uint32_t ifindex);
/// Adds one before all others.
Result<> add_filter(std::uint32_t ifindex, Way, int program);
/// In one step.
Result<> replace_filter(std::uint32_t ifindex, Way, const Filter &, int program);
/// No error when it, or the interface, is gone.
Result<> remove_filter(std::uint32_t ifindex, Way, const Filter &);

} // namespace weir::kernel
