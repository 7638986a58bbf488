// SPDX-License-Identifier: Apache-2.0
#include "sinks/address.h"

#include "policy/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace weir::sinks {
namespace {

struct Scheme {
	std::string_view name;
	Kind kind;
	std::string_view port; ///< the usual one; "" where there are no ports
};
constexpr std::array schemes = {
	Scheme{"file", Kind::file, ""},
	Scheme{"stdout", Kind::standard_output, ""},
	Scheme{"journald", Kind::journald, ""},
	Scheme{"syslog+unix", Kind::syslog_unix, ""},
	Scheme{"syslog+udp", Kind::syslog_udp, "514"},
	Scheme{"syslog+tcp", Kind::syslog_tcp, "514"},
	Scheme{"syslog+tls", Kind::syslog_tls, "6514"},
};

constexpr const char *known = "file:PATH, stdout:, journald:, syslog+unix:PATH, syslog+udp://HOST[:PORT], "
			      "syslog+tcp://HOST[:PORT] or syslog+tls://HOST[:PORT]";

/// %2F and the like, RFC 3986 section 2.1.
std::optional<std::string> decoded(std::string_view text)
{
	std::string out;
	out.reserve(text.size());
	for (std::size_t i = 0; i < text.size(); i++) {
		if (text[i] != '%') {
			out += text[i];
			continue;
		}
		unsigned value = 0;
		const auto *const begin = text.data() + i + 1;
		if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2 || value == 0)
			return std::nullopt;
		out += static_cast<char>(value);
		i += 2;
	}
	return out;
}

/// "65536", "512K", "4M": bytes.
std::optional<std::size_t> size_of(std::string_view text)
{
	std::size_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
	const std::size_t factor = unit.empty() ? 1 : unit == "K" ? 1u << 10 : unit == "M" ? 1u << 20 : 0;
	if (error != std::errc() || factor == 0 || value > (1u << 30) / factor || value * factor < 64u << 10)
		return std::nullopt;
	return value * factor;
}

bool is_syslog(Kind kind)
{
	return kind >= Kind::syslog_unix;
}

Result<> set_place(Address &address, const Scheme &scheme, std::string_view rest)
{
	if (scheme.port.empty()) {
		if (rest.starts_with("///"))
			rest.remove_prefix(2);
		address.path = rest;
		if (address.kind == Kind::standard_output)
			return rest.empty() ? Result<>() : fail(Exit::usage, "nothing stands behind stdout:");
		if (address.kind == Kind::journald && rest.empty())
			address.path = "/run/systemd/journal/socket";
		if (!address.path.starts_with('/'))
			return fail(Exit::usage, "an absolute path is wanted");
		return {};
	}
	if (!rest.starts_with("//"))
		return fail(Exit::usage, fmt::format("{}://HOST:PORT is wanted", scheme.name));
	rest.remove_prefix(2);
	if (rest.ends_with('/'))
		rest.remove_suffix(1);
	std::string_view port = scheme.port;
	if (rest.starts_with('[')) {
		const auto end = rest.find(']');
		if (end == std::string_view::npos)
			return fail(Exit::usage, "the bracket of the address has no end");
		address.host = rest.substr(1, end - 1);
		rest.remove_prefix(end + 1);
		if (rest.starts_with(':'))
			port = rest.substr(1);
		else if (!rest.empty())
			return fail(Exit::usage, "what stands behind the address is no port");
	} else {
		const auto colon = rest.rfind(':');
		if (std::ranges::count(rest, ':') > 1)
			return fail(Exit::usage, "an IPv6 address stands in brackets: [2001:db8::1]:6514");
		address.host = rest.substr(0, colon);
		if (colon != std::string_view::npos)
			port = rest.substr(colon + 1);
	}
	unsigned number = 0;
	const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
	if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535)
		return fail(Exit::usage, fmt::format("\"{}\" is no port", port));
	if (address.host.empty() || address.host.find('/') != std::string::npos)
		return fail(Exit::usage, "there is no host in it");
	address.port = port;
	return {};
}

std::vector<std::string> keys_of(Kind kind)
{
	std::vector<std::string> keys{"queue"};
	if (kind != Kind::journald) // it has fields instead
		keys.emplace_back("format");
	if (kind == Kind::syslog_unix)
		keys.emplace_back("header");
	if (kind == Kind::syslog_tls)
		keys.insert(keys.end(), {"ca", "cert", "key", "name"});
	return keys;
}

Result<> set_option(Address &address, const std::string &key, const std::string &value)
{
	const auto keys = keys_of(address.kind);
	if (std::ranges::find(keys, key) == keys.end()) {
		const auto near = policy::did_you_mean(key, keys);
		return fail(Exit::usage,
			    fmt::format("it has no option {}; {}", policy::in_quotes(key),
					near.empty() ? fmt::format("there are: {}", fmt::join(keys, ", ")) : near));
	}
	if (value.empty())
		return fail(Exit::usage, fmt::format("{} has no value", key));
	if (key == "queue") {
		const auto size = size_of(value);
		if (!size)
			return fail(Exit::usage, "queue is a number of bytes, at least 64K, such as 512K or 4M");
		address.queue = *size;
	} else if (key == "format") {
		const auto format = formats::format_of(value);
		if (!format)
			return fail(Exit::usage, "format is ecs, ocsf, cef or syslog");
		address.format = *format;
	} else if (key == "header") {
		if (value != "local" && value != "rfc5424")
			return fail(Exit::usage, "header is local or rfc5424");
		address.header = value == "local" ? Header::local : Header::rfc5424;
	} else {
		(key == "ca"     ? address.ca
		 : key == "cert" ? address.cert
		 : key == "key"  ? address.key
				 : address.peer_name) = value;
	}
	return {};
}

Result<Address> parse(std::string_view text)
{
	const auto question = text.find('?');
	const auto place = text.substr(0, question);
	const auto colon = place.find(':');
	const auto *const scheme = std::ranges::find(schemes, place.substr(0, colon), &Scheme::name);
	if (colon == std::string_view::npos || scheme == schemes.end())
		return fail(Exit::usage, fmt::format("{} is wanted", known));
	Address address{.kind = scheme->kind, .name = std::string(place)};
	if (is_syslog(address.kind))
		address.format = formats::Format::syslog;
	if (address.kind == Kind::syslog_unix)
		address.header = Header::local;
	if (auto set = set_place(address, *scheme, place.substr(colon + 1)); !set)
		return std::unexpected(std::move(set).error());

	auto rest = question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
	while (!rest.empty()) {
		const auto end = std::min(rest.find('&'), rest.size());
		const auto option = rest.substr(0, end);
		rest.remove_prefix(std::min(end + 1, rest.size()));
		const auto equals = option.find('=');
		const auto value = equals == std::string_view::npos ? std::optional(std::string())
								    : decoded(option.substr(equals + 1));
		if (!value)
			return fail(Exit::usage, "a % stands before two digits of hexadecimal");
		if (auto set = set_option(address, std::string(option.substr(0, equals)), *value); !set)
			return std::unexpected(std::move(set).error());
	}
	if (address.cert.empty() != address.key.empty())
		return fail(Exit::usage, "cert and key go together");
	return address;
}

} // namespace

Result<Address> parse_address(std::string_view text)
{
	auto address = parse(text);
	if (!address)
		return std::unexpected(
			std::move(address).error().during(fmt::format("sink {}", policy::in_quotes(text))));
	return address;
}

} // namespace weir::sinks
