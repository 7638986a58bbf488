// SPDX-License-Identifier: Apache-2.0
#include "journal/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

namespace weir::journal {
namespace {

constexpr std::string_view plain_end = ".jsonl";
constexpr std::string_view packed_end = ".jsonl.zst";
constexpr std::size_t digits = 16;
constexpr std::size_t read_size = 256u << 10;
constexpr int level = 6; ///< of zstd: JSON gains little beyond it

std::optional<Segment> segment_named(const std::filesystem::directory_entry &entry)
{
	const auto name = entry.path().filename().string();
	const bool packed = name.ends_with(packed_end);
	const auto end = packed ? packed_end : plain_end;
	if (name.size() != digits + end.size() || !name.ends_with(end))
		return std::nullopt;
	Segment segment{entry.path().string(), 0, packed, 0};
	const auto read = std::from_chars(name.data(), name.data() + digits, segment.first);
	if (read.ec != std::errc() || read.ptr != name.data() + digits)
		return std::nullopt;
	std::error_code ignored;
	segment.size = entry.file_size(ignored);
	return segment;
}

/// Cuts a stream of bytes into lines.
class Lines {
public:
	explicit Lines(const std::function<bool(std::string_view, bool)> &take) : take_(take) {}

	/// False: no more is wanted.
	bool add(std::string_view bytes)
	{
		while (!bytes.empty()) {
			const auto end = bytes.find('\n');
			if (end == std::string_view::npos) {
				kept_.append(bytes);
				return true;
			}
			const auto part = bytes.substr(0, end);
			bool more = false;
			if (kept_.empty()) {
				more = take_(part, true);
			} else {
				kept_.append(part);
				more = take_(kept_, true);
				kept_.clear();
			}
			if (!more)
				return false;
			bytes.remove_prefix(end + 1);
		}
		return true;
	}
	void finish()
	{
		if (!kept_.empty())
			(void)take_(kept_, false);
	}
	[[nodiscard]] bool is_too_long() const { return kept_.size() > longest_line; }

private:
	const std::function<bool(std::string_view, bool)> &take_;
	std::string kept_;
};

struct FreeContext {
	void operator()(ZSTD_DCtx *context) const { ZSTD_freeDCtx(context); }
	void operator()(ZSTD_CCtx *context) const { ZSTD_freeCCtx(context); }
};

/// Unpacks what add() gives it.
class Unpacker {
public:
	/// False: no more is wanted. Error: it is damaged.
	Result<bool> add(const std::string &bytes, Lines &lines)
	{
		ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
		while (in.pos < in.size) {
			ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
			left_ = ZSTD_decompressStream(context_.get(), &out, &in);
			if (ZSTD_isError(left_))
				return fail(ZSTD_getErrorName(left_));
			if (!lines.add({buffer_.data(), out.pos}))
				return false;
			if (lines.is_too_long())
				return true;
		}
		return true;
	}
	[[nodiscard]] bool is_whole() const { return left_ == 0; }

private:
	std::unique_ptr<ZSTD_DCtx, FreeContext> context_{ZSTD_createDCtx()};
	std::string buffer_ = std::string(ZSTD_DStreamOutSize(), '\0');
	std::size_t left_ = 0;
};

Result<std::size_t> read_some(const Fd &file, std::string &buffer, const std::string &path)
{
	for (;;) {
		const auto size = ::read(file.get(), buffer.data(), buffer.size());
		if (size >= 0)
			return static_cast<std::size_t>(size);
		if (errno != EINTR)
			return file_error("read", path);
	}
}

} // namespace

std::unexpected<Error> file_error(std::string_view doing, const std::string &path)
{
	return fail(fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)));
}

std::string segment_path(const std::string &directory, std::uint64_t first)
{
	return fmt::format("{}/{:016}{}", directory, first, plain_end);
}

Result<std::vector<Segment>> segments_of(const std::string &directory)
{
	std::vector<Segment> all;
	std::error_code problem;
	for (std::filesystem::directory_iterator at(directory, problem), end; !problem && at != end;
	     at.increment(problem))
		if (auto segment = segment_named(*at))
			all.push_back(std::move(*segment));
	if (problem)
		return fail(fmt::format("cannot read the journal {}: {}", directory, problem.message()));
	std::ranges::sort(all, {}, [](const Segment &each) { return std::pair(each.first, each.compressed); });
	const auto twice = std::ranges::unique(all, {}, &Segment::first);
	all.erase(twice.begin(), twice.end());
	return all;
}

Result<> read_lines(const Segment &segment, const std::function<bool(std::string_view, bool)> &take)
{
	const Fd file(::open(segment.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (!file)
		return file_error("read", segment.path);
	Lines lines(take);
	std::optional<Unpacker> unpacker;
	if (segment.compressed)
		unpacker.emplace();
	std::string buffer;
	for (;;) {
		buffer.resize(read_size);
		const auto size = read_some(file, buffer, segment.path);
		if (!size)
			return std::unexpected(size.error());
		if (*size == 0)
			break;
		buffer.resize(*size);
		const auto more = unpacker ? unpacker->add(buffer, lines) : Result<bool>(lines.add(buffer));
		if (!more)
			return fail(fmt::format("{} is damaged: {}", segment.path, more.error().message));
		if (!*more)
			return {};
		if (lines.is_too_long())
			return fail(fmt::format("{} is damaged: a line has more than {} bytes", segment.path,
						longest_line));
	}
	if (unpacker && !unpacker->is_whole())
		return fail(fmt::format("{} is damaged: it is cut off", segment.path));
	lines.finish();
	return {};
}

struct Compression::Impl {
	Segment segment;
	std::string path; ///< of what is being written
	Fd in;
	Fd out;
	std::unique_ptr<ZSTD_CCtx, FreeContext> context{ZSTD_createCCtx()};
	std::string read_buffer = std::string(ZSTD_CStreamInSize(), '\0');
	std::string write_buffer = std::string(ZSTD_CStreamOutSize(), '\0');
	bool done = false;

	Result<> pack(std::size_t size, ZSTD_EndDirective how)
	{
		ZSTD_inBuffer from{read_buffer.data(), size, 0};
		for (;;) {
			ZSTD_outBuffer to{write_buffer.data(), write_buffer.size(), 0};
			const auto left = ZSTD_compressStream2(context.get(), &to, &from, how);
			if (ZSTD_isError(left))
				return fail(
					fmt::format("cannot compress {}: {}", segment.path, ZSTD_getErrorName(left)));
			if (auto written = write_all(out, {write_buffer.data(), to.pos}, path); !written)
				return written;
			if (how == ZSTD_e_end ? left == 0 : from.pos == from.size)
				return {};
		}
	}
	Result<> finish()
	{
		if (auto packed = pack(0, ZSTD_e_end); !packed)
			return packed;
		if (::fdatasync(out.get()) != 0)
			return file_error("bring to the disk", path);
		const auto packed = segment.path + ".zst";
		if (::rename(path.c_str(), packed.c_str()) != 0)
			return file_error("rename", path);
		done = true;
		const auto directory = std::filesystem::path(packed).parent_path().string();
		if (auto synced = sync_directory(directory); !synced)
			return synced;
		return ::unlink(segment.path.c_str()) == 0 ? Result<>() : file_error("remove", segment.path);
	}
};

Compression::Compression(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Compression::Compression(Compression &&) noexcept = default;
Compression &Compression::operator=(Compression &&) noexcept = default;
Compression::~Compression()
{
	if (impl_ && !impl_->done)
		::unlink(impl_->path.c_str());
}

Result<Compression> Compression::begin(const Segment &segment)
{
	auto impl = std::make_unique<Impl>();
	impl->segment = segment;
	impl->path = segment.path + ".zst.part";
	impl->in = Fd(::open(segment.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (!impl->in)
		return file_error("read", segment.path);
	impl->out = Fd(::open(impl->path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
	if (!impl->out)
		return file_error("make", impl->path);
	ZSTD_CCtx_setParameter(impl->context.get(), ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(impl->context.get(), ZSTD_c_checksumFlag, 1);
	return Compression(std::move(impl));
}

Result<bool> Compression::step(std::size_t bytes)
{
	for (std::size_t done = 0; done < bytes;) {
		const auto size = read_some(impl_->in, impl_->read_buffer, impl_->segment.path);
		if (!size)
			return std::unexpected(size.error());
		if (*size == 0) {
			if (auto finished = impl_->finish(); !finished)
				return std::unexpected(std::move(finished).error());
			return true;
		}
		if (auto packed = impl_->pack(*size, ZSTD_e_continue); !packed)
			return std::unexpected(std::move(packed).error());
		done += *size;
	}
	return false;
}

Result<> sync_directory(const std::string &directory)
{
	const Fd handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!handle || ::fsync(handle.get()) != 0)
		return file_error("bring to the disk", directory);
	return {};
}

Result<> give_to_owner_of(const std::string &directory, const Fd &made)
{
	struct stat owner{};
	struct stat now{};
	if (::geteuid() != 0)
		return {};
	if (::stat(directory.c_str(), &owner) != 0 || ::fstat(made.get(), &now) != 0)
		return file_error("read", directory);
	if (owner.st_uid == now.st_uid || ::fchown(made.get(), owner.st_uid, static_cast<gid_t>(-1)) == 0)
		return {};
	return file_error("give its files to the owner of", directory);
}

Result<> write_all(const Fd &file, std::string_view bytes, const std::string &path)
{
	while (!bytes.empty()) {
		const auto size = ::write(file.get(), bytes.data(), bytes.size());
		if (size > 0)
			bytes.remove_prefix(static_cast<std::size_t>(size));
		else if (size == 0 || errno != EINTR)
			return file_error("write to", path);
	}
	return {};
}

Result<> replace_file(const std::string &path, std::string_view content, unsigned mode)
{
	const auto fresh = path + ".part";
	const auto directory = std::filesystem::path(path).parent_path().string();
	{
		::unlink(fresh.c_str()); // of one that was interrupted
		const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
		if (!file)
			return file_error("make", fresh);
		if (auto written = write_all(file, content, fresh); !written)
			return written;
		if (auto given = give_to_owner_of(directory, file); !given)
			return given;
		if (::fdatasync(file.get()) != 0)
			return file_error("bring to the disk", fresh);
	}
	if (::rename(fresh.c_str(), path.c_str()) != 0)
		return file_error("rename", fresh);
	return sync_directory(directory);
}

Result<std::string> read_small_file(const std::string &path)
{
	const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (!file)
		return errno == ENOENT ? fail(Exit::absent, path + " isn't there") : file_error("read", path);
	std::string content(4096, '\0');
	const auto size = read_some(file, content, path);
	if (!size)
		return std::unexpected(size.error());
	content.resize(*size);
	return content;
}

} // namespace weir::journal
