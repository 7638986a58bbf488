// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <exception>

namespace weir::kernel {

struct Ring::Impl {
	Fd locked;
	ring_buffer *ring = nullptr;
	const std::function<void(const weir_event &)> *handle = nullptr;
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
			(*impl.handle)(*static_cast<const weir_event *>(data));
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

Result<Ring> Ring::open(const Where &where)
{
	const Libbpf quiet;
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	auto impl = std::make_unique<Impl>();
	auto locked = lock(where, "events", 1);
	if (!locked)
		return std::unexpected(std::move(locked).error());
	impl->locked = std::move(*locked);
	const auto events = open_pin(where.directory() + "/maps/events");
	if (!events)
		return std::unexpected(events.error());
	impl->ring = ring_buffer__new(events->get(), Impl::take, impl.get(), nullptr);
	if (impl->ring == nullptr)
		return system_error("opening the ring buffer", errno);
	return Ring(std::move(impl));
}

bool has_reader(const Where &where)
{
	// Whoever opens a Ring just now tries for a second.
	return !lock(where, "events", 0);
}

Result<int> Ring::poll(int timeout_ms, const std::function<void(const weir_event &)> &handle)
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

} // namespace weir::kernel
