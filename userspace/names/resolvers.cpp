// SPDX-License-Identifier: Apache-2.0
#include "names/resolvers.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace weir::names {
namespace {

constexpr std::size_t most_of_resolv_conf = 3; // MAXNS of <resolv.h>

} // namespace

Result<std::vector<Resolver>> resolvers(const std::vector<std::string> &of_site, const std::string &resolv_conf)
{
	std::vector<Resolver> all;
	for (const auto &text : of_site) {
		const auto resolver = policy::parse_resolver(text);
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
			all.push_back({*address});
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
