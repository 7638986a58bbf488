// SPDX-License-Identifier: Apache-2.0
#include "daemon/sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace weir::daemon {
namespace {

/// A write of at most PIPE_BUF bytes to a pipe that poll() calls writable does not wait (pipe(7)); O_NONBLOCK would
/// be set for everyone who shares the terminal.
bool would_wait(int fd)
{
	pollfd output{fd, POLLOUT, 0};
	return ::poll(&output, 1, 0) == 0;
}

bool ends_in_a_line(const std::string &path, off_t size)
{
	const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	char last = '\n';
	return size == 0 || !file || ::pread(file.get(), &last, 1, size - 1) != 1 || last == '\n';
}

} // namespace

Result<Sink> Sink::open(std::string path)
{
	Sink sink;
	if (path == "-") {
		sink.name_ = "the standard output";
		sink.file_ = Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
		if (!sink.file_)
			return fail(fmt::format("the standard output is closed: {}", std::strerror(errno)));
		struct stat status{};
		sink.regular_ = ::fstat(sink.file_.get(), &status) == 0 && S_ISREG(status.st_mode);
		return sink;
	}
	sink.name_ = path;
	sink.path_ = std::move(path);
	if (auto opened = sink.open_file(); !opened)
		return std::unexpected(std::move(opened).error());
	return sink;
}

Sink Sink::of(Fd file, std::string name)
{
	Sink sink;
	sink.name_ = std::move(name);
	sink.file_ = std::move(file);
	return sink;
}

Result<> Sink::open_file()
{
	Fd file(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640));
	if (!file)
		return fail(fmt::format("cannot append to {}: {}", path_, std::strerror(errno)));
	struct stat status{};
	if (::fstat(file.get(), &status) != 0)
		return fail(fmt::format("cannot read the state of {}: {}", path_, std::strerror(errno)));
	file_ = std::move(file);
	regular_ = S_ISREG(status.st_mode);
	was_cut_ = regular_ && !ends_in_a_line(path_, status.st_size);
	return {};
}

std::string_view Sink::take_new()
{
	const auto lines = std::string_view(buffer_).substr(copied_);
	copied_ = buffer_.size();
	return lines;
}

Result<bool> Sink::write_out()
{
	if (was_cut_ && !is_empty()) {
		if (::write(file_.get(), "\n", 1) != 1) {
			problem_ = std::strerror(errno);
			return false;
		}
		was_cut_ = false;
	}
	while (!is_empty()) {
		if (!regular_ && would_wait(file_.get())) {
			problem_.clear();
			return false;
		}
		const auto left = buffer_.size() - written_;
		const auto size = ::write(file_.get(), buffer_.data() + written_,
					  regular_ ? left : std::min<std::size_t>(left, PIPE_BUF));
		if (size > 0) {
			written_ += static_cast<std::size_t>(size);
		} else if (size < 0 && errno == EINTR) {
			continue;
		} else if (size < 0 && errno == EAGAIN) {
			problem_.clear();
			return false;
		} else if (size < 0 && (errno == EPIPE || errno == EBADF)) {
			return fail(fmt::format("nobody reads {} any more ({}), {} lines are not written", name_,
						std::strerror(errno), unwritten_lines()));
		} else { // a full disk, a quota, a device that fails: it may pass
			problem_ = size < 0 ? std::strerror(errno) : "nothing was taken";
			return false;
		}
	}
	problem_.clear();
	buffer_.clear();
	written_ = copied_ = 0;
	if (buffer_.capacity() > 2 * bound)
		buffer_.shrink_to_fit();
	return true;
}

Result<> Sink::reopen()
{
	if (path_.empty())
		return {};
	if (auto opened = open_file(); !opened)
		return opened;
	if (written_ > 0) {
		const auto end = buffer_.rfind('\n', written_ - 1); // of the last line that is wholly out
		const auto out = end == std::string::npos ? 0 : end + 1;
		buffer_.erase(0, out);
		written_ = 0;
		copied_ -= std::min(copied_, out);
	}
	return {};
}

Result<> Sink::sync()
{
	if (regular_ && ::fdatasync(file_.get()) != 0)
		return fail(fmt::format("cannot bring {} to the disk: {}", name_, std::strerror(errno)));
	return {};
}

std::uint64_t Sink::unwritten_lines() const
{
	return static_cast<std::uint64_t>(
		std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(written_), buffer_.end(), '\n'));
}

} // namespace weir::daemon
