// SPDX-License-Identifier: Apache-2.0
#include "cli/write_file.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::cli {
namespace {

Result<> write_all(int fd, std::string_view text)
{
	while (!text.empty()) {
		const ssize_t written = ::write(fd, text.data(), text.size());
		if (written < 0 && errno != EINTR) {
			return fail(std::strerror(errno));
		}
		text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
	}
	if (::fchmod(fd, 0644) != 0 || ::fsync(fd) != 0) {
		return fail(std::strerror(errno));
	}
	return {};
}

Result<> move_to(const std::string &from, const std::string &to, bool replace)
{
	if (replace) {
		return ::rename(from.c_str(), to.c_str()) == 0 ? Result<>{} : fail(std::strerror(errno));
	}
	if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
		return {};
	}
	// Not every file system has that flag; a hard link doesn't replace either.
	if ((errno == EINVAL || errno == ENOSYS) && ::link(from.c_str(), to.c_str()) == 0) {
		::unlink(from.c_str());
		return {};
	}
	if (errno == EEXIST) {
		return fail("is there already: --force replaces it");
	}
	return fail(std::strerror(errno));
}

} // namespace

Result<> write_file(const std::string &path, std::string_view text, bool replace)
{
	std::string temporary = path + ".XXXXXX";
	const Fd file(::mkostemp(temporary.data(), O_CLOEXEC));
	if (!file) {
		return fail(path + ": cannot be written: " + std::strerror(errno));
	}
	Result<> done = write_all(file.get(), text);
	if (done) {
		done = move_to(temporary, path, replace);
	}
	if (!done) {
		::unlink(temporary.c_str());
		return std::unexpected(Error(done.error()).during(path));
	}
	return {};
}

} // namespace weir::cli
