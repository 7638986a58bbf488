// SPDX-License-Identifier: Apache-2.0
#include "top/tail.h"

#include "journal/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace weir::top {
namespace {

constexpr std::uint64_t past = 1u << 20;     ///< bytes that are read of what was there before
constexpr std::uint64_t at_once = 8u << 20;  ///< bytes that are counted in one call: a tenth of a second's work
constexpr std::size_t longest_line = 1u << 20; ///< weir writes some 2 KB; more is not its own

/// Of a regular file that is there: when it was last written to, ns; -1: there is none.
std::int64_t written_at(const std::string &path)
{
	struct stat status{};
	if (path.empty() || ::stat(path.c_str(), &status) != 0)
		return -1;
	return status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
}

/// The segment that is written to: the last one.
std::string last_segment(const std::string &directory)
{
	if (directory.empty())
		return "";
	const auto segments = journal::segments_of(directory);
	return segments && !segments->empty() && !segments->back().compressed ? segments->back().path : "";
}

} // namespace

bool Tail::choose()
{
	const auto segment = last_segment(sources_.journal);
	const auto segment_time = written_at(segment), file_time = written_at(sources_.file);
	if (segment_time < 0 && file_time < 0) {
		std::vector<std::string> names;
		if (!sources_.file.empty())
			names.push_back(sources_.file);
		if (!sources_.journal.empty())
			names.push_back(sources_.journal + "/*.jsonl");
		problem_ = fmt::format("there is no {}: `weir run` writes it", fmt::join(names, " and no "));
		return false;
	}
	is_journal_ = segment_time >= file_time;
	return open(is_journal_ ? segment : sources_.file);
}

bool Tail::open(const std::string &path)
{
	Fd fresh(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	struct stat status{};
	if (!fresh || ::fstat(fresh.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
		problem_ =
			fmt::format("cannot read {}: {}", path, fresh ? "it is no regular file" : std::strerror(errno));
		return false;
	}
	file_ = std::move(fresh);
	path_ = path;
	problem_.clear();
	rest_.clear();
	const auto size = static_cast<std::uint64_t>(status.st_size);
	offset_ = is_past_ && size > past ? size - past : 0;
	is_cut_ = offset_ != 0;
	return true;
}

/// What is to be read after this file, once that has been read to its end; "": nothing.
std::string Tail::successor() const
{
	if (!is_journal_) {
		struct stat here{}, there{};
		const bool replaced = ::fstat(file_.get(), &here) == 0 && ::stat(path_.c_str(), &there) == 0 &&
				      there.st_size > 0 && (here.st_ino != there.st_ino || here.st_dev != there.st_dev);
		return replaced ? path_ : "";
	}
	const auto segments = journal::segments_of(sources_.journal);
	if (!segments)
		return "";
	// By name: zero-padded numbers. One that was compressed meanwhile came and went faster than anybody reads.
	for (const auto &each : *segments)
		if (each.path > path_ && !each.compressed)
			return each.path;
	return "";
}

void Tail::take(const Take &take)
{
	if (!file_ && !choose()) {
		is_past_ = false; // what comes after this was not there before
		return;
	}
	// Whether there is a successor is asked first: whoever writes has gone over to it for good, so what is read
	// after that is all that this one will ever have.
	for (auto next = successor();; next = successor()) {
		read_on(take);
		is_past_ = false;
		if (next.empty() || !open(next))
			return;
	}
}

void Tail::read_on(const Take &take)
{
	struct stat status{};
	if (::fstat(file_.get(), &status) != 0)
		return;
	const auto size = static_cast<std::uint64_t>(status.st_size);
	if (size < offset_) { // begun anew
		offset_ = 0;
		rest_.clear();
	}
	if (size - offset_ > at_once) {
		const auto beyond = size - offset_ - at_once;
		skipped_ += beyond + rest_.size();
		offset_ += beyond;
		rest_.clear();
		is_cut_ = true;
	}
	std::vector<char> buffer(64u << 10);
	while (offset_ < size) {
		const auto got = ::pread(file_.get(), buffer.data(),
					 std::min<std::uint64_t>(buffer.size(), size - offset_),
					 static_cast<off_t>(offset_));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		offset_ += static_cast<std::uint64_t>(got);
		std::string_view text(buffer.data(), static_cast<std::size_t>(got));
		for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
			rest_.append(text.substr(0, end));
			if (!std::exchange(is_cut_, false))
				take(rest_, is_past_);
			rest_.clear();
			text.remove_prefix(end + 1);
		}
		rest_.append(text);
		if (rest_.size() > longest_line) {
			rest_.clear();
			is_cut_ = true;
		}
	}
}

} // namespace weir::top
