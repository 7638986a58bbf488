// SPDX-License-Identifier: Apache-2.0
#include "top/screen.h"

#include "top/leave.h"
#include "top/terminal.h"

#define NCURSES_NOMACROS
#define NCURSES_WIDECHAR 1
#include <curses.h>

#include <fmt/format.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace weir::top {
namespace {

constexpr const char *instead = "\n  --once prints one screen as text, --json an object each interval";

/// Pairs of colours, by Style.
constexpr short pair_good = 1, pair_warning = 2, pair_alarm = 3;

attr_t attributes_of(Style style, bool color)
{
	switch (style) {
	case Style::heading:
		return A_REVERSE;
	case Style::good:
	case Style::warning:
		return A_BOLD;
	case Style::alarm:
		return color ? A_BOLD : A_BOLD | A_REVERSE;
	case Style::normal:
		break;
	}
	return A_NORMAL;
}

short pair_of(Style style)
{
	switch (style) {
	case Style::good:
		return pair_good;
	case Style::warning:
		return pair_warning;
	case Style::alarm:
		return pair_alarm;
	default:
		return 0;
	}
}

bool start_colors()
{
	if (std::getenv("NO_COLOR") != nullptr || !::has_colors() || ::start_color() == ERR)
		return false;
	const short background = ::use_default_colors() == OK ? short{-1} : short{COLOR_BLACK};
	::init_pair(pair_good, COLOR_GREEN, background);
	::init_pair(pair_warning, COLOR_YELLOW, background);
	::init_pair(pair_alarm, COLOR_WHITE, COLOR_RED);
	return true;
}

Key key_of(int code)
{
	using Kind = Key::Kind;
	switch (code) {
	case KEY_UP:
		return {Kind::up};
	case KEY_DOWN:
		return {Kind::down};
	case KEY_PPAGE:
		return {Kind::page_up};
	case KEY_NPAGE:
		return {Kind::page_down};
	case KEY_HOME:
		return {Kind::home};
	case KEY_BTAB:
		return {Kind::back_tab};
	case '\t':
		return {Kind::tab};
	case KEY_ENTER:
	case '\r':
	case '\n':
		return {Kind::enter};
	case KEY_BACKSPACE:
	case '\b':
	case 0x7f:
		return {Kind::backspace};
	case 0x1b:
		return {Kind::escape};
	default:
		break;
	}
	if (code >= ' ' && code < 0x7f)
		return {Kind::character, static_cast<char>(code)};
	return {};
}

/// Ctrl-S would stop the output, and with it the end of this process; here it is a key without a meaning.
void pass_flow_control()
{
	termios modes{};
	if (::tcgetattr(STDIN_FILENO, &modes) != 0)
		return;
	modes.c_iflag &= ~static_cast<tcflag_t>(IXON);
	::tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	::def_prog_mode();
}

/// What the terminal is told; "": it has no such thing.
std::string capability(const char *name)
{
	const char *const text = ::tigetstr(name);
	return text == nullptr || reinterpret_cast<std::intptr_t>(text) == -1 ? "" : text;
}

} // namespace

struct Screen::Impl {
	Leave leave; ///< first: it remembers the terminal's modes
	SCREEN *screen = nullptr;
	bool color = false;
	Impl() = default;
	Impl(const Impl &) = delete;
	Impl &operator=(const Impl &) = delete;
	~Impl()
	{
		if (screen == nullptr)
			return;
		{
			const Leave::Possible another_signal;
			pollfd output{STDOUT_FILENO, POLLOUT, 0};
			if (::poll(&output, 1, 0) == 0) // nobody reads: what waits is in the way of the last words
				::tcflush(STDOUT_FILENO, TCOFLUSH);
			::endwin();
		}
		::delscreen(screen);
	}
};

Screen::Screen(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Screen::Screen(Screen &&) noexcept = default;
Screen &Screen::operator=(Screen &&) noexcept = default;
Screen::~Screen() = default;

void choose_characters()
{
	if (std::setlocale(LC_CTYPE, "") == nullptr || std::string_view(::nl_langinfo(CODESET)) != "UTF-8")
		std::setlocale(LC_CTYPE, "C");
}

Result<Screen> Screen::open()
{
	if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
		return fail(Exit::usage, fmt::format("the standard {} is no terminal{}",
						     ::isatty(STDOUT_FILENO) == 1 ? "input" : "output", instead));
	const char *const type = std::getenv("TERM");
	const auto unfit = [type](std::string_view why) {
		return fail(Exit::usage, fmt::format("TERM={}: {}{}", type == nullptr ? "" : type, why, instead));
	};
	if (const auto complaint = terminal_complaint(type); !complaint.empty())
		return unfit(complaint);
	auto impl = std::make_unique<Impl>();
	impl->screen = ::newterm(type, stdout, stdin);
	if (impl->screen == nullptr)
		return unfit("a terminal that cannot be drawn on");
	Leave::set_words(capability("sgr0") + capability("rmcup") + capability("cnorm"));
	::cbreak();
	::noecho();
	::nonl();
	pass_flow_control();
	::keypad(stdscr, TRUE);
	::nodelay(stdscr, TRUE);
	::set_escdelay(100); // ms, for the rest of an arrow key to come through SSH
	::curs_set(0);
	impl->color = start_colors();
	return Screen(std::move(impl));
}

Size Screen::size() const
{
	const int lines = ::getmaxy(stdscr), columns = ::getmaxx(stdscr);
	return {static_cast<std::size_t>(lines > 0 ? lines : 0), static_cast<std::size_t>(columns > 0 ? columns : 0)};
}

void Screen::resize()
{
	winsize now{};
	if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && now.ws_row > 0 && now.ws_col > 0)
		::resizeterm(now.ws_row, now.ws_col);
}

void Screen::draw(const Page &page, bool anew)
{
	::werase(stdscr);
	if (anew)
		::clearok(stdscr, TRUE);
	for (std::size_t line = 0; line < page.lines.size(); line++) {
		::wmove(stdscr, static_cast<int>(line), 0);
		for (const auto &span : page.lines[line]) {
			::wattr_set(stdscr, attributes_of(span.style, impl_->color),
				    impl_->color ? pair_of(span.style) : short{0}, nullptr);
			::waddnstr(stdscr, span.text.data(), static_cast<int>(span.text.size()));
		}
	}
	::wattr_set(stdscr, A_NORMAL, 0, nullptr);
	const Leave::Possible now; // the terminal may take its time
	::wrefresh(stdscr);
}

std::optional<Key> Screen::key()
{
	const int code = ::wgetch(stdscr);
	return code == ERR ? std::nullopt : std::optional(key_of(code));
}

} // namespace weir::top
