// SPDX-License-Identifier: Apache-2.0
// The journal's directory.
//
//   first-key                     the public key that signs the first checkpoint: what the auditor has a copy of
//   key                           secret key of the next checkpoint (0600), replaced with each
//   key.next                      the one after it, while a checkpoint is being written
//   FIRST.jsonl, FIRST.jsonl.zst  segments, by the number of their first record, 16 digits; the last one is written to
//   retired.jsonl                 checkpoints of segments that retention took away: the chain of keys stays whole
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "journal/chain.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::journal {

struct Segment {
	std::string path;
	std::uint64_t first = 0; ///< number of its first record
	bool compressed = false;
	std::uint64_t size = 0;  ///< bytes, as it lies
};

/// Those of the directory, in the order of their numbers. A segment that is there in both forms (a crash between
/// compressing and removing) is given once, as it was written.
Result<std::vector<Segment>> segments_of(const std::string &directory);

std::string segment_path(const std::string &directory, std::uint64_t first);

/// Hands each line of the segment, without its newline, to `take` until that gives false. `take` also learns whether the
/// line had an end. Error: it can't be read, or what is compressed is damaged.
Result<> read_lines(const Segment &, const std::function<bool(std::string_view line, bool has_end)> &take);

/// Compresses a segment in steps, so that a daemon can do it between others of its work. What it leaves behind when it
/// is not finished is no segment.
class Compression {
public:
	static Result<Compression> begin(const Segment &);
	/// True: all is compressed, on the disk, and the segment as it was written is removed.
	Result<bool> step(std::size_t bytes);
	Compression(Compression &&) noexcept;
	Compression &operator=(Compression &&) noexcept;
	~Compression();

private:
	struct Impl;
	explicit Compression(std::unique_ptr<Impl>);
	std::unique_ptr<Impl> impl_;
};

/// By errno.
std::unexpected<Error> file_error(std::string_view doing, const std::string &path);

/// What root makes in a directory is to belong to whom the directory belongs: the one that writes the journal. Of others
/// nothing happens.
Result<> give_to_owner_of(const std::string &directory, const Fd &made);

/// All of it, at the end of what is written; `path` is for the complaint.
Result<> write_all(const Fd &, std::string_view bytes, const std::string &path);

/// Writes a small file, which belongs to the owner of its directory: under another name first, on the disk, then renamed, and the directory on the disk.
Result<> replace_file(const std::string &path, std::string_view content, unsigned mode);

/// A small file's content. Exit::absent when there is none.
Result<std::string> read_small_file(const std::string &path);

/// fdatasync() of a directory: names that were made, renamed or removed in it.
Result<> sync_directory(const std::string &directory);

} // namespace weir::journal
