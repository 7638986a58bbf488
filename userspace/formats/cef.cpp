// SPDX-License-Identifier: Apache-2.0
// ArcSight Common Event Format, implementation standard of version 0.1 (CEF:0).
#include "formats/convert.h"

#include "audit/json.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace weir::formats {
namespace {

/// A value of the extension: a backslash and an equals sign get a backslash, line ends are \n and \r. In the header it is
/// the pipe instead of the equals sign, and no line end at all. Else nothing that could steer a terminal.
std::string escaped(std::string_view text, bool header)
{
	std::string out;
	while (!text.empty()) {
		const auto [value, size] = audit::decode_utf8(text);
		if (value == '\\' || value == (header ? U'|' : U'='))
			(out += '\\') += static_cast<char>(value);
		else if (value == '\n' || value == '\r')
			out += header ? " " : value == '\n' ? "\\n" : "\\r";
		else if (audit::is_hostile(value) || (value == 0xfffd && size == 1))
			out += "\xef\xbf\xbd";
		else
			out.append(text.substr(0, size));
		text.remove_prefix(size);
	}
	return out;
}

class Extension {
public:
	void add(std::string_view key, std::string_view value)
	{
		if (!value.empty())
			text_ += fmt::format("{}{}={}", text_.empty() ? "" : " ", key, escaped(value, false));
	}
	void add_time(std::string_view key, std::int64_t unix_ns)
	{
		if (unix_ns != 0)
			add(key, std::to_string(unix_ns / 1'000'000));
	}
	/// A field of the site's own, with the name that it has here.
	void add_labelled(std::string_view key, std::string_view label, std::string_view value)
	{
		if (value.empty())
			return;
		add(fmt::format("{}Label", key), label);
		add(key, value);
	}
	[[nodiscard]] const std::string &text() const { return text_; }

private:
	std::string text_;
};

/// 0 to 10.
int severity_of(unsigned syslog_severity)
{
	static constexpr std::array severities = {10, 9, 8, 8, 6, 3, 1, 0};
	return severities.at(syslog_severity);
}

/// CEF bounds a string of the site's own: 4000 characters.
std::string joined(const Json &list)
{
	constexpr std::size_t most = 4000;
	std::string all;
	for (const auto &each : list)
		if (each.is_string())
			all += (all.empty() ? "" : "; ") + each.get<std::string>();
	if (all.size() > most) {
		all.resize(most - 4);
		all += " ...";
	}
	return all;
}

void add_end(Extension &out, const Json &record, bool source)
{
	const std::string name = source ? "source" : "destination";
	const auto ip = text(record, name + ".ip");
	if (ip.find(':') == std::string::npos)
		out.add(source ? "src" : "dst", ip);
	else
		out.add_labelled(source ? "c6a2" : "c6a3", source ? "Source IPv6 Address" : "Destination IPv6 Address",
				 ip);
	out.add(source ? "spt" : "dpt", text(record, name + ".port"));
}

void add_process(Extension &out, const Json &record, bool source)
{
	out.add(source ? "spid" : "dpid", text(record, "process.pid"));
	out.add(source ? "sproc" : "dproc", text(record, "process.name"));
	out.add(source ? "suid" : "duid", text(record, "user.id"));
	out.add(source ? "suser" : "duser", text(record, "user.name"));
	out.add("filePath", text(record, "process.executable"));
}

/// What is in a journal only. False: it is none of that.
bool add_evidence(Extension &out, const Json &record)
{
	const auto dataset = text(record, "event.dataset");
	if (dataset == "weir.policy") {
		out.add("src", text(record, "weir.policy.by.ssh_from"));
		out.add_labelled("cs1", "policyDigest", text(record, "weir.policy.after.digest"));
		out.add_labelled("cs2", "policyDigestBefore", text(record, "weir.policy.before.digest"));
		out.add_labelled("cs4", "opened", joined(at(record, "weir.policy.opened")));
		out.add_labelled("cs5", "closed", joined(at(record, "weir.policy.closed")));
		out.add_labelled("cn1", "generation", text(record, "weir.policy.after.generation"));
	} else if (dataset == "weir.integrity") {
		out.add_labelled("cs1", "policyDigest", text(record, "weir.integrity.policy.digest"));
		out.add_labelled("cs4", "problem", text(record, "weir.integrity.problem"));
		out.add("fname", text(record, "weir.integrity.path"));
	} else if (dataset == "weir.checkpoint") {
		out.add_labelled("cs1", "previousHash", text(record, "journal.previous"));
		out.add_labelled("cs2", "nextKey", text(record, "journal.next_key"));
		out.add_labelled("cs4", "signature", text(record, "journal.signature"));
		out.add_labelled("cn1", "records", text(record, "weir.checkpoint.records"));
	} else {
		return dataset == "weir.journal";
	}
	return true;
}

} // namespace

std::string cef(const Json &record, std::string_view line)
{
	const auto summary = summary_of(record, line);
	const auto reason = text(record, "weir.reason");
	const auto action = text(record, "event.action");
	const auto dataset = text(record, "event.dataset");
	const bool violation = dataset == "weir.violation";
	const bool attempt = violation || dataset == "weir.admission";
	// What a rule of the SIEM is built on: of refusals the reason, of all else what happened.
	const auto id = violation ? text(record, "weir.verdict") + ":" + reason : action;
	const bool out = text(record, "network.direction") != "ingress";

	Extension fields;
	fields.add_time("rt", time_of(record, "@timestamp"));
	fields.add_time("start", time_of(record, "event.start"));
	fields.add_time("end", time_of(record, "event.end"));
	fields.add("dvchost", text(record, "host.name"));
	fields.add("cat", text(record, "event.dataset"));
	fields.add("act", violation ? text(record, "weir.verdict") : action);
	fields.add("outcome", text(record, "event.outcome"));
	fields.add("reason", reason);
	if (attempt) {
		fields.add("deviceDirection", out ? "1" : "0");
		fields.add("proto", text(record, "network.transport"));
		add_end(fields, record, true);
		add_end(fields, record, false);
		fields.add(out ? "deviceOutboundInterface" : "deviceInboundInterface",
			   text(record, "weir.interface.name"));
		fields.add("cnt", text(record, violation ? "weir.count" : "network.packets"));
	}
	add_process(fields, record, out || !attempt);
	fields.add("externalId", text(record, "journal.sequence"));
	fields.add_labelled("cs3", "instance", text(record, "weir.instance"));
	if (!add_evidence(fields, record)) {
		fields.add_labelled("cs1", "policyDigest", text(record, "weir.policy.digest"));
		fields.add_labelled("cs2", "gate", text(record, "weir.gate"));
		fields.add_labelled("cs4", "cgroup", text(record, "weir.cgroup.path"));
		fields.add_labelled("cs5", "row", text(record, "rule.id"));
		fields.add_labelled("cn1", "generation", text(record, "weir.generation"));
	}
	fields.add_labelled("cs6", "window", text(record, "weir.window.name"));
	fields.add_labelled("cn2", "eventsLost", text(record, "weir.events.lost"));
	fields.add("msg", summary.sentence);
	return fmt::format("CEF:0|weir|weir|{}|{}|{}|{}|{}", escaped(WEIR_VERSION, true), escaped(id, true),
			   escaped(text(record, "event.reason"), true), severity_of(summary.severity), fields.text());
}

} // namespace weir::formats
