// SPDX-License-Identifier: Apache-2.0
// What user space can add to an event: names for numbers. Bounded caches, and no name rather than a wrong one.
#pragma once

#include "audit/event.h"
#include "audit/sight.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::audit {

class Enricher {
public:
	explicit Enricher(Sight = own_sight());

	/// Valid until the next call. Never fails: what can't be learned is "".
	const Enrichment &enrich(const weir_event &);

	/// True: the edge gate's interfaces are of this process's network namespace, so they have the names that it
	/// sees. They changed: names are asked for anew.
	void edge_is_here(bool yes);

private:
	/// A process, as it was seen at `read_at`. Both times on the boot clock, ns, as weir_event::time.
	struct Seen {
		std::uint32_t pid = 0;
		bool known = false;      ///< /proc had it, and it had begun before the event
		bool same_netns = false; ///< its network namespace is weir's
		std::uint64_t started = 0;
		std::uint64_t read_at = 0;
		std::array<char, WEIR_COMM_SIZE> comm{};
		std::string executable;
	};
	struct User {
		std::uint32_t uid = 0;
		std::uint64_t read_at = 0; ///< 0: empty
		std::string name;
	};
	struct Cgroup {
		std::uint64_t id = 0;
		std::uint64_t read_at = 0;
		std::string path;
	};
	struct Interface {
		std::uint32_t index = 0;
		std::uint64_t read_at = 0;
		std::string name;
	};

	const Seen &process(const weir_event &, std::uint64_t now);
	const std::string &user(std::uint32_t uid, std::uint64_t now);
	const std::string &cgroup(std::uint64_t id, std::uint64_t now);
	const std::string &interface(std::uint32_t index, std::uint64_t now);

	// Direct-mapped: a slot for each remainder, the newest wins. That is the bound.
	std::vector<Seen> processes_;
	std::vector<User> users_;
	std::vector<Cgroup> cgroups_;
	std::vector<Interface> interfaces_;

	Sight sight_;
	bool edge_is_here_ = false;
	std::vector<char> passwd_;
	Enrichment result_;
};

} // namespace weir::audit
