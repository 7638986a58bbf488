// SPDX-License-Identifier: Apache-2.0
// Where the daemon's lines go: a file that grows, or the standard output. Nothing is dropped in silence.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::daemon {

class Sink {
public:
	/// "-" is the standard output. A file is made with mode 0640 and only ever appended to; if its last line has
	/// no end (a crash in the middle of a write), the next line starts on a line of its own.
	static Result<Sink> open(std::string path);
	/// What is open already: a socket.
	static Sink of(Fd, std::string name);

	/// Lines are appended here, whole, with their newline.
	[[nodiscard]] std::string &buffer() { return buffer_; }

	/// Lines that were appended since the last call: for those that get a copy. Before write_out(), which forgets
	/// what it has written.
	std::string_view take_new();

	/// Writes what can be written without waiting. True: nothing is left. False: try again, problem() says why
	/// ("" when the reader is only slow). Error: it will never go on (the reader of a pipe is gone).
	Result<bool> write_out();

	/// For logrotate: opens the path anew. A line that was cut is written to the new file from its start. On an
	/// error the old file stays in use. Of the standard output: nothing happens.
	Result<> reopen();

	/// fdatasync() for files.
	Result<> sync();

	[[nodiscard]] std::size_t waiting() const { return buffer_.size() - written_; } ///< bytes
	[[nodiscard]] bool is_full() const { return waiting() >= bound; }
	[[nodiscard]] bool is_empty() const { return buffer_.size() == written_; }
	[[nodiscard]] const std::string &problem() const { return problem_; }
	[[nodiscard]] const std::string &name() const { return name_; }
	[[nodiscard]] std::uint64_t unwritten_lines() const;
	[[nodiscard]] int fd() const { return file_.get(); }

	static constexpr std::size_t batch = 256u << 10; ///< bytes gathered before a write in the middle of a flood
	static constexpr std::size_t bound = 2u << 20;   ///< bytes held while the output does not take any

private:
	Sink() = default;
	Result<> open_file();

	std::string path_; ///< "" = standard output
	std::string name_;
	Fd file_;
	bool regular_ = false;
	bool was_cut_ = false; ///< the output ends in the middle of a line that was not ours
	std::string buffer_;
	std::size_t written_ = 0; ///< bytes of the buffer that are out
	std::size_t copied_ = 0;  ///< bytes of the buffer that take_new() gave
	std::string problem_;
};

} // namespace weir::daemon
