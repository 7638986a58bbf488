// SPDX-License-Identifier: Apache-2.0
// Do a checkpoint's numbers agree with themselves and with the records before it?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::journal {

/// A checkpoint's record has, where the daemon made it:
///   "weir":{"checkpoint":{"records":N,"refused":N,"observed":N,"reported":N,"merged":N,"summed":N,"lost":N}}
/// `records`: so many since the last checkpoint. The others are the kernel's counters since the instance was loaded.
class Sums {
public:
	void add() { records_++; } ///< a record, or the checkpoint itself
	/// "" or what does not add up; the next checkpoint's records are counted from here.
	std::string close(std::string_view checkpoint);

private:
	std::uint64_t records_ = 0;
};

} // namespace weir::journal
