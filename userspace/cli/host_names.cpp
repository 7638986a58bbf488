// SPDX-License-Identifier: Apache-2.0
#include "cli/host_names.h"

#include "names/lookup.h"
#include "policy/diagnostic.h"
#include "policy/hosts.h"
#include "policy/toml_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace weir::cli {
namespace {

std::unexpected<Error> error_of(const Site &site, const std::string &name, Exit code, const std::string &what,
				const std::string &hint)
{
	auto error = policy::error_at(site.text, policy::place_of_site_key(site, "names", name), what, hint);
	error.error().code = code;
	return error;
}

/// The addresses that are within; the others are refused: all of them an error, some a warning.
Result<> take(Site &site, const std::string &name, const names::Answer &answer)
{
	auto &host = site.hosts.at(name);
	std::string refused;
	for (const auto &address : answer.addresses) {
		const auto complaint = policy::answer_complaint(host, address);
		if (complaint.empty())
			host.addresses.push_back({address, 128});
		else
			refused += fmt::format("{}{} {}", refused.empty() ? "" : "; ", address.text(), complaint);
	}
	std::ranges::sort(host.addresses);
	if (host.addresses.empty())
		return error_of(site, name, Exit::policy,
				fmt::format("no address of {} can be taken: {} says {}", host.host, answer.from.text(),
					    refused),
				"if they are right, add them to \"within\"; if not, somebody's DNS lies");
	if (!refused.empty())
		std::cerr << fmt::format("weir: warning: {} ({}): not taken: {}\n", host.host, name, refused);
	return {};
}

bool may_come_later(const names::Failure &failure)
{
	return names::as_error(failure, "").code != Exit::policy; // then it's the site that is wrong
}

void leave_for_later(HostName &host, const std::string &name, const std::string &why)
{
	host.later = true;
	std::cerr << fmt::format("weir: warning: {} ({}) has no address until weir run finds one out: {}\n", host.host,
				 name, why.substr(0, why.find('\n')));
}

Result<> ask(Site &site, bool later)
{
	const auto resolvers = names::resolvers(site.resolvers);
	if (!resolvers && !later)
		return std::unexpected(resolvers.error());
	if (!resolvers) { // at boot, resolv.conf may not be written yet
		for (auto &[name, host] : site.hosts)
			leave_for_later(host, name, resolvers.error().message);
		return {};
	}
	std::vector<names::Query> queries;
	for (const auto &[name, host] : site.hosts)
		queries.push_back(names::query_of(host, *resolvers));
	const auto outcomes = names::resolve(queries);
	auto outcome = outcomes.begin();
	for (auto &[name, host] : site.hosts) {
		if (!*outcome && later && may_come_later(outcome->error())) {
			leave_for_later(host, name, outcome->error().text);
		} else if (!*outcome) {
			const auto error = names::as_error(outcome->error(), host.host);
			const auto line = error.message.find("\n  ");
			return error_of(site, name, error.code, error.message.substr(0, line),
					line == std::string::npos ? "" : error.message.substr(line + 3));
		} else if (auto taken = take(site, name, **outcome); !taken) {
			return taken;
		}
		++outcome;
	}
	return {};
}

} // namespace

policy::ResolveHosts ask_dns(bool later)
{
	return [later](Site &site) { return ask(site, later); };
}

policy::ResolveHosts take_all_within()
{
	return [](Site &site) -> Result<> {
		for (auto &[name, host] : site.hosts)
			host.addresses = host.within;
		return {};
	};
}

} // namespace weir::cli
