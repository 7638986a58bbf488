// SPDX-License-Identifier: Apache-2.0
// What the keys do. No terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::top {

enum class Pane : std::uint8_t { all, rows, peers, processes, gates, windows, problems };
constexpr unsigned panes = 7;
const char *name_of(Pane);

enum class Sort : std::uint8_t { rate, total, name };
const char *name_of(Sort);

struct Key {
	enum class Kind : std::uint8_t {
		other,
		character,
		enter,
		escape,
		backspace,
		tab,
		back_tab,
		up,
		down,
		page_up,
		page_down,
		home,
	};
	Kind kind = Kind::other;
	char character = 0; ///< printable ASCII
};

struct Ui {
	Pane pane = Pane::all;
	Sort sort = Sort::rate;
	bool is_paused = false;
	bool shows_help = false;
	bool is_typing = false; ///< keys go into the filter
	std::string filter;
	std::size_t scroll = 0; ///< first line of a pane that is shown
	std::size_t page = 10;  ///< lines that fit, as the last drawing was

	/// False: it is to end.
	bool press(Key);

private:
	bool press_character(char);
	void type(Key);
	void show(Pane);
};

} // namespace weir::top
