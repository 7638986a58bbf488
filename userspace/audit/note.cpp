// SPDX-License-Identifier: Apache-2.0
#include "audit/note.h"

#include "audit/record.h"

namespace weir::audit {

void append_note_json(std::string &out, const Note &note, std::string_view instance, std::int64_t unix_ns)
{
	begin_change(out, unix_ns, note.action, note.outcome, note.text);
	if (!note.id.empty()) {
		out.append(",\"id\":");
		append_quoted(out, note.id);
	}
	end_event(out, note.dataset);
	if (!note.user.empty()) {
		out.append(",\"user\":{\"name\":");
		append_quoted(out, note.user);
		out.push_back('}');
	}
	begin_weir(out, instance);
	out.append(",\"").append(note.dataset.substr(note.dataset.find('.') + 1)).append("\":");
	out.append(note.facts).append("}}\n");
}

} // namespace weir::audit
