// SPDX-License-Identifier: Apache-2.0
// The programs that the edge's benchmarks compare, as BPF_PROG_TEST_RUN times them: weir's as weir loads them, with a
// policy published, attached to nothing; and empty ones.
#pragma once

#include "kernel/edge.h"
#include "tests/support/lab.h"
#include "tests/support/packets.h"

#include <cstdint>
#include <memory>
#include <string>

struct weir_empty;

namespace weir::bench {

/// policy_of(rows) at the edge; the researcher may also come in by TCP, to port 22.
BoundPolicy edge_policy_of(unsigned rows, const std::string &researcher = test::researcher4);

struct Timed {
	std::uint32_t verdict = 0; ///< as the program returned it
	double nanoseconds = 0;    ///< of one run, on average
};
Timed time_program(int program, const test::Bytes &frame, int repeat);

test::Bytes frame_between(const std::string &source, const std::string &destination, std::uint8_t protocol,
			  std::uint16_t from, std::uint16_t to, std::uint8_t tcp_flags = 0);
/// Frames of the node's host.
test::Bytes frame_in(const std::string &source, std::uint8_t protocol, std::uint16_t from, std::uint16_t to,
		     std::uint8_t tcp_flags = 0);
test::Bytes frame_out(std::uint8_t protocol, std::uint16_t from, std::uint16_t to, std::uint8_t tcp_flags = 0);

class LoadedEdge {
public:
	/// With `flows` live flows from this host to the researcher's served_port, from the ports and addresses of
	/// flow_frame(), in tables that have room for more.
	LoadedEdge(unsigned rows, unsigned flows);
	[[nodiscard]] const kernel::EdgePrograms::Set &programs() const { return set_; }
	/// Fills the table in which like refusals are counted.
	void fill_merges() const;

private:
	kernel::EdgePrograms programs_;
	kernel::EdgePrograms::Set set_;
};

/// One for each kind that is asked for; they stay.
const LoadedEdge &loaded_edge(unsigned rows, unsigned flows, bool full = false);

/// Frame number `flow` of LoadedEdge, its answer.
test::Bytes flow_frame(unsigned flow);

const weir_empty &empty_programs();

} // namespace weir::bench
