// SPDX-License-Identifier: Apache-2.0
// The programs: loading them, attaching them to cgroups, and looking at what is attached. Internal.
#pragma once

#include "kernel/maps.h"

#include <array>
#include <memory>
#include <vector>

struct weir_gates; // the skeleton's name NOLINT(readability-identifier-naming)

namespace weir::kernel {

struct Hook {
	const char *name;    ///< of the pin; the program is weir_NAME
	bpf_attach_type type;
	weir_gate gate;
};

/// In the order in which they are attached: who makes a socket is noted before anything is judged by it.
inline constexpr std::array<Hook, 7> hooks{{{"sock_create", BPF_CGROUP_INET_SOCK_CREATE, WEIR_GATE_NONE},
					    {"egress", BPF_CGROUP_INET_EGRESS, WEIR_GATE_PACKET},
					    {"ingress", BPF_CGROUP_INET_INGRESS, WEIR_GATE_PACKET},
					    {"connect4", BPF_CGROUP_INET4_CONNECT, WEIR_GATE_SOCKET},
					    {"connect6", BPF_CGROUP_INET6_CONNECT, WEIR_GATE_SOCKET},
					    {"sendmsg4", BPF_CGROUP_UDP4_SENDMSG, WEIR_GATE_SOCKET},
					    {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG, WEIR_GATE_SOCKET}}};

/// The programs for one scope, loaded.
class Programs {
public:
	/// `shared`: maps to take instead of new ones; a descriptor of -1 means a new one.
	static Result<Programs> load(std::uint8_t scope, const Netns &, const Maps &shared);
	/// Those of `maps` that the programs would take, and could. Duplicates.
	static Result<Maps> fitting_of(const Maps &maps);
	Programs(Programs &&) noexcept;
	Programs &operator=(Programs &&) noexcept;
	~Programs();

	/// Duplicates: they live on without the programs.
	[[nodiscard]] Maps maps() const;
	/// Attaches one program for as long as the link's descriptor, or its pin, lives.
	[[nodiscard]] Result<Fd> attach(const Hook &, const Cgroup &) const;
	/// The program of a hook; -1: there is none.
	[[nodiscard]] int program(const Hook &) const;

private:
	explicit Programs(weir_gates *skeleton) : skeleton_(skeleton) {}
	weir_gates *skeleton_ = nullptr;
};

/// What is wrong with the link that is pinned at `path`; "" when it is just what Programs::load() and attach()
/// would make: this build's program, for this scope, on this cgroup, judging by the maps `images`.
struct Expected {
	const Hook &hook;
	std::uint8_t scope;
	std::string cgroup;
	std::uint64_t cgroup_id; ///< 0: the directory is gone
	std::uint32_t images_id; ///< of the map
	const Netns *netns = nullptr; ///< of the policy's edge; nullptr: it has none
};
struct Seen {
	bool attached = false;
	std::string problem;
};
Seen look_at(const std::string &path, const Expected &);
/// Of the program alone, attached or not: what is wrong with it; "".
std::string problem_of(int program, const Expected &);

/// `seat`: which of the scope's cgroups; "": its first.
std::string link_path(const std::string &directory, std::size_t scope, const Hook &, const std::string &seat = "");

/// Attaches a program for as long as the link's descriptor, or its pin, lives.
Result<Fd> attach_program(int program, const Hook &, const Cgroup &);

} // namespace weir::kernel
