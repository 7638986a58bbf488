// SPDX-License-Identifier: Apache-2.0
// The terminal, by ncurses. Whatever way this ends but SIGKILL, the terminal is as it was.
#pragma once

#include "base/result.h"
#include "top/layout.h"

#include <memory>
#include <optional>

namespace weir::top {

/// The character set of the locale, if it is UTF-8; else only ASCII is shown.
void choose_characters();

class Screen {
public:
	/// Exit::usage: there is no terminal, or one that has no cursor to place; with what to do.
	static Result<Screen> open();
	Screen(Screen &&) noexcept;
	Screen &operator=(Screen &&) noexcept;
	~Screen();

	[[nodiscard]] Size size() const;
	/// The terminal has another size now.
	void resize();
	/// A signal that comes while the terminal takes its time ends the process here, with the terminal as it was.
	void draw(const Page &, bool anew);
	/// nullopt: none was pressed.
	std::optional<Key> key();

private:
	struct Impl;
	explicit Screen(std::unique_ptr<Impl>);
	std::unique_ptr<Impl> impl_;
};

} // namespace weir::top
