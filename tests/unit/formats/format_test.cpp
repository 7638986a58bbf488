// SPDX-License-Identifier: Apache-2.0
// Each form by readers of the tests' own, written from the forms' definitions; what is hostile stays contained.
#include "formats/format.h"

#include "samples.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace weir::formats {
namespace {

using Json = nlohmann::json;
using Fields = std::map<std::string, std::string>;

std::string as(Format format, const std::string &line)
{
	const auto converted = convert(format, bare(line));
	EXPECT_TRUE(converted.has_value()) << line;
	return converted.value_or("");
}

bool has_control(std::string_view text)
{
	return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// RFC 5424 sections 6 to 6.4, strictly; throws on what is none.
struct Syslog {
	explicit Syslog(const std::string &text)
	{
		rest_ = text;
		need('<');
		priority = std::stoi(until('>'));
		version = until(' ');
		time = until(' ');
		host = until(' ');
		app = until(' ');
		process = until(' ');
		id = until(' ');
		need('[');
		element = until(' ');
		for (;;) {
			const auto name = until('=');
			if (name.empty() || name.size() > 32 || name.find_first_of(" ]\"") != std::string::npos)
				throw std::runtime_error("name: " + name);
			need('"');
			std::string value;
			for (; rest_.at(0) != '"'; rest_.erase(0, 1)) {
				if (rest_[0] == ']')
					throw std::runtime_error("a bracket in " + name);
				if (rest_[0] == '\\')
					rest_.erase(0, 1);
				value += rest_.at(0);
			}
			need('"');
			if (!parameters.emplace(name, value).second)
				throw std::runtime_error("twice: " + name);
			if (rest_.at(0) == ']')
				break;
			need(' ');
		}
		need(']');
		need(' ');
		message = rest_;
	}
	int priority = 0;
	std::string version, time, host, app, process, id, element, message;
	Fields parameters;

private:
	void need(char c)
	{
		if (rest_.empty() || rest_[0] != c)
			throw std::runtime_error(std::string("no ") + c + " at: " + rest_);
		rest_.erase(0, 1);
	}
	std::string until(char c)
	{
		const auto end = rest_.find(c);
		if (end == std::string::npos)
			throw std::runtime_error(std::string("no ") + c + " in: " + rest_);
		auto part = rest_.substr(0, end);
		rest_.erase(0, end + 1);
		return part;
	}
	std::string rest_;
};

/// CEF: seven pipes that no backslash stands before, then KEY=VALUE; a value ends before the last word that an equals
/// sign follows.
struct Cef {
	explicit Cef(const std::string &text)
	{
		std::string part;
		std::size_t i = 0;
		for (; i < text.size() && header.size() < 7; i++) {
			if (text[i] == '\\' && i + 1 < text.size())
				part += text[++i];
			else if (text[i] == '|')
				header.push_back(std::exchange(part, ""));
			else
				part += text[i];
		}
		std::string key, word, value;
		for (; i <= text.size(); i++) {
			const char c = i < text.size() ? text[i] : '\0';
			if (c == '\\') {
				const char next = text.at(++i);
				word += next == 'n' ? '\n' : next == 'r' ? '\r' : next;
			} else if (c == '=') {
				if (!key.empty())
					fields.emplace(key, value);
				key = std::exchange(word, "");
				value.clear();
			} else if (c == ' ' || c == '\0') {
				value += (value.empty() ? "" : " ") + std::exchange(word, "");
			} else {
				word += c;
			}
		}
		fields.emplace(key, value);
	}
	std::vector<std::string> header;
	Fields fields;
};

TEST(Format, NamesAreKnown)
{
	for (const char *name : {"ecs", "ocsf", "cef", "syslog"})
		EXPECT_STREQ(name_of(format_of(name).value()), name);
	EXPECT_FALSE(format_of("xml"));
	EXPECT_FALSE(format_of(""));
}

TEST(Format, WhatIsNoRecordIsAnError)
{
	for (const char *text : {"", "{", "[]", "{}", R"({"event":{"dataset":"nginx.access"}})", "1"})
		for (const auto format : {Format::ecs, Format::ocsf, Format::cef, Format::syslog})
			EXPECT_FALSE(convert(format, text)) << text;
}

TEST(Format, EveryRecordIsOneLineWithoutControlCharacters)
{
	for (const auto &line : all_records())
		for (const auto format : {Format::ecs, Format::ocsf, Format::cef, Format::syslog})
			EXPECT_FALSE(has_control(as(format, line))) << line;
}

TEST(Format, EcsIsTheLineItself)
{
	const auto line = audit::line_of(audit::refused_connect());
	EXPECT_EQ(as(Format::ecs, line) + "\n", line);
}

TEST(Format, SyslogHasAllThatTheRecordSays)
{
	const Syslog read(as(Format::syslog, audit::line_of(audit::refused_connect(), {.user = "root"})));
	EXPECT_EQ(read.priority, 10 * 8 + 4);
	EXPECT_EQ(read.version, "1");
	EXPECT_EQ(read.time, "2026-11-24T12:03:04.123456Z");
	EXPECT_EQ(read.app, "weir");
	EXPECT_EQ(read.id, "connect");
	EXPECT_EQ(read.element, "weir@32473");
	EXPECT_EQ(read.parameters.at("destination.ip"), "203.0.113.7");
	EXPECT_EQ(read.parameters.at("destination.port"), "443");
	EXPECT_EQ(read.parameters.at("process.name"), "curl");
	EXPECT_EQ(read.parameters.at("event.type"), "connection,denied");
	EXPECT_EQ(read.parameters.at("@timestamp"), "2026-11-24T12:03:04.123456789Z");
	EXPECT_EQ(read.parameters.at("weir.policy.digest").size(), 64u);
	EXPECT_TRUE(read.message.starts_with("refused")) << read.message;
	EXPECT_NE(read.message.find("curl[1234] root -> 203.0.113.7:443"), std::string::npos) << read.message;
}

TEST(Format, SyslogOfEveryRecordIsRead)
{
	std::set<int> priorities;
	for (const auto &line : all_records()) {
		const Syslog read(as(Format::syslog, line));
		priorities.insert(read.priority);
		EXPECT_GE(read.parameters.size(), 10u) << line;
	}
	EXPECT_EQ(priorities, (std::set<int>{83, 84, 85, 86}));
}

TEST(Format, SyslogContainsWhatIsHostile)
{
	const Syslog read(as(Format::syslog, hostile_line()));
	EXPECT_EQ(read.parameters.at("process.name"), "x\"]|=\\\xef\xbf\xbd\xef\xbf\xbd[2J\xef\xbf\xbd<b>");
	EXPECT_EQ(read.parameters.at("weir.cgroup.path"), "/a|b=c\\d\"]");
	EXPECT_FALSE(read.parameters.contains("x"));
	EXPECT_TRUE(read.message.starts_with("\xef\xbb\xbf")) << "not ASCII: section 6.4 wants the mark";
}

TEST(Format, CefHasItsFields)
{
	const Cef read(as(Format::cef, audit::line_of(audit::refused_connect(), {.user = "root"})));
	ASSERT_EQ(read.header.size(), 7u);
	EXPECT_EQ(read.header[0], "CEF:0");
	EXPECT_EQ(read.header[4], "refused:no_row");
	EXPECT_EQ(read.header[6], "6");
	const Fields wanted{{"act", "refused"},      {"dst", "203.0.113.7"},   {"dpt", "443"},      {"proto", "tcp"},
			    {"rt", "1795521784123"}, {"spid", "1234"},         {"sproc", "curl"},   {"suser", "root"},
			    {"suid", "0"},           {"deviceDirection", "1"}, {"reason", "no_row"}};
	for (const auto &[key, value] : wanted)
		EXPECT_EQ(read.fields.at(key), value) << key;
	EXPECT_FALSE(read.fields.contains("src")) << "not known at the socket gate";
}

TEST(Format, CefOfWhatCameInNamesBothEndsOfIpv6)
{
	const Cef read(as(Format::cef, audit::line_of(audit::refused_packet())));
	EXPECT_EQ(read.fields.at("c6a2"), "2001:db8:0:1::2");
	EXPECT_EQ(read.fields.at("c6a3"), "2001:db8::1");
	EXPECT_EQ(read.fields.at("c6a2Label"), "Source IPv6 Address");
	EXPECT_EQ(read.fields.at("deviceDirection"), "0");
}

TEST(Format, CefContainsWhatIsHostile)
{
	const Cef read(as(Format::cef, hostile_line()));
	EXPECT_EQ(read.fields.at("sproc"), "x\"]|=\\\n\xef\xbf\xbd[2J\xef\xbf\xbd<b>");
	EXPECT_EQ(read.fields.at("cs4"), "/a|b=c\\d\"]");
	EXPECT_EQ(read.header.size(), 7u);
}

TEST(Format, CefOfEveryRecordIsRead)
{
	for (const auto &line : all_records()) {
		const Cef read(as(Format::cef, line));
		EXPECT_FALSE(read.fields.at("rt").empty()) << line;
		EXPECT_FALSE(read.fields.at("msg").empty()) << line;
		EXPECT_FALSE(read.header[4].empty()) << line;
	}
}

Json ocsf_of(const std::string &line)
{
	return Json::parse(as(Format::ocsf, line));
}

TEST(Format, OcsfOfARefusalIsNetworkActivity)
{
	const auto event =
		ocsf_of(audit::line_of(audit::refused_packet(), {.user = "root", .interface = "eth0"}, "row-1"));
	EXPECT_EQ(event["class_uid"], 4001);
	EXPECT_EQ(event["category_uid"], 4);
	EXPECT_EQ(event["activity_id"], 5);
	EXPECT_EQ(event["type_uid"], 400105);
	EXPECT_EQ(event["action_id"], 2);
	EXPECT_EQ(event["disposition_id"], 2);
	EXPECT_EQ(event["time"], 1795521784123);
	EXPECT_EQ(event["src_endpoint"]["ip"], "2001:db8:0:1::2");
	EXPECT_EQ(event["src_endpoint"]["port"], 50000);
	EXPECT_EQ(event["dst_endpoint"]["ip"], "2001:db8::1");
	EXPECT_EQ(event["dst_endpoint"]["interface_name"], "eth0");
	EXPECT_EQ(event["connection_info"]["direction_id"], 1);
	EXPECT_EQ(event["connection_info"]["protocol_num"], 6);
	EXPECT_EQ(event["connection_info"]["protocol_ver_id"], 6);
	EXPECT_EQ(event["connection_info"]["tcp_flags"], 2);
	EXPECT_EQ(event["firewall_rule"]["uid"], "row-1");
	EXPECT_EQ(event["metadata"]["version"], "1.4.0");
	EXPECT_EQ(event["unmapped"]["weir"]["reason"], "no_row");
}

TEST(Format, OcsfOfWhatWasOnlyObservedIsNoRefusal)
{
	auto event = audit::refused_connect();
	event.verdict = WEIR_ALLOW;
	const auto observed = ocsf_of(audit::line_of(event));
	EXPECT_EQ(observed["action_id"], 3);
	EXPECT_EQ(observed["activity_id"], 6);
	EXPECT_EQ(observed["disposition_id"], 17);
}

TEST(Format, OcsfOfMany)
{
	const auto event = ocsf_of(audit::line_of(audit::merged_packets()));
	EXPECT_EQ(event["count"], 1234);
	EXPECT_EQ(event["end_time"].get<std::int64_t>() - event["start_time"].get<std::int64_t>(), 500);
}

TEST(Format, WhatAWindowAdmittedIsTrafficThatWasAllowed)
{
	const auto event = ocsf_of(admission_line());
	EXPECT_EQ(event["class_uid"], 4001);
	EXPECT_EQ(event["activity_id"], 6);
	EXPECT_EQ(event["action_id"], 1);
	EXPECT_EQ(event["disposition_id"], 1);
	EXPECT_EQ(event["status_id"], 1);
	EXPECT_EQ(event["traffic"]["packets"], 12);
	EXPECT_EQ(event["firewall_rule"]["uid"], "web-tcp");
	EXPECT_EQ(event["dst_endpoint"]["ip"], "198.51.100.7");
	const auto cef = convert(Format::cef, bare(admission_line())).value();
	for (const char *field : {"|window_connection|", "dst=198.51.100.7", "dpt=443", "cnt=12", "sproc=apt",
				  "cs5=web-tcp", "cs6=installation", "act=window_connection"})
		EXPECT_NE(cef.find(field), std::string::npos) << field << " in " << cef;
	EXPECT_EQ(summarize(bare(admission_line())).value().severity, 5u);
}

TEST(Format, OcsfOfAChangeSaysWhoWhatAndWhy)
{
	const auto window = ocsf_of(window_line(window_change("window_opened")));
	EXPECT_EQ(window["class_uid"], 3004);
	EXPECT_EQ(window["type_uid"], 300401);
	EXPECT_EQ(window["entity"]["name"], "installation");
	EXPECT_EQ(window["comment"], "new release");
	EXPECT_EQ(window["actor"]["user"]["name"], "erika");
	EXPECT_EQ(ocsf_of(window_line(window_change("window_expired")))["activity_id"], 4);

	const auto applied = ocsf_of(policy_line("policy_apply", "2", "3"));
	EXPECT_EQ(applied["type_uid"], 300403);
	EXPECT_EQ(applied["entity"]["uid"], std::string(64, '2'));
	EXPECT_EQ(applied["entity_result"]["uid"], std::string(64, '3'));
	EXPECT_EQ(applied["entity_result"]["version"], "3");
	EXPECT_EQ(applied["actor"]["user"]["uid"], "1000");
	EXPECT_EQ(applied["src_endpoint"]["ip"], "192.0.2.9");
	EXPECT_EQ(ocsf_of(policy_line("policy_apply", "0", "1"))["activity_id"], 1);
	EXPECT_EQ(ocsf_of(policy_line("policy_remove", "3", "0"))["activity_id"], 4);
}

TEST(Format, OcsfOfWhatIsNotAsItShouldBeIsAFinding)
{
	EXPECT_EQ(ocsf_of(loss_line())["severity_id"], 4);
	const auto unexplained = ocsf_of(policy_line("policy_unexplained", "2", "3"));
	EXPECT_EQ(unexplained["type_uid"], 200401);
	EXPECT_EQ(unexplained["severity_id"], 4);
	EXPECT_EQ(unexplained["finding_info"]["title"], "policy_unexplained");
	const auto found = ocsf_of(integrity_line("not_as_published")),
		   solved = ocsf_of(integrity_line("as_published"));
	EXPECT_EQ(found["class_uid"], 2004);
	EXPECT_EQ(found["is_alert"], true);
	EXPECT_EQ(found["severity_id"], 4);
	EXPECT_EQ(solved["activity_id"], 3) << "closed";
	EXPECT_EQ(solved["is_alert"], false);
	EXPECT_EQ(found["finding_info"]["uid"], solved["finding_info"]["uid"]) << "one finding";
}

TEST(Format, OcsfOfTheRecordingItself)
{
	EXPECT_EQ(ocsf_of(journal_line("recording_began", false, "{}"))["type_uid"], 600203);
	EXPECT_EQ(ocsf_of(journal_line("recording_ended", false, "{}"))["type_uid"], 600204);
	EXPECT_EQ(ocsf_of(journal_line("recording_began", true, "{}"))["class_uid"], 2004) << "the last run was killed";
	const auto checkpoint = ocsf_of(checkpoint_line());
	EXPECT_EQ(checkpoint["class_uid"], 0);
	EXPECT_EQ(checkpoint["metadata"]["sequence"], 9);
	EXPECT_EQ(checkpoint["unmapped"]["journal"]["signature"].get<std::string>().size(), 128u);
}

TEST(Format, CefOfWhatIsInAJournalOnly)
{
	const auto applied = as(Format::cef, policy_line("policy_apply", "2", "3"));
	EXPECT_NE(applied.find("|policy_apply|"), std::string::npos) << applied;
	EXPECT_NE(applied.find("cs2Label=policyDigestBefore cs2=" + std::string(64, '2')), std::string::npos);
	EXPECT_NE(applied.find("cs4Label=opened cs4=out node to 192.0.2.10 TCP/443, row more"), std::string::npos);
	EXPECT_NE(applied.find("src=192.0.2.9"), std::string::npos);
	const auto found = as(Format::cef, integrity_line("not_as_published"));
	EXPECT_NE(found.find("cs4Label=problem cs4=a map of the instance is missing: flows"), std::string::npos);
	EXPECT_NE(as(Format::cef, checkpoint_line()).find("cs4Label=signature cs4="), std::string::npos);
}

TEST(Format, SyslogSeverityIsOfWhatHappened)
{
	const auto severity = [](const std::string &line) { return summarize(bare(line))->severity; };
	EXPECT_EQ(severity(integrity_line("not_as_published")), 3u);
	EXPECT_EQ(severity(integrity_line("as_published")), 5u);
	EXPECT_EQ(severity(policy_line("policy_unexplained", "2", "3")), 3u);
	EXPECT_EQ(severity(policy_line("policy_apply", "2", "3")), 5u);
	EXPECT_EQ(severity(journal_line("recording_paused", true, "{}")), 4u);
	EXPECT_EQ(severity(checkpoint_line()), 6u);
}

/// What OCSF 1.4 requires of the classes and their objects.
TEST(Format, OcsfOfEveryRecordHasWhatIsRequired)
{
	for (const auto &line : all_records()) {
		const auto event = ocsf_of(line);
		for (const char *needed : {"activity_id", "category_uid", "class_uid", "metadata", "severity_id",
					   "time", "type_uid", "device"})
			EXPECT_TRUE(event.contains(needed)) << needed << event;
		EXPECT_TRUE(event["metadata"]["product"].contains("vendor_name"));
		EXPECT_EQ(event["type_uid"], event["class_uid"].get<int>() * 100 + event["activity_id"].get<int>());
		EXPECT_TRUE(event["device"].contains("type_id"));
		if (event["class_uid"] == 4001) {
			EXPECT_TRUE(event.contains("src_endpoint") || event.contains("dst_endpoint")) << event;
			EXPECT_TRUE(event["connection_info"].contains("direction_id"));
			for (const char *end : {"src_endpoint", "dst_endpoint"})
				if (event.contains(end)) {
					EXPECT_TRUE(event[end].contains("ip") || event[end].contains("hostname"));
				}
			if (event.contains("actor")) {
				EXPECT_TRUE(event["actor"].contains("process") || event["actor"].contains("user") ||
					    event["actor"].contains("app_name"));
			}
		} else if (event["class_uid"] == 2004) {
			EXPECT_TRUE(event["finding_info"].contains("uid"));
			EXPECT_TRUE(event["finding_info"].contains("title"));
		} else if (event["class_uid"] == 3004) {
			EXPECT_TRUE(event["entity"].contains("name"));
			EXPECT_TRUE(event["actor"].contains("user") || event["actor"].contains("app_name"));
		} else if (event["class_uid"] == 6002) {
			EXPECT_TRUE(event["app"].contains("vendor_name"));
		} else {
			EXPECT_EQ(event["class_uid"], 0) << event;
		}
	}
}

TEST(Format, FieldsHaveNamesWithDots)
{
	const auto fields = fields_of(bare(audit::line_of(audit::refused_connect())));
	ASSERT_TRUE(fields.has_value());
	const Fields named(fields->begin(), fields->end());
	EXPECT_EQ(named.at("weir.gate"), "socket");
	EXPECT_EQ(named.at("event.category"), "network");
	EXPECT_FALSE(named.contains("weir.row")) << "null says that there is none";
}

} // namespace
} // namespace weir::formats
