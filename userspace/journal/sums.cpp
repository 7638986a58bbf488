// SPDX-License-Identifier: Apache-2.0
#include "journal/sums.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <exception>
#include <utility>

namespace weir::journal {
namespace {

std::string complaint_of(std::string_view line, std::uint64_t records)
{
	const auto root = nlohmann::json::parse(line);
	const auto weir = root.find("weir");
	if (weir == root.end() || !weir->contains("checkpoint"))
		return "";
	const auto &stated = weir->at("checkpoint");
	const auto number = [&](const char *key) { return stated.at(key).get<std::uint64_t>(); };
	if (number("records") != records)
		return fmt::format("the checkpoint is of {} records, {} stand before it", number("records"), records);
	if (!stated.contains("refused"))
		return "";
	const auto judged = number("refused") + number("observed");
	const auto told = number("reported") + number("merged") + number("summed") + number("lost");
	if (judged != told)
		return fmt::format("{} were refused or observed, but {} reported, merged, summed or lost", judged,
				   told);
	return "";
}

} // namespace

std::string Sums::close(std::string_view checkpoint)
{
	const auto records = std::exchange(records_, 0) - 1; // without the checkpoint
	try {
		return complaint_of(checkpoint, records);
	} catch (const std::exception &problem) {
		return fmt::format("the checkpoint's numbers can't be read: {}", problem.what());
	}
}

} // namespace weir::journal
