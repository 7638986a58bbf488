// SPDX-License-Identifier: Apache-2.0
// Processes of the tests: forked children that run a function somewhere else, and programs that are executed.
// Every child dies with the test (PR_SET_PDEATHSIG) and is ended by its own pid, never by a name.
#pragma once

#include "base/fd.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::test {

using Millis = std::chrono::milliseconds;

/// Where a child runs.
struct Spot {
	int netns = -1;     ///< descriptor of a network namespace; -1: where the test is
	std::string cgroup; ///< absolute directory in cgroup2; "": where the test is
	int user = -1;      ///< uid; -1: the test's
};

/// Move the calling process. Throws std::runtime_error.
void enter(const Spot &);
/// Make it another user's, who may make raw sockets all the same.
void become(int user);
/// Move the calling process into a cgroup (its absolute directory).
void enter_cgroup(const std::string &directory);

/// Both ends of a conversation of whole messages between a test and its child.
class Channel {
public:
	explicit Channel(Fd fd) : fd_(std::move(fd)) {}
	void send(const std::string &message) const;
	/// nullopt: time is over, or the other end is gone.
	[[nodiscard]] std::optional<std::string> receive(Millis timeout) const;
	/// Of a child: waits for what it is asked, however long the test takes. nullopt: the test is gone.
	[[nodiscard]] std::optional<std::string> next() const { return receive(Millis(-1)); }
	[[nodiscard]] int fd() const { return fd_.get(); }

private:
	Fd fd_;
};

/// A forked child. Killed and reaped on destruction.
class Child {
public:
	/// `body` runs in the child, which ends when it returns; an exception is sent as "error: ...".
	Child(const Spot &, const std::function<void(Channel &)> &body);
	Child(Child &&) noexcept;
	Child &operator=(Child &&) noexcept;
	~Child();

	[[nodiscard]] pid_t pid() const { return pid_; }
	[[nodiscard]] const Channel &channel() const { return channel_; }
	/// Send a message and wait for the answer; throws std::runtime_error when none comes.
	std::string ask(const std::string &message, Millis timeout = Millis(5000)) const;
	/// The next message; throws when none comes.
	[[nodiscard]] std::string answer(Millis timeout = Millis(5000)) const;
	void stop(); ///< SIGKILL, reap

private:
	pid_t pid_ = -1;
	Channel channel_{Fd()};
};

/// Run a function elsewhere and get the text that it returns; throws when it doesn't return in time.
std::string run_at(const Spot &, const std::function<std::string()> &body, Millis timeout = Millis(10000));

/// What a program left behind.
struct Finished {
	int status = -1; ///< exit status; -1: ended by a signal or by the time-out
	int signal = 0;
	std::string out;
	std::string err;
};

/// Start a program with its output in temporary files.
class Program {
public:
	Program(const std::vector<std::string> &argv, const std::string &input = "", const Spot & = {});
	Program(Program &&) noexcept;
	Program &operator=(Program &&) = delete;
	~Program();

	[[nodiscard]] pid_t pid() const { return pid_; }
	void kill(int signal) const;
	[[nodiscard]] std::string out_so_far() const;
	/// Waits for its end; after the time-out it is killed.
	Finished wait(Millis timeout = Millis(20000));

private:
	pid_t pid_ = -1;
	Fd out_;
	Fd err_;
};

Finished execute(const std::vector<std::string> &argv, const std::string &input = "", const Spot & = {},
		 Millis timeout = Millis(20000));

/// Poll `condition` until it holds; false when time is over.
bool eventually(const std::function<bool()> &condition, Millis timeout = Millis(3000));

[[noreturn]] void raise(const std::string &what); ///< std::runtime_error: "WHAT: strerror"

} // namespace weir::test
