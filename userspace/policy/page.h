// SPDX-License-Identifier: Apache-2.0
// The published page: tables in Markdown, or in the text of the page.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// The tables of the page as matrices, one for each scenario and component that has a table: node-native,
/// researcher-native, node-vpn, researcher-vpn, node-docker, researcher-docker, installation. Each error names
/// the page's line.
Result<std::vector<Matrix>> import_page(std::string_view text, const std::string &file);

/// The matrix as a file that parse_matrix() reads back to the same matrix.
std::string to_toml(const Matrix &);

/// Rows of `policy` that the page's table lacks, and the other way round, as text of a unified-diff look; ""
/// when they hold the same rows, column for column (ids, which the page has not, are not compared). Rows that say
/// that the page has them not (Row::on_page) are left out.
std::string difference(const Matrix &policy, const Matrix &page);

/// Those rows, as difference() writes them, with zone and user.
std::vector<std::string> beyond_page(const Matrix &policy);

/// Rows of the page that are held to a user, of whom the page says nothing: they admit less than it does.
std::vector<std::string> narrower_than_page(const Matrix &policy);

} // namespace weir::policy
