// SPDX-License-Identifier: Apache-2.0
#include "top/leave.h"

#include "base/result.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace weir::top {
namespace {

constexpr std::array ending{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

// All that a handler may touch.
termios modes{};
bool has_modes = false;
std::array<char, 256> words{};
std::size_t words_size = 0;
std::array<struct sigaction, ending.size()> before{};

sigset_t ending_set()
{
	sigset_t set;
	::sigemptyset(&set);
	for (const int each : ending)
		::sigaddset(&set, each);
	return set;
}

/// Only calls that are allowed in a handler (signal-safety(7)).
void leave(int signal)
{
	::tcflush(STDOUT_FILENO, TCOFLUSH); // what nobody has read makes room for the last words
	::fcntl(STDOUT_FILENO, F_SETFL, ::fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	(void)!::write(STDOUT_FILENO, words.data(), words_size);
	::fcntl(STDOUT_FILENO, F_SETFL, ::fcntl(STDOUT_FILENO, F_GETFL) & ~O_NONBLOCK); // it is the shell's, too
	if (has_modes)
		::tcsetattr(STDOUT_FILENO, TCSANOW, &modes);
	::_exit(static_cast<int>(signal == SIGHUP ? Exit::failure : Exit::ok));
}

} // namespace

Leave::Leave()
{
	has_modes = ::tcgetattr(STDOUT_FILENO, &modes) == 0;
	struct sigaction action{};
	action.sa_handler = leave;
	action.sa_mask = ending_set();
	for (std::size_t i = 0; i < ending.size(); i++)
		::sigaction(ending[i], &action, &before[i]);
}

Leave::~Leave()
{
	for (std::size_t i = 0; i < ending.size(); i++)
		::sigaction(ending[i], &before[i], nullptr);
}

void Leave::set_words(const std::string &text)
{
	words_size = std::min(text.size(), words.size());
	std::ranges::copy_n(text.begin(), static_cast<std::ptrdiff_t>(words_size), words.begin());
}

Leave::Possible::Possible()
{
	const auto set = ending_set();
	::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

Leave::Possible::~Possible()
{
	const auto set = ending_set();
	::sigprocmask(SIG_BLOCK, &set, nullptr);
}

} // namespace weir::top
