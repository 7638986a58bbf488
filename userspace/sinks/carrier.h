// SPDX-License-Identifier: Apache-2.0
// What brings messages to one place. Used by one thread, which may wait.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sinks/address.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace weir::sinks {

/// How that thread waits: never past the end that the daemon has set, once it has.
class Patience {
public:
	Patience();
	/// True: one of `events`, or an error, is there. False: not in that time.
	[[nodiscard]] bool wait(int fd, short events, std::chrono::milliseconds longest) const;
	/// For so long, or until end_at() is called.
	void pause(std::chrono::milliseconds) const;
	/// From any thread: all waiting ends by then.
	void end_at(std::chrono::steady_clock::time_point);
	[[nodiscard]] bool is_over() const;

private:
	Fd ending_; ///< an eventfd, readable from end_at() on
	std::atomic<std::int64_t> end_; ///< of the steady clock, ns
};

class Carrier {
public:
	Carrier() = default;
	Carrier(const Carrier &) = delete;
	Carrier &operator=(const Carrier &) = delete;
	virtual ~Carrier() = default;

	/// Opens the file, connects. Error: it can be tried again.
	virtual Result<> open(const Patience &) = 0;
	/// That it can be opened shows that somebody is there. Not so with UDP.
	[[nodiscard]] virtual bool open_proves() const { return true; }
	/// True: taken. False: it can never be taken, such as a message that is too long. Error: it was not taken, and
	/// nothing will be before the next open().
	virtual Result<bool> send(const std::string &message, const Patience &) = 0;
	/// Is all well, with nothing to send? Error: as of send().
	virtual Result<> look() { return {}; }
	/// Waits until the other side has all that was sent.
	virtual void finish(const Patience &) {}
	/// Messages that were taken, and may not have arrived when it broke: to be sent again.
	virtual std::deque<std::string> take_unconfirmed() { return {}; }
};

std::unique_ptr<Carrier> make_carrier(const Address &);

// One for each kind.
std::unique_ptr<Carrier> make_file(const Address &);
std::unique_ptr<Carrier> make_datagrams(const Address &);
std::unique_ptr<Carrier> make_journald(const Address &);
std::unique_ptr<Carrier> make_stream(const Address &);

/// A socket that doesn't block, connected to one of the host's addresses. `type`: SOCK_STREAM or SOCK_DGRAM.
Result<Fd> connect_to(const Address &, int type, const Patience &);
/// The same of a socket in the file system, of datagrams.
Result<Fd> connect_to_path(const std::string &path);

/// How long a connection, or a peer that takes nothing, is waited for.
constexpr std::chrono::seconds connect_time{10}, stall_time{30};

} // namespace weir::sinks
