// SPDX-License-Identifier: Apache-2.0
#include "policy/diagnostic.h"

#include "base/fd.h"
#include "policy/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace weir::policy {
namespace {

constexpr std::size_t excerpt_width = 110;

std::optional<std::string_view> line_of(std::string_view text, unsigned line)
{
	for (; line > 1; line--) {
		const std::size_t end = text.find('\n');
		if (end == std::string_view::npos) {
			return std::nullopt;
		}
		text.remove_prefix(end + 1);
	}
	text = text.substr(0, text.find('\n'));
	if (text.ends_with('\r')) {
		text.remove_suffix(1);
	}
	return line == 0 ? std::nullopt : std::optional(text);
}

// A hidden character in a message would do to the terminal what it was refused for.
std::vector<std::string> visible_characters(std::string_view line)
{
	std::vector<std::string> characters;
	for (std::size_t at = 0; at < line.size();) {
		const std::size_t start = at;
		const std::optional<char32_t> point = next_code_point(line, at);
		const bool hidden = !point || (is_hidden(*point) && *point != '\t');
		characters.emplace_back(hidden ? "?" : std::string(line.substr(start, at - start)));
	}
	return characters;
}

std::string excerpt(std::string_view line, const Place &place)
{
	const std::vector<std::string> characters = visible_characters(line);
	const std::size_t column = std::min<std::size_t>(place.column, characters.size() + 1);
	const std::size_t from = column > excerpt_width * 3 / 4 ? column - excerpt_width / 2 : 0;
	const std::size_t to = std::min(characters.size(), from + excerpt_width);

	std::string number = std::to_string(place.line);
	number.insert(0, number.size() < 5 ? 5 - number.size() : 0, ' ');
	std::string shown = from > 0 ? "..." : "";
	std::string marker = from > 0 ? "   " : "";
	for (std::size_t index = from; index < to; index++) {
		shown += characters[index];
		if (index + 1 < column) {
			marker += characters[index] == "\t" ? '\t' : ' ';
		}
	}
	if (to < characters.size()) {
		shown += "...";
	}
	std::string out = '\n' + number + " | " + shown;
	if (place.column > 0) {
		out += '\n' + std::string(number.size(), ' ') + " | " + marker + '^';
	}
	return out;
}

} // namespace

Place place_in(std::string_view text, std::size_t offset, const std::string &file)
{
	Place place{file, 1, 1};
	for (std::size_t at = 0; at < offset;) {
		if (text[at] == '\n') {
			place.line++;
			place.column = 0;
		}
		next_code_point(text, at);
		place.column++;
	}
	return place;
}

std::unexpected<Error> error_at(std::string_view text, const Place &place, std::string_view what, std::string_view hint)
{
	std::string message = place.file;
	if (place.line > 0) {
		message += ':' + std::to_string(place.line);
		if (place.column > 0) {
			message += ':' + std::to_string(place.column);
		}
	}
	message += message.empty() ? "error: " : ": error: ";
	message += what;
	if (const auto line = line_of(text, place.line); line && !text.empty()) {
		message += excerpt(*line, place);
	}
	if (!hint.empty()) {
		message += "\n  ";
		message += hint;
	}
	return fail(Exit::policy, std::move(message));
}

std::unexpected<Error> error_at(std::string_view text, const Place &place, const Error &phrase)
{
	const std::string_view message = phrase.message;
	const std::size_t end = message.find('\n');
	return error_at(text, place, message.substr(0, end),
			end == std::string_view::npos ? std::string_view{} : message.substr(end + 1));
}

std::unexpected<Error> error_at_row(const Row &row, std::string_view what, std::string_view hint)
{
	if (row.place.line == 0) {
		return error_at({}, {}, "row " + in_quotes(row.id) + ": " + std::string(what), hint);
	}
	const Result<std::string> text = read_file(row.place.file);
	return error_at(text ? std::string_view(*text) : std::string_view(), row.place, what, hint);
}

Result<std::string_view> checked_text(std::string_view text, const std::string &file, std::string_view what)
{
	if (text.size() > file_limit) {
		return error_at({}, {file, 0, 0},
				std::string(what) + " of more than " + std::to_string(file_limit >> 20) +
					" MiB is not read");
	}
	if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
		return error_at({}, {file, 1, 0}, "the text is UTF-16", "save the file as UTF-8");
	}
	if (text.starts_with("\xef\xbb\xbf")) {
		text.remove_prefix(3);
	}
	bool blank = true;
	for (std::size_t at = 0; at < text.size();) {
		const std::size_t start = at;
		const std::optional<char32_t> point = next_code_point(text, at);
		const bool space = point && (*point == '\t' || *point == '\n' || *point == '\r' || *point == ' ');
		if (!point) {
			return error_at(text, place_in(text, start, file), "this is not UTF-8",
					"save the file as UTF-8");
		}
		if (!space && is_hidden(*point)) {
			return error_at(text, place_in(text, start, file),
					"the character " + in_quotes(text.substr(start, at - start)) +
						" cannot be seen",
					"take it out: what is approved has to be what is read");
		}
		blank = blank && space;
	}
	if (blank) {
		return error_at({}, {file, 0, 0}, "the file is empty", std::string(what) + " is wanted");
	}
	return text;
}

Result<std::string> read_file(const std::string &path)
{
	const auto wrong = [&](std::string_view what, std::string_view hint = {}) {
		return error_at({}, {path, 0, 0}, what, hint);
	};
	const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
	if (!file) {
		return wrong(std::string("cannot be opened: ") + std::strerror(errno));
	}
	struct stat status{};
	if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
		return wrong("is a directory", "give a file");
	}
	std::string text;
	std::vector<char> buffer(std::size_t{1} << 16);
	for (;;) {
		const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return wrong(std::string("cannot be read: ") + std::strerror(errno));
		}
		if (got == 0) {
			return text;
		}
		text.append(buffer.data(), static_cast<std::size_t>(got));
		if (text.size() > file_limit) {
			return wrong("has more than " + std::to_string(file_limit >> 20) + " MiB",
				     "a matrix of 100,000 rows is smaller: is this the right file?");
		}
	}
}

} // namespace weir::policy
