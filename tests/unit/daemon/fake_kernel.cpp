// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.h"

#include "base/fd.h"
#include "compile/image.h"
#include "policy/policy.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace weir {

std::string hex(std::span<const std::uint8_t>)
{
	return kernel::fake().digest;
}

std::vector<std::uint64_t> tallies_of(const Image &)
{
	return kernel::fake().tallies;
}

Result<std::string> text_of(const Image &)
{
	return policy::canonical(kernel::fake().policy);
}

} // namespace weir

namespace weir::kernel {

FakeKernel &fake()
{
	static FakeKernel the_one;
	return the_one;
}

struct Ring::Impl {
	Fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
};

Ring::Ring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ring::Ring(Ring &&) noexcept = default;
Ring &Ring::operator=(Ring &&) noexcept = default;
Ring::~Ring() = default;

Result<RingFiles> open_ring(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	fake().opened++;
	return RingFiles();
}

Result<Ring> Ring::of(RingFiles)
{
	return Ring(std::make_unique<Impl>());
}

Result<int> Ring::poll(int, const std::function<void(const weir_event &, std::uint64_t)> &handle)
{
	auto &polls = fake().polls;
	if (polls.empty()) {
		::kill(::getpid(), SIGTERM);
		return 0;
	}
	const auto step = std::move(polls.front());
	polls.pop_front();
	int events = 0;
	step([&](const weir_event &event) {
		events++;
		fake().made = std::max(fake().made, fake().taken + 1);
		handle(event, fake().taken);
		fake().taken++;
	});
	return events;
}

int Ring::epoll_fd() const
{
	return impl_->epoll.get();
}

std::uint64_t Ring::next() const
{
	return fake().taken;
}

std::uint64_t Ring::made() const
{
	return fake().made;
}

const std::string &Ring::id() const
{
	return fake().ring;
}

const std::string &Ring::counters_id() const
{
	return fake().counters_id;
}

Result<Counters> Ring::counters() const
{
	Counters counters(WEIR_COUNTERS);
	counters[weir_counter_index(0, WEIR_GATE_SOCKET, WEIR_OUT, WEIR_REASON_NO_ROW)] = fake().counter;
	for (const auto &[index, counter] : fake().counters)
		counters[index] = counter;
	return counters;
}

Result<Counters> read_counters(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	Counters counters(WEIR_COUNTERS);
	counters[0] = fake().counter;
	for (const auto &[index, counter] : fake().counters)
		counters[index] = counter;
	return counters;
}

Result<std::vector<std::pair<weir_merge_key, weir_merge>>> take_merges(const Where &, bool admitted)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	if (fake().merges_fail)
		return fail("no memory for a map");
	fake().merges_taken++;
	auto taken = std::exchange(fake().merges, {});
	if (!admitted)
		std::erase_if(taken, [](const auto &entry) {
			if (entry.first.reason == WEIR_REASON_NONE)
				fake().merges.push_back(entry);
			return entry.first.reason == WEIR_REASON_NONE;
		});
	return taken;
}

Result<std::uint32_t> read_generation(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	return fake().generation;
}

Result<std::uint32_t> read_flags(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	const bool ends =
		std::ranges::any_of(fake().policy.rows, [](const BoundRow &row) { return row.deadline != 0; });
	return (fake().journal_needed ? 0U + WEIR_IMAGE_JOURNAL : 0U) | (ends ? 0U + WEIR_IMAGE_DEADLINES : 0U);
}

Result<weir_lease> read_lease(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	return fake().lease;
}

Result<> write_lease(const Where &, const weir_lease &lease)
{
	fake().lease = lease;
	return {};
}

Result<State> inspect(const Where &where)
{
	fake().inspected++;
	auto counters = read_counters(where);
	if (!counters)
		return std::unexpected(std::move(counters).error());
	State state;
	state.generation = fake().generation;
	state.policy = fake().policy;
	state.counters = std::move(*counters);
	state.digest = fake().digest;
	state.problems = fake().problems;
	return state;
}

Result<std::optional<Applied>> change(const Where &,
				      const std::function<Result<std::optional<BoundPolicy>>(const BoundPolicy &)> &how,
				      int)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	if (fake().locked)
		return fail("another process holds the policy");
	auto changed = how(fake().policy);
	if (!changed)
		return std::unexpected(changed.error());
	if (!*changed)
		return std::nullopt;
	Applied applied;
	applied.before = std::exchange(fake().policy, std::move(**changed));
	applied.policy = fake().policy;
	applied.used = fake().tallies;
	applied.generation = ++fake().generation;
	applied.digest = fake().digest;
	return applied;
}

Result<Cut> cut_ended(const Where &, const BoundPolicy &before)
{
	fake().cut_after.push_back(before);
	return fake().cut;
}

Result<std::string> note_path(const Where &, std::string_view name)
{
	if (fake().notes.empty())
		return fail("nowhere to note");
	return fake().notes + "/" + std::string(name);
}

Result<std::vector<std::string>> cover(const Where &)
{
	fake().covered++;
	if (fake().covers.empty())
		return std::vector<std::string>{};
	auto result = std::move(fake().covers.front());
	fake().covers.pop_front();
	return result;
}

Result<Fd> watch_interfaces()
{
	int ends[2];
	if (fake().deaf || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return fail("no netlink here");
	if (fake().watch >= 0)
		::close(fake().watch);
	fake().watch = ends[1];
	return Fd(ends[0]);
}

bool drain_interfaces(const Fd &watch)
{
	char bytes[64];
	bool any = false;
	while (::read(watch.get(), bytes, sizeof(bytes)) > 0)
		any = true;
	return any;
}

Result<Followed> follow_components(const Where &)
{
	fake().followed++;
	if (fake().follows.empty())
		return Followed{};
	auto result = std::move(fake().follows.front());
	fake().follows.pop_front();
	return result;
}

Result<ComponentWatch> ComponentWatch::open()
{
	if (fake().no_component_watch)
		return fail("no inotify here");
	return ComponentWatch();
}

bool ComponentWatch::drain()
{
	return false;
}

Result<Image> read_image(const Where &)
{
	fake().images_read++;
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	Image image;
	image.lines.resize(2);
	reinterpret_cast<weir_header *>(image.lines.data())->generation = fake().generation;
	return image;
}

} // namespace weir::kernel
