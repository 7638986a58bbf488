// SPDX-License-Identifier: Apache-2.0
// What the ways of showing a policy share. Internal.
#pragma once

#include "policy/model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::policy {

using Cells = std::vector<std::string>;

/// Columns that the page has not, and that a policy has only where a row of it says something there.
struct MoreColumns {
	bool user = false;
	bool journal = false;
	bool page = false;
	bool window = false;

	explicit MoreColumns(const BoundPolicy &);
	void append_header(Cells &) const;
	void append(Cells &, const BoundRow &) const;
	void append(Cells &, const Row &) const; ///< of a row that is off
};

std::string joined(const std::vector<std::string> &words); ///< with commas
std::string where_of(const Scope &); ///< "edge", or as in Scope::cgroup
std::vector<std::string> zone_names(std::uint8_t zones);
std::string zones_text(std::uint8_t zones);
std::vector<std::string> ethertype_texts(const Edge &);
std::string prefixes_text(const std::vector<Prefix> &); ///< the first few

} // namespace weir::policy
