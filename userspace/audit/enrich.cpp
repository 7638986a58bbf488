// SPDX-License-Identifier: Apache-2.0
#include "audit/enrich.h"

#include <net/if.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace weir::audit {
namespace {

constexpr std::size_t process_slots = 512, user_slots = 256, cgroup_slots = 256, interface_slots = 64;

constexpr std::size_t longest_name = 1024; ///< bytes kept of a name: the caches' bound in bytes

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t process_lifetime = second;
constexpr std::uint64_t user_lifetime = 300 * second; ///< the name service may be a server far away
constexpr std::uint64_t missing_lifetime = 2 * second;
constexpr std::uint64_t interface_lifetime = 5 * second;

std::uint64_t boot_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

Enricher::Enricher(Sight sight)
	: processes_(process_slots), users_(user_slots), cgroups_(cgroup_slots), interfaces_(interface_slots),
	  sight_(std::move(sight)), passwd_(1024)
{}

const Enrichment &Enricher::enrich(const weir_event &event)
{
	const auto now = boot_clock();
	result_.executable.clear();
	result_.user.clear();
	result_.cgroup.clear();
	result_.interface.clear();

	bool same_netns = false;
	if (event.pid != 0) {
		const auto &found = process(event, now);
		result_.executable = found.executable;
		same_netns = found.known && found.same_netns;
	}
	// Without an owner the uid is 0 because nobody wrote it, not because it was root.
	if (event.pid != 0 || event.uid != 0 || event.comm[0] != '\0')
		result_.user = user(event.uid, now);
	if (event.cgroup != 0)
		result_.cgroup = cgroup(event.cgroup, now);
	// An index means something in one network namespace only. Index 1 is the loopback in each
	// (net/core/net_namespace.c registers it first).
	if (event.ifindex == 1)
		result_.interface = "lo";
	else if (event.ifindex != 0 && (event.gate == WEIR_GATE_EDGE ? edge_is_here_ : same_netns))
		result_.interface = interface(event.ifindex, now);
	return result_;
}

void Enricher::edge_is_here(bool yes)
{
	edge_is_here_ = yes;
	for (auto &slot : interfaces_)
		slot.read_at = 0;
}

/*
 * A pid is used again some time after its process is gone, so the number alone proves nothing. What /proc shows is
 * taken only if that process began before the event did: whoever got the number later began later. What the cache
 * holds is taken for events between the process's start and the moment it was seen alive, and for one second more,
 * in which the whole range of pids would have to be used up for a mistake; the name of the task must be the same,
 * too, which an execve() changes. The executable is the one that the process runs when weir looks, so of a process
 * that executes another program right after the refusal, it may be the next one.
 */
const Enricher::Seen &Enricher::process(const weir_event &event, std::uint64_t now)
{
	auto &slot = processes_[event.pid % process_slots];
	const bool same = slot.pid == event.pid && std::memcmp(slot.comm.data(), event.comm, WEIR_COMM_SIZE) == 0;
	if (same && slot.known && event.time >= slot.started && event.time <= slot.read_at + process_lifetime)
		return slot;
	if (same && !slot.known && now <= slot.read_at + process_lifetime && event.time <= slot.read_at)
		return slot; // gone already: a flood of the dead's events shall not become a flood of look-ups

	slot.pid = event.pid;
	slot.read_at = now;
	std::memcpy(slot.comm.data(), event.comm, WEIR_COMM_SIZE);
	auto seen = sight_.process(event.pid, event.time);
	slot.known = seen.known;
	slot.started = seen.started;
	slot.same_netns = seen.same_netns;
	slot.executable = std::move(seen.executable);
	return slot;
}

const std::string &Enricher::user(std::uint32_t uid, std::uint64_t now)
{
	auto &slot = users_[uid % user_slots];
	if (slot.read_at != 0 && slot.uid == uid && now <= slot.read_at + user_lifetime)
		return slot.name;
	slot.uid = uid;
	slot.name.clear();

	passwd entry{};
	passwd *found = nullptr;
	int error;
	while ((error = ::getpwuid_r(uid, &entry, passwd_.data(), passwd_.size(), &found)) == ERANGE &&
	       passwd_.size() < (64u << 10))
		passwd_.resize(passwd_.size() * 2);
	if (error == 0 && found != nullptr)
		slot.name.assign(found->pw_name, ::strnlen(found->pw_name, longest_name));
	slot.read_at = now;
	return slot.name;
}

const std::string &Enricher::cgroup(std::uint64_t id, std::uint64_t now)
{
	auto &slot = cgroups_[id % cgroup_slots];
	// Ids are not given twice, and a cgroup2 directory can't be renamed: what was once true stays so.
	if (slot.read_at != 0 && slot.id == id && (!slot.path.empty() || now <= slot.read_at + missing_lifetime))
		return slot.path;
	slot.id = id;
	slot.path = sight_.cgroup(id);
	slot.read_at = now;
	return slot.path;
}

const std::string &Enricher::interface(std::uint32_t index, std::uint64_t now)
{
	auto &slot = interfaces_[index % interface_slots];
	if (slot.read_at != 0 && slot.index == index && now <= slot.read_at + interface_lifetime)
		return slot.name;
	char name[IF_NAMESIZE] = {};
	slot.index = index;
	slot.name = ::if_indextoname(index, name) != nullptr ? name : "";
	slot.read_at = now;
	return slot.name;
}

} // namespace weir::audit
