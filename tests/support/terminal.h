// SPDX-License-Identifier: Apache-2.0
// A program in a terminal of its own (a pty), and what a person would see there.
#pragma once

#include "tests/support/process.h"

#include <string>
#include <sys/types.h>
#include <termios.h>
#include <vector>

namespace weir::test {

class Terminal {
public:
	/// TERM is xterm, unless `type` says another.
	Terminal(const std::vector<std::string> &argv, int lines, int columns, const std::string &type = "xterm");
	Terminal(const Terminal &) = delete;
	Terminal &operator=(const Terminal &) = delete;
	~Terminal();

	void type(const std::string &keys) const;
	void resize(int lines, int columns); ///< the program gets SIGWINCH; the screen is what it draws from then on
	void set_size(int lines, int columns) const; ///< the same, with nothing read
	void kill(int signal) const;
	void hang_up(); ///< closes this side of it

	/// All that the program has written.
	const std::string &output();
	/// What is on the screen now, a line each.
	std::string screen();
	/// Waits until the screen has this text.
	[[nodiscard]] bool shows(const std::string &text, Millis timeout = Millis(8000));

	/// Its exit status; -1: by a signal, or not in time and killed. `reads`: what it writes is taken meanwhile.
	int wait(Millis timeout = Millis(8000), bool reads = true);
	/// Is it waiting until somebody reads what it has written?
	[[nodiscard]] bool is_stuck() const;
	/// Are the terminal's modes those that it had before the program?
	[[nodiscard]] bool is_as_it_was() const;

private:
	pid_t pid_ = -1;
	Fd master_;
	Fd slave_; ///< held open, so that its modes can be asked for when the program is gone
	termios before_{};
	int lines_, columns_;
	std::string output_;
	std::size_t drawn_ = 0; ///< output before that was for another size
};

} // namespace weir::test
