// SPDX-License-Identifier: Apache-2.0
#include "policy/dns_name.h"

#include "policy/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace weir::policy {
namespace {

constexpr std::size_t longest_label = 63; // RFC 1035 section 2.3.4
constexpr std::size_t longest_name = 253;
constexpr std::uint16_t dns_port = Resolver{}.port;

std::unexpected<Error> bad_name(std::string_view text, std::string_view what, std::string_view hint)
{
	return fail(Exit::policy, in_quotes(text) + ' ' + std::string(what) + '\n' + std::string(hint));
}

bool is_label(std::string_view label)
{
	const auto can_be = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
	return !label.empty() && label.size() <= longest_label && label.front() != '-' && label.back() != '-' &&
	       std::ranges::all_of(label, can_be);
}

std::optional<std::uint16_t> port_from(std::string_view text)
{
	std::uint16_t port = 0;
	const char *const end = text.data() + text.size();
	const auto [stopped, problem] = std::from_chars(text.data(), end, port);
	const bool good = problem == std::errc{} && stopped == end && port != 0 && text.front() != '0';
	return good ? std::optional(port) : std::nullopt;
}

} // namespace

Result<std::string> parse_dns_name(std::string_view text)
{
	constexpr std::string_view forms = "write it like \"researcher.example.org\"";
	if (Prefix::parse(text)) {
		return bad_name(text, "is an address, not a name in DNS", "write it without host and within");
	}
	std::string name;
	for (const char c : text) {
		name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
	}
	if (name.ends_with('.')) {
		name.pop_back();
	}
	if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) > 0x7f; })) {
		return bad_name(text, "is not the form that DNS has it in",
				"write its labels as xn--..., as RFC 5891 has them");
	}
	if (name.size() > longest_name) {
		return bad_name(text, "is longer than a name in DNS", forms);
	}
	std::string_view last;
	for (std::string_view rest = name;;) {
		const std::size_t point = rest.find('.');
		last = rest.substr(0, point);
		if (!is_label(last)) {
			return bad_name(text, "is not a name in DNS", forms);
		}
		if (point == std::string_view::npos) {
			break;
		}
		rest.remove_prefix(point + 1);
	}
	if (std::ranges::all_of(last, is_digit)) { // RFC 3696 section 2: it would be taken for an address
		return bad_name(text, "is not a name in DNS", forms);
	}
	return name;
}

std::string Resolver::text() const
{
	if (port == dns_port) {
		return address.text();
	}
	const std::string host = address.is_v4() ? address.text() : '[' + address.text() + ']';
	return host + ':' + std::to_string(port);
}

Result<Resolver> parse_resolver(std::string_view text)
{
	std::string_view address = text;
	std::string_view port;
	if (text.starts_with('[')) {
		const std::size_t end = text.find(']');
		address = text.substr(1, end == std::string_view::npos ? end : end - 1);
		port = end == std::string_view::npos ? "" : text.substr(end + 1);
		if (!port.starts_with(':') || !address.contains(':')) {
			port = ":"; // no port, which brackets are for, or IPv4 in them
		}
	} else if (std::ranges::count(text, ':') == 1) {
		address = text.substr(0, text.find(':'));
		port = text.substr(text.find(':'));
	}
	const std::optional<Address> parsed = Address::parse(address);
	const std::optional<std::uint16_t> number = port.empty() ? 53 : port_from(port.substr(1));
	// "::1:53" is an address, of a form that leads nowhere, and not ::1 with a port.
	const bool leads_nowhere =
		parsed && (*parsed == Address{} || *parsed == Address::v4(0) || !refused_form(*parsed).empty());
	if (!parsed || !number || leads_nowhere) {
		return bad_name(text, "is not a resolver",
				"write its address, such as \"192.0.2.53\", or \"[2001:db8::53]:5353\" with a port");
	}
	return Resolver{*parsed, *number};
}

} // namespace weir::policy
