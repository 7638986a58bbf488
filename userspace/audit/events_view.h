// SPDX-License-Identifier: Apache-2.0
// Reading a journal of JSON lines: choosing records, showing them, following the file over its rotation.
#pragma once

#include "audit/filter.h"
#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir::audit {

/// RFC 3339 with a zone ("2026-11-24T12:03:04.5Z", "...+01:00") as UNIX time in ns.
std::optional<std::int64_t> parse_time(std::string_view);
/// The same, or an age: "90s", "30m", "4h", "7d" before `now`.
Result<std::int64_t> parse_since(std::string_view, std::int64_t now);

/// "2026-11-24 13:03:04 CET": for people, in the local zone.
std::string local_time(std::int64_t unix_ns);

/// `text` with U+FFFD for whatever could steer a terminal or reorder a line.
std::string printable(std::string_view text);

/// Shows lines: one for each record that the filter admits.
class EventsView {
public:
	struct Style {
		bool json = false;  ///< pass the line on as it is
		bool color = false;
		std::uint64_t count = 0; ///< stop after so many records; 0: never
		/// With json: what is passed on in the line's place. An error is a warning.
		std::function<Result<std::string>(std::string_view line)> convert{};
	};
	using Write = std::function<void(std::string_view line)>; ///< newline included

	/// `show` gets the records, `warn` what could not be read.
	EventsView(Filter filter, Style style, Write show, Write warn);

	/// One line of the file, without its newline. A malformed line is a warning with its number.
	void line(std::string_view);
	/// What stands behind the last newline at the end of a file that is not followed.
	void torn(std::string_view);
	void reset_numbers() { number_ = 0; } ///< another file begins
	[[nodiscard]] bool done() const { return style_.count != 0 && shown_ >= style_.count; }

private:
	void show_day(std::int64_t time);

	Chooser chooser_;
	Style style_;
	Write show_;
	Write warn_;
	std::uint64_t number_ = 0;
	std::uint64_t shown_ = 0;
	std::string day_;
};

/// Lines of a growing file, as `tail -F` gives them.
class Follower {
public:
	/// "-" is the standard input. The file need not exist yet when it is followed.
	explicit Follower(std::string path);

	/// Takes what is there now; of the standard input, waits for something. 0: nothing new, or no whole line. A
	/// file that was replaced is read to its end first, then the new one; one that became shorter is read from
	/// its start. Error: the file can't be read.
	Result<std::size_t> take(EventsView &);
	/// Hands over what stands behind the last newline.
	void finish(EventsView &);
	[[nodiscard]] bool is_open() const { return static_cast<bool>(file_); }
	[[nodiscard]] bool at_end() const { return at_end_; } ///< the last take() came to the end of what is there

private:
	Result<std::size_t> read_on(EventsView &);
	void start_over(EventsView &);

	std::string path_;
	Fd file_;
	std::uint64_t offset_ = 0;
	std::string rest_;     ///< of a line whose newline has not come
	bool at_end_ = false;
	bool skipping_ = false; ///< in a line past any sense
};

} // namespace weir::audit
