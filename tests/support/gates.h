// SPDX-License-Identifier: Apache-2.0
// The real programs on single packets: loaded, with an image published, attached to nothing (BPF_PROG_TEST_RUN).
#pragma once

#include "base/fd.h"
#include "compile/image.h"
#include "tests/support/packets.h"

#include <array>
#include <memory>
#include <optional>
#include <span>

struct weir_gates;
struct ring_buffer;

namespace weir::test {

class Gates {
public:
	/// In a network namespace of its own, which the calling thread stays in. Throws when the kernel refuses.
	explicit Gates(const Image &image, std::uint32_t scope = 0);
	Gates(const Gates &) = delete;
	Gates &operator=(const Gates &) = delete;
	~Gates();

	/// Swaps the image.
	void publish(const Image &image);

	struct Run {
		bool allowed = false;
		std::uint32_t nanoseconds = 0; ///< of one run, on average over `repeat`
	};
	/// `packet` from its IP header on. It travels as what its version says, or as `ether_type`.
	Run run(Direction dir, std::span<const std::uint8_t> packet, std::uint8_t zone = zone_network, int repeat = 1,
		std::optional<std::uint16_t> ether_type = std::nullopt);

	/// The journal's lease: far ahead, or over.
	void write_journal(bool written);
	/// Tables of like refusals, each of so many entries; without them each is reported by itself.
	void put_merges(std::uint32_t entries = WEIR_MERGES);
	/// What one of them holds.
	[[nodiscard]] std::vector<std::pair<weir_merge_key, weir_merge>> merged(weir_merge_table) const;

	/// What was reported since the last call.
	std::vector<weir_event> events();
	[[nodiscard]] std::vector<weir_counter> counters() const;

private:
	weir_gates *skeleton_ = nullptr;
	::ring_buffer *ring_ = nullptr;
	std::vector<weir_event> events_;
	std::array<Fd, WEIR_MERGE_TABLES> merges_;
	std::uint32_t network_ifindex_ = 0;
};

} // namespace weir::test
