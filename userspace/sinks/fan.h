// SPDX-License-Identifier: Apache-2.0
// All sinks of a daemon.
#pragma once

#include "audit/sink_record.h"
#include "sinks/sender.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sinks {

class Fan {
public:
	using Clock = std::chrono::steady_clock;

	void add(Address address) { add(std::make_unique<Sender>(std::move(address))); }
	void add(std::unique_ptr<Sender> sender) { places_.push_back({.sender = std::move(sender)}); }

	[[nodiscard]] bool any() const { return !places_.empty(); }
	/// Never waits, never fails: what a sink has no room for it counts.
	void offer(std::string_view lines);
	/// What is news since the last call: to be called each second or so. Losses are said every ten seconds at most.
	std::vector<audit::SinkRecord> news(Clock::time_point now);
	/// The sinks have until then to send what waits; those that don't get there are closed, the others can be offered
	/// some last lines. Gives what is news after that.
	std::vector<audit::SinkRecord> settle(Clock::time_point end);
	/// The sinks have until then to send what waits. Gives what is news after that.
	std::vector<audit::SinkRecord> close(Clock::time_point end);

	[[nodiscard]] std::vector<std::pair<std::string, Figures>> figures() const; ///< by name

private:
	struct Place {
		std::unique_ptr<Sender> sender;
		bool is_bad = false; ///< was said
		std::uint64_t dropped_said = 0;
		Clock::time_point next_loss{};
	};
	static void tell(Place &, Clock::time_point now, bool last, std::vector<audit::SinkRecord> &news);

	std::vector<Place> places_;
};

} // namespace weir::sinks
