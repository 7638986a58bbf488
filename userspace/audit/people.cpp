// SPDX-License-Identifier: Apache-2.0
// for_people(): from one of weir's JSON lines to one line that is read in a hurry.
#include "audit/event.h"
#include "audit/events_view.h"
#include "audit/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <ctime>

namespace weir::audit {
namespace {

using Json = nlohmann::json;

constexpr const char *reset = "\x1b[0m", *red = "\x1b[31m", *yellow = "\x1b[33m", *dim = "\x1b[2m";

const Json &at(const Json &object, std::string_view dotted)
{
	static const Json none;
	const Json *here = &object;
	while (!dotted.empty()) {
		const auto dot = dotted.find('.');
		const auto key = dotted.substr(0, dot);
		const auto found = here->is_object() ? here->find(key) : here->end();
		if (!here->is_object() || found == here->end())
			return none;
		here = &*found;
		dotted = dot == std::string_view::npos ? "" : dotted.substr(dot + 1);
	}
	return *here;
}

/// Text or number, without whatever could steer a terminal; "" when there is none.
std::string text(const Json &object, std::string_view dotted)
{
	const Json &value = at(object, dotted);
	if (value.is_string())
		return printable(value.get_ref<const std::string &>());
	return value.is_number_integer() ? value.dump() : "";
}

std::uint64_t number(const Json &object, std::string_view dotted)
{
	const Json &value = at(object, dotted);
	return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::string clock_of(const std::string &timestamp)
{
	const auto ns = parse_time(timestamp);
	if (!ns)
		return timestamp.empty() ? "?" : timestamp;
	const auto seconds = static_cast<std::time_t>(*ns / 1'000'000'000);
	std::tm local{};
	::localtime_r(&seconds, &local);
	return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec,
			   *ns % 1'000'000'000 / 1'000'000);
}

std::string endpoint(const Json &record, std::string_view name)
{
	auto ip = text(record, std::string(name) + ".ip");
	const auto port = text(record, std::string(name) + ".port");
	if (ip.empty())
		ip = "?";
	if (port.empty())
		return ip;
	return ip.contains(':') ? fmt::format("[{}]:{}", ip, port) : fmt::format("{}:{}", ip, port);
}

std::string who(const Json &record)
{
	const auto pid = text(record, "process.pid");
	auto name = text(record, "process.name");
	if (pid.empty() && name.empty())
		return "(no process)";
	if (name.empty())
		name = "?";
	auto user = text(record, "user.name");
	if (user.empty())
		user = "uid " + text(record, "user.id");
	return pid.empty() ? fmt::format("{} {}", name, user) : fmt::format("{}[{}] {}", name, pid, user);
}

std::string loss(const Json &record, bool color)
{
	const auto since = number(record, "weir.events.lost_since");
	const auto discarded = number(record, "weir.events.discarded");
	auto line = fmt::format("{} {}LOST{}     {} events are not in this record",
				clock_of(text(record, "@timestamp")), color ? yellow : "", color ? reset : "", since);
	if (discarded != 0)
		line += fmt::format(", {} could not be written", discarded);
	line += fmt::format("  (since loading: refused {} + observed {} = reported {}",
			    number(record, "weir.events.refused"), number(record, "weir.events.observed"),
			    number(record, "weir.events.reported"));
	const auto merged = number(record, "weir.events.merged"), summed = number(record, "weir.events.summed");
	if (merged != 0 || summed != 0)
		line += fmt::format(" + merged {} + summed {}", merged, summed);
	line += fmt::format(" + lost {})", number(record, "weir.events.lost"));
	return line;
}

/// What is a sentence already: what happened to an interface, a name, a window or a component.
std::string sentence(const Json &record, std::string_view subject, bool color)
{
	const bool failed = text(record, "event.outcome") == "failure";
	return fmt::format("{} {}{:<9}{}{}", clock_of(text(record, "@timestamp")), color && failed ? yellow : "",
			   subject, color && failed ? reset : "", text(record, "event.reason"));
}

/// " × 1234 in 0.98 s", of a record that stands for many; " × 12 packets in 0.98 s".
std::string times(const Json &record)
{
	auto count = text(record, "weir.count");
	if (const auto packets = number(record, "network.packets"); packets != 0) // a window admitted them
		count = fmt::format("{} packet{}", packets, packets == 1 ? "" : "s");
	if (count.empty())
		return "";
	const auto start = parse_time(text(record, "event.start")), end = parse_time(text(record, "event.end"));
	if (!start || !end || *end < *start)
		return fmt::format(" \u00d7 {}", count);
	return fmt::format(" \u00d7 {} in {:.2f} s", count, static_cast<double>(*end - *start) / 1e9);
}

/// Refused, observed, or admitted by a window.
std::string attempt(const Json &record, bool color)
{
	const auto verdict = text(record, "weir.verdict");
	const auto operation = text(record, "weir.operation");
	const bool out = text(record, "network.direction") != "ingress";
	auto transport = text(record, "network.transport");
	if (const auto type = text(record, "weir.ethertype"); !type.empty())
		transport = "EtherType " + type;
	else if (transport.empty())
		transport = "?";
	if (const auto type = text(record, "weir.icmp.type"); !type.empty())
		transport += " type " + type;

	// Out: the local end says little, and is often unknown. In: both ends do, and there may be no process.
	std::string line = fmt::format("{} {}{:<8}{} {:<3} ", clock_of(text(record, "@timestamp")),
				       !color || verdict == "admitted" ? ""
				       : verdict == "refused"          ? red
								       : yellow,
				       verdict.empty() ? "counted" : verdict, color ? reset : "", out ? "out" : "in");
	const bool summed = !text(record, "weir.count_total").empty();
	const bool has_ends = !summed && text(record, "weir.ethertype").empty();
	line += summed ? "(ends not kept)" : transport + " " + who(record);
	if (has_ends && out)
		line += " -> " + endpoint(record, "destination");
	else if (has_ends)
		line += fmt::format(" <- {} to {}", endpoint(record, "source"), endpoint(record, "destination"));
	if (const auto flags = text(record, "weir.tcp.flags"); !flags.empty())
		line += " " + flags;
	line += "  " + text(record, "event.reason");
	line += color ? dim : "";
	line += fmt::format(" ({} gate{}{}", text(record, "weir.gate"), operation.empty() ? "" : ", ", operation);
	if (at(record, "weir.data_sent") == Json(false))
		line += ": sets a peer, no data was sent";
	if (const auto name = text(record, "weir.interface.name"); !name.empty())
		line += ", " + name;
	if (const auto rule = text(record, "rule.id"); !rule.empty() && verdict != "admitted")
		line += ", row " + rule;
	line += ")";
	line += color ? reset : "";
	return line + times(record);
}

} // namespace

std::string local_time(std::int64_t unix_ns)
{
	const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
	std::tm local{};
	::localtime_r(&seconds, &local);
	char text[64];
	return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &local)};
}

std::string printable(std::string_view text)
{
	std::string clean;
	clean.reserve(text.size());
	while (!text.empty()) {
		const auto [value, size] = decode_utf8(text);
		if (is_hostile(value) || (value == 0xfffd && size == 1))
			clean += "\xef\xbf\xbd";
		else
			clean.append(text.substr(0, size));
		text.remove_prefix(size);
	}
	return clean;
}

std::optional<std::int64_t> parse_time(std::string_view text)
{
	unsigned parts[6] = {};
	constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";
	if (text.size() < shape.size() + 1)
		return std::nullopt;
	for (std::size_t i = 0, part = 0; i < shape.size(); i++) {
		const char c = text[i];
		if (shape[i] == 'd') {
			if (c < '0' || c > '9')
				return std::nullopt;
			parts[part] = parts[part] * 10 + static_cast<unsigned>(c - '0');
		} else {
			if (c != shape[i] && !(shape[i] == 'T' && (c == 't' || c == ' ')))
				return std::nullopt;
			part++;
		}
	}
	text.remove_prefix(shape.size());
	std::int64_t fraction = 0;
	if (text[0] == '.') {
		std::size_t digits = 1;
		for (std::int64_t scale = 100'000'000;
		     digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; digits++, scale /= 10)
			fraction += (text[digits] - '0') * scale;
		if (digits == 1)
			return std::nullopt;
		text.remove_prefix(digits);
	}
	std::int64_t offset = 0;
	if (text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':') {
		int hours = 0, minutes = 0;
		if (std::from_chars(&text[1], &text[3], hours).ptr != &text[3] ||
		    std::from_chars(&text[4], text.data() + 6, minutes).ptr != text.data() + 6 || hours > 23 ||
		    minutes > 59)
			return std::nullopt;
		offset = std::int64_t{60} * (hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
	} else if (text != "Z" && text != "z") {
		return std::nullopt;
	}
	using namespace std::chrono;
	const year_month_day date{year{static_cast<int>(parts[0])}, month{parts[1]}, day{parts[2]}};
	// 60: a leap second. Years past 2261 don't fit into 64 bits of nanoseconds.
	if (!date.ok() || parts[0] > 2261 || parts[0] < 1970 || parts[3] > 23 || parts[4] > 59 || parts[5] > 60)
		return std::nullopt;
	const std::int64_t seconds = sys_days{date}.time_since_epoch().count() * std::int64_t{86400} +
				     parts[3] * std::int64_t{3600} + parts[4] * std::int64_t{60} + parts[5];
	return (seconds - offset) * 1'000'000'000 + fraction;
}

Result<std::string> for_people(std::string_view json_line, bool color)
{
	const auto record = Json::parse(json_line, nullptr, false);
	if (record.is_discarded())
		return fail("not JSON");
	const auto dataset = text(record, "event.dataset");
	if (dataset == "weir.violation" || dataset == "weir.admission")
		return attempt(record, color);
	if (dataset == "weir.loss")
		return loss(record, color);
	if (dataset == "weir.interface")
		return sentence(record, "EDGE", color);
	if (dataset == "weir.name")
		return sentence(record, "NAME", color);
	if (dataset == "weir.window")
		return sentence(record, "WINDOW", color);
	if (dataset == "weir.component")
		return sentence(record, "PLACE", color);
	if (dataset == "weir.policy")
		return sentence(record, "POLICY", color);
	if (dataset == "weir.integrity")
		return sentence(record, "TAMPER", color);
	if (dataset == "weir.journal" || dataset == "weir.checkpoint")
		return sentence(record, dataset == "weir.journal" ? "RECORD" : "SIGNED", color);
	if (dataset == "weir.sink")
		return sentence(record, "SINK", color);
	return fail("not a record of weir: event.dataset is none that it writes");
}

} // namespace weir::audit
