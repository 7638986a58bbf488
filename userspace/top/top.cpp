// SPDX-License-Identifier: Apache-2.0
#include "top/top.h"

#include "base/fd.h"
#include "top/json.h"
#include "top/layout.h"
#include "top/model.h"
#include "top/sampler.h"
#include "top/screen.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

namespace weir::top {
namespace {

constexpr std::int64_t second = 1'000'000'000, millisecond = 1'000'000;
constexpr std::int64_t first_interval = second / 2; ///< so that rates are there soon

/// Model and what feeds it.
class Source {
public:
	explicit Source(const Options &options)
		: sampler_(options.where), tail_(options.sources), instance_(options.where.instance), model_(instance_)
	{}

	/// Ends an interval. Error: the kernel can't be asked at all, as without root.
	Result<> look()
	{
		// The records first, then the kernel: so no record tells of more than the kernel has counted.
		tail_.take([&](std::string_view line, bool is_past) {
			if (const auto refusal = refusal_of(line, instance_))
				model_.add(*refusal, is_past);
		});
		auto sample = sampler_.take();
		sample.record.path = tail_.path();
		sample.record.problem = tail_.problem();
		sample.record.skipped = tail_.skipped();
		auto error = sample.state ? std::nullopt : std::optional(sample.state.error());
		model_.end_interval(std::move(sample));
		if (error && view().mode == Mode::unknown)
			return std::unexpected(std::move(*error));
		return {};
	}
	[[nodiscard]] const View &view() const { return model_.view(); }

private:
	Sampler sampler_;
	Tail tail_;
	std::string instance_;
	Model model_;
};

/// Signals as something to wait for. They are let through again at the end.
class Signals {
public:
	Signals()
	{
		sigset_t wanted;
		::sigemptyset(&wanted);
		for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT})
			::sigaddset(&wanted, each);
		::sigprocmask(SIG_BLOCK, &wanted, &before_);
		fd_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
	}
	Signals(const Signals &) = delete;
	Signals &operator=(const Signals &) = delete;
	~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

	[[nodiscard]] int fd() const { return fd_.get(); }
	/// The next one that came; 0: none.
	[[nodiscard]] int next() const
	{
		signalfd_siginfo info{};
		return ::read(fd_.get(), &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
	}

private:
	sigset_t before_{};
	Fd fd_;
};

/// How a signal ends this: asked to, or because whoever looked on is gone. nullopt: it doesn't.
std::optional<Result<Exit>> end_of(int signal)
{
	if (signal == SIGHUP)
		return fail("");
	if (signal == SIGINT || signal == SIGTERM || signal == SIGQUIT)
		return Exit::ok;
	return std::nullopt;
}

int wait_ms(std::int64_t until)
{
	constexpr std::int64_t longest_ms = 3'600'000;
	return static_cast<int>(
		std::clamp<std::int64_t>((until - monotonic_ns() + millisecond - 1) / millisecond, 0, longest_ms));
}

Exit exit_of(Mode mode)
{
	switch (mode) {
	case Mode::degraded:
		return Exit::degraded;
	case Mode::not_loaded:
		return Exit::absent;
	case Mode::unknown:
		return Exit::failure;
	default:
		return Exit::ok;
	}
}

Result<> print(const View &view, const Options &options)
{
	winsize size{};
	const bool is_terminal = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
	constexpr std::size_t no_end = 1000;
	const auto text = options.json ? json_line(view)
				       : plain_text(view, is_terminal ? size.ws_col : no_end, view.boot_ns);
	if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
		return {};
	if (errno == EPIPE) // `weir top --json | head` is nothing to complain of
		return fail("");
	return fail(fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
}

/// Text or JSON, after each interval.
Result<Exit> run_plain(const Options &options, Source &source, std::int64_t interval)
{
	const Signals signals;
	for (auto next = monotonic_ns() + interval;; next = std::max(next + interval, monotonic_ns())) {
		for (;;) {
			const int left = wait_ms(next);
			if (left == 0)
				break;
			pollfd watched{signals.fd(), POLLIN, 0};
			::poll(&watched, 1, left);
			while (const int signal = signals.next())
				if (const auto end = end_of(signal))
					return *end;
		}
		(void)source.look(); // what is wrong is in the view
		if (auto printed = print(source.view(), options); !printed)
			return std::unexpected(std::move(printed).error());
		if (options.once)
			return exit_of(source.view().mode);
	}
}

class Live {
public:
	Live(Source &source, Screen screen, const Signals &signals, std::int64_t interval)
		: source_(source), screen_(std::move(screen)), signals_(signals), interval_(interval)
	{}

	Result<Exit> run()
	{
		auto next = monotonic_ns() + std::min(interval_, first_interval);
		for (;;) {
			draw();
			// A window counts down.
			const auto tick = shown().windows.empty() ? next : std::min(next, monotonic_ns() + second);
			pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.fd(), POLLIN, 0}};
			::poll(watched, std::size(watched), wait_ms(tick));
			while (const int signal = signals_.next())
				if (auto end = on_signal(signal))
					return *end;
			if ((watched[0].revents & ~POLLIN) != 0)
				return fail(""); // the terminal is gone, and with it whoever would read why
			if ((watched[0].revents & POLLIN) != 0 && !read_keys())
				return end_;
			if (monotonic_ns() >= next) {
				(void)source_.look();
				next = std::max(next + interval_, monotonic_ns());
			}
		}
	}

private:
	[[nodiscard]] const View &shown() const { return ui_.is_paused ? held_ : source_.view(); }

	void draw()
	{
		const auto page = page_of(source_.view(), shown(), ui_, screen_.size(), boot_ns());
		ui_.scroll = std::min(ui_.scroll, page.most_scroll);
		ui_.page = page.page;
		screen_.draw(page, std::exchange(anew_, false));
	}

	std::optional<Result<Exit>> on_signal(int signal)
	{
		if (signal == SIGWINCH)
			screen_.resize();
		anew_ = true; // another size; or the shell has written while this was stopped
		return end_of(signal);
	}

	/// False: one of them ends this, or nobody is there any more who could press one.
	bool read_keys()
	{
		bool any = false;
		while (const auto key = screen_.key()) {
			any = true;
			const bool was_paused = ui_.is_paused;
			if (!ui_.press(*key))
				return false;
			if (ui_.is_paused && !was_paused)
				held_ = source_.view();
		}
		silent_ = any ? 0 : silent_ + 1;
		if (silent_ < most_silent)
			return true;
		end_ = fail("");
		return false;
	}

	static constexpr unsigned most_silent = 16; ///< readable, and nothing there: the end of the file
	Source &source_;
	Screen screen_;
	const Signals &signals_;
	std::int64_t interval_;
	Ui ui_;
	View held_; ///< what was shown when it was paused
	Result<Exit> end_ = Exit::ok;
	unsigned silent_ = 0;
	bool anew_ = true;
};

} // namespace

Result<Exit> run(const Options &options)
{
	choose_characters();
	Source source(options);
	const auto interval = static_cast<std::int64_t>(options.interval * static_cast<double>(second));
	if (auto looked = source.look(); !looked)
		return std::unexpected(std::move(looked).error());
	if (options.json || options.once)
		return run_plain(options, source, interval);
	const Signals signals;
	auto screen = Screen::open();
	if (!screen)
		return std::unexpected(std::move(screen).error());
	return Live(source, std::move(*screen), signals, interval).run();
}

} // namespace weir::top
