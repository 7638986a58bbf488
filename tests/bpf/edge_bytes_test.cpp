// SPDX-License-Identifier: Apache-2.0
// The edge gate's programs in the kernel on frames that were broken at random, against a second reader: both say of the
// same frames that they have no form.
#include "tests/bpf/edge_test.h"
#include "tests/fuzz/reference.h"
#include "tests/support/seeds.h"

#include <random>
#include <system_error>

namespace weir::test {
namespace {

class EdgeBytes : public ::testing::TestWithParam<unsigned> {
protected:
	unsigned below(std::size_t bound) { return static_cast<unsigned>(random_() % bound); }

	Bytes broken(Bytes frame)
	{
		for (unsigned times = 1 + below(4); times > 0 && !frame.empty(); --times) {
			const auto at = static_cast<std::ptrdiff_t>(below(frame.size()));
			const auto begin = frame.begin();
			switch (below(6)) {
			case 0:
				begin[at] = static_cast<std::uint8_t>(random_());
				break;
			case 1:
				begin[at] ^= static_cast<std::uint8_t>(1U << below(8));
				break;
			case 2:
				frame.resize(static_cast<std::size_t>(at));
				break;
			case 3:
				frame = frame + Bytes(below(40), static_cast<std::uint8_t>(random_()));
				break;
			case 4: // what is behind moves: a header is too long, or too short
				frame.insert(begin + at, 1 + below(8), static_cast<std::uint8_t>(random_()));
				break;
			default:
				frame.erase(begin + at,
					    begin + at + std::min<long>(frame.end() - begin - at, 1 + below(8)));
			}
		}
		return frame;
	}

	static std::uint64_t without_form(const EdgeGate &gate, Direction direction)
	{
		std::uint64_t sum = 0;
		for (const auto reason :
		     {WEIR_REASON_MALFORMED, WEIR_REASON_EXTENSION, WEIR_REASON_IP_OPTION, WEIR_REASON_ETHERTYPE})
			sum += gate.counter(direction, reason).refused;
		return sum;
	}

	std::mt19937 random_{GetParam()};
};

TEST_P(EdgeBytes, WhatHasNoFormHasNoneForBoth)
{
	for (const bool link_header : {true, false}) {
		EdgeGate gate({.link_header = link_header ? 14U : 0U});
		gate.publish(compile(open_policy()).value());
		std::vector<Bytes> seeds;
		for (const auto &path : {in4, in6, out4, out6})
			for (auto &seed : link_header ? seed_frames(path) : seed_packets(path))
				seeds.push_back(std::move(seed));
		unsigned with = 0, without = 0;
		for (int i = 0; i < many(8000, 500); ++i) {
			const auto frame = broken(seeds[below(seeds.size())]);
			for (const auto hook : every_hook) {
				const bool out = hook == Hook::tc_out;
				const auto before = without_form(gate, direction_of(hook));
				const auto embedded = gate.counter(direction_of(hook), WEIR_REASON_EMBEDDED).refused;
				bool passed = false;
				try {
					passed = gate.run(hook, frame);
				} catch (const std::system_error
						 &error) { // too short for the kernel to run a program on
					ASSERT_EQ(error.code().value(), EINVAL);
					ASSERT_LT(frame.size(), 54U);
					continue;
				}
				const auto seen = fuzz::look_at(frame, out, link_header);
				const bool refused = seen.form == fuzz::Form::refused;
				ASSERT_FALSE(refused && passed) << text_of(hook) << " " << text_of(frame);
				if (gate.counter(direction_of(hook), WEIR_REASON_EMBEDDED).refused == embedded) {
					ASSERT_EQ(without_form(gate, direction_of(hook)) != before, refused)
						<< text_of(hook) << " " << text_of(frame);
				}
				(refused ? without : with) += 1;
			}
		}
		EXPECT_GT(with, static_cast<unsigned>(many(3000, 150)));
		EXPECT_GT(without, static_cast<unsigned>(many(3000, 150)));
	}
}

INSTANTIATE_TEST_SUITE_P(Seeds, EdgeBytes, ::testing::Values(1U, 2U, 3U));

} // namespace
} // namespace weir::test
