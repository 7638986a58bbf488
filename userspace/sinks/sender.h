// SPDX-License-Identifier: Apache-2.0
// A sink: a bounded queue, and a thread that brings what is in it to one place. Whoever fills it never waits.
#pragma once

#include "sinks/carrier.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace weir::sinks {

/// What a sink has done since it began. offered = sent + waiting + dropped, but for records of sinks that found the
/// queue full: those are not counted, as they would be the next record's reason.
struct Figures {
	std::uint64_t sent = 0;    ///< taken by the other side, or on their way
	std::uint64_t waiting = 0;
	std::uint64_t dropped = 0; ///< the queue was full, or no such message can be taken
	std::uint64_t failures = 0; ///< how often it broke, or could not be opened
	bool is_open = false;
	std::string problem; ///< "" when all is well
};

class Sender {
public:
	/// Signals that others are to get have to be blocked before. `carrier`: of that address; tests have their own.
	explicit Sender(Address address);
	Sender(Address address, std::unique_ptr<Carrier> carrier);
	Sender(const Sender &) = delete;
	Sender &operator=(const Sender &) = delete;
	~Sender();

	/// Lines of JSON, each with its newline. Copies what there is room for; the newest is dropped.
	void offer(std::string_view lines);
	/// What waits is sent until then; the rest is dropped. Ends the thread.
	void close(std::chrono::steady_clock::time_point);

	[[nodiscard]] Figures figures() const;
	[[nodiscard]] const std::string &name() const { return address_.name; }

private:
	struct Item {
		std::string text;
		std::size_t size = 0; ///< counted in bytes_
		bool is_message = false; ///< message_for() was done
	};
	void work();
	bool take();
	bool open();
	[[nodiscard]] bool is_open() const;
	void send_first();
	void broke(const std::string &why);
	void is_well();
	void end();

	Address address_;
	std::unique_ptr<Carrier> carrier_;
	Patience patience_;

	// Of the thread.
	std::deque<Item> pending_;
	std::chrono::milliseconds backoff_;
	std::chrono::steady_clock::time_point broke_at_{};

	mutable std::mutex mutex_;
	std::condition_variable changed_;
	std::deque<Item> queue_;
	std::size_t bytes_ = 0; ///< of queue_ and pending_
	bool closing_ = false;
	Figures figures_;

	std::thread thread_; ///< the last: it uses all of the others
};

} // namespace weir::sinks
