// SPDX-License-Identifier: Apache-2.0
// One change to a good file, and the whole text of the error that it must give.
#pragma once

#include "base/result.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

namespace weir::policy {

struct BadFile {
	std::string_view name;
	std::string_view from; ///< in the good file, its first occurrence
	std::string_view to;
	std::string_view message;

	[[nodiscard]] std::string text(std::string_view good) const
	{
		std::string text(good);
		const std::size_t at = text.find(from);
		EXPECT_NE(at, std::string::npos) << name;
		return text.replace(at, from.size(), to);
	}
};

inline void PrintTo(const BadFile &bad, std::ostream *out)
{
	*out << bad.name;
}

/// The message of an error; says so when there is none.
template <typename T>
std::string message_of(const Result<T> &result)
{
	if (result) {
		return "no error";
	}
	EXPECT_EQ(result.error().code, Exit::policy);
	return result.error().message;
}

inline std::string name_of(const testing::TestParamInfo<BadFile> &info)
{
	return std::string(info.param.name);
}

} // namespace weir::policy
