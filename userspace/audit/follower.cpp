// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace weir::audit {
namespace {

constexpr std::size_t longest_line = 1u << 20; ///< weir writes some 2 KB; more is not its own

} // namespace

Follower::Follower(std::string path) : path_(std::move(path)) {}

Result<std::size_t> Follower::take(EventsView &view)
{
	at_end_ = true;
	if (!file_) {
		file_ = Fd(path_ == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					: ::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
		if (!file_ && errno == ENOENT)
			return 0u;
		if (!file_)
			return fail(fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
		start_over(view);
	}
	// Whether another file has the name now is asked before the last read of this one: a writer goes over to
	// the new file and never comes back, so once the new one has content, this one is complete.
	struct stat old{}, current{};
	const bool plain = path_ != "-" && ::fstat(file_.get(), &old) == 0 && S_ISREG(old.st_mode);
	const bool replaced = plain && ::stat(path_.c_str(), &current) == 0 && current.st_size > 0 &&
			      (current.st_ino != old.st_ino || current.st_dev != old.st_dev);
	if (plain && !replaced && static_cast<std::uint64_t>(old.st_size) < offset_) {
		if (::lseek(file_.get(), 0, SEEK_SET) < 0)
			return fail(fmt::format("cannot read {} from its start: {}", path_, std::strerror(errno)));
		start_over(view);
	}
	auto lines = read_on(view);
	if (!lines || !replaced)
		return lines;
	finish(view);
	file_ = Fd();
	auto more = take(view);
	return more ? Result<std::size_t>(*lines + *more) : more;
}

Result<std::size_t> Follower::read_on(EventsView &view)
{
	std::vector<char> buffer(64u << 10);
	std::size_t lines = 0;
	// Of a pipe one read at a time: the next might wait, and what has come is to be shown first.
	for (bool again = true; again && !view.done(); again = path_ != "-") {
		at_end_ = false;
		const auto size = ::read(file_.get(), buffer.data(), buffer.size());
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN)
			break;
		if (size < 0)
			return fail(fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
		if (size == 0) {
			at_end_ = true;
			break;
		}
		offset_ += static_cast<std::uint64_t>(size);
		std::string_view text(buffer.data(), static_cast<std::size_t>(size));
		for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
			if (rest_.empty()) {
				view.line(text.substr(0, end));
			} else {
				rest_.append(text.substr(0, end));
				view.line(rest_);
				rest_.clear();
			}
			skipping_ = false;
			lines++;
			text.remove_prefix(end + 1);
		}
		if (skipping_)
			continue;
		rest_.append(text);
		if (rest_.size() > longest_line) { // its start stays, to be warned of when its end comes
			rest_.resize(80);
			skipping_ = true;
		}
	}
	return lines;
}

void Follower::finish(EventsView &view)
{
	view.torn(rest_);
	rest_.clear();
}

void Follower::start_over(EventsView &view)
{
	offset_ = 0;
	rest_.clear();
	skipping_ = false;
	view.reset_numbers();
}

} // namespace weir::audit
