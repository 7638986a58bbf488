// SPDX-License-Identifier: Apache-2.0
// The gates refuse every packet of a connection whose row has ended. That its owner hears of it, instead of waiting for
// an answer, is done here.
#include "kernel/cut.h"

#include "compile/evaluate.h"
#include "kernel/cgroup_tree.h"
#include "kernel/edge_hold.h"
#include "kernel/image_map.h"
#include "kernel/pins.h"
#include "kernel/seats.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <thread>

namespace weir::kernel {

namespace {

Question question_of(const PeerSocket &one, std::uint8_t scope, Direction dir, std::uint8_t zone, std::uint64_t now)
{
	Question question;
	question.scope = scope;
	question.dir = dir;
	question.protocol = one.protocol;
	question.remote = one.remote;
	question.port = dir == Direction::out ? one.remote_port : one.local_port;
	question.zone = zone;
	question.user = one.uid;
	question.now = now;
	return question;
}

/// What sockets are looked at, and by what.
struct Field {
	const Ended &ended;
	std::map<std::uint64_t, std::vector<std::uint8_t>> scopes; ///< by cgroup
	std::optional<std::uint8_t> edge; ///< its scope, where this thread's namespace has it
	std::map<std::uint32_t, weir_interface> interfaces; ///< of the edge
};

struct Way {
	std::uint8_t zones = zone_network | zone_tunnel; ///< what it may be, where it isn't known
	bool passes_edge = false;
};

/// How the packets of a socket travel. `here`: in the network namespace of the edge, whose interfaces are known.
Way way_of(Netlink &routes, const PeerSocket &one, const Field &field, bool here)
{
	const auto route = route_of(routes, one);
	if (!route)
		return {};
	if (route->loopback)
		return {.zones = zone_loopback};
	const auto at = here ? field.interfaces.find(route->ifindex) : field.interfaces.end();
	if (at == field.interfaces.end())
		return {};
	return {.zones = static_cast<std::uint8_t>(at->second.zone),
		.passes_edge = (at->second.flags & (WEIR_INTERFACE_HELD | WEIR_INTERFACE_CARRIED)) != 0};
}

bool is_to_be_cut(const PeerSocket &one, const Way &way, const Field &field)
{
	if (field.edge && way.passes_edge && field.ended.is_ended(one, *field.edge, way.zones))
		return true;
	const auto scopes = field.scopes.find(one.cgroup);
	return scopes != field.scopes.end() && std::ranges::any_of(scopes->second, [&](std::uint8_t scope) {
		       return field.ended.is_ended(one, scope, way.zones);
	       });
}

/// Of the network namespace that the thread is in.
void cut_here(const Field &field, bool here, Cut &done)
{
	auto sockets = peer_sockets();
	auto diag = Netlink::open(about_sockets);
	auto routes = Netlink::open(about_routes);
	for (const auto *problem :
	     {sockets ? nullptr : &sockets.error(), diag ? nullptr : &diag.error(), routes ? nullptr : &routes.error()})
		if (problem != nullptr) {
			done.problems.push_back(problem->message);
			return;
		}
	for (const auto &one : *sockets) {
		if (!field.edge && !field.scopes.contains(one.cgroup))
			continue; // nothing holds it
		if (!is_to_be_cut(one, way_of(*routes, one, field, here), field))
			continue;
		const int error = destroy(*diag, one);
		if (error == 0)
			done.connections.push_back(one.text());
		else if (error != ENOENT) // it ended by itself meanwhile
			done.problems.push_back(fmt::format("cannot end {}: {}", one.text(), std::strerror(error)));
	}
}

/// The network namespaces of processes, by inode.
std::map<std::uint64_t, Fd> namespaces_of(const std::set<pid_t> &processes)
{
	std::map<std::uint64_t, Fd> all;
	for (const auto pid : processes) {
		Fd netns(::open(fmt::format("/proc/{}/ns/net", pid).c_str(), O_RDONLY | O_CLOEXEC));
		struct stat status{};
		if (netns && ::fstat(netns.get(), &status) == 0)
			all.try_emplace(status.st_ino, std::move(netns));
	}
	return all;
}

void cut_there(int netns, const Field &field, Cut &done)
{
	std::thread([&] { // entering is for a thread's whole life
		if (::setns(netns, CLONE_NEWNET) == 0)
			cut_here(field, false, done);
		else
			done.problems.push_back(fmt::format("cannot enter the network namespace of a component: {}",
							    std::strerror(errno)));
	})
		.join();
}

} // namespace

Ended::Ended(BoundPolicy before, const BoundPolicy &policy, const Image &now, std::uint64_t boot_ns)
	: before_(std::move(before)), now_(now), boot_ns_(boot_ns)
{
	for (auto &row : before_.rows)
		row.deadline = 0; // it admitted, until now
	for (const auto &scope : policy.scopes) {
		const auto at = std::ranges::find(before_.scopes, scope.cgroup, &Scope::cgroup);
		scope_before_.push_back(at == before_.scopes.end() ? std::nullopt
								   : std::optional(static_cast<std::uint8_t>(
									     at - before_.scopes.begin())));
	}
}

bool Ended::is_ended(const PeerSocket &one, std::uint8_t scope, std::uint8_t zones) const
{
	const auto was = scope_before_.at(scope);
	if (!was)
		return false;
	bool admitted = false;
	for (const std::uint8_t zone : {zone_loopback, zone_network, zone_tunnel})
		for (const auto dir : {Direction::out, Direction::in}) {
			if ((zones & zone) == 0)
				continue;
			if (ask(now_, question_of(one, scope, dir, zone, boot_ns_)).allowed)
				return false;
			admitted = admitted || evaluate(before_, question_of(one, *was, dir, zone, boot_ns_)).allowed;
		}
	return admitted;
}

Result<Cut> cut_ended(const Where &where, const BoundPolicy &before)
{
	const Libbpf quiet;
	const auto image = read_image(where);
	if (!image)
		return std::unexpected(image.error());
	const auto text = text_of(*image);
	const auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	if (!policy)
		return std::unexpected(policy.error());
	Cut done;
	if ((image->header().flags & WEIR_IMAGE_OBSERVE) != 0)
		return done; // nothing is refused
	const Ended ended(before, *policy, *image, boot_clock());
	Field field{.ended = ended, .scopes = {}, .edge = {}, .interfaces = {}};
	std::set<pid_t> processes;
	for (std::size_t scope = 0; scope < policy->cgroups(); ++scope) {
		for (const auto &seat : seats_of(where.directory(), scope)) {
			const auto id = cgroup_of_seat(where.directory(), scope, seat);
			const auto tree = id != 0 ? cgroup_tree(id) : CgroupTree{};
			for (const auto each : tree.ids)
				field.scopes[each].push_back(static_cast<std::uint8_t>(scope));
			processes.insert(tree.processes.begin(), tree.processes.end());
		}
	}
	const bool here = policy->edge.present && is_edge_here(where.directory());
	if (here) {
		field.edge = static_cast<std::uint8_t>(policy->cgroups());
		if (const auto map = open_pin(where.directory() + "/maps/interfaces"))
			for (const auto &[ifindex, value] : noted_interfaces(map->get()))
				field.interfaces[ifindex] = value;
	}
	cut_here(field, here, done);
	struct stat own{};
	if (::stat("/proc/thread-self/ns/net", &own) != 0)
		return system_error("/proc/thread-self/ns/net", errno);
	for (const auto &[inode, netns] : namespaces_of(processes))
		if (inode != own.st_ino)
			cut_there(netns.get(), field, done);
	return done;
}

} // namespace weir::kernel
