// SPDX-License-Identifier: Apache-2.0
// An instance in the kernel: its pins, maps, links. The only module that talks to libbpf.
//
//   BPFFS/weir/INSTANCE/maps/NAME           images, counters, events, flows, sockets, owners, interfaces,
//                                           lease, opened, accepted, fragments, merges
//   BPFFS/weir/INSTANCE/links/SCOPE_HOOK    one link for each cgroup and hook; SCOPE_HOOK+ID: of a further cgroup that
//                                           the scope holds at present, as of a container that is being replaced
//   BPFFS/weir/INSTANCE/programs/SCOPE_HOOK the programs, to hold cgroups by that appear
//   BPFFS/weir/INSTANCE/links/IFINDEX@WAY   edge: one for each interface that is held and way ("in", "out"), but where
//                                           the kernel has no link for it (clsact)
//   BPFFS/weir/INSTANCE/programs/IFINDEX@WAY  edge: the program that judges there
//   BPFFS/weir/INSTANCE/marks/...           edge: empty directories; netns=INODE: whose interfaces they are,
//                                           qdisc=IFINDEX: weir made the interface's clsact
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "compile/image.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::kernel {

/// Which instance, and where its pins are.
struct Where {
	std::string bpffs = "/sys/fs/bpf";
	std::string instance = "default";
	[[nodiscard]] std::string directory() const { return bpffs + "/weir/" + instance; }
};

/// One hook of one gate on one cgroup, as the kernel tells it.
struct HookState {
	std::string name;   ///< "connect4", "sendmsg6", "egress", ...
	std::uint8_t gate = 0; ///< enum weir_gate; 0 for sock_create, which judges nothing
	std::uint8_t scope = 0;
	bool attached = false;
	std::string problem; ///< "" when all is as published; else what is wrong and what it leaves open
};

/// One interface, as the kernel tells it, and what the edge gate has there.
struct InterfaceState {
	std::string name{};
	std::uint32_t ifindex = 0;
	std::uint8_t zone = zone_network;
	std::uint32_t flags = 0;  ///< enum weir_interface_flags; 0: weir does not hold it, its traffic is refused
	std::string ingress{};    ///< "xdp", "xdp-generic", "tcx", "clsact"; "" where nothing is attached
	std::string egress{};     ///< "tcx", "clsact"; ""
	std::string problem{};    ///< "" when it is as the policy wants it
};

/// Sums over all processors. index: weir_counter_index().
using Counters = std::vector<weir_counter>;
/// Or of packets that rows of windows admitted, which are no violations.
inline bool is_of_refusals(std::size_t index)
{
	return index % WEIR_REASONS != WEIR_REASON_NONE;
}

/// Where what a scope holds is, at present.
struct ComponentState {
	std::uint8_t scope = 0;
	std::vector<std::string> cgroups; ///< directories that match, sorted; more than one is a problem
	bool awaited = false; ///< none matches, and that is no problem: when one does it is to be held
};

/// What is in force, read back from the kernel.
struct State {
	std::uint32_t generation = 0;
	bool observe = false;
	std::string digest;  ///< hex
	BoundPolicy policy;  ///< out of the image in the kernel
	std::vector<std::uint64_t> tallies; ///< by row: how often it decided, in this generation
	Counters counters;
	std::vector<HookState> hooks; ///< of a scope's first cgroup
	std::vector<ComponentState> components; ///< by scope, but for the edge
	std::vector<InterfaceState> interfaces; ///< of a policy with an edge: all but loopback
	weir_lease lease{}; ///< of the journal: rows that need it hold until then
	std::vector<std::string> problems; ///< empty: enforcing (or observing), each gate, this very image
};

struct Applied {
	std::uint32_t generation = 0;
	bool first = false;       ///< programs were loaded and attached, not only the policy swapped
	std::string digest;
	double publish_ms = 0;    ///< from a complete image in user space to the swap, the swap included
	BoundPolicy policy{};     ///< in force now: of apply(), with the windows that were open and still may be
	std::optional<BoundPolicy>
		before{}; ///< that was in force; of apply(): nullopt when there was none that can be read
	std::vector<std::uint64_t> used{}; ///< how often each row of `before` decided, until it was replaced
};

/// Put a policy in force, or replace the one that is. All or nothing: on an error the kernel is as before. Windows that
/// are open, and that the policy has, too, stay open until the same moment; others are closed. `await`: a component that
/// does not run is no error; follow_components() holds it when it does.
Result<Applied> apply(const Where &, const BoundPolicy &, bool observe, bool await = false);

/// What follow_components() found, or did.
struct ComponentChange {
	enum class What : std::uint8_t {
		held, ///< what judges is attached
		gone, ///< its cgroup was removed, and with it what was attached
		ambiguous, ///< more than one matches: all of them are held, until somebody decides
		unheld, ///< it is there, and could not be held
	};
	What what = What::held;
	std::uint8_t scope = 0;
	std::string cgroup; ///< directory; "" of one that is gone
	std::string text; ///< for people
	/// Of held: for how long it was there unheld, at most; and who opened sockets meanwhile that are still open.
	std::int64_t gap_ns = 0;
	unsigned processes = 0;
	unsigned sockets = 0;
};

/// Brings the policy to the components' cgroups that are there now: attaches to those that appeared, forgets those that
/// went. The policy stays as it is. What is ambiguous or cannot be held is said at each call.
/// Before it attaches it says so in the note components_note (note_path()): a line "SCOPE CGROUP_ID DIRECTORY\n" for each.
/// Exit::absent when the instance is not loaded.
struct Followed {
	std::vector<ComponentChange> changes;
	BoundPolicy policy; ///< whose scopes the changes speak of
};
Result<Followed> follow_components(const Where &);
inline constexpr std::string_view components_note = "components";

/// Hears of cgroups that appear and go, so that nobody has to look each second.
class ComponentWatch {
public:
	/// Error: the kernel has no inotify left.
	static Result<ComponentWatch> open();
	[[nodiscard]] int fd() const { return inotify_.get(); } ///< becomes readable when drain() has something to do
	/// Empties it, and watches what is new; gives whether there was anything.
	bool drain();
	/// Not everything is watched: there are more cgroups than this host lets be watched.
	[[nodiscard]] bool is_short_sighted() const { return short_sighted_; }

private:
	void watch_below(const std::string &directory);
	bool watch_one(const std::string &directory);

	std::string root_; ///< the mount of cgroup2
	Fd inotify_;
	std::map<int, std::string> directories_; ///< by watch
	bool short_sighted_ = false;
};

/// Takes the policy in force, changes it by `how`, and publishes it by one swap, under the instance's lock, for which it
/// waits up to `patience` seconds. It observes if it did. nullopt, from `how` and from here: there is nothing to change.
/// An error of `how`, and any other: the kernel is as before. `how` may not change which cgroups and interfaces are held.
/// Exit::absent when the instance is not loaded.
Result<std::optional<Applied>> change(const Where &,
				      const std::function<Result<std::optional<BoundPolicy>>(const BoundPolicy &)> &how,
				      int patience = 10);

/// Brings the edge to the interfaces that are there now: attaches to those that appeared, forgets those that went.
/// Gives a line for each change, "holds eth1 (network; xdp, tcx)"; none: all was well, or the policy has no edge.
/// Exit::absent when the instance is not loaded.
Result<std::vector<std::string>> cover(const Where &);

/// A socket that doesn't block and is readable when an interface of this network namespace appeared, changed or went.
Result<Fd> watch_interfaces();
/// Empties it; gives whether there was anything.
bool drain_interfaces(const Fd &watch);

/// Like refusals and, with `admitted`, what rows of windows admitted (WEIR_REASON_NONE), counted by the gates since the
/// last call; takes them out of the kernel. Their times are of the boot clock here, not of the monotonic one.
Result<std::vector<std::pair<weir_merge_key, weir_merge>>> take_merges(const Where &, bool admitted);

/// Connections that were ended, and what went wrong with others. The gates refuse the packets of all of them.
struct Cut {
	std::vector<std::string> connections; ///< "TCP 192.0.2.2:4711 - 203.0.113.7:80"
	std::vector<std::string> problems;
};
/// Ends what `before` admitted and what is in force now doesn't: connections of TCP and connected UDP sockets of each
/// cgroup of the policy and of those below it, in this network namespace and in those of its processes, and what passes
/// the edge. Their owners get ECONNABORTED.
Result<Cut> cut_ended(const Where &, const BoundPolicy &before);

/// Read everything back. Exit::absent when the instance is not loaded.
Result<State> inspect(const Where &);

struct Removed {
	std::vector<std::string> lines; ///< for people
	std::optional<BoundPolicy> before{}; ///< that was in force; nullopt when there was none that can be read
	std::vector<std::uint64_t> used{}; ///< how often each row of it decided
};
/// Detach and unpin everything; says what was there. Exit::absent when there was nothing.
Result<Removed> remove(const Where &);

/// Names of the instances that are loaded.
std::vector<std::string> instances(const std::string &bpffs);

/// The policy's text and generation in force, without the checks of inspect(). Cheap.
Result<Image> read_image(const Where &);
Result<Counters> read_counters(const Where &);

/// Of what is in force, without its policy: another number, another policy. Very cheap.
Result<std::uint32_t> read_generation(const Where &);

/// The journal's lease, see struct weir_lease. Exit::absent when the instance is not loaded.
Result<weir_lease> read_lease(const Where &);
/// Only for who writes the journal.
Result<> write_lease(const Where &, const weir_lease &);
/// Of the policy in force, enum weir_image_flags: has it rows that need the journal, or that end? Very cheap.
Result<std::uint32_t> read_flags(const Where &);

/// Is a Ring of the instance open somewhere?
bool has_reader(const Where &);
/// A file beside the locks of an instance, for notes that live until the next boot. It need not be there.
Result<std::string> note_path(const Where &, std::string_view name);

/// What a Ring is made of, for whoever may not open it.
struct RingFiles {
	Fd lock;
	Fd events;
	Fd counters;
};
/// Exit::absent when the instance is not loaded; Exit::failure when another process reads it.
Result<RingFiles> open_ring(const Where &);

/// The ring buffer of an instance: one reader at a time (a lock sees to it).
class Ring {
public:
	static Result<Ring> of(RingFiles);
	Ring(Ring &&) noexcept;
	Ring &operator=(Ring &&) noexcept;
	~Ring();

	/// Waits up to timeout_ms, hands every event that is there to `handle`, with its number: the kernel numbers what it
	/// puts into the ring, from 0, without gaps, whoever reads it. Gives how many there were. EINTR is not an error: 0.
	Result<int> poll(int timeout_ms, const std::function<void(const weir_event &, std::uint64_t number)> &handle);
	[[nodiscard]] int epoll_fd() const;
	/// Number of the event that is read next: all before were handed to somebody. Equal to `made()`: it is empty.
	[[nodiscard]] std::uint64_t next() const;
	/// So many events were put into it.
	[[nodiscard]] std::uint64_t made() const;
	/// Which ring, and which counters: others, when they begin anew. Never used again, not after a boot either.
	[[nodiscard]] const std::string &id() const;
	[[nodiscard]] const std::string &counters_id() const;
	/// What the instance has counted, also when it was removed since.
	[[nodiscard]] Result<Counters> counters() const;

private:
	struct Impl;
	explicit Ring(std::unique_ptr<Impl>);
	std::unique_ptr<Impl> impl_;
};

} // namespace weir::kernel
