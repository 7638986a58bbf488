// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace weir {

/// std::ranges::contains(), which GCC 12 hasn't got.
template <typename Range, typename T>
bool is_among(const Range &range, const T &value)
{
	return std::ranges::find(range, value) != range.end();
}

} // namespace weir
