// SPDX-License-Identifier: Apache-2.0
// The edge gate's programs: loading them, attaching them to interfaces, looking at what is attached. Internal.
#pragma once

#include "kernel/interfaces.h"
#include "kernel/maps.h"
#include "kernel/tc.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct weir_edge; // the skeleton's name NOLINT(readability-identifier-naming)

namespace weir::kernel {

/// The programs of one scope, for each kind of interface a copy of its own, loaded when the first one needs it.
class EdgePrograms {
public:
	/// `shared`: maps to take instead of new ones.
	static Result<EdgePrograms> load(std::uint8_t scope, const Edge &, const Netns &, Maps shared);
	/// Those of `maps` that the programs would take, and could. Duplicates.
	static Result<Maps> fitting_of(const Edge &, const Maps &maps);
	EdgePrograms(EdgePrograms &&) noexcept;
	EdgePrograms &operator=(EdgePrograms &&) noexcept;
	~EdgePrograms();

	/// Of all that were loaded. Duplicates.
	[[nodiscard]] Maps maps() const;
	struct Set {
		int xdp = -1;
		int in = -1;
		int out = -1;
	};
	Result<Set> of(std::uint8_t zone, std::uint32_t link_header);

private:
	EdgePrograms(std::uint8_t scope, const Edge &, const Netns &);
	using Skeleton = std::unique_ptr<weir_edge, void (*)(weir_edge *)>;
	std::uint8_t scope_;
	std::uint32_t flows_;
	Netns netns_;
	Maps shared_;
	std::map<std::pair<std::uint8_t, std::uint32_t>, Skeleton> loaded_;
};

std::string edge_link_path(const std::string &directory, std::uint32_t ifindex, Way);
std::string edge_program_path(const std::string &directory, std::uint32_t ifindex, Way);
std::string qdisc_mark(const std::string &directory, std::uint32_t ifindex);
std::string netns_mark(const std::string &directory, std::uint64_t inode);

/// Which interfaces and ways have a program pinned in a directory; sorted.
std::vector<std::pair<std::uint32_t, Way>> edge_pins(const std::string &directory);

/// The filter on an interface whose program judges by the maps `images` (their id): weir's, and this directory's.
Result<std::optional<Filter>> filter_by(std::uint32_t ifindex, Way, std::uint32_t images_id);

/// One way of an interface, attached. What it shares with the set that is in force is replaced by finish() only.
struct Attachment {
	std::uint32_t ifindex = 0;
	Way way = Way::in;
	int program = -1;
	std::string mode{};   ///< as SeenEdge::mode
	Fd link{};            ///< -1: a clsact filter
	bool same_link = false; ///< it is the link of the set in force, whose program finish() replaces
	std::optional<Filter> filter{}; ///< of the set in force, that finish() replaces
	[[nodiscard]] Result<> finish() const;
};

/// Attaches one way, and pins the program in `directory`. A clsact filter is there from now on, a link as long as its
/// descriptor or its pin. `in_force`: the directory of the set that judges meanwhile; its XDP link and its filters
/// are taken over. `ingress`: as Edge::ingress.
Result<Attachment> attach_way(const Interface &, Way, const EdgePrograms::Set &, const std::string &ingress,
			      const std::string &directory, const std::string &in_force);

/// An interface that is held by tc on its way in is held by XDP instead, if it takes it.
Result<> change_to_xdp(const Interface &, int program, const std::string &ingress, const std::string &directory);

/// What the kernel has on one way of an interface that is to be held.
struct ExpectedEdge {
	const Interface &interface;
	std::uint8_t zone;
	std::uint8_t scope;
	std::uint32_t images_id;
	const Netns &netns;
	const std::string &ingress; ///< as Edge::ingress
};
struct SeenEdge {
	bool attached = false;
	std::string mode;    ///< "xdp", "xdp-generic", "tcx", "clsact"
	std::string problem; ///< "" when it is just what attach_way() would have made
	bool other_build = false;
};
SeenEdge look_at_edge(const std::string &directory, Way, const ExpectedEdge &);

/// Programs that run before weir's and could keep packets from it; a line for each.
std::vector<std::string> before_weir(const Interface &, Way, const SeenEdge &, std::uint32_t images_id);

} // namespace weir::kernel
