// SPDX-License-Identifier: Apache-2.0
#include "daemon/row_names.h"

#include "compile/image.h"
#include "policy/policy.h"

#include <malloc.h>

#include <ctime>

namespace weir::daemon {
namespace {

constexpr std::size_t most_former = 16; ///< more than follow one another in a second

} // namespace

const RowName &RowNames::of(std::uint32_t generation, std::uint32_t row)
{
	static const RowName none;
	if (row == WEIR_NO_ROW || generation == 0)
		return none;
	if (generation > generation_) {
		timespec now{};
		::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
		if (asked_at_ != 0 && now.tv_sec - asked_at_ < 1)
			return none;
		asked_at_ = now.tv_sec;
		read();
	}
	if (generation == generation_)
		return row < rows_.size() ? rows_[row] : none;
	for (const auto &[former, rows] : former_)
		if (const auto found = rows.find(row); former == generation && found != rows.end())
			return found->second;
	return none;
}

void RowNames::see(std::uint32_t generation)
{
	if (generation == seen_ || generation == generation_)
		return;
	const auto flags = broker_.read_flags();
	if (!flags)
		return;
	seen_ = generation;
	if ((*flags & WEIR_IMAGE_DEADLINES) != 0)
		read();
}

void RowNames::forget()
{
	generation_ = seen_ = 0;
	asked_at_ = 0;
	rows_.clear();
	former_.clear();
}

void RowNames::keep_windows()
{
	std::map<std::uint32_t, RowName> windows;
	for (std::uint32_t row = 0; row < rows_.size(); ++row)
		if (!rows_[row].window.empty())
			windows.emplace(row, std::move(rows_[row]));
	if (!windows.empty())
		former_.emplace_back(generation_, std::move(windows));
	if (former_.size() > most_former)
		former_.pop_front();
}

void RowNames::read()
{
	{
		const auto image = broker_.read_image();
		if (!image)
			return;
		const auto text = text_of(*image);
		auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
		if (!policy || image->header().generation == generation_)
			return;
		keep_windows();
		rows_.clear();
		rows_.reserve(policy->rows.size());
		for (auto &bound : policy->rows)
			rows_.push_back({std::move(bound.row.id), std::move(bound.window)});
		generation_ = image->header().generation;
	}
	::malloc_trim(0); // a large policy was here for a moment; the daemon's memory is not to keep its size
}

} // namespace weir::daemon
