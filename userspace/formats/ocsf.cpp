// SPDX-License-Identifier: Apache-2.0
// OCSF 1.4 (https://schema.ocsf.io/1.4.0): what was refused, or admitted by a window, is Network Activity (4001), with the
// profiles of hosts and of security controls; changes of the policy and of windows are Entity Management (3004), with who and what was before;
// that the recording began or ended is Application Lifecycle (6002), a checkpoint the Base Event (0). All else, which
// says that something is not as it should be, is a Detection Finding (2004).
#include "formats/convert.h"

#include "audit/events_view.h"

#include <charconv>
#include <string>

namespace weir::formats {
namespace {

constexpr const char *schema = "1.4.0";

void put_text(Json &out, const char *key, std::string value)
{
	if (!value.empty())
		out[key] = std::move(value);
}

/// Milliseconds, as OCSF counts time.
void put_time(Json &out, const char *key, const Json &record, std::string_view field)
{
	if (const auto time = time_of(record, field); time != 0)
		out[key] = time / 1'000'000;
}

std::optional<std::uint32_t> number_in(const std::string &text)
{
	std::uint32_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size())
		return std::nullopt;
	return value;
}

Json metadata(const Json &record, Json profiles)
{
	Json out = {{"version", schema},
		    {"product", {{"name", "weir"}, {"vendor_name", "weir"}, {"version", WEIR_VERSION}}},
		    {"profiles", std::move(profiles)},
		    {"log_name", text(record, "event.dataset")},
		    {"log_provider", "weir"},
		    {"original_time", text(record, "@timestamp")}};
	put_text(out, "event_code", text(record, "event.action"));
	if (const auto &sequence = at(record, "journal.sequence"); sequence.is_number_unsigned())
		out["sequence"] = sequence;
	return out;
}

Json device(const Json &record)
{
	Json out = {{"type_id", 0}, {"type", "Unknown"}};
	put_text(out, "hostname", text(record, "host.name"));
	return out;
}

Json user(const Json &record)
{
	Json out = Json::object();
	put_text(out, "uid", text(record, "user.id"));
	put_text(out, "name", text(record, "user.name"));
	return out;
}

Json actor(const Json &record)
{
	Json process = Json::object();
	if (const auto &pid = at(record, "process.pid"); pid.is_number_unsigned())
		process["pid"] = pid;
	put_text(process, "name", text(record, "process.name"));
	if (const auto path = text(record, "process.executable"); !path.empty()) {
		const auto slash = path.find_last_of('/');
		process["file"] = {{"path", path},
				   {"name", slash == std::string::npos ? path : path.substr(slash + 1)},
				   {"type_id", 1}};
	}
	Json out = Json::object();
	const auto who = user(record);
	if (process.contains("pid")) { // a process needs one
		if (!who.empty())
			process["user"] = who;
		out["process"] = std::move(process);
	} else if (process.contains("name")) {
		out["app_name"] = process["name"];
	}
	if (!who.empty())
		out["user"] = who;
	return out;
}

Json end_of(const Json &record, const std::string &name, bool ours)
{
	Json out = Json::object();
	put_text(out, "ip", text(record, name + ".ip"));
	if (const auto &port = at(record, name + ".port"); port.is_number_unsigned())
		out["port"] = port;
	if (ours) { // of a sum, and at the socket gate, the address isn't known: whose end it is always is
		put_text(out, "hostname", text(record, "host.name"));
		put_text(out, "interface_name", text(record, "weir.interface.name"));
	}
	return out.contains("ip") || out.contains("hostname") ? out : Json::object();
}

int flags_of(const std::string &names)
{
	static constexpr std::string_view known[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
	int bits = 0;
	for (int bit = 0; bit < 8; bit++)
		if (names.find(known[bit]) != std::string::npos)
			bits |= 1 << bit;
	return bits;
}

Json connection(const Json &record, bool out)
{
	Json info = {{"direction_id", out ? 2 : 1}, {"direction", out ? "Outbound" : "Inbound"}};
	put_text(info, "protocol_name", text(record, "network.transport"));
	if (const auto protocol = number_in(text(record, "network.iana_number")))
		info["protocol_num"] = *protocol;
	const auto type = text(record, "network.type");
	if (type == "ipv4" || type == "ipv6")
		info["protocol_ver_id"] = type == "ipv4" ? 4 : 6;
	if (const auto flags = text(record, "weir.tcp.flags"); !flags.empty())
		info["tcp_flags"] = flags_of(flags);
	put_text(info, "uid", text(record, "weir.socket.cookie"));
	return info;
}

Json common(const Json &record, int category, int event_class, int activity)
{
	Json out = {{"category_uid", category}, {"class_uid", event_class},
		    {"activity_id", activity},  {"type_uid", event_class * 100 + activity},
		    {"device", device(record)}, {"unmapped", {{"weir", at(record, "weir")}}}};
	put_time(out, "time", record, "@timestamp");
	put_time(out, "start_time", record, "event.start");
	put_time(out, "end_time", record, "event.end");
	put_text(out, "status_code", text(record, "weir.reason"));
	return out;
}

struct Meaning {
	int activity, status, action, disposition;
};

/// Activity 5 is Refuse, 6 Traffic; of a sum of what was refused and what was observed it isn't known.
Meaning meaning_of(std::string_view verdict)
{
	if (verdict == "refused")
		return {.activity = 5, .status = 2, .action = 2, .disposition = 2};
	if (verdict == "observed")
		return {.activity = 6, .status = 1, .action = 3, .disposition = 17};
	if (verdict == "admitted")
		return {.activity = 6, .status = 1, .action = 1, .disposition = 1};
	return {};
}

Json network_activity(const Json &record, const Summary &summary)
{
	const bool out = text(record, "network.direction") != "ingress";
	const auto verdict = text(record, "weir.verdict");
	const auto what = meaning_of(verdict);
	auto event = common(record, 4, 4001, what.activity);
	event["category_name"] = "Network Activity";
	event["class_name"] = "Network Activity";
	event["metadata"] = metadata(record, {"host", "security_control"});
	event["severity_id"] = verdict == "observed" || verdict == "admitted" ? 1 : 2;
	event["status_id"] = what.status;
	event["status_detail"] = text(record, "event.reason");
	event["message"] = summary.sentence;
	event["action_id"] = what.action;
	event["disposition_id"] = what.disposition;
	event["connection_info"] = connection(record, out);
	event["count"] = at(record, "weir.count").is_number_unsigned() ? at(record, "weir.count") : Json(1);
	for (const std::string name : {"source", "destination"}) {
		auto end = end_of(record, name, (name == "source") == out);
		if (!end.empty())
			event[name == "source" ? "src_endpoint" : "dst_endpoint"] = std::move(end);
	}
	if (auto who = actor(record); !who.empty())
		event["actor"] = std::move(who);
	if (const auto &bytes = at(record, "network.bytes"); bytes.is_number_unsigned())
		event["traffic"] = {{"bytes", bytes}, {"packets", 1}};
	if (const auto &packets = at(record, "network.packets"); packets.is_number_unsigned())
		event["traffic"] = {{"packets", packets}};
	if (const auto digest = text(record, "weir.policy.digest"); !digest.empty())
		event["policy"] = {{"uid", digest},
				   {"name", text(record, "weir.instance")},
				   {"version", text(record, "weir.generation")},
				   {"is_applied", true}};
	if (const auto row = text(record, "rule.id"); !row.empty())
		event["firewall_rule"] = {{"uid", row}, {"name", row}};
	return event;
}

/// Who changed something, at which terminal and from where, as the record says it.
Json changer(const Json &record)
{
	auto who = user(record);
	put_text(who, "uid", text(record, "weir.policy.by.login_uid"));
	if (who.empty())
		return {{"app_name", "weir"}}; // the daemon, or time
	Json out = {{"user", std::move(who)}};
	if (const auto terminal = text(record, "weir.policy.by.terminal"); !terminal.empty())
		out["session"] = {{"terminal", terminal}};
	return out;
}

/// The policy, or a window of it, is created, updated or deleted by somebody. What it was and what it is now.
Json entity_management(const Json &record, const Summary &summary)
{
	const bool window = text(record, "event.dataset") == "weir.window";
	const auto action = text(record, "event.action");
	const auto state = [&](const std::string &when) {
		Json out = {{"name", text(record, "weir.instance")}, {"type", "policy"}};
		put_text(out, "uid", text(record, "weir.policy." + when + ".digest"));
		put_text(out, "version", text(record, "weir.policy." + when + ".generation"));
		return out;
	};
	const auto is_none = [&](const std::string &when) { // unknown isn't none
		const auto &generation = at(record, "weir.policy." + when + ".generation");
		return generation.is_number_integer() && generation == 0;
	};
	const bool created = window ? action == "window_opened" : is_none("before");
	const bool deleted = window ? action == "window_closed" || action == "window_expired" : is_none("after");
	auto event = common(record, 3, 3004, created ? 1 : deleted ? 4 : 3);
	event["category_name"] = "Identity & Access Management";
	event["class_name"] = "Entity Management";
	event["metadata"] = metadata(record, {"host"});
	event["severity_id"] = summary.severity <= 4 ? 3 : 1;
	event["status_id"] = text(record, "event.outcome") == "success" ? 1 : 0;
	event["message"] = summary.sentence;
	event["actor"] = changer(record);
	if (const auto from = text(record, "weir.policy.by.ssh_from"); !from.empty())
		event["src_endpoint"] = {{"ip", from}};
	if (window) {
		event["entity"] = {{"name", text(record, "weir.window.name")}, {"type", "window"}};
		put_text(event, "comment", text(record, "weir.window.reason"));
		return event;
	}
	event["entity"] = state(created ? "after" : "before");
	if (!deleted && !created)
		event["entity_result"] = state("after");
	return event;
}

/// That the recording began or ended, as it should.
Json application_lifecycle(const Json &record, const Summary &summary)
{
	auto event = common(record, 6, 6002, text(record, "event.action") == "recording_began" ? 3 : 4);
	event["category_name"] = "Application Activity";
	event["class_name"] = "Application Lifecycle";
	event["metadata"] = metadata(record, {"host"});
	event["severity_id"] = 1;
	event["status_id"] = 1;
	event["message"] = summary.sentence;
	event["app"] = event["metadata"]["product"];
	return event;
}

/// A checkpoint, which is no activity of anybody's: the base event, with its place and signature.
Json base_event(const Json &record, const Summary &summary)
{
	auto event = common(record, 0, 0, 99);
	event["category_name"] = "Uncategorized";
	event["class_name"] = "Base Event";
	event["activity_name"] = text(record, "event.action");
	event["metadata"] = metadata(record, {"host"});
	event["severity_id"] = 1;
	event["status_id"] = 1;
	event["message"] = summary.sentence;
	event["unmapped"]["journal"] = at(record, "journal");
	return event;
}

/// One of its kind: no two records of an instance have the time, the action and the subject in common. What was found
/// in the kernel and is well again is one finding, that is closed.
std::string finding_id(const Json &record)
{
	const auto problem = text(record, "weir.integrity.problem");
	const auto begin = text(record, "weir.instance") + ":";
	return problem.empty() ? begin + text(record, "event.action") + ":" + text(record, "@timestamp")
			       : begin + "integrity:" + problem;
}

Json detection_finding(const Json &record, const Summary &summary)
{
	const auto action = text(record, "event.action");
	const bool closed = action == "as_published";
	auto event = common(record, 2, 2004, closed ? 3 : 1);
	event["category_name"] = "Findings";
	event["class_name"] = "Detection Finding";
	event["metadata"] = metadata(record, {"host"});
	event["severity_id"] = summary.severity <= 3 ? 4 : summary.severity == 4 ? 3 : 1;
	event["status_id"] = closed ? 4 : 1;
	event["message"] = summary.sentence;
	event["is_alert"] = summary.severity <= 4;
	Json info = {{"uid", finding_id(record)}, {"title", action}, {"types", {text(record, "event.dataset")}}};
	put_text(info, "desc", audit::printable(text(record, "event.reason")));
	put_time(info, "created_time", record, "@timestamp");
	event["finding_info"] = std::move(info);
	Json evidence = {{"data", at(record, "weir")}};
	if (auto who = actor(record); !who.empty())
		evidence["actor"] = std::move(who);
	event["evidences"] = Json::array({std::move(evidence)});
	return event;
}

Json event_of(const Json &record, const Summary &summary)
{
	const auto dataset = text(record, "event.dataset"), action = text(record, "event.action");
	if (dataset == "weir.violation" || dataset == "weir.admission")
		return network_activity(record, summary);
	if (dataset == "weir.window" || (dataset == "weir.policy" && action != "policy_unexplained"))
		return entity_management(record, summary);
	if (dataset == "weir.journal" && text(record, "event.outcome") == "success" &&
	    (action == "recording_began" || action == "recording_ended"))
		return application_lifecycle(record, summary);
	if (dataset == "weir.checkpoint")
		return base_event(record, summary);
	return detection_finding(record, summary);
}

} // namespace

std::string ocsf(const Json &record, std::string_view line)
{
	const auto summary = summary_of(record, line);
	const auto event = event_of(record, summary);
	// ASCII: a name that steers a terminal goes out as \uXXXX, as it came in.
	return event.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace weir::formats
