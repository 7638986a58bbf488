// SPDX-License-Identifier: Apache-2.0
#include "top/sampler.h"

#include "kernel/identity.h"
#include "compile/image.h"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace weir::top {
namespace {

constexpr std::int64_t longest_pause = 10'000'000'000;

std::int64_t clock_ns(clockid_t clock)
{
	timespec now{};
	::clock_gettime(clock, &now);
	return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

} // namespace

std::int64_t monotonic_ns()
{
	return clock_ns(CLOCK_MONOTONIC);
}

std::uint64_t boot_ns()
{
	return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME));
}

Sample Sampler::take()
{
	const auto now = monotonic_ns();
	const auto identity = kernel::identity_of(where_);
	return {.state = look(now, identity),
		.identity = identity,
		.unix_ns = clock_ns(CLOCK_REALTIME),
		.boot_ns = boot_ns(),
		.monotonic_ns = now,
		.record = {.path = {}, .problem = {}, .has_writer = kernel::has_reader(where_)}};
}

Result<kernel::State> Sampler::look(std::int64_t now, std::uint64_t identity)
{
	if (identity != 0 && identity == identity_ && now < next_look_ && refresh())
		return state_;
	identity_ = 0;
	auto state = kernel::inspect(where_);
	const auto cost = monotonic_ns() - now;
	next_look_ = now + std::min(cost * 50, longest_pause);
	if (state) {
		identity_ = identity;
		state_ = *state;
	}
	return state;
}

/// False: the policy is another one, or can't be read; whoever finds that out looks at everything.
bool Sampler::refresh()
{
	const auto image = kernel::read_image(where_);
	auto counters = kernel::read_counters(where_);
	if (!image || !counters || image->lines.size() < 2 || hex(image->trailer().digest) != state_.digest ||
	    image->header().generation != state_.generation)
		return false;
	const auto &header = image->header();
	const auto lines = (state_.tallies.size() + WEIR_TALLY_SLOTS - 1) / WEIR_TALLY_SLOTS;
	if (header.tallies > image->lines.size() || lines > image->lines.size() - header.tallies)
		return false; // inspect() says what is wrong with it
	state_.counters = std::move(*counters);
	if (!state_.tallies.empty())
		std::memcpy(state_.tallies.data(), &image->lines[header.tallies],
			    state_.tallies.size() * sizeof(std::uint64_t));
	return true;
}

} // namespace weir::top
