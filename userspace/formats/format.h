// SPDX-License-Identifier: Apache-2.0
// Records in the forms that a site's other systems read. Pure: a line of JSON in, a line out.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::formats {

enum class Format : std::uint8_t {
	ecs,    ///< Elastic Common Schema, as the daemon writes it
	ocsf,   ///< Open Cybersecurity Schema Framework 1.4: Network Activity, Detection Finding and others, as JSON
	cef,    ///< ArcSight's Common Event Format, version 0
	syslog, ///< RFC 5424, with structured data
};

/// "ecs", "ocsf", "cef", "syslog".
std::optional<Format> format_of(std::string_view name);
const char *name_of(Format);

/// One of weir's records, a line of JSON without its newline, in another form; no newline at the end, and none within.
/// ECS: the line itself. Error: it is none of weir's records.
Result<std::string> convert(Format, std::string_view line);

/// What a carrier of syslog needs to know of a record.
struct Summary {
	std::string time;     ///< "2026-11-24T12:03:04.123456Z": RFC 5424 has room for six digits
	std::string host;     ///< of the record; "-" when it says none
	std::string id;       ///< event.action: RFC 5424's MSGID; "-"
	std::string sentence; ///< for people, without the time; nothing that could steer a terminal
	unsigned severity = 6; ///< RFC 5424 table 2: 3 error, 4 warning, 5 notice, 6 informational
};
Result<Summary> summarize(std::string_view line);

/// authpriv: what only admins may read.
constexpr unsigned facility = 10;

/// "[weir@32473 event.action=\"connect\" ...]": all that the record says. Error: as of convert().
Result<std::string> structured_data(std::string_view line);

/// Every field of the record, its name with dots, lists joined by commas. Error: as of convert().
Result<std::vector<std::pair<std::string, std::string>>> fields_of(std::string_view line);

} // namespace weir::formats
