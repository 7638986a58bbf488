// SPDX-License-Identifier: Apache-2.0
#include "top/ui.h"

#include <algorithm>

namespace weir::top {

const char *name_of(Pane pane)
{
	static constexpr const char *names[] = {"all", "rows", "peers", "processes", "gates", "windows", "problems"};
	static_assert(std::size(names) == panes);
	return names[static_cast<unsigned>(pane)];
}

const char *name_of(Sort sort)
{
	return sort == Sort::rate ? "rate" : sort == Sort::total ? "total" : "name";
}

void Ui::show(Pane which)
{
	pane = which;
	scroll = 0;
}

void Ui::type(Key key)
{
	constexpr std::size_t longest = 64;
	switch (key.kind) {
	case Key::Kind::enter:
		is_typing = false;
		break;
	case Key::Kind::escape:
		is_typing = false;
		filter.clear();
		break;
	case Key::Kind::backspace:
		if (!filter.empty())
			filter.pop_back();
		break;
	case Key::Kind::character:
		if (filter.size() < longest)
			filter.push_back(key.character);
		break;
	default:
		break;
	}
	scroll = 0;
}

bool Ui::press_character(char character)
{
	switch (character) {
	case 'q':
		return false;
	case 's':
		sort = static_cast<Sort>((static_cast<unsigned>(sort) + 1) % 3);
		scroll = 0;
		break;
	case 'p':
	case ' ':
		is_paused = !is_paused;
		break;
	case '/':
		is_typing = true;
		filter.clear();
		break;
	case '?':
	case 'h':
		shows_help = true;
		break;
	case 'j':
		scroll++;
		break;
	case 'k':
		scroll -= scroll > 0 ? 1 : 0;
		break;
	default:
		if (character >= '1' && character < '1' + static_cast<char>(panes))
			show(static_cast<Pane>(character - '1'));
	}
	return true;
}

bool Ui::press(Key key)
{
	if (is_typing) {
		type(key);
		return true;
	}
	if (shows_help) { // any key leaves it, and those that quit do no more than that
		shows_help = false;
		return true;
	}
	const auto turn = [&](unsigned by) { show(static_cast<Pane>((static_cast<unsigned>(pane) + by) % panes)); };
	switch (key.kind) {
	case Key::Kind::character:
		return press_character(key.character);
	case Key::Kind::escape:
		return false;
	case Key::Kind::tab:
		turn(1);
		break;
	case Key::Kind::back_tab:
		turn(panes - 1);
		break;
	case Key::Kind::up:
		scroll -= std::min<std::size_t>(scroll, 1);
		break;
	case Key::Kind::down:
		scroll++;
		break;
	case Key::Kind::page_up:
		scroll -= std::min(scroll, page);
		break;
	case Key::Kind::page_down:
		scroll += page;
		break;
	case Key::Kind::home:
		scroll = 0;
		break;
	default:
		break;
	}
	return true;
}

} // namespace weir::top
