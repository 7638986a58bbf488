// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.h"
#include "kernel/pins.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <fstream>

namespace weir::kernel {

namespace {

/// A page of the ring's map: a position in bytes that only grows (kernel/bpf/ringbuf.c: the consumer's page, then the
/// producer's). Where the kernel reserves room for an event, under the ring's lock, it moves the producer's, so the
/// position of an event numbers it, whatever processor it is of.
class Position {
public:
	Position() = default;
	static std::optional<Position> of(int map, long page)
	{
		const auto size = ::sysconf(_SC_PAGESIZE);
		void *const at = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, map,
					static_cast<off_t>(page * size));
		return at == MAP_FAILED ? std::nullopt : std::optional(Position(at));
	}
	Position(Position &&other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
	Position &operator=(Position &&other) noexcept
	{
		std::swap(at_, other.at_);
		return *this;
	}
	~Position()
	{
		if (at_ != nullptr)
			::munmap(at_, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
	}
	[[nodiscard]] std::uint64_t events() const
	{
		constexpr std::size_t header = 8; // of each event in the ring
		static_assert(sizeof(unsigned long) == sizeof(std::uint64_t) && sizeof(weir_event) % 8 == 0);
		return std::atomic_ref(*static_cast<std::uint64_t *>(at_)).load(std::memory_order_acquire) /
		       (sizeof(weir_event) + header);
	}

private:
	explicit Position(void *at) : at_(at) {}
	void *at_ = nullptr;
};

/// A map's id is used once in a boot.
std::string id_text(int map)
{
	std::string boot;
	std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
	return fmt::format("{}:{}", boot, id_of_map(map));
}

} // namespace

struct Ring::Impl {
	Fd locked;
	ring_buffer *ring = nullptr;
	const std::function<void(const weir_event &, std::uint64_t)> *handle = nullptr;
	Position read;
	Position written;
	std::string id;
	Fd counters;
	std::string counters_id;
	std::exception_ptr thrown; ///< by `handle`: it must not pass through libbpf's frames

	Impl() = default;
	Impl(const Impl &) = delete;
	Impl &operator=(const Impl &) = delete;
	~Impl() { ring_buffer__free(ring); }

	static int take(void *self, void *data, std::size_t size)
	{
		auto &impl = *static_cast<Impl *>(self);
		if (size < sizeof(weir_event))
			return 0;
		try {
			// libbpf moves the consumer's position when this has come back.
			(*impl.handle)(*static_cast<const weir_event *>(data), impl.read.events());
		} catch (...) {
			impl.thrown = std::current_exception();
			return -ECANCELED;
		}
		return 0;
	}
};

Ring::Ring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ring::Ring(Ring &&) noexcept = default;
Ring &Ring::operator=(Ring &&) noexcept = default;
Ring::~Ring() = default;

Result<RingFiles> open_ring(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	RingFiles files;
	auto locked = lock(where, "events", 1);
	if (!locked)
		return std::unexpected(std::move(locked).error());
	files.lock = std::move(*locked);
	for (const auto &[file, map] : {std::pair(&files.events, "events"), {&files.counters, "counters"}}) {
		auto opened = open_pin(where.directory() + "/maps/" + map);
		if (!opened)
			return std::unexpected(std::move(opened).error());
		*file = std::move(*opened);
	}
	return files;
}

Result<Ring> Ring::of(RingFiles files)
{
	const Libbpf quiet;
	auto impl = std::make_unique<Impl>();
	impl->locked = std::move(files.lock);
	impl->ring = ring_buffer__new(files.events.get(), Impl::take, impl.get(), nullptr);
	if (impl->ring == nullptr)
		return system_error("opening the ring buffer", errno);
	auto read = Position::of(files.events.get(), 0);
	auto written = Position::of(files.events.get(), 1);
	if (!read || !written)
		return system_error("mapping the ring buffer's positions", errno);
	impl->read = std::move(*read);
	impl->written = std::move(*written);
	impl->id = id_text(files.events.get());
	impl->counters = std::move(files.counters);
	impl->counters_id = id_text(impl->counters.get());
	return Ring(std::move(impl));
}

bool has_reader(const Where &where)
{
	// Whoever opens a Ring just now tries for a second.
	return !lock(where, "events", 0);
}

Result<int> Ring::poll(int timeout_ms, const std::function<void(const weir_event &, std::uint64_t)> &handle)
{
	impl_->handle = &handle;
	const int taken = ring_buffer__poll(impl_->ring, timeout_ms);
	impl_->handle = nullptr;
	if (impl_->thrown)
		std::rethrow_exception(std::exchange(impl_->thrown, nullptr));
	if (taken == -EINTR)
		return 0;
	if (taken < 0)
		return system_error("reading the ring buffer", -taken);
	return taken;
}

int Ring::epoll_fd() const
{
	return ring_buffer__epoll_fd(impl_->ring);
}

std::uint64_t Ring::next() const
{
	return impl_->read.events();
}

std::uint64_t Ring::made() const
{
	return impl_->written.events();
}

const std::string &Ring::id() const
{
	return impl_->id;
}

const std::string &Ring::counters_id() const
{
	return impl_->counters_id;
}

Result<Counters> Ring::counters() const
{
	return counters_of(impl_->counters.get());
}

} // namespace weir::kernel
