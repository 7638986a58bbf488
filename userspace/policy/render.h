// SPDX-License-Identifier: Apache-2.0
// The effective matrix of a site, in the page's columns.
#pragma once

#include "policy/model.h"

#include <string>

namespace weir::policy {

std::string as_table(const BoundPolicy &);    ///< for a terminal
std::string as_markdown(const BoundPolicy &); ///< as on the page
std::string as_json(const BoundPolicy &);     ///< with the addresses that the names stand for

} // namespace weir::policy
