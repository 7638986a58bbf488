// SPDX-License-Identifier: Apache-2.0
// The edge gate's own programs on single frames: loaded, with an image published, attached to nothing
// (BPF_PROG_TEST_RUN).
#pragma once

#include "base/fd.h"
#include "compile/image.h"
#include "tests/support/packets.h"

#include <optional>
#include <span>
#include <utility>

struct weir_edge;
struct ring_buffer;

namespace weir::test {

/// Where a frame meets the gate.
enum class Hook : std::uint8_t { xdp, tc_in, tc_out };

inline Direction direction_of(Hook hook)
{
	return hook == Hook::tc_out ? Direction::out : Direction::in;
}

class EdgeGate {
public:
	struct Options {
		std::uint32_t scope = 0;
		std::uint32_t zone = zone_network;
		std::uint32_t link_header = 14;
		std::uint32_t flows = WEIR_EDGE_FLOWS; ///< bound of each table of flows
		std::uint32_t merges =
			WEIR_MERGES; ///< bound of the tables of like refusals, and of what was admitted; 0: there are none
	};
	/// In a network namespace of its own, which the calling thread stays in; without an image until publish().
	/// Throws when the kernel refuses.
	explicit EdgeGate(const Options &);
	EdgeGate(const EdgeGate &) = delete;
	EdgeGate &operator=(const EdgeGate &) = delete;
	~EdgeGate();

	/// Swaps the image.
	void publish(const Image &image);

	/// `frame` from its link header on. With XDP the kernel takes its time to prepare for more than one repetition. More than one in `segments`: joined by the kernel (GSO); not for XDP.
	bool run(Hook hook, std::span<const std::uint8_t> frame, int repeat = 1, std::uint32_t segments = 0);

	/// The journal's lease: far ahead, or over.
	void write_journal(bool written);

	/// What was reported since the last call.
	std::vector<weir_event> events();
	/// Of the gate, summed over processors.
	[[nodiscard]] weir_counter counter(Direction, weir_reason) const;
	[[nodiscard]] weir_counter counters() const; ///< of both directions and all reasons together
	[[nodiscard]] std::vector<std::pair<weir_merge_key, weir_merge>> merged() const;
	/// Puts an empty table in the place of that of like refusals, and gives what the old one held.
	std::vector<std::pair<weir_merge_key, weir_merge>> take_merged();
	/// The same of the table of what rows of windows admit.
	std::vector<std::pair<weir_merge_key, weir_merge>> take_admitted();

	enum class Table : std::uint8_t { opened, accepted };
	[[nodiscard]] std::vector<std::pair<weir_edge_key, weir_edge_flow>> flows(Table) const;
	/// Writes when a flow was last seen; false when it has no entry.
	bool age(Table, const weir_edge_key &, std::uint32_t seconds);
	void age_all(Table, std::uint32_t seconds);
	void age_fragments(std::uint32_t seconds);
	void forget(); ///< all flows and fragments

private:
	[[nodiscard]] int table(Table) const;
	Fd put_table(weir_merge_table);

	weir_edge *skeleton_ = nullptr;
	::ring_buffer *ring_ = nullptr;
	std::vector<weir_event> events_;
	Options options_;
	Fd merges_, admitted_;
	std::uint32_t ifindex_ = 0;
};

} // namespace weir::test
