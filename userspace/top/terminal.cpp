// SPDX-License-Identifier: Apache-2.0
// A file of its own: <term.h> takes names such as lines, columns and tab for itself.
#include "top/terminal.h"

#include <cstdint>
#include <unistd.h>

#include <curses.h>
#include <term.h>

namespace weir::top {

std::string terminal_complaint(const char *type)
{
	int problem = 0;
	if (type == nullptr || *type == '\0' || setupterm(type, STDOUT_FILENO, &problem) != OK)
		return "nothing is known of such a terminal";
	const char *const placing = tigetstr("cup");
	const bool can_place = placing != nullptr && reinterpret_cast<std::intptr_t>(placing) != -1;
	del_curterm(cur_term);
	return can_place ? "" : "such a terminal has no cursor to place";
}

} // namespace weir::top
