// SPDX-License-Identifier: Apache-2.0
// The page's column "destination port": PROTOCOL/PORT, PROTOCOL/FIRST-LAST.
#include "policy/policy.h"
#include "policy/text.h"

#include <netinet/in.h>

#include <array>
#include <charconv>

namespace weir {
namespace {

struct Protocol {
	std::string_view name;
	std::uint8_t number; ///< IANA
	bool by_type;        ///< message types instead of ports
};

constexpr std::array<Protocol, 7> protocols = {{
	{"TCP", IPPROTO_TCP, false},
	{"UDP", IPPROTO_UDP, false},
	{"SCTP", IPPROTO_SCTP, false},
	{"DCCP", IPPROTO_DCCP, false},
	{"UDP-Lite", IPPROTO_UDPLITE, false},
	{"ICMP", IPPROTO_ICMP, true},
	{"ICMPv6", IPPROTO_ICMPV6, true},
}};

const Protocol *by_number(std::uint8_t number)
{
	for (const Protocol &protocol : protocols) {
		if (protocol.number == number) {
			return &protocol;
		}
	}
	return nullptr;
}

// Extension headers (RFC 8200 section 4) lead to the protocol; they are none. A row for one would never match.
constexpr bool is_extension_header(unsigned number)
{
	return number == IPPROTO_HOPOPTS || number == IPPROTO_ROUTING || number == IPPROTO_FRAGMENT ||
	       number == IPPROTO_DSTOPTS;
}

/// Digits without a leading zero: 0777 is not taken for octal by anyone. Past 999999: no number.
std::optional<unsigned> parse_number(std::string_view text)
{
	unsigned value = 0;
	if (text.empty() || text.size() > 6 || text.front() < '0' || text.front() > '9' ||
	    (text.size() > 1 && text.front() == '0')) {
		return std::nullopt;
	}
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::unexpected<Error> wrong(std::string what, std::string_view hint)
{
	return fail(Exit::policy, std::move(what) + '\n' + std::string(hint));
}

Result<std::uint16_t> parse_bound(const Protocol &protocol, std::string_view text)
{
	const std::optional<unsigned> number = parse_number(text);
	const std::string shown = number ? std::string(text) : policy::in_quotes(text);
	if (protocol.by_type) {
		if (!number || *number > 255) {
			return wrong(shown + " is not a message type",
				     "use 0 to 255, or a range such as " + std::string(protocol.name) + "/128-129");
		}
	} else if (!number || *number == 0 || *number > 65535) {
		return wrong((number ? "port " : "") + shown + " is not a port",
			     "use 1 to 65535, or a range such as " + std::string(protocol.name) + "/14000-14999");
	}
	return static_cast<std::uint16_t>(*number);
}

Result<Service> parse_other(std::string_view text)
{
	const std::optional<unsigned> number = parse_number(text);
	if (!number || *number > 255) {
		return wrong(policy::in_quotes(text) + " is not an IP protocol number",
			     "use 1 to 255, such as IP/47 for GRE");
	}
	if (is_extension_header(*number)) {
		return wrong("IP/" + std::string(text) + " is an IPv6 extension header, not a protocol",
			     "give the protocol that follows it");
	}
	if (const Protocol *known = by_number(static_cast<std::uint8_t>(*number)); known != nullptr) {
		const std::string name(known->name);
		return wrong("IP/" + std::string(text) + " is " + name,
			     "write " + name + (known->by_type ? "/TYPE" : "/PORT"));
	}
	return Service{static_cast<std::uint8_t>(*number), 0, 0};
}

std::unexpected<Error> unknown_protocol(std::string_view name)
{
	std::vector<std::string> names = {"IP"};
	for (const Protocol &protocol : protocols) {
		names.emplace_back(protocol.name);
	}
	std::string hint = policy::did_you_mean(name, names);
	if (hint.empty()) {
		hint = "use TCP, UDP, SCTP, DCCP, UDP-Lite, ICMP, ICMPv6, or IP with a protocol number";
	}
	return wrong("protocol " + policy::in_quotes(name) + " is not known", hint);
}

} // namespace

bool Service::has_ports() const
{
	return by_number(protocol) != nullptr;
}

std::string Service::text() const
{
	const Protocol *known = by_number(protocol);
	if (known == nullptr) {
		return "IP/" + std::to_string(protocol);
	}
	std::string out = std::string(known->name) + '/' + std::to_string(first);
	if (last != first) {
		out += '-' + std::to_string(last);
	}
	return out;
}

namespace policy {

Result<Service> parse_service(std::string_view text)
{
	const std::size_t slash = text.find('/');
	const std::string_view name = text.substr(0, slash);
	const std::string_view rest = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
	if (slash == std::string_view::npos || rest.empty()) {
		return wrong(in_quotes(text) + " is not PROTOCOL/PORT", "write it as on the page, such as TCP/50051");
	}
	if (name == "IP") {
		return parse_other(rest);
	}
	const Protocol *protocol = nullptr;
	for (const Protocol &candidate : protocols) {
		if (candidate.name == name) {
			protocol = &candidate;
		}
	}
	if (protocol == nullptr) {
		return unknown_protocol(name);
	}
	if (rest.contains(',')) {
		return wrong(in_quotes(text) + " is more than one range", "write one row for each");
	}
	const std::size_t dash = rest.find('-');
	const bool half = dash == 0 || dash == rest.size() - 1; // shown whole: "" would say little
	const Result<std::uint16_t> first = parse_bound(*protocol, half ? rest : rest.substr(0, dash));
	if (!first) {
		return std::unexpected(first.error());
	}
	const Result<std::uint16_t> last =
		dash == std::string_view::npos ? first : parse_bound(*protocol, rest.substr(dash + 1));
	if (!last) {
		return std::unexpected(last.error());
	}
	if (*last < *first) {
		return wrong("the range " + std::string(rest) + " is upside down",
			     "write " + std::string(protocol->name) + '/' + std::to_string(*last) + '-' +
				     std::to_string(*first));
	}
	return Service{protocol->number, *first, *last};
}

} // namespace policy
} // namespace weir
