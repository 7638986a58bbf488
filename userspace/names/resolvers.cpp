// SPDX-License-Identifier: Apache-2.0
#include "names/resolvers.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace weir::names {
namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::size_t most_of_resolv_conf = 3; // MAXNS of <resolv.h>

std::optional<std::uint16_t> port_from(std::string_view text)
{
	std::uint16_t port = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
	if (error != std::errc{} || end != text.data() + text.size() || port == 0 || text.front() == '0')
		return std::nullopt;
	return port;
}

} // namespace

std::string Resolver::text() const
{
	if (port == dns_port)
		return address.text();
	return address.is_v4() ? fmt::format("{}:{}", address.text(), port)
			       : fmt::format("[{}]:{}", address.text(), port);
}

Result<Resolver> parse_resolver(std::string_view text)
{
	const auto wrong = [&] {
		return fail(Exit::policy,
			    fmt::format("\"{}\" is no address of a resolver\n  write it as \"192.0.2.53\", "
					"\"192.0.2.53:5353\", \"2001:db8::53\" or \"[2001:db8::53]:5353\"",
					text));
	};
	std::string_view address = text;
	std::string_view port;
	bool has_port = false;
	if (text.starts_with('[')) {
		const auto close = text.find(']');
		if (close == std::string_view::npos)
			return wrong();
		address = text.substr(1, close - 1);
		port = text.substr(close + 1);
		has_port = !port.empty();
		if (has_port && port.front() != ':')
			return wrong();
		if (has_port)
			port.remove_prefix(1);
		if (!address.contains(':'))
			return wrong();
	} else if (const auto colon = text.find(':');
		   colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
		address = text.substr(0, colon);
		port = text.substr(colon + 1);
		has_port = true;
	}
	const auto parsed = Address::parse(address);
	const auto number = !has_port ? std::optional(dns_port) : port.empty() ? std::nullopt : port_from(port);
	if (!parsed || !number || *parsed == Address{} || *parsed == Address::v4(0))
		return wrong();
	return Resolver{*parsed, *number};
}

Result<std::vector<Resolver>> resolvers(const std::vector<std::string> &of_site, const std::string &resolv_conf)
{
	std::vector<Resolver> all;
	for (const auto &text : of_site) {
		const auto resolver = parse_resolver(text);
		if (!resolver)
			return std::unexpected(resolver.error());
		all.push_back(*resolver);
	}
	if (!all.empty())
		return all;
	std::ifstream file(resolv_conf);
	std::string passed_over;
	for (std::string line; all.size() < most_of_resolv_conf && std::getline(file, line);) {
		std::istringstream words(line);
		std::string key;
		std::string value;
		if (!(words >> key >> value) || key != "nameserver")
			continue;
		if (const auto address = Address::parse(value))
			all.push_back({*address, dns_port});
		else // one with a zone, as fe80::1%eth0
			passed_over += fmt::format("\n  {} names {}, which weir can't ask", resolv_conf, value);
	}
	if (all.empty())
		return fail(
			Exit::failure,
			fmt::format("there is no resolver to ask: the site gives none, and {} {}{}\n  add to the site "
				    "file: resolvers = [\"ADDRESS\"]",
				    resolv_conf, file.is_open() ? "names none" : "can't be read", passed_over));
	return all;
}

} // namespace weir::names
