// SPDX-License-Identifier: Apache-2.0
#include "journal/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace weir::journal {
namespace {

std::string first_key_path(const std::string &directory)
{
	return directory + "/first-key";
}
std::string key_path(const std::string &directory)
{
	return directory + "/key";
}
std::string next_key_path(const std::string &directory)
{
	return directory + "/key.next";
}

std::string key_line(const std::uint8_t *bytes, std::size_t size)
{
	return hex(bytes, size) + "\n";
}

Result<> keep_secret(const std::string &path, const SecretKey &secret)
{
	auto line = key_line(secret.data(), secret.size());
	auto done = replace_file(path, line, 0600);
	sodium_memzero(line.data(), line.size());
	return done;
}

/// Exit::absent: there is no such file.
Result<KeyPair> read_secret(const std::string &path)
{
	auto text = read_small_file(path);
	if (!text)
		return std::unexpected(std::move(text).error());
	KeyPair keys;
	const bool good = text->ends_with('\n') && from_hex(std::string_view(*text).substr(0, text->size() - 1),
							    keys.secret.data(), keys.secret.size());
	sodium_memzero(text->data(), text->size());
	if (!good)
		return fail(Exit::absent, path + " has no key in it");
	crypto_sign_ed25519_sk_to_pk(keys.open.data(), keys.secret.data());
	return keys;
}

/// Over the old bytes, where they lie: a file system that never writes in place keeps them for a while all the same.
void destroy(const std::string &path)
{
	const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
	const std::string zeros(2 * sizeof(SecretKey) + 1, '0');
	if (file && ::pwrite(file.get(), zeros.data(), zeros.size(), 0) > 0)
		::fdatasync(file.get());
}

/// Cuts off what a crash left of a last line.
Result<Fd> open_for_lines(const std::string &path)
{
	Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
	if (!file)
		return file_error("open", path);
	auto size = ::lseek(file.get(), 0, SEEK_END);
	char byte = '\n';
	const auto end = size;
	while (size > 0 && ::pread(file.get(), &byte, 1, size - 1) == 1 && byte != '\n')
		size--;
	if (size != end && ::ftruncate(file.get(), size) != 0)
		return file_error("mend", path);
	::lseek(file.get(), size, SEEK_SET);
	return file;
}

} // namespace

std::string fingerprint(const PublicKey &key)
{
	std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
	crypto_hash_sha256(digest.data(), key.data(), key.size());
	std::array<char, sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)>
		text{};
	sodium_bin2base64(text.data(), text.size(), digest.data(), digest.size(),
			  sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	return std::string("SHA256:") + text.data();
}

std::string head_of(const PublicKey &first_key, std::uint64_t sequence, const Hash &hash)
{
	return fmt::format("weir-journal-head:1:{}:{}:{}", hex(first_key).substr(0, 16), sequence, hex(hash));
}

Result<PublicKey> initialize(const std::string &directory)
{
	use_sodium();
	// /var/log/weir, too, which is not there before the daemon's unit has run.
	const auto parent = std::filesystem::path(directory).parent_path().string();
	if (!parent.empty())
		::mkdir(parent.c_str(), 0750);
	if (::mkdir(directory.c_str(), 0750) == 0) {
		const Fd made(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		if (auto given = give_to_owner_of(parent.empty() ? "." : parent, made); !given)
			return std::unexpected(std::move(given).error());
	} else if (errno != EEXIST) {
		return file_error("make the directory", directory);
	}
	const auto path = first_key_path(directory);
	if (const auto old = read_small_file(path); old || old.error().code != Exit::absent)
		return fail(fmt::format("{} is a journal already; its key is shown by: weir journal key", directory));
	if (const auto segments = segments_of(directory); !segments || !segments->empty())
		return segments ? fail(fmt::format(
					  "{} has segments of a journal, but no first-key: give an empty directory",
					  directory))
				: std::unexpected(segments.error());
	auto keys = make_keys();
	auto kept = keep_secret(key_path(directory), keys.secret);
	sodium_memzero(keys.secret.data(), keys.secret.size());
	if (kept)
		kept = replace_file(path, key_line(keys.open.data(), keys.open.size()), 0644);
	if (!kept)
		return std::unexpected(std::move(kept).error());
	return keys.open;
}

/// What is found while the end is looked for.
struct Writer::End {
	bool any = false;            ///< there is a whole record
	bool broken = false;         ///< no more of this segment is taken
	bool checkpoint = false;     ///< one was seen
	std::uint64_t sequence = 0;
	Hash hash{};
	std::uint64_t after = 0;     ///< records behind the last checkpoint
	std::uint64_t checkpoint_sequence = 0;
	Hash checkpoint_hash{};
	PublicKey next{};
	std::uint64_t good = 0;      ///< bytes of the last segment up to the end of its last whole record
	std::uint64_t seen = 0;
};

/// Only a line that does not follow from the one before, behind the last checkpoint, is the work of a crash: what comes
/// before is left as it is, for verify to judge.
Result<> Writer::look_through(const Segment &segment, End &end, const Told &told) const
{
	return read_lines(segment, [&](std::string_view line, bool has_end) {
		const auto link = has_end ? link_of(line) : std::nullopt;
		end.seen += line.size() + (has_end ? 1 : 0);
		const bool follows = link &&
				     (!end.any || (link->sequence == end.sequence + 1 && link->previous == end.hash));
		if (link && link->is_checkpoint && (follows || end.broken)) {
			end.broken = false;
		} else if (end.broken || !follows) {
			end.broken = true;
			return true;
		}
		end.any = true;
		if (told)
			told(line, link->is_checkpoint);
		end.sequence = link->sequence;
		end.hash = hash_of(line);
		end.good = end.seen;
		end.after++;
		if (link->is_checkpoint) {
			end.checkpoint = true;
			end.after = 0;
			end.checkpoint_sequence = link->sequence;
			end.checkpoint_hash = end.hash;
			end.next = link->next;
		}
		return true;
	});
}

namespace {

/// So that what is read is on the disk: of a failure of it that a writer before was told, nobody is told again.
void forget_what_is_in_memory(const std::string &path)
{
	const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (file && ::fdatasync(file.get()) == 0)
		::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
}

} // namespace

Result<> Writer::find_end(const Told &told)
{
	const auto segments = segments_of(directory_);
	if (!segments)
		return std::unexpected(segments.error());
	if (!segments->empty() && !segments->back().compressed)
		forget_what_is_in_memory(segments->back().path);
	// The last two: a new segment may not have a checkpoint yet, and its first record may not be whole.
	End end;
	const auto count = segments->size();
	for (auto i = count < 2 ? 0 : count - 2; i < count; ++i) {
		end.good = end.seen = 0;
		end.broken = false;
		if (auto read = look_through(segments->at(i), end, told); !read)
			return read;
	}
	sequence_ = end.sequence;
	last_ = end.hash;
	since_checkpoint_ = end.after;
	if (end.checkpoint) {
		announced_ = end.next;
		head_ = head_of(first_key_, end.checkpoint_sequence, end.checkpoint_hash);
	}
	if (count == 0 || segments->back().compressed)
		return open_segment(sequence_ + 1);

	path_ = segments->back().path;
	file_ = Fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
	if (!file_)
		return file_error("write to", path_);
	segment_size_ = on_disk_ = end.good;
	on_disk_last_ = last_;
	if (end.seen > end.good) {
		if (::ftruncate(file_.get(), static_cast<off_t>(end.good)) != 0 || ::fdatasync(file_.get()) != 0)
			return file_error("mend", path_);
		mend_ = Mend{end.seen - end.good, sequence_, since_checkpoint_};
	} else if (since_checkpoint_ > 0) {
		mend_ = Mend{0, sequence_, since_checkpoint_};
	}
	return {};
}

/// Of `key` and `key.next`, that which the last checkpoint announced is in use; the other is of a checkpoint that was
/// not finished, or that is past.
Result<> Writer::take_keys()
{
	for (const auto &path : {key_path(directory_), next_key_path(directory_)}) {
		auto keys = read_secret(path);
		if (!keys && keys.error().code != Exit::absent)
			return std::unexpected(std::move(keys).error());
		if (!keys || keys->open != announced_)
			continue;
		keys_ = *keys;
		if (path == key_path(directory_)) {
			destroy(next_key_path(directory_));
			::unlink(next_key_path(directory_).c_str());
			return {};
		}
		return change_keys();
	}
	return fail(fmt::format(
		"the journal {} can't be gone on with: neither key nor key.next is the one that its last "
		"checkpoint announced. Look at it (weir journal verify), put it away, and begin another: weir "
		"journal init",
		directory_));
}

/// key.next becomes key, and what was key is no more.
Result<> Writer::change_keys()
{
	destroy(key_path(directory_));
	if (::rename(next_key_path(directory_).c_str(), key_path(directory_).c_str()) != 0)
		return file_error("rename", next_key_path(directory_));
	return sync_directory(directory_);
}

Result<> Writer::open_segment(std::uint64_t first)
{
	auto path = segment_path(directory_, first);
	Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
	if (!file)
		return file_error("make", path);
	// Best effort: root can write to it in any case.
	(void)give_to_owner_of(directory_, file);
	// It is there, so it is the one that is written to, whatever comes: records that went on into the one before would
	// stand behind it.
	file_ = std::move(file);
	path_ = std::move(path);
	segment_size_ = on_disk_ = 0;
	on_disk_last_ = last_;
	is_doubtful_ = false;
	is_new_ = true;
	return {};
}

Result<Writer> Writer::open(const std::string &directory, const Bounds &bounds, const Told &told)
{
	use_sodium();
	Writer writer;
	writer.directory_ = directory;
	writer.bounds_ = bounds;
	const auto first = read_first_key(directory);
	if (!first)
		return std::unexpected(first.error());
	writer.first_key_ = writer.announced_ = *first;
	const auto path = directory + "/lock";
	writer.lock_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
	if (!writer.lock_)
		return file_error("lock", path);
	if (::flock(writer.lock_.get(), LOCK_EX | LOCK_NB) != 0)
		return fail(fmt::format("another process writes the journal {}", directory));
	if (auto found = writer.find_end(told); !found)
		return std::unexpected(std::move(found).error());
	if (auto taken = writer.take_keys(); !taken)
		return std::unexpected(std::move(taken).error());
	return writer;
}

Result<PublicKey> read_first_key(const std::string &directory)
{
	const auto path = first_key_path(directory);
	const auto text = read_small_file(path);
	if (!text)
		return fail(text.error().code,
			    text.error().code == Exit::absent
				    ? fmt::format("{0} is no journal\n  begin one: weir journal init {0}", directory)
				    : text.error().message);
	PublicKey key;
	if (!text->ends_with('\n') ||
	    !from_hex(std::string_view(*text).substr(0, text->size() - 1), key.data(), key.size()))
		return fail(path + " has no key in it");
	return key;
}

std::string_view Writer::append(std::string_view object)
{
	const auto before = buffer_.size();
	last_ = append_record(buffer_, object, ++sequence_, last_);
	segment_size_ += buffer_.size() - before;
	if (since_checkpoint_++ == 0)
		oldest_uncovered_ = std::chrono::steady_clock::now();
	return std::string_view(buffer_).substr(before);
}

bool Writer::write_out()
{
	while (waiting() > 0) {
		const auto size = ::write(file_.get(), buffer_.data() + written_, waiting());
		if (size > 0) {
			written_ += static_cast<std::size_t>(size);
		} else if (size == 0 || errno != EINTR) {
			problem_ = size == 0 ? "nothing was taken" : std::strerror(errno);
			return false;
		}
	}
	problem_.clear();
	buffer_.clear();
	written_ = 0;
	return true;
}

std::uint64_t Writer::waiting_records() const
{
	return static_cast<std::uint64_t>(
		std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(written_), buffer_.end(), '\n'));
}

bool Writer::is_due(std::chrono::steady_clock::time_point now) const
{
	return next_keys_ || since_checkpoint_ >= bounds_.records_between ||
	       (since_checkpoint_ > 0 && now - oldest_uncovered_ >= bounds_.time_between);
}

Result<> Writer::checkpoint(std::string_view object)
{
	if (!next_keys_) {
		auto next = make_keys();
		if (auto kept = keep_secret(next_key_path(directory_), next.secret); !kept)
			return kept;
		const auto before = buffer_.size();
		last_ = append_checkpoint(buffer_, object, ++sequence_, last_, next.open, keys_.secret);
		checkpoint_line_ = buffer_.substr(before);
		segment_size_ += checkpoint_line_.size();
		since_checkpoint_ = 0;
		next_head_ = head_of(first_key_, sequence_, last_);
		sodium_memzero(keys_.secret.data(), keys_.secret.size());
		next_keys_ = next;
	}
	if (!write_out())
		return fail(fmt::format("cannot write to {}: {}", path_, problem_));
	if (auto synced = sync(); !synced)
		return synced;
	if (auto changed = change_keys(); !changed)
		return changed;
	keys_ = *next_keys_;
	sodium_memzero(next_keys_->secret.data(), next_keys_->secret.size());
	next_keys_.reset();
	head_ = next_head_;
	return {};
}

Result<> Writer::sync()
{
	if (is_doubtful_)
		if (auto again = write_again(); !again)
			return again;
	if (is_new_)
		if (auto synced = sync_directory(directory_); !synced)
			return synced;
	is_new_ = false;
	is_doubtful_ = ::fdatasync(file_.get()) != 0;
	if (is_doubtful_)
		return file_error("bring to the disk", path_);
	if (waiting() == 0) {
		on_disk_ = segment_size_;
		on_disk_last_ = last_;
	}
	return {};
}

/// What fdatasync() failed on stands in memory as if it was on the disk, and the next fdatasync() says that all is well:
/// each error is told once (Linux: mm/filemap.c, file_check_and_advance_wb_err()). Nor does writing it there once more
/// help: the file system may have given up the blocks (ext4_end_io_end()). So the segment is written anew beside it, what
/// is doubtful as far as the chain proves it, and takes its place.
Result<> Writer::write_again()
{
	const auto beside = path_ + ".again";
	Fd file(::open(beside.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
	if (!file)
		return file_error("make", beside);
	std::uint64_t size = 0;
	auto last = on_disk_last_;
	Result<> done = give_to_owner_of(directory_, file);
	const auto write_line = [&](std::string_view line, bool has_end) {
		const auto link = has_end ? link_of(line) : std::nullopt;
		const auto text = std::string(line).append(has_end ? "\n" : "");
		if (size >= on_disk_ && has_end && (!link || link->previous != std::exchange(last, hash_of(line))))
			done = fail(fmt::format("{} is not as it was written, from its byte {} on", path_, size));
		else
			done = write_all(file, text, beside);
		size += text.size();
		return done.has_value();
	};
	if (done)
		if (auto read = read_lines({path_, 0, false, 0}, write_line); !read)
			done = std::move(read);
	if (done && size != segment_size_ - waiting())
		done = fail(fmt::format("{} has {} bytes, and {} were written to it", path_, size,
					segment_size_ - waiting()));
	if (done && (::fdatasync(file.get()) != 0 || ::rename(beside.c_str(), path_.c_str()) != 0))
		done = file_error("bring to the disk", beside);
	if (!done) {
		::unlink(beside.c_str());
		return done;
	}
	file_ = std::move(file);
	is_new_ = true; // by this name
	is_doubtful_ = false;
	return {};
}

Result<> Writer::rotate()
{
	return open_segment(sequence_ + 1);
}

/// Its checkpoints are kept, so that the keys of what is left can be followed from the first one on.
Result<> Writer::retire(const Segment &segment)
{
	const auto path = directory_ + "/retired.jsonl";
	const auto file = open_for_lines(path);
	if (!file)
		return std::unexpected(file.error());
	std::uint64_t retired = 0; // up to this one they are there, if this was interrupted before
	(void)read_lines({path, 0, false, 0}, [&](std::string_view line, bool) {
		if (const auto link = link_of(line))
			retired = link->sequence;
		return true;
	});
	std::string lines;
	const auto read = read_lines(segment, [&](std::string_view line, bool has_end) {
		const auto link = has_end ? link_of(line) : std::nullopt;
		if (link && link->is_checkpoint && link->sequence > retired)
			lines.append(line).push_back('\n');
		return true;
	});
	if (!read)
		return read;
	if (auto written = write_all(*file, lines, path); !written)
		return written;
	if (::fdatasync(file->get()) != 0)
		return file_error("bring to the disk", path);
	return ::unlink(segment.path.c_str()) == 0 ? Result<>() : file_error("remove", segment.path);
}

/// The wall clock has gone as the steady one does for long enough.
bool Writer::is_trusted(std::chrono::system_clock::time_point now)
{
	constexpr std::chrono::minutes step{1};
	const auto steady = std::chrono::steady_clock::now();
	const bool even = seen_ && std::chrono::abs((now - seen_->wall) - (steady - seen_->steady)) < step;
	seen_ = {now, steady, even ? seen_->even_since : steady};
	return steady - seen_->even_since >= bounds_.clock_trusted_after;
}

Result<bool> Writer::tidy(std::chrono::system_clock::time_point now)
{
	constexpr std::size_t step = 1u << 20; // bytes, some milliseconds
	const bool trusted = is_trusted(now);
	if (compression_) {
		const auto done = compression_->step(step);
		if (!done || *done)
			compression_.reset();
		return done ? Result<bool>(true) : done;
	}
	auto segments = segments_of(directory_);
	if (!segments)
		return std::unexpected(std::move(segments).error());
	std::erase_if(*segments, [&](const Segment &each) { return each.path == path_; });
	const auto plain = std::ranges::find(*segments, false, &Segment::compressed);
	if (plain != segments->end()) {
		auto begun = Compression::begin(*plain);
		if (!begun)
			return std::unexpected(std::move(begun).error());
		compression_.emplace(std::move(*begun));
		return true;
	}
	std::uint64_t size = 0;
	for (const auto &each : *segments)
		size += each.size;
	if (segments->empty())
		return false;
	struct stat status{};
	if (::stat(segments->front().path.c_str(), &status) != 0)
		return file_error("look at", segments->front().path);
	const auto written = std::chrono::system_clock::from_time_t(status.st_mtime);
	const bool too_many = bounds_.kept_size != 0 && size > bounds_.kept_size;
	const bool too_old = trusted && bounds_.kept_for.count() != 0 && now - written > bounds_.kept_for;
	if (!too_many && !too_old)
		return false;
	if (auto retired = retire(segments->front()); !retired)
		return std::unexpected(std::move(retired).error());
	return true;
}

} // namespace weir::journal
