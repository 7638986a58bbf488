// SPDX-License-Identifier: Apache-2.0
// Writes the journal: one process at a time.
//
// What is durable: a record is on the disk when sync() or checkpoint() has come back well after it; both use
// fdatasync(). A checkpoint is written at the latest after `records_between` records or `time_between`, by whoever
// calls is_due(). Each checkpoint is signed by a key of its own, which is destroyed when its successor is on the disk:
// who takes the host later can't sign what came before anew.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "journal/chain.h"
#include "journal/files.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir::journal {

struct Bounds {
	std::uint64_t segment_size = 64u << 20;          ///< bytes; a segment that is larger is closed
	std::uint64_t records_between = 100000;          ///< checkpoints
	std::chrono::seconds time_between{10};           ///< a record and the checkpoint that covers it
	std::uint64_t kept_size = 10ull << 30; ///< bytes of closed segments; older ones are retired. 0: no bound
	std::chrono::hours kept_for{24 * 400}; ///< age of a closed segment; 0: no bound
	std::chrono::hours clock_trusted_after{24}; ///< it was not set meanwhile; until then nothing is too old
};

/// What open() found and mended: a crash in the middle of a write.
struct Mend {
	std::uint64_t bytes = 0; ///< taken off the end of the last segment: they were no whole record
	std::uint64_t after = 0; ///< number of the last whole record
	std::uint64_t unsigned_records = 0; ///< whole records after the last checkpoint: kept, and covered by the next
};

/// Makes an empty journal: directory (0750), keys. Gives the public key that the auditor needs. An error when there is
/// one already.
Result<PublicKey> initialize(const std::string &directory);

/// The key that signs the first checkpoint. Exit::absent: there is no journal.
Result<PublicKey> read_first_key(const std::string &directory);

/// A checkpoint in one line, to be kept elsewhere: "weir-journal-head:1:KEY:SEQUENCE:HASH", with the first 16 digits of
/// the first key and the hash of the checkpoint's line. verify() takes it.
std::string head_of(const PublicKey &first_key, std::uint64_t sequence, const Hash &);

/// Short and unmistakable, for a key that is read out or printed: "SHA256:" and base64 without padding, as OpenSSH's.
std::string fingerprint(const PublicKey &);

class Writer {
public:
	using Told = std::function<void(std::string_view line, bool is_checkpoint)>;

	/// Exit::absent: there is no journal. Errors: another process writes it; its end is not what the keys say.
	/// `told` is told the last records, in their order, from a checkpoint on that is not younger than the last one.
	static Result<Writer> open(const std::string &directory, const Bounds &, const Told &told = {});

	[[nodiscard]] const std::optional<Mend> &mend() const { return mend_; }

	/// The next record: a JSON object in one line, without newline. In memory until write_out(). Gives the line as it
	/// stands in the journal, with its newline; it is valid until the next call.
	std::string_view append(std::string_view object);
	/// Bytes that wait for write_out().
	[[nodiscard]] std::size_t waiting() const { return buffer_.size() - written_; }
	/// The same in records.
	[[nodiscard]] std::uint64_t waiting_records() const;
	/// False: the disk takes nothing now (full, failed), problem() says why; nothing is lost, the rest waits.
	bool write_out();
	[[nodiscard]] const std::string &problem() const { return problem_; }

	/// A checkpoint is due, by number or time, and there is something to cover.
	[[nodiscard]] bool is_due(std::chrono::steady_clock::time_point now) const;
	/// `object` is the checkpoint's own record. Writes out all that waits, signs, brings it to the disk, changes keys.
	/// On an error call it again, until it succeeds; what `object` says is that of the first call.
	Result<> checkpoint(std::string_view object);
	/// A checkpoint was begun and is not on the disk yet: checkpoint() goes on with it, whatever it is given.
	[[nodiscard]] bool is_pending() const { return next_keys_.has_value(); }
	/// Tries whether more could be: the segment and the key are where they were, and the disk takes a block. Not while a
	/// checkpoint is pending. Error: what is in the way.
	[[nodiscard]] Result<> prove_writable() const;
	/// All that was written is on the disk.
	Result<> sync();

	/// The segment is as large as it should be: to be called behind a checkpoint. Begins the next.
	[[nodiscard]] bool is_full() const { return segment_size_ >= bounds_.segment_size; }
	Result<> rotate();
	/// A part of the work that old segments make: compressing, retiring. True: there is more to do. To be called often:
	/// a step of `now`, the wall clock, is seen from one call to the next. A clock that was just set may be set right
	/// again, and what was retired would be gone for good.
	Result<bool> tidy(std::chrono::system_clock::time_point now);

	[[nodiscard]] std::uint64_t sequence() const { return sequence_; } ///< of the last record; 0: there is none
	[[nodiscard]] std::uint64_t since_checkpoint() const { return since_checkpoint_; }

	/// The line of the last checkpoint() of this process, with its newline.
	[[nodiscard]] const std::string &checkpoint_line() const { return checkpoint_line_; }
	/// The last checkpoint in one line, to be kept elsewhere; see head_of().
	[[nodiscard]] const std::string &head() const { return head_; }

private:
	Writer() = default;
	struct End;
	Result<> find_end(const Told &);
	Result<> look_through(const Segment &, End &, const Told &) const;
	Result<> take_keys();
	Result<> change_keys();
	Result<> open_segment(std::uint64_t first);
	Result<> write_again();
	Result<> retire(const Segment &);
	bool is_trusted(std::chrono::system_clock::time_point now);

	std::string directory_;
	Bounds bounds_;
	Fd lock_;
	Fd file_;
	std::string path_;
	bool is_new_ = false; ///< its name is not on the disk yet
	std::uint64_t segment_size_ = 0;
	std::uint64_t on_disk_ = 0; ///< so many bytes of the segment are, from its beginning on
	Hash on_disk_last_{}; ///< of the last line of these
	bool is_doubtful_ = false; ///< what is behind them may be in memory only, and nothing would say so
	std::uint64_t sequence_ = 0;
	std::uint64_t since_checkpoint_ = 0;
	std::chrono::steady_clock::time_point oldest_uncovered_{};
	Hash last_{};
	PublicKey first_key_{};
	PublicKey announced_{}; ///< by the last checkpoint; the first key where there is none
	KeyPair keys_;
	std::optional<KeyPair> next_keys_; ///< while a checkpoint is being written
	std::string buffer_;
	std::size_t written_ = 0;
	std::string problem_;
	std::string head_;
	std::string checkpoint_line_;
	std::string next_head_; ///< of the checkpoint that is being written
	std::optional<Mend> mend_;
	std::optional<Compression> compression_;
	struct Seen { ///< by the last tidy()
		std::chrono::system_clock::time_point wall;
		std::chrono::steady_clock::time_point steady;
		std::chrono::steady_clock::time_point even_since; ///< the one goes as the other does
	};
	std::optional<Seen> seen_;
};

} // namespace weir::journal
