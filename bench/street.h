// SPDX-License-Identifier: Apache-2.0
// Hosts on a street: each a network namespace behind a veth of its own, held by something else, with a container
// behind it. All the other ends of the wires are in one namespace, where the peers of all of them are.
#pragma once

#include "base/fd.h"
#include "kernel/instance.h"
#include "tests/support/lab.h"
#include "tests/support/process.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::bench {

/// What holds a host, by its name:
///   none
///   empty, empty-tc           programs that do nothing: XDP and tc going out; tc both ways
///   weir-ROWS, weir-tc-ROWS   weir, by XDP or by tc on its way in
///   nftables-ROWS             a set, connection tracking, policy drop
///   iptables-ROWS             the same, with ipset
class House {
public:
	/// `flooded`: what comes in is worked off by a thread of the kernel (threaded NAPI), whose time can be told.
	House(int street, std::string what, unsigned number, bool flooded, const std::string &bpffs);
	House(const House &) = delete;
	House &operator=(const House &) = delete;
	~House();

	[[nodiscard]] const std::string &what() const { return what_; }
	[[nodiscard]] int host() const { return host_.get(); }
	[[nodiscard]] int container() const { return container_.get(); }
	[[nodiscard]] std::string address() const;      ///< the host's
	[[nodiscard]] std::string peer_address() const; ///< of its end of the street
	[[nodiscard]] std::uint32_t street_ifindex() const { return street_ifindex_; }

	/// Of the host's end, since it is there.
	struct Counters {
		std::uint64_t received = 0; ///< frames that came in by the wire, whatever became of them
		std::uint64_t reached = 0;  ///< TCP segments and datagrams that got as far as the host's TCP and UDP
		std::uint64_t cpu_ns = 0;   ///< time of the thread that worked them off; 0 where there is none
	};
	[[nodiscard]] Counters counters() const;

private:
	void wire(int street, bool flooded);
	void hold(const std::string &bpffs, bool flooded);

	std::string what_;
	unsigned number_;
	Fd host_, container_;
	std::uint32_t ifindex_ = 0, street_ifindex_ = 0;
	Fd devices_, protocols_, schedule_;
	std::vector<Fd> links_;
	kernel::Where where_;
};

/// Those that this machine has the programs for.
std::vector<std::string> houses_here(std::vector<std::string> houses);

class Street {
public:
	Street(const std::vector<std::string> &houses, bool flooded);

	[[nodiscard]] int netns() const { return street_.get(); }
	[[nodiscard]] const House &house(const std::string &what) const;
	[[nodiscard]] const std::vector<std::unique_ptr<House>> &houses() const { return houses_; }

private:
	test::Lab lab_; ///< its bpffs
	Fd street_;
	std::vector<Fd> links_;
	std::vector<std::unique_ptr<House>> houses_;
};

} // namespace weir::bench
