// SPDX-License-Identifier: Apache-2.0
// RFC 5424. The enterprise number is that of examples (RFC 5612): weir has none of its own.
#include "formats/convert.h"

#include "audit/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::formats {
namespace {

constexpr const char *element = "weir@32473";
constexpr std::size_t longest_name = 32; ///< RFC 5424 section 6

/// Section 6.3.3: a quote, a backslash and a closing bracket get a backslash. Control characters "SHOULD" not be
/// there: they and broken UTF-8 become U+FFFD.
void append_value(std::string &out, std::string_view text)
{
	while (!text.empty()) {
		const auto [value, size] = audit::decode_utf8(text);
		if (audit::is_hostile(value) || (value == 0xfffd && size == 1)) {
			out += "\xef\xbf\xbd";
		} else {
			if (value == '"' || value == '\\' || value == ']')
				out += '\\';
			out.append(text.substr(0, size));
		}
		text.remove_prefix(size);
	}
}

/// Of a long one its last parts: the first ones say what the record's kind says already.
std::string name_from(std::string_view text)
{
	for (auto dot = text.find('.'); text.size() > longest_name && dot != std::string_view::npos;
	     dot = text.find('.'))
		text.remove_prefix(dot + 1);
	std::string name(text.substr(0, longest_name));
	std::ranges::replace_if(
		name, [](char c) { return c <= ' ' || c > '~' || c == '=' || c == ']' || c == '"'; }, '_');
	return name;
}

} // namespace

std::string structured_data(const Json &record)
{
	auto out = fmt::format("[{}", element);
	for_each_field(record, [&out](const std::string &name, const std::string &value) {
		if (name == "ecs.version" || name.starts_with("observer.") || name == "host.name")
			return; // the header has the host, the element's name the product
		out += ' ';
		out += name_from(name);
		out += "=\"";
		append_value(out, value);
		out += '"';
	});
	return out + "]";
}

Result<std::string> structured_data(std::string_view line)
{
	const auto record = parse_record(line);
	if (!record)
		return std::unexpected(record.error());
	return structured_data(*record);
}

std::string syslog(const Json &record, std::string_view line)
{
	const auto summary = summary_of(record, line);
	const bool ascii = std::ranges::all_of(summary.sentence, [](unsigned char c) { return c < 0x80; });
	return fmt::format("<{}>1 {} {} weir - {} {} {}{}", facility * 8 + summary.severity, summary.time, summary.host,
			   summary.id, structured_data(record), ascii ? "" : "\xef\xbb\xbf", // section 6.4
			   summary.sentence);
}

} // namespace weir::formats
