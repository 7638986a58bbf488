// SPDX-License-Identifier: Apache-2.0
// Following the components: a cgroup that appeared is held by the programs that are pinned, one that went is forgotten.
#include "kernel/image_map.h"
#include "kernel/owners.h"
#include "kernel/pins.h"
#include "kernel/seats.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

namespace weir::kernel {

namespace {

constexpr std::int64_t second = 1'000'000'000;

/// Since a cgroup was made, at most: its directory has no time of birth, but one of when it was first looked up, which
/// whoever made it to put a process there did at once. In steps of the kernel's tick.
std::int64_t age_of(const Cgroup &cgroup)
{
	struct stat status{};
	timespec now{};
	if (::fstat(cgroup.directory.get(), &status) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0)
		return 0;
	return std::max<std::int64_t>(0, (now.tv_sec - status.st_ctim.tv_sec) * second + now.tv_nsec -
						 status.st_ctim.tv_nsec);
}

/// Before anything is attached: whoever is killed in between leaves it to the next. That it can't be noted is no reason
/// not to hold.
void note(const Where &where, std::uint8_t scope, const Match &match)
{
	const auto path = note_path(where, components_note);
	const Fd file(path ? ::open(path->c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1);
	const auto line = fmt::format("{} {} {}\n", scope, match.cgroup.id, match.path);
	if (file)
		(void)!::write(file.get(), line.data(), line.size());
}

class Follow {
public:
	Follow(const Where &where, Fd owners, BoundPolicy policy)
		: where_(where), directory_(where.directory()), owners_(std::move(owners)),
		  followed_{{}, std::move(policy)}
	{}

	Result<Followed> run()
	{
		for (std::size_t scope = 0; scope < followed_.policy.cgroups(); ++scope)
			if (auto done = follow(static_cast<std::uint8_t>(scope)); !done)
				return std::unexpected(std::move(done).error());
		if (raw_)
			note_raw_owners(owners_.get(), followed_.policy.edge.present);
		return std::move(followed_);
	}

private:
	using What = ComponentChange::What;

	Result<> follow(std::uint8_t scope)
	{
		const auto &about = followed_.policy.scopes[scope];
		const auto matches = matches_of(about);
		if (!matches)
			return std::unexpected(matches.error());
		for (const auto &match : *matches) {
			if (auto met = meetings_.add(about, match); !met.empty())
				add({What::ambiguous, scope, match.path, std::move(met)});
			if (auto held = hold(scope, match); !held && exists(match.path))
				add({What::unheld, scope, match.path,
				     fmt::format("cannot hold {} ({}): {}", match.path, names(about),
						 held.error().message)});
		}
		if (matches->size() > 1)
			add({What::ambiguous, scope, matches->front().path,
			     ambiguity_of(about, *matches) + "\n  all of them are held to the same rows"});
		return forget(scope);
	}

	/// The links that are missing of a cgroup. On an error those that were made stay.
	Result<> hold(std::uint8_t scope, const Match &match)
	{
		const auto taken = seat_of(directory_, scope, match.cgroup.id);
		const auto seats = seats_of(directory_, scope);
		const bool first = seats.empty() || !seats.front().empty(); // sorted: "" is the first
		const auto seat = taken ? *taken : first ? std::string() : fmt::format("+{}", match.cgroup.id);
		ComponentChange change{What::held, scope, match.path, ""};
		bool changed = false;
		for (const auto &hook : hooks) {
			const auto program = open_pin(program_path(directory_, scope, hook));
			if (!program)
				return fail(fmt::format("the program for {} is not pinned\n  weir apply puts it right",
							hook.name));
			const auto path = link_path(directory_, scope, hook, seat);
			if (is_well(path, hook, match.cgroup.id, id_of_program(program->get())))
				continue;
			if (!changed)
				note(where_, scope, match);
			if (auto attached = attach(path, hook, match.cgroup, program->get()); !attached)
				return attached;
			changed = true;
			if (hook.gate == WEIR_GATE_NONE) {
				const auto noted =
					note_owners_in(owners_.get(), match.path, followed_.policy.edge.present);
				change.processes = noted.processes;
				change.sockets = noted.sockets;
			}
			if (hook.gate == WEIR_GATE_PACKET)
				change.gap_ns = age_of(match.cgroup);
		}
		if (changed) {
			raw_ = true;
			change.text = text_of(change, followed_.policy.scopes[scope], taken.has_value());
			add(std::move(change));
		}
		return {};
	}

	/// As far as this process can tell without its own programs: what judges may be of an older build, and holds.
	[[nodiscard]] static bool is_well(const std::string &path, const Hook &hook, std::uint64_t cgroup,
					  std::uint32_t program)
	{
		const auto link = open_pin(path);
		const auto info = link ? info_of<bpf_link_info>(link->get()) : std::nullopt;
		return info && info->type == BPF_LINK_TYPE_CGROUP && info->cgroup.cgroup_id == cgroup &&
		       info->cgroup.attach_type == static_cast<__u32>(hook.type) && info->prog_id == program;
	}

	/// What was pinned there goes when the new one is attached.
	static Result<> attach(const std::string &path, const Hook &hook, const Cgroup &cgroup, int program)
	{
		const auto link = attach_program(program, hook, cgroup);
		if (!link)
			return std::unexpected(link.error());
		if (auto gone = unpin(path); !gone)
			return gone;
		return pin(link->get(), path);
	}

	/// Links of cgroups that are no more. While a socket lives that was made in one it is still judged by them.
	Result<> forget(std::uint8_t scope)
	{
		for (const auto &seat : seats_of(directory_, scope)) {
			if (cgroup_of_seat(directory_, scope, seat) != 0)
				continue;
			for (const auto &hook : hooks)
				if (auto gone = unpin(link_path(directory_, scope, hook, seat)); !gone)
					return gone;
			const auto &about = followed_.policy.scopes[scope];
			add({What::gone, scope, "",
			     fmt::format("a cgroup of {} ({}) was removed", about.cgroup, names(about))});
		}
		const auto seats = seats_of(directory_, scope);
		if (seats.empty() || seats.front().empty())
			return {};
		for (const auto &hook : hooks) { // the first one's place is free
			const auto path = link_path(directory_, scope, hook, seats.front());
			if (::rename(path.c_str(), link_path(directory_, scope, hook).c_str()) != 0 && errno != ENOENT)
				return system_error("renaming " + path, errno);
		}
		return {};
	}

	static std::string names(const Scope &scope) { return fmt::format("{}", fmt::join(scope.components, ", ")); }

	static std::string text_of(const ComponentChange &change, const Scope &scope, bool repaired)
	{
		if (repaired)
			return fmt::format("what was detached from {} ({}) is attached again", change.cgroup,
					   names(scope));
		auto text = fmt::format("holds {} ({}), which was there for {}", change.cgroup, names(scope),
					change.gap_ns < 10 * second
						? fmt::format("{:.1f} ms", static_cast<double>(change.gap_ns) / 1e6)
						: fmt::format("{} s", change.gap_ns / second));
		if (change.processes == 0)
			return text + ", with no process yet";
		const auto processes = fmt::format("{} process{}", change.processes, change.processes == 1 ? "" : "es");
		if (change.sockets == 0)
			return text + fmt::format(", with {} and no open socket yet", processes);
		return text + fmt::format(", with {}; {} of its sockets {} opened unheld: what they sent meanwhile was "
					  "not judged here",
					  processes, change.sockets, change.sockets == 1 ? "was" : "were");
	}

	void add(ComponentChange change) { followed_.changes.push_back(std::move(change)); }

	Where where_;
	std::string directory_;
	Fd owners_;
	Followed followed_;
	Meetings meetings_;
	bool raw_ = false; ///< something was attached, so raw sockets of all processes are to be noted
};

} // namespace

Result<Followed> follow_components(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const Uninterrupted whole;
	const auto locked = lock(where, "policy", daemon_waits);
	if (!locked)
		return std::unexpected(locked.error());
	if (auto tidied = tidy(where); !tidied)
		return std::unexpected(std::move(tidied).error());
	const auto image = read_image(where);
	const auto text = image ? text_of(*image) : Result<std::string>(std::unexpected(image.error()));
	auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	if (!policy)
		return std::unexpected(std::move(policy).error());
	if (!is_edge_here(where.directory()))
		return fail(elsewhere(where)); // whose sockets are foreign could not be told
	auto owners = open_pin(where.directory() + "/maps/owners");
	if (!owners)
		return std::unexpected(std::move(owners).error());
	return Follow(where, std::move(*owners), std::move(*policy)).run();
}

} // namespace weir::kernel
