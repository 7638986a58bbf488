// SPDX-License-Identifier: Apache-2.0
// OCSF 1.4 (https://schema.ocsf.io/1.4.0): what was refused is Network Activity (4001), with the profiles of hosts and
// of security controls; all else, which says that something changed or went wrong, is a Detection Finding (2004).
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

Json network_activity(const Json &record, const Summary &summary)
{
	const bool out = text(record, "network.direction") != "ingress";
	const auto verdict = text(record, "weir.verdict");
	// 5, Refuse; what was let pass is 6, Traffic; of a sum of both it isn't known.
	auto event = common(record, 4, 4001, verdict == "refused" ? 5 : verdict == "observed" ? 6 : 0);
	event["category_name"] = "Network Activity";
	event["class_name"] = "Network Activity";
	event["metadata"] = metadata(record, {"host", "security_control"});
	event["severity_id"] = verdict == "observed" ? 1 : 2;
	event["status_id"] = verdict == "observed" ? 1 : verdict == "refused" ? 2 : 0;
	event["status_detail"] = text(record, "event.reason");
	event["message"] = summary.sentence;
	event["action_id"] = verdict == "refused" ? 2 : verdict == "observed" ? 3 : 0;
	event["disposition_id"] = verdict == "refused" ? 2 : verdict == "observed" ? 17 : 0;
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
	if (const auto digest = text(record, "weir.policy.digest"); !digest.empty())
		event["policy"] = {{"uid", digest},
				   {"name", text(record, "weir.instance")},
				   {"version", text(record, "weir.generation")},
				   {"is_applied", true}};
	if (const auto row = text(record, "rule.id"); !row.empty())
		event["firewall_rule"] = {{"uid", row}, {"name", row}};
	return event;
}

Json detection_finding(const Json &record, const Summary &summary)
{
	auto event = common(record, 2, 2004, 1);
	event["category_name"] = "Findings";
	event["class_name"] = "Detection Finding";
	event["metadata"] = metadata(record, {"host"});
	event["severity_id"] = summary.severity <= 3 ? 4 : summary.severity == 4 ? 3 : 1;
	event["status_id"] = 1;
	event["message"] = summary.sentence;
	event["is_alert"] = summary.severity <= 4;
	const auto action = text(record, "event.action");
	// One of its kind: no two records of an instance have the time, the action and the subject in common.
	Json info = {{"uid", text(record, "weir.instance") + ":" + action + ":" + text(record, "@timestamp")},
		     {"title", action},
		     {"types", {text(record, "event.dataset")}}};
	put_text(info, "desc", audit::printable(text(record, "event.reason")));
	put_time(info, "created_time", record, "@timestamp");
	event["finding_info"] = std::move(info);
	Json evidence = {{"data", at(record, "weir")}};
	if (auto who = actor(record); !who.empty())
		evidence["actor"] = std::move(who);
	event["evidences"] = Json::array({std::move(evidence)});
	return event;
}

} // namespace

std::string ocsf(const Json &record, std::string_view line)
{
	const auto summary = summary_of(record, line);
	const auto event = text(record, "event.dataset") == "weir.violation" ? network_activity(record, summary)
									     : detection_finding(record, summary);
	// ASCII: a name that steers a terminal goes out as \uXXXX, as it came in.
	return event.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace weir::formats
