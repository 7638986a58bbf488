// SPDX-License-Identifier: Apache-2.0
// What the columns of a row may say; for the reader of files and the reader of pages alike. Internal.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// Names that mean the same on every site.
constexpr std::string_view localhost_name = "localhost";
constexpr std::string_view internet_name = "Internet";
constexpr bool is_builtin_name(std::string_view name)
{
	return name == localhost_name || name == internet_name;
}

/// The one value that a row's `zone` may have.
constexpr std::string_view tunnel_zone = "tunnel";

/// The one value of `journal`, of a row or a site.
constexpr std::string_view required = "required";

std::string_view text_of(Direction);
std::string_view text_of(Status);
std::optional<Direction> direction_from(std::string_view);
std::optional<Status> status_from(std::string_view);
const std::vector<std::string> &types();
bool is_type(std::string_view);

/// The row's own side has to be a component: `out` from Internet can't be. The error is a phrase, as of
/// parse_service().
Result<> check_sides(const Row &);

/// The columns of the page, as text, in its order: dir, source, destination, port, service, type, status, comment.
std::vector<std::string> columns_of(const Row &);

} // namespace weir::policy
