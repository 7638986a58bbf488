// SPDX-License-Identifier: Apache-2.0
#include "daemon/row_names.h"

#include "compile/image.h"
#include "policy/policy.h"

#include <malloc.h>

#include <ctime>

namespace weir::daemon {

std::string_view RowNames::of(std::uint32_t generation, std::uint32_t row)
{
	if (row == WEIR_NO_ROW || generation == 0 || generation < generation_)
		return "";
	if (generation > generation_) {
		timespec now{};
		::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
		if (asked_at_ != 0 && now.tv_sec - asked_at_ < 1)
			return "";
		asked_at_ = now.tv_sec;
		read();
	}
	return generation == generation_ && row < ids_.size() ? std::string_view(ids_[row]) : "";
}

void RowNames::forget()
{
	generation_ = 0;
	asked_at_ = 0;
	ids_.clear();
}

void RowNames::read()
{
	{
		const auto image = broker_.read_image();
		if (!image)
			return;
		const auto text = text_of(*image);
		auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
		if (!policy)
			return;
		ids_.clear();
		ids_.reserve(policy->rows.size());
		for (auto &bound : policy->rows)
			ids_.push_back(std::move(bound.row.id));
		generation_ = image->header().generation;
	}
	::malloc_trim(0); // a large policy was here for a moment; the daemon's memory is not to keep its size
}

} // namespace weir::daemon
