// SPDX-License-Identifier: Apache-2.0
// Every way of sending that a process on Linux has, each by its name. Used by the lab, by weir-try and the demo.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace weir::test {

enum class Reach {
	refused,   ///< EPERM or EACCES
	connected, ///< a connection stands
	answered,  ///< sent, and an answer came
	sent,      ///< sent as far as the sender can tell
	timeout,   ///< a connection that nobody answered
	reset,     ///< ECONNREFUSED: something on the other side did answer
	failed,    ///< any other error
	skipped,   ///< this kernel hasn't got it
};

struct Outcome {
	Reach reach = Reach::failed;
	int error = 0; ///< errno
	std::string note;
	[[nodiscard]] std::string text() const; ///< "refused EPERM", "connected", ...
	/// Nothing that the sender saw says that a packet left.
	[[nodiscard]] bool is_stopped() const { return reach == Reach::refused || reach == Reach::timeout; }
};

struct Target {
	std::string address; ///< of the attempt's family
	std::uint16_t port = 443;
};

struct Attempt {
	const char *name; ///< "tcp4-fastopen"
	int family;       ///< of the target's address: 4 or 6
	const char *what; ///< for people
	Outcome (*run)(const Target &);
	/// The boundary can't see it; status and documentation say so.
	bool is_residual = false;
};

std::span<const Attempt> socket_attempts();
std::span<const Attempt> raw_attempts();
std::span<const Attempt> other_attempts();
const Attempt *find_attempt(std::string_view name); ///< nullptr: there is none

// ---- pieces that tests use, too

/// What a failed call, or a successful one, means.
Outcome outcome_of(ssize_t result, Reach success = Reach::sent);
/// Connect a stream socket (non-blocking, closes nothing), send a line and wait for its echo.
Outcome connect_stream(int fd, const Target &, int timeout_ms = 300);
/// After a datagram was sent: did an answer come?
Outcome await_answer(int fd, Outcome sent, int timeout_ms = 200);
/// Send text and get it back: an established connection still carries data both ways.
bool echoes(int fd, int timeout_ms = 500);

} // namespace weir::test
