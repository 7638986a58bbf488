// SPDX-License-Identifier: Apache-2.0
// A file that grows, or the standard output: a line for each message.
#include "sinks/carrier.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace weir::sinks {
namespace {

class FileCarrier : public Carrier {
public:
	explicit FileCarrier(std::string path) : path_(std::move(path)) {}

	Result<> open(const Patience &) override
	{
		file_ = Fd(path_.empty()
				   ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
				   : ::open(path_.c_str(),
					    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
		struct stat status{};
		if (!file_ || ::fstat(file_.get(), &status) != 0)
			return fail(fmt::format("cannot append to {}: {}", name(), std::strerror(errno)));
		regular_ = S_ISREG(status.st_mode);
		char last = '\n'; // a line that was cut is ended first
		cut_ = !path_.empty() && regular_ && status.st_size > 0 &&
		       ::pread(file_.get(), &last, 1, status.st_size - 1) == 1 && last != '\n';
		return {};
	}

	Result<bool> send(const std::string &message, const Patience &patience) override
	{
		if (auto there = look(); !there)
			return std::unexpected(std::move(there).error());
		const auto line = (cut_ ? "\n" : "") + message + "\n";
		for (std::size_t written = 0; written < line.size();) {
			if (!regular_ && !patience.wait(file_.get(), POLLOUT, stall_time))
				return fail(fmt::format("{} takes nothing", name()));
			// Of a pipe no more than it surely takes without waiting (pipe(7)).
			const auto left = line.size() - written;
			const auto size = ::write(file_.get(), line.data() + written,
						  regular_ ? left : std::min<std::size_t>(left, PIPE_BUF));
			if (size < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (size <= 0)
				return fail(fmt::format("cannot write to {}: {}", name(), std::strerror(errno)));
			written += static_cast<std::size_t>(size);
		}
		cut_ = false;
		return true;
	}

	/// Rotation: another file has the name, or none.
	Result<> look() override
	{
		struct stat mine{}, named{};
		if (!regular_ || path_.empty())
			return {};
		if (::stat(path_.c_str(), &named) == 0 && ::fstat(file_.get(), &mine) == 0 &&
		    named.st_ino == mine.st_ino && named.st_dev == mine.st_dev)
			return {};
		Patience none;
		return open(none);
	}

private:
	[[nodiscard]] std::string name() const { return path_.empty() ? "the standard output" : path_; }

	std::string path_; ///< "": the standard output
	Fd file_;
	bool regular_ = false;
	bool cut_ = false;
};

} // namespace

std::unique_ptr<Carrier> make_file(const Address &address)
{
	return std::make_unique<FileCarrier>(address.path);
}

} // namespace weir::sinks
