// SPDX-License-Identifier: Apache-2.0
#include "journal/spool.h"

#include "journal/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::journal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view begun_end = ".begun";
constexpr std::string_view done_end = ".done";

std::unexpected<Error> spool_error(const std::string &path)
{
	return fail(fmt::format("{}: {}", path, std::strerror(errno)));
}

std::string fresh_name()
{
	const auto now = std::chrono::system_clock::now().time_since_epoch();
	return fmt::format("{:020}-{}", std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(), ::getpid());
}

Result<std::string> content_of(const std::string &path)
{
	const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (!file)
		return spool_error(path);
	std::string content;
	std::string part(64u << 10, '\0');
	for (ssize_t size = 0; (size = ::read(file.get(), part.data(), part.size())) > 0;)
		content.append(part, 0, static_cast<std::size_t>(size));
	return content;
}

/// Is the command that began it still at work?
bool is_locked(const std::string &path)
{
	const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

} // namespace

std::string spool_directory(const std::string &journal)
{
	return journal + "/changes";
}

Result<Spooled> Spooled::begin(const std::string &journal, std::string_view record)
{
	const auto directory = spool_directory(journal);
	const bool is_new = ::mkdir(directory.c_str(), 0700) == 0;
	if (!is_new && errno != EEXIST)
		return spool_error(directory);
	Spooled spooled;
	// The journal's owner need not be root, who shall not write where that one leads: no link is followed, and the
	// directory stays the same one.
	spooled.directory_ = Fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (!spooled.directory_)
		return spool_error(directory);
	if (is_new)
		if (auto given = give_to_owner_of(journal, spooled.directory_); !given)
			return std::unexpected(std::move(given).error());
	const auto held = fmt::format("/proc/self/fd/{}", spooled.directory_.get());
	const auto path = held + "/" + fresh_name();
	// Locked before it has its name: who finds it finds it locked.
	const auto part = path + ".part";
	spooled.file_ = Fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!spooled.file_ || ::flock(spooled.file_.get(), LOCK_EX | LOCK_NB) != 0)
		return spool_error(part);
	if (auto given = give_to_owner_of(held, spooled.file_); !given)
		return std::unexpected(std::move(given).error());
	const auto begun = path + std::string(begun_end);
	if (::write(spooled.file_.get(), record.data(), record.size()) != static_cast<ssize_t>(record.size()) ||
	    ::fdatasync(spooled.file_.get()) != 0 || ::rename(part.c_str(), begun.c_str()) != 0) {
		const auto problem = spool_error(part);
		::unlink(part.c_str());
		return problem;
	}
	spooled.path_ = path;
	if (auto synced = sync_directory(held); !synced)
		return std::unexpected(std::move(synced).error());
	return spooled;
}

Spooled::~Spooled() = default; // what is not finished is found, and its lock is gone

Result<> Spooled::finish(std::string_view record)
{
	const auto path = std::exchange(path_, "");
	if (path.empty())
		return {};
	if (auto put = replace_file(path + std::string(done_end), record, 0600); !put)
		return put;
	return ::unlink((path + std::string(begun_end)).c_str()) == 0 ? Result<>() : spool_error(path);
}

void Spooled::drop()
{
	if (const auto path = std::exchange(path_, ""); !path.empty())
		::unlink((path + std::string(begun_end)).c_str());
}

Result<Spool> spool_of(const std::string &journal)
{
	std::vector<std::string> names;
	std::error_code problem;
	for (fs::directory_iterator at(spool_directory(journal), problem), end; !problem && at != end;
	     at.increment(problem))
		names.push_back(at->path().string());
	if (problem && problem != std::errc::no_such_file_or_directory)
		return fail(fmt::format("{}: {}", spool_directory(journal), problem.message()));
	std::ranges::sort(names);
	Spool spool;
	for (const auto &name : names) {
		const bool done = name.ends_with(done_end);
		if (!done && !name.ends_with(begun_end))
			continue;
		const auto stem = name.substr(0, name.rfind('.'));
		if (!done && std::ranges::binary_search(names, stem + std::string(done_end)))
			continue; // the command died between the two
		if (!done && is_locked(name)) {
			spool.at_work = true;
			continue;
		}
		auto record = content_of(name);
		if (record && record->ends_with('\n'))
			spool.changes.push_back({name, std::move(*record)});
	}
	return spool;
}

void forget(const Waiting &waiting)
{
	const auto stem = waiting.path.substr(0, waiting.path.rfind('.'));
	::unlink((stem + std::string(begun_end)).c_str());
	::unlink((stem + std::string(done_end)).c_str());
}

} // namespace weir::journal
