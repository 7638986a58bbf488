// SPDX-License-Identifier: Apache-2.0
// From what the kernel counts and the records tell to what is shown: rates over intervals. Pure, no clock.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"
#include "top/refusal.h"
#include "top/talkers.h"
#include "top/view.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::top {

/// The kernel, asked once.
struct Sample {
	Result<kernel::State> state; ///< Exit::absent: not loaded
	/// Another one by the same name has another: its counters began anew. 0: there is none.
	std::uint64_t identity = 0;
	std::int64_t unix_ns = 0;
	std::uint64_t boot_ns = 0;
	std::int64_t monotonic_ns = 0; ///< rates are by this clock, which nobody sets
	RecordState record{}; ///< but for `since`
};

class Model {
public:
	explicit Model(std::string instance, std::size_t most_talkers = 4096)
		: instance_(std::move(instance)), peers_(most_talkers), processes_(most_talkers)
	{}

	/// `is_past`: it was in the file before anybody watched.
	void add(const Refusal &, bool is_past);
	/// Ends an interval. The first one has no length, and no rates.
	void end_interval(Sample);
	[[nodiscard]] const View &view() const { return view_; }

private:
	/// What the kernel said when it last said something.
	struct Before {
		std::uint64_t identity = 0; ///< 0: it has not said anything yet
		std::uint32_t generation = 0;
		std::int64_t monotonic_ns = 0;
		kernel::Counters counters;
		std::vector<std::uint64_t> tallies;
	};
	using Figure = __u64 weir_counter::*;
	[[nodiscard]] Rate sum_of(const kernel::Counters &, bool same, Figure, std::size_t first,
				  std::size_t count) const;
	void show_rows(const kernel::State &, bool same);
	void show_gates(const kernel::State &, bool same);
	void show_windows(const kernel::State &);

	std::string instance_;
	TalkerTable peers_, processes_;
	std::int64_t since_ = 0;
	std::int64_t ended_ = 0; ///< monotonic, ns: the interval before; 0: there was none
	double span_ = 0;        ///< seconds since `before_`
	bool was_absent_ = false;
	Before before_;
	View view_;
};

} // namespace weir::top
