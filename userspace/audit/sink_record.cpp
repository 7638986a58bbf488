// SPDX-License-Identifier: Apache-2.0
#include "audit/sink_record.h"

#include "audit/record.h"

namespace weir::audit {

void append_sink_json(std::string &out, const SinkRecord &record, std::string_view instance, std::int64_t unix_ns)
{
	begin_record(out, unix_ns);
	out.append(R"(,"event":{"kind":"event","category":["configuration"],"type":["info"],"action":)");
	append_quoted(out, record.action);
	out.append(record.failed ? ",\"outcome\":\"failure\",\"reason\":" : ",\"outcome\":\"success\",\"reason\":");
	append_quoted(out, record.text);
	out.append(R"(,"provider":"weir","dataset":"weir.sink"})");
	out.append(observer());
	out.append(",\"weir\":{\"instance\":");
	append_quoted(out, instance);
	out.append(",\"sink\":{\"name\":");
	append_quoted(out, record.name);
	append_field(out, ",\"sent\":", record.sent);
	append_field(out, ",\"waiting\":", record.waiting);
	append_field(out, ",\"dropped\":", record.dropped);
	append_field(out, ",\"dropped_since\":", record.dropped_since);
	if (!record.problem.empty()) {
		out.append(",\"problem\":");
		append_quoted(out, record.problem);
	}
	out.append("}}}\n");
}

} // namespace weir::audit
