// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weir::test {

using Clock = std::chrono::steady_clock;

void raise(const std::string &what)
{
	throw std::runtime_error(what + ": " + std::strerror(errno));
}

void enter_cgroup(const std::string &directory)
{
	const std::string file = directory + "/cgroup.procs";
	const Fd procs(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
	if (!procs || ::write(procs.get(), "0", 1) != 1)
		raise(file);
}

void enter(const Spot &spot)
{
	if (!spot.cgroup.empty())
		enter_cgroup(spot.cgroup);
	if (spot.netns >= 0 && ::setns(spot.netns, CLONE_NEWNET) != 0)
		raise("setns");
	if (spot.user >= 0)
		become(spot.user);
}

void become(int user)
{
	const auto id = static_cast<uid_t>(user);
	if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setgroups(0, nullptr) != 0 || ::setresgid(id, id, id) != 0 ||
	    ::setresuid(id, id, id) != 0)
		raise("becoming user " + std::to_string(user));
	__user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
	std::array<__user_cap_data_struct, 2> capabilities{};
	capabilities[0].effective = capabilities[0].permitted = 1U << CAP_NET_RAW;
	if (::syscall(SYS_capset, &head, capabilities.data()) != 0)
		raise("capset");
	::prctl(PR_SET_PDEATHSIG, SIGKILL); // another user has to ask for it again
}

void Channel::send(const std::string &message) const
{
	if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0)
		raise("send to the other process");
}

std::optional<std::string> Channel::receive(Millis timeout) const
{
	pollfd wait{fd_.get(), POLLIN, 0};
	if (::poll(&wait, 1, static_cast<int>(timeout.count())) <= 0)
		return std::nullopt;
	std::string message(1 << 16, '\0');
	const ssize_t size = ::recv(fd_.get(), message.data(), message.size(), 0);
	if (size <= 0)
		return std::nullopt;
	message.resize(static_cast<std::size_t>(size));
	return message;
}

Child::Child(const Spot &spot, const std::function<void(Channel &)> &body)
{
	std::array<int, 2> ends{};
	if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
		raise("socketpair");
	channel_ = Channel(Fd(ends[0]));
	Fd theirs(ends[1]);
	const pid_t parent = ::getpid();
	pid_ = ::fork();
	if (pid_ < 0)
		raise("fork");
	if (pid_ > 0)
		return;
	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (::getppid() != parent)
		::_exit(1);
	::close(channel_.fd());
	Channel channel(std::move(theirs));
	try {
		enter(spot);
		body(channel);
	} catch (const std::exception &error) {
		(void)!::write(channel.fd(), ("error: " + std::string(error.what())).c_str(),
			       7 + std::strlen(error.what()));
		::_exit(1);
	}
	::_exit(0);
}

Child::Child(Child &&other) noexcept : pid_(std::exchange(other.pid_, -1)), channel_(std::move(other.channel_)) {}

Child &Child::operator=(Child &&other) noexcept
{
	if (this != &other) {
		stop();
		pid_ = std::exchange(other.pid_, -1);
		channel_ = std::move(other.channel_);
	}
	return *this;
}

Child::~Child()
{
	stop();
}

void Child::stop()
{
	if (pid_ <= 0)
		return;
	::kill(pid_, SIGKILL);
	while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
	pid_ = -1;
}

std::string Child::answer(Millis timeout) const
{
	auto message = channel_.receive(timeout);
	if (!message)
		throw std::runtime_error("no answer from the child in time");
	if (message->starts_with("error: "))
		throw std::runtime_error("child: " + message->substr(7));
	return *message;
}

std::string Child::ask(const std::string &message, Millis timeout) const
{
	channel_.send(message);
	return answer(timeout);
}

std::string run_at(const Spot &spot, const std::function<std::string()> &body, Millis timeout)
{
	const Child child(spot, [&](Channel &channel) {
		const std::string result = body();
		channel.send(result.empty() ? " " : result);
	});
	return child.answer(timeout);
}

namespace {

Fd scratch(const char *name)
{
	Fd fd(::memfd_create(name, MFD_CLOEXEC));
	if (!fd)
		raise("memfd_create");
	return fd;
}

std::string whole(int fd)
{
	std::string text;
	std::array<char, 65536> buffer{};
	ssize_t size = 0;
	while ((size = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0)
		text.append(buffer.data(), static_cast<std::size_t>(size));
	return text;
}

} // namespace

Program::Program(const std::vector<std::string> &argv, const std::string &input, const Spot &spot)
	: out_(scratch("stdout")), err_(scratch("stderr"))
{
	const Fd in = scratch("stdin");
	if (::pwrite(in.get(), input.data(), input.size(), 0) != static_cast<ssize_t>(input.size()))
		raise("writing the input");
	std::vector<char *> words;
	for (const auto &word : argv)
		words.push_back(const_cast<char *>(word.c_str()));
	words.push_back(nullptr);
	const pid_t parent = ::getpid();
	pid_ = ::fork();
	if (pid_ < 0)
		raise("fork");
	if (pid_ > 0)
		return;
	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (::getppid() != parent)
		::_exit(126);
	try {
		enter(spot);
	} catch (const std::exception &) {
		::_exit(126);
	}
	::dup2(in.get(), STDIN_FILENO);
	::dup2(out_.get(), STDOUT_FILENO);
	::dup2(err_.get(), STDERR_FILENO);
	::execvp(words[0], words.data());
	::_exit(127);
}

Program::Program(Program &&other) noexcept
	: pid_(std::exchange(other.pid_, -1)), out_(std::move(other.out_)), err_(std::move(other.err_))
{}

Program::~Program()
{
	if (pid_ <= 0)
		return;
	::kill(pid_, SIGKILL);
	::waitpid(pid_, nullptr, 0);
}

void Program::kill(int signal) const
{
	if (pid_ > 0)
		::kill(pid_, signal);
}

std::string Program::out_so_far() const
{
	return whole(out_.get());
}

Finished Program::wait(Millis timeout)
{
	Finished result;
	const auto end = Clock::now() + timeout;
	int status = 0;
	auto pause = Millis(1);
	while (::waitpid(pid_, &status, WNOHANG) == 0) {
		if (Clock::now() > end) {
			::kill(pid_, SIGKILL);
			::waitpid(pid_, &status, 0);
			break;
		}
		std::this_thread::sleep_for(pause);
		pause = std::min(pause * 2, Millis(20));
	}
	pid_ = -1;
	if (WIFEXITED(status))
		result.status = WEXITSTATUS(status);
	else if (WIFSIGNALED(status))
		result.signal = WTERMSIG(status);
	result.out = whole(out_.get());
	result.err = whole(err_.get());
	return result;
}

Finished execute(const std::vector<std::string> &argv, const std::string &input, const Spot &spot, Millis timeout)
{
	return Program(argv, input, spot).wait(timeout);
}

bool eventually(const std::function<bool()> &condition, Millis timeout)
{
	const auto end = Clock::now() + timeout;
	while (!condition()) {
		if (Clock::now() > end)
			return false;
		std::this_thread::sleep_for(Millis(5));
	}
	return true;
}

} // namespace weir::test
