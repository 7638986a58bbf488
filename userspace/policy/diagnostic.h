// SPDX-License-Identifier: Apache-2.0
// Errors in files: where, what, the line itself, and what to do.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::policy {

/// policies/site.toml:12:8: error: WHAT
///    12 | port = "TCP/0"
///       |        ^
///   HINT
/// Columns count characters from 1; column 0 = the whole line. Without a line in `text`, the line is left out.
/// Always Exit::policy.
std::unexpected<Error> error_at(std::string_view text, const Place &, std::string_view what,
				std::string_view hint = {});

/// "WHAT\nHINT", as parse_service() gives it, shown at a place.
std::unexpected<Error> error_at(std::string_view text, const Place &, const Error &phrase);

/// At the place of a row, whose file is read again for the line. A row that is from no file is named by its id.
std::unexpected<Error> error_at_row(const Row &, std::string_view what, std::string_view hint);

/// Of a byte of the text, by its offset.
Place place_in(std::string_view text, std::size_t offset, const std::string &file);

/// The text without its byte order mark, when it is UTF-8 that a person can read and not empty. `what` names the
/// kind of file for the message: "a matrix file".
Result<std::string_view> checked_text(std::string_view text, const std::string &file, std::string_view what);

/// Bound on files that are read: a matrix of 100,000 rows has a quarter of it.
constexpr std::size_t file_limit = std::size_t{64} << 20;

/// The file's content. Errors: it can't be read, is a directory, or is past the bound (all Exit::policy).
Result<std::string> read_file(const std::string &path);

} // namespace weir::policy
