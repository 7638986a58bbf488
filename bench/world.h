// SPDX-License-Identifier: Apache-2.0
// Where the benchmarks run: one host with a cgroup for each thing compared, all of them set up at once, so that
// runs of one and of another can follow each other in any order.
#pragma once

#include "policy/model.h"
#include "tests/support/lab.h"
#include "tests/support/process.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

struct weir_empty;
struct bpf_link;

namespace weir::bench {

inline constexpr std::array<unsigned, 4> row_counts{1, 10, 1'000, 100'000};
inline constexpr std::uint16_t served_port = 50051;

/// The node's policy with `rows` rows; the last one, and no other, admits the researcher, by TCP and UDP ports
/// of served_port.
BoundPolicy policy_of(unsigned rows, const std::string &cgroup = "/sys/fs/cgroup/bench");

class World {
public:
	static World &get();
	~World();

	/// "none", "empty", "weir-ROWS" (a cgroup of the node's host), "nftables-1", "nftables-100000" (a host each).
	[[nodiscard]] test::Spot spot(const std::string &what);
	test::Lab &lab() { return *lab_; }

private:
	World();
	void attach_empty(const std::string &cgroup);
	void hold_by_nftables(int host, unsigned rows);

	std::unique_ptr<test::Lab> lab_;
	weir_empty *empty_ = nullptr;
	std::array<bpf_link *, 7> links_{};
	std::vector<test::Child> servers_;
};

/// The calling process is at a place while this lives.
class Inside {
public:
	explicit Inside(const test::Spot &);
	Inside(const Inside &) = delete;
	Inside &operator=(const Inside &) = delete;
	~Inside();

private:
	Fd netns_;
	std::string cgroup_;
};

} // namespace weir::bench
