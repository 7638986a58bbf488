// SPDX-License-Identifier: Apache-2.0
// Records that are not of one attempt: sums, losses, interfaces, components.
#include "audit/record.h"

#include "audit/event.h"

#include <unistd.h>

namespace weir::audit {

void begin_record(std::string &out, std::int64_t unix_ns)
{
	out.append("{\"@timestamp\":\"");
	append_time(out, unix_ns);
	out.append(R"(","ecs":{"version":"8.17.0"})");
}

/// The host's name is read once: a daemon outlives no renaming that a journal should follow in the middle of a file.
const std::string &observer()
{
	static const std::string text = [] {
		char name[256] = {};
		if (::gethostname(name, sizeof(name) - 1) != 0)
			name[0] = '\0';
		std::string quoted;
		append_quoted(quoted, name);
		std::string both = R"(,"observer":{"type":"firewall","product":"weir")";
		if (name[0] != '\0')
			both += ",\"hostname\":" + quoted + "},\"host\":{\"name\":" + quoted + "}";
		else
			both += "}";
		return both;
	}();
	return text;
}

void begin_change(std::string &out, std::int64_t unix_ns, std::string_view action, std::string_view outcome,
		  std::string_view text)
{
	begin_record(out, unix_ns);
	out.append(R"(,"event":{"kind":"event","category":["configuration"],"type":["change"],"action":)");
	append_quoted(out, action);
	out.append(",\"outcome\":\"").append(outcome).append("\",\"reason\":");
	append_quoted(out, text);
}

void end_event(std::string &out, std::string_view dataset)
{
	out.append(R"(,"provider":"weir","dataset":")").append(dataset).append("\"}");
}

void begin_weir(std::string &out, std::string_view instance)
{
	out.append(observer());
	out.append(",\"weir\":{\"instance\":");
	append_quoted(out, instance);
}

void append_summed_json(std::string &out, const Summed &sum, std::string_view instance, std::int64_t unix_ns)
{
	const bool admitted = sum.reason == WEIR_REASON_NONE;
	begin_record(out, unix_ns);
	out.append(R"(,"event":{"kind":"event","category":["network"],"type":["connection")");
	if (!sum.verdict.empty())
		out.append(sum.verdict == "refused" ? ",\"denied\"" : ",\"allowed\"");
	out.append("],\"action\":\"").append(admitted ? "window_connection" : operation_name(WEIR_OP_PACKET));
	out.append("\",\"outcome\":\"success\",\"reason\":\"");
	out.append(admitted ? "a row of a window admitted it" : reason_sentence(sum.reason));
	out.append(R"(","provider":"weir","dataset":)")
		.append(admitted ? R"("weir.admission",)" : R"("weir.violation",)");
	if (sum.since != 0) {
		out.append("\"start\":\"");
		append_time(out, sum.since);
		out.append("\",");
	}
	out.append("\"end\":\"");
	append_time(out, unix_ns);
	out.append(sum.direction == WEIR_OUT ? "\"},\"network\":{\"direction\":\"egress\""
					     : "\"},\"network\":{\"direction\":\"ingress\"");
	if (admitted)
		append_field(out, ",\"packets\":", sum.count);
	out.append("}").append(observer());
	out.append(",\"weir\":{\"instance\":");
	append_quoted(out, instance);
	out.append(",\"gate\":\"").append(gate_name(sum.gate)).append("\"");
	if (!admitted) {
		out.append(",\"operation\":\"").append(operation_name(WEIR_OP_PACKET));
		out.append("\",\"reason\":\"").append(reason_name(sum.reason)).append("\"");
	}
	if (!sum.verdict.empty())
		out.append(",\"verdict\":\"").append(sum.verdict).append("\"");
	if (!admitted)
		append_field(out, ",\"count\":", sum.count);
	append_field(out, ",\"count_total\":", sum.total);
	append_field(out, ",\"scope\":", sum.scope);
	out.append("}}\n");
}

void append_lost_json(std::string &out, const Totals &totals, std::uint64_t lost_since, std::uint64_t discarded,
		      std::string_view instance, std::int64_t unix_ns)
{
	begin_record(out, unix_ns);
	out.append(R"(,"event":{"kind":"event","category":["network"],"type":["info"],)"
		   R"("action":"events_lost","outcome":"failure","reason":"the kernel's ring buffer was full, or the )"
		   R"(output could not be written","provider":"weir","dataset":"weir.loss"})");
	out.append(observer());
	out.append(",\"weir\":{\"instance\":");
	append_quoted(out, instance);
	append_field(out, ",\"events\":{\"refused\":", totals.refused);
	append_field(out, ",\"observed\":", totals.observed);
	append_field(out, ",\"reported\":", totals.reported);
	append_field(out, ",\"merged\":", totals.merged);
	append_field(out, ",\"summed\":", totals.summed);
	append_field(out, ",\"lost\":", totals.lost);
	append_field(out, ",\"lost_since\":", lost_since);
	append_field(out, ",\"discarded\":", discarded);
	out.append("}}}\n");
}

void append_interface_json(std::string &out, const InterfaceChange &change, std::string_view instance,
			   std::int64_t unix_ns)
{
	begin_change(out, unix_ns, change.action, change.failed ? "failure" : "success", change.text);
	end_event(out, "weir.interface");
	begin_weir(out, instance);
	if (!change.name.empty()) {
		out.append(",\"interface\":{\"name\":");
		append_quoted(out, change.name);
		out.push_back('}');
	}
	out.append("}}\n");
}

void append_component_json(std::string &out, const ComponentRecord &record, std::string_view instance,
			   std::int64_t unix_ns)
{
	begin_change(out, unix_ns, record.action, record.failed ? "failure" : "success", record.text);
	if (record.gap)
		append_field(out, ",\"duration\":", static_cast<std::uint64_t>(record.gap->ns));
	end_event(out, "weir.component");
	begin_weir(out, instance);
	out.append(",\"component\":{\"name\":[");
	for (std::size_t i = 0; i < record.components.size(); ++i) {
		out.append(i == 0 ? "" : ",");
		append_quoted(out, record.components[i]);
	}
	out.append("],\"where\":");
	append_quoted(out, record.where);
	if (!record.cgroup.empty()) {
		out.append(",\"cgroup\":");
		append_quoted(out, record.cgroup);
	}
	if (record.gap) {
		append_field(out, ",\"gap_us\":", static_cast<std::uint64_t>(record.gap->ns / 1000));
		append_field(out, ",\"processes_before\":", record.gap->processes);
		append_field(out, ",\"sockets_before\":", record.gap->sockets);
	}
	out.append("}}}\n");
}

} // namespace weir::audit
