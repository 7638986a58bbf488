// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.h"

#include "base/fd.h"
#include "compile/image.h"
#include "policy/policy.h"

#include <sys/epoll.h>

#include <csignal>
#include <unistd.h>

namespace weir {

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

Result<Ring> Ring::open(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	fake().opened++;
	return Ring(std::make_unique<Impl>());
}

Result<int> Ring::poll(int, const Handle &handle)
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
		handle(event);
	});
	return events;
}

int Ring::epoll_fd() const
{
	return impl_->epoll.get();
}

Result<Counters> read_counters(const Where &)
{
	if (!fake().loaded)
		return fail(Exit::absent, "not loaded");
	return Counters{fake().counter};
}

Result<Image> read_image(const Where &)
{
	fake().images_read++;
	Image image;
	image.lines.resize(2);
	reinterpret_cast<weir_header *>(image.lines.data())->generation = fake().generation;
	return image;
}

} // namespace weir::kernel
