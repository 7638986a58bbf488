// SPDX-License-Identifier: Apache-2.0
// Hearing of cgroups that appear: inotify on the directories of cgroup2, and of runtimes that say later what they made.
#include "kernel/components.h"
#include "kernel/system.h"

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace weir::kernel {

namespace {

constexpr std::size_t most_watched = 8192; ///< directories; beyond, each tick looks

} // namespace

Result<ComponentWatch> ComponentWatch::open()
{
	const auto roots = ComponentRoots::of_host();
	if (!roots)
		return std::unexpected(roots.error());
	ComponentWatch watch;
	watch.inotify_ = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	if (!watch.inotify_)
		return system_error("inotify", errno);
	watch.root_ = roots->cgroups;
	watch.watch_below(watch.root_);
	for (const auto &state : roots->oci)
		watch.watch_one(state);
	return watch;
}

bool ComponentWatch::watch_one(const std::string &directory)
{
	if (directories_.size() >= most_watched) {
		short_sighted_ = true;
		return false;
	}
	const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(),
					      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR);
	if (watch < 0) {
		short_sighted_ = short_sighted_ || errno == ENOSPC || errno == ENOMEM;
		return false;
	}
	directories_[watch] = directory;
	return true;
}

void ComponentWatch::watch_below(const std::string &directory)
{
	// What is made between the watch and the look is seen twice, and that is no harm.
	if (!watch_one(directory))
		return;
	walk_cgroups(directory, [this](const std::string &path, const std::string &name) {
		return !is_of_container(name) && watch_one(path);
	});
}

bool ComponentWatch::drain()
{
	alignas(inotify_event) std::array<char, 16384> bytes{};
	bool any = false;
	for (;;) {
		const auto size = ::read(inotify_.get(), bytes.data(), bytes.size());
		if (size <= 0)
			return any;
		any = true;
		for (ssize_t at = 0; at < size;) {
			inotify_event event{};
			std::memcpy(&event, bytes.data() + at, sizeof(event));
			const std::string name = event.len == 0 ? "" : bytes.data() + at + sizeof(event);
			at += static_cast<ssize_t>(sizeof(event) + event.len);
			if ((event.mask & IN_Q_OVERFLOW) != 0) { // who knows what was made
				watch_below(root_);
				continue;
			}
			const auto parent = directories_.find(event.wd);
			if (parent == directories_.end())
				continue;
			if ((event.mask & IN_IGNORED) != 0) // the directory was removed
				directories_.erase(parent);
			else if ((event.mask & IN_CREATE) != 0 && (event.mask & IN_ISDIR) != 0 &&
				 !is_of_container(name))
				watch_below(parent->second + "/" + name);
		}
	}
}

} // namespace weir::kernel
