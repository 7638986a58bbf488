// SPDX-License-Identifier: Apache-2.0
#include "tests/support/terminal.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

namespace weir::test {

Terminal::Terminal(const std::vector<std::string> &argv, int lines, int columns, const std::string &type)
	: lines_(lines), columns_(columns)
{
	int master = -1, slave = -1;
	winsize size{};
	size.ws_row = static_cast<unsigned short>(lines);
	size.ws_col = static_cast<unsigned short>(columns);
	if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0)
		raise("openpty");
	master_ = Fd(master);
	slave_ = Fd(slave);
	::fcntl(master, F_SETFD, FD_CLOEXEC);
	::fcntl(slave, F_SETFD, FD_CLOEXEC);
	::fcntl(master, F_SETFL, O_NONBLOCK);
	if (::tcgetattr(slave, &before_) != 0)
		raise("tcgetattr");
	std::vector<char *> words;
	words.reserve(argv.size() + 1);
	for (const auto &word : argv)
		words.push_back(const_cast<char *>(word.c_str()));
	words.push_back(nullptr);
	pid_ = ::fork();
	if (pid_ < 0)
		raise("fork");
	if (pid_ > 0)
		return;
	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	::login_tty(slave); // a session, and this its terminal
	::setenv("TERM", type.c_str(), 1);
	::setenv("LC_ALL", "C.UTF-8", 1);
	::unsetenv("NO_COLOR");
	::execvp(words[0], words.data());
	::_exit(127);
}

Terminal::~Terminal()
{
	if (pid_ <= 0)
		return;
	::kill(pid_, SIGKILL);
	::waitpid(pid_, nullptr, 0);
}

void Terminal::type(const std::string &keys) const
{
	if (::write(master_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
		raise("typing");
}

void Terminal::resize(int lines, int columns)
{
	(void)output();
	drawn_ = output_.size();
	lines_ = lines;
	columns_ = columns;
	set_size(lines, columns);
}

void Terminal::set_size(int lines, int columns) const
{
	winsize size{};
	size.ws_row = static_cast<unsigned short>(lines);
	size.ws_col = static_cast<unsigned short>(columns);
	if (::ioctl(master_.get(), TIOCSWINSZ, &size) != 0)
		raise("resizing");
}

void Terminal::kill(int signal) const
{
	if (pid_ > 0)
		::kill(pid_, signal);
}

void Terminal::hang_up()
{
	slave_ = Fd();
	master_ = Fd();
}

const std::string &Terminal::output()
{
	std::array<char, 65536> buffer{};
	for (ssize_t size = 0; (size = ::read(master_.get(), buffer.data(), buffer.size())) > 0;)
		output_.append(buffer.data(), static_cast<std::size_t>(size));
	return output_;
}

std::string Terminal::screen()
{
	(void)output();
	return execute({"/usr/bin/python3", WEIR_SOURCE_DIR "/tests/support/screen.py", std::to_string(lines_),
			std::to_string(columns_)},
		       output_.substr(drawn_))
		.out;
}

bool Terminal::shows(const std::string &text, Millis timeout)
{
	std::size_t looked = 0;
	return eventually(
		[&] {
			if (output().size() == looked)
				return false;
			looked = output_.size();
			return screen().contains(text);
		},
		timeout);
}

int Terminal::wait(Millis timeout, bool reads)
{
	int status = 0;
	const bool ended = eventually(
		[&] {
			if (reads && master_)
				(void)output(); // or it would wait for its last words to be read
			return ::waitpid(pid_, &status, WNOHANG) == pid_;
		},
		timeout);
	if (!ended) {
		::kill(pid_, SIGKILL);
		::waitpid(pid_, &status, 0);
	}
	pid_ = -1;
	return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool Terminal::is_stuck() const
{
	pollfd wait{slave_.get(), POLLOUT, 0};
	return ::poll(&wait, 1, 0) == 0;
}

bool Terminal::is_as_it_was() const
{
	termios now{};
	return ::tcgetattr(slave_.get(), &now) == 0 && now.c_iflag == before_.c_iflag &&
	       now.c_oflag == before_.c_oflag && now.c_cflag == before_.c_cflag && now.c_lflag == before_.c_lflag &&
	       std::memcmp(now.c_cc, before_.c_cc, sizeof(now.c_cc)) == 0;
}

} // namespace weir::test
