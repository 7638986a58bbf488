// SPDX-License-Identifier: Apache-2.0
// Can the journal be written? Not asked of the file system, which may promise what it doesn't keep, but tried.
#include "journal/files.h"
#include "journal/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace weir::journal {
namespace {

/// A block of the disk is taken, written and brought to it, and given back: what is written over in place proves nothing
/// of a disk that is full.
Result<> try_writing(const std::string &path)
{
	static constexpr std::array<char, 4096> block{};
	const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!file)
		return file_error("make", path);
	const auto size = ::write(file.get(), block.data(), block.size());
	if (size < 0)
		return file_error("write to", path);
	if (size != static_cast<ssize_t>(block.size()))
		return fail(fmt::format("cannot write to {}: {}", path, std::strerror(ENOSPC)));
	if (::fdatasync(file.get()) != 0)
		return file_error("bring to the disk", path);
	return ::ftruncate(file.get(), 0) == 0 ? Result<>() : file_error("write to", path);
}

} // namespace

Result<> Writer::prove_writable() const
{
	struct stat written{};
	struct stat there{};
	if (::fstat(file_.get(), &written) != 0 || ::stat(path_.c_str(), &there) != 0)
		return file_error("find", path_);
	if (written.st_dev != there.st_dev || written.st_ino != there.st_ino)
		return fail(path_ + " is no longer the file that is written");
	const auto path = directory_ + "/key";
	auto key = read_small_file(path);
	if (!key)
		return std::unexpected(std::move(key).error());
	auto expected = hex(keys_.secret.data(), keys_.secret.size()) + "\n";
	const bool same = *key == expected;
	sodium_memzero(key->data(), key->size());
	sodium_memzero(expected.data(), expected.size());
	if (!same)
		return fail(path + " is not the key of the next checkpoint");
	return try_writing(directory_ + "/probe");
}

} // namespace weir::journal
