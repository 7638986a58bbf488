// SPDX-License-Identifier: Apache-2.0
#include "cli/component_check.h"

#include "audit/events_view.h"
#include "kernel/components.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

void add_processes(const std::string &cgroup, std::set<int> &pids)
{
	std::ifstream processes(cgroup + "/cgroup.procs");
	for (int pid = 0; processes >> pid;)
		if (pid > 0) // 0: of another pid namespace
			pids.insert(pid);
}

/// A component says what it likes there: what would do something to a terminal, or is no UTF-8, is left out of it.
/// nullopt: it may not be read, or the process is gone.
std::optional<policy::Environment> environment_of(int pid)
{
	std::ifstream file(fmt::format("/proc/{}/environ", pid), std::ios::binary);
	if (!file)
		return std::nullopt;
	policy::Environment environment;
	for (std::string each; std::getline(file, each, '\0');)
		if (const auto equals = each.find('='); equals != std::string::npos)
			if (auto name = each.substr(0, equals); policy::is_proxy_variable(name))
				environment[std::move(name)] = audit::printable(each.substr(equals + 1));
	return file.bad() ? std::nullopt : std::optional(std::move(environment));
}

std::string program_of(int pid)
{
	std::ifstream file(fmt::format("/proc/{}/comm", pid));
	std::string name;
	std::getline(file, name);
	return audit::printable(name);
}

void look_at(int pid, const BoundPolicy &policy, ComponentFinding &finding)
{
	const auto environment = environment_of(pid);
	finding.processes++;
	if (!environment) {
		finding.unread++;
		return;
	}
	if (environment->empty())
		return;
	const auto program = program_of(pid);
	for (auto &warning : policy::proxies_in_the_way(policy, finding.scope, *environment)) {
		const auto same = std::ranges::find_if(finding.proxies, [&](const ProxyFinding &each) {
			return each.program == program && each.warning == warning;
		});
		if (same == finding.proxies.end())
			finding.proxies.push_back({{pid}, program, std::move(warning)});
		else
			same->pids.push_back(pid);
	}
}

ComponentFinding find(const BoundPolicy &policy, std::uint8_t scope)
{
	ComponentFinding finding{.scope = scope, .cgroups = {}, .problem = {}, .proxies = {}};
	auto cgroups = kernel::cgroups_of(policy.scopes[scope].cgroup);
	if (!cgroups) {
		finding.problem = cgroups.error().message;
		return finding;
	}
	finding.cgroups = std::move(*cgroups);
	std::set<int> pids;
	for (const auto &cgroup : finding.cgroups) {
		add_processes(cgroup, pids);
		kernel::walk_cgroups(cgroup, [&](const std::string &below, const std::string &) {
			add_processes(below, pids);
			return true;
		});
	}
	for (const int pid : pids)
		look_at(pid, policy, finding);
	return finding;
}

std::string names_of(const BoundPolicy &policy, const ComponentFinding &finding)
{
	return fmt::format("{}", fmt::join(policy.scopes[finding.scope].components, ", "));
}

} // namespace

std::vector<ComponentFinding> find_components(const BoundPolicy &policy)
{
	std::vector<ComponentFinding> all;
	all.reserve(policy.cgroups());
	for (std::size_t scope = 0; scope < policy.cgroups(); ++scope)
		all.push_back(find(policy, static_cast<std::uint8_t>(scope)));
	return all;
}

std::vector<std::string> warnings_of(const std::vector<ComponentFinding> &findings, const BoundPolicy &policy)
{
	std::vector<std::string> warnings;
	for (const auto &finding : findings) {
		const auto names = names_of(policy, finding);
		if (!finding.problem.empty())
			warnings.push_back(fmt::format("{}: {}", names, finding.problem));
		else if (finding.cgroups.empty())
			warnings.push_back(fmt::format("{}: {}\n  weir apply needs it to run, or --await", names,
						       kernel::absence_of(policy.scopes[finding.scope].cgroup)));
		else if (finding.cgroups.size() > 1)
			warnings.push_back(fmt::format("{}: {} matches {} cgroups, weir apply needs one:\n  {}", names,
						       policy.scopes[finding.scope].cgroup, finding.cgroups.size(),
						       fmt::join(finding.cgroups, "\n  ")));
		if (finding.unread != 0)
			warnings.push_back(fmt::format("{}: the environment of {} of {} processes cannot be read, so "
						       "whether a proxy is set there is not known; root may",
						       names, finding.unread, finding.processes));
		for (const auto &[pids, program, warning] : finding.proxies)
			warnings.push_back(fmt::format("{}: {} (pid {}): {}", names, program, fmt::join(pids, ", "),
						       warning.text()));
	}
	return warnings;
}

ordered_json as_json(const std::vector<ComponentFinding> &findings, const BoundPolicy &policy)
{
	ordered_json all = ordered_json::array();
	for (const auto &finding : findings) {
		ordered_json proxies = ordered_json::array();
		for (const auto &[pids, program, warning] : finding.proxies)
			proxies.push_back({{"pids", pids},
					   {"program", program},
					   {"variable", warning.variable},
					   {"grpc", warning.grpc},
					   {"proxy", warning.proxy},
					   {"row", warning.row},
					   {"peers", warning.peers},
					   {"admitted_by", warning.admitted_by},
					   {"no_proxy", warning.no_proxy}});
		const auto &scope = policy.scopes[finding.scope];
		all.push_back({{"where", scope.cgroup},
			       {"components", scope.components},
			       {"found", finding.cgroups},
			       {"problem", finding.problem},
			       {"processes", finding.processes},
			       {"unread", finding.unread},
			       {"proxies", proxies}});
	}
	return all;
}

} // namespace weir::cli
