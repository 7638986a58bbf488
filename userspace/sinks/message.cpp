// SPDX-License-Identifier: Apache-2.0
#include "sinks/address.h"

#include "audit/events_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace weir::sinks {
namespace {

/// "Nov 24 12:03:04", as syslog(3) writes it into /dev/log.
std::string local_stamp(const std::string &time)
{
	const auto seconds = static_cast<std::time_t>(audit::parse_time(time).value_or(0) / 1'000'000'000);
	std::tm local{};
	::localtime_r(&seconds, &local);
	static constexpr const char *months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
						 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	return fmt::format("{} {:2} {:02}:{:02}:{:02}", months[local.tm_mon], local.tm_mday, local.tm_hour,
			   local.tm_min, local.tm_sec);
}

void append_field(std::string &out, const std::string &name, std::string_view value)
{
	out += name;
	if (value.find('\n') == std::string_view::npos) {
		out += '=';
		out += value;
	} else { // its length as 64 bits, little endian
		out += '\n';
		for (int shift = 0; shift < 64; shift += 8)
			out += static_cast<char>(value.size() >> shift & 0xff);
		out += value;
	}
	out += '\n';
}

/// Upper case, digits and underscores; systemd takes 64 characters.
std::string field_name(std::string_view dotted)
{
	std::string name = dotted.starts_with("weir.") ? "" : "WEIR_";
	for (const char c : dotted)
		name += c >= 'a' && c <= 'z'                               ? static_cast<char>(c - 'a' + 'A')
			: (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c
									   : '_';
	return name.substr(0, 64);
}

} // namespace

Result<std::string> message_for(const Address &address, std::string_view line)
{
	if (address.kind == Kind::journald)
		return journal_entry(line);
	const bool syslog = address.kind >= Kind::syslog_unix;
	if (!syslog || (address.format == formats::Format::syslog && address.header == Header::rfc5424))
		return formats::convert(address.format, line);

	const auto summary = formats::summarize(line);
	if (!summary)
		return std::unexpected(summary.error());
	auto text = address.format == formats::Format::syslog ? formats::structured_data(line)
							      : formats::convert(address.format, line);
	if (!text)
		return text;
	if (address.format == formats::Format::syslog)
		*text += " " + summary->sentence;
	const auto priority = formats::facility * 8 + summary->severity;
	if (address.header == Header::local)
		return fmt::format("<{}>{} weir: {}", priority, local_stamp(summary->time), *text);
	return fmt::format("<{}>1 {} {} weir - {} - {}", priority, summary->time, summary->host, summary->id, *text);
}

Result<std::string> journal_entry(std::string_view line)
{
	const auto summary = formats::summarize(line);
	const auto fields = formats::fields_of(line);
	if (!summary || !fields)
		return std::unexpected(summary ? fields.error() : summary.error());
	std::string out;
	append_field(out, "MESSAGE", summary->sentence);
	append_field(out, "PRIORITY", std::to_string(summary->severity));
	append_field(out, "SYSLOG_FACILITY", std::to_string(formats::facility));
	append_field(out, "SYSLOG_IDENTIFIER", "weir");
	append_field(out, "WEIR_RECORD", line);
	for (const auto &[name, value] : *fields)
		append_field(out, field_name(name), value);
	return out;
}

} // namespace weir::sinks
