// SPDX-License-Identifier: Apache-2.0
// Records of windows: who opened which, why, and how it ended.
#include "audit/event.h"
#include "audit/events_view.h"
#include "audit/record.h"

#include <fmt/format.h>

namespace weir::audit {
namespace {

void append_text(std::string &out, std::string_view before, std::string_view text)
{
	out.append(before);
	append_quoted(out, text);
}

void append_moment(std::string &out, std::string_view before, std::int64_t unix_ns)
{
	out.append(before).append("\"");
	append_time(out, unix_ns);
	out.append("\"");
}

std::string_view type_of(std::string_view action)
{
	return action == "window_opened"                                 ? "creation"
	       : action == "window_closed" || action == "window_expired" ? "deletion"
									 : "change";
}

} // namespace

std::string text_of(const WindowChange &change)
{
	const auto cut = change.cut == 0   ? std::string()
			 : change.cut == 1 ? "; one connection was cut"
					   : fmt::format("; {} connections were cut", change.cut);
	if (change.action == "window_expired")
		return fmt::format("the time of window {} is over, that {} opened: {}{}", change.name, change.opened_by,
				   change.opened_reason, cut);
	if (change.action == "window_closed" && change.by.empty())
		return fmt::format("window {} ended, that {} opened: {}", change.name, change.opened_by, change.reason);
	if (change.action == "window_closed")
		return fmt::format("window {} was closed by {}: {}; opened by {}{}", change.name, change.by,
				   change.reason.empty() ? "no reason was given" : change.reason, change.opened_by,
				   cut);
	if (change.action == "window_shortened")
		return fmt::format("window {} ends at {}, sooner than was said: the policy that was applied allows no "
				   "more",
				   change.name, local_time(change.until));
	return fmt::format("window {} was {} until {} by {}: {}", change.name,
			   change.action == "window_opened" ? "opened" : "extended", local_time(change.until),
			   change.by, change.reason);
}

void append_window_json(std::string &out, const WindowChange &change, std::string_view instance, std::int64_t unix_ns)
{
	begin_record(out, change.at);
	append_text(out, R"(,"event":{"kind":"event","category":["configuration"],"type":[)", type_of(change.action));
	append_text(out, R"(],"action":)", change.action);
	append_text(out, R"(,"outcome":"success","reason":)", text_of(change));
	out.append(R"(,"provider":"weir","dataset":"weir.window")");
	append_moment(out, ",\"created\":", unix_ns);
	append_moment(out, ",\"start\":", change.opened);
	const bool is_over = type_of(change.action) == "deletion";
	if (is_over)
		append_moment(out, ",\"end\":", change.at);
	out.append("}");
	if (!change.by.empty()) {
		append_text(out, ",\"user\":{\"name\":", std::string_view(change.by).substr(0, change.by.find(' ')));
		out.append("}");
	}
	out.append(observer());
	append_text(out, ",\"weir\":{\"instance\":", instance);
	append_text(out, ",\"window\":{\"name\":", change.name);
	append_moment(out, ",\"opened\":", change.opened);
	append_moment(out, ",\"until\":", change.until);
	append_text(out, ",\"opened_by\":", change.opened_by);
	append_text(out, ",\"opened_reason\":", change.opened_reason);
	if (!change.by.empty())
		append_text(out, ",\"by\":", change.by);
	if (!change.reason.empty())
		append_text(out, ",\"reason\":", change.reason);
	if (change.action == "window_expired")
		append_field(out, ",\"connections_cut\":", change.cut);
	if (change.decided)
		append_field(out, ",\"decided\":", *change.decided);
	out.append("}}}\n");
}

} // namespace weir::audit
