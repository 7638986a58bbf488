// SPDX-License-Identifier: Apache-2.0
// `weir apply`: put a site's policy in force, read it back, and leave.
#include "audit/events_view.h"
#include "cli/cli.h"
#include "cli/component_check.h"
#include "cli/evidence.h"
#include "cli/host_names.h"
#include "cli/journal_need.h"
#include "cli/ssh_guard.h"
#include "cli/windows_view.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

struct ApplyOptions {
	std::string site;
	bool observe = false;
	bool cut_ssh = false;
	bool await = false;
	bool names_later = false;
};

/// Windows that were open: what became of each.
struct Carried {
	std::vector<Opening> open;
	std::vector<std::string> closed;
};

Carried carried(const kernel::Applied &applied, const Moment &now)
{
	Carried all;
	all.open = policy::open_now(applied.policy, now.boot_ns);
	if (applied.before)
		for (const auto &each : policy::open_now(*applied.before, now.boot_ns))
			if (std::ranges::find(all.open, each.window, &Opening::window) == all.open.end())
				all.closed.push_back(each.window);
	return all;
}

/// Ends what only the policy before admitted. What can't be ended is refused all the same.
kernel::Cut cut(const kernel::Where &where, const kernel::Applied &applied)
{
	if (!applied.before)
		return {};
	auto cut = kernel::cut_ended(where, *applied.before);
	if (!cut)
		return {.connections = {}, .problems = {cut.error().message}};
	return *cut;
}

/// Not of components that do not run: apply itself has said that.
std::vector<std::string> proxy_warnings(const BoundPolicy &policy)
{
	auto findings = find_components(policy);
	std::erase_if(findings, [](const auto &each) { return each.cgroups.size() != 1; });
	return warnings_of(findings, policy);
}

std::string facts_of(const kernel::Applied &applied, const ApplyOptions &options)
{
	return nlohmann::ordered_json{{"observe", options.observe},
				      {"attached", applied.first},
				      {"approved_digest", approved_digest(applied.policy)}}
		.dump();
}

Result<Exit> apply(const ApplyOptions &options, const Context &context)
{
	const auto policy =
		policy::load(context.site(options.site), context.policies_dir, ask_dns(options.names_later));
	if (!policy)
		return std::unexpected(policy.error());
	if (!options.observe && !options.cut_ssh)
		if (const auto guarded = guard_ssh_session(*policy); !guarded)
			return std::unexpected(guarded.error());
	Evidence evidence(context, "apply");
	const auto applied = kernel::apply(context.where, *policy, options.observe, options.await);
	if (!applied) {
		evidence.drop();
		return std::unexpected(applied.error());
	}
	evidence.done(applied->before ? &*applied->before : nullptr, applied->used, &applied->policy,
		      facts_of(*applied, options));
	const auto state = kernel::inspect(context.where);
	if (!state)
		return std::unexpected(Error(state.error()).during("it was applied, but cannot be read back"));
	const auto now = Moment::now();
	const auto windows = carried(*applied, now);
	const auto ended = cut(context.where, *applied);
	const char *const word = !state->problems.empty() ? "degraded" : options.observe ? "observing" : "enforcing";
	std::vector<std::string> awaited;
	for (const auto &each : state->components)
		if (each.awaited)
			awaited.push_back(state->policy.scopes.at(each.scope).cgroup);
	const auto need = wait_for_journal(applied->policy, context);
	std::vector<std::string> held;
	for (const auto &each : state->interfaces)
		if (each.flags == WEIR_INTERFACE_HELD)
			held.push_back(each.name);
	if (context.json) {
		const nlohmann::ordered_json facts = {
			{"instance", context.where.instance},
			{"state", word},
			{"scenario", policy->scenario},
			{"generation", applied->generation},
			{"first", applied->first},
			{"digest", applied->digest},
			{"approved_digest", approved_digest(*policy)},
			{"publish_ms", applied->publish_ms},
			{"interfaces", held},
			{"awaited", awaited},
			{"journal", as_json(need)},
			{"windows_open", windows_json(applied->policy, now).at("open")},
			{"windows_closed", windows.closed},
			{"connections_cut", ended.connections},
			{"problems", state->problems},
		};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << fmt::format("{} {}: generation {}, {} rows, digest {}\n", word, policy->scenario,
					 applied->generation, applied->policy.rows.size(), applied->digest);
		if (policy->edge.present)
			std::cout << (held.empty() ? std::string("  the edge holds no interface: there is none that "
								 "leads off this host\n")
						   : fmt::format("  the edge holds {}\n", fmt::join(held, ", ")));
		for (const auto &each : windows.open)
			std::cout << fmt::format("  window {} stays open until {}: weir window close {} ends it\n",
						 each.window, audit::local_time(now.wall(each.deadline)), each.window);
		for (const auto &each : windows.closed)
			std::cout << fmt::format("  window {} was open and is closed: this policy does not have it\n",
						 each);
		if (!ended.connections.empty())
			std::cout << fmt::format("  cut what no row admits any more: {}\n",
						 fmt::join(ended.connections, ", "));
		for (const auto &each : awaited)
			std::cout << fmt::format("  awaited: {} does not run; `weir run` holds it when it starts\n",
						 each);
		if (options.observe && state->problems.empty())
			std::cout << "  nothing is refused: what would be is reported; apply without --observe to "
				     "enforce\n";
	}
	for (const auto &problem : ended.problems)
		std::cerr << "weir: connections could not be cut, but nothing of them passes any more: " << problem
			  << '\n';
	for (const auto &warning : proxy_warnings(*policy))
		std::cerr << "weir: warning: " << warning << '\n';
	for (const auto &warning : need_warnings(*policy, context))
		std::cerr << "weir: warning: " << warning << '\n';
	if (!need.open)
		std::cerr << "weir: warning: " << text_of(need) << '\n';
	for (const auto &problem : state->problems)
		std::cerr << "weir: " << problem << '\n';
	return state->problems.empty() ? Exit::ok : Exit::degraded;
}

} // namespace

void add_apply(CLI::App &app, Context &context)
{
	auto *verb =
		app.add_subcommand("apply", "Put a site's policy in force, or replace the one that is; all or nothing");
	auto options = std::make_shared<ApplyOptions>();
	verb->add_option("site", options->site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->add_flag("--observe", options->observe, "Report what would be refused, and refuse nothing");
	verb->add_flag("--cut-ssh", options->cut_ssh, "Apply it even if that cuts the SSH session it is typed in");
	verb->add_flag("--await", options->await,
		       "Apply it although a component does not run; weir run holds it when it starts");
	verb->add_flag("--names-later", options->names_later,
		       "A DNS name that no resolver answers for now is no error: its rows admit nothing until "
		       "`weir run` has an answer");
	verb->footer(
		"Examples:\n  weir apply /etc/weir/site.toml\n  weir apply --observe /etc/weir/site.toml\n\n"
		"The policy holds when this command has ended, with no process of weir running, until `weir remove` "
		"or\n"
		"the next boot. While it is replaced, every packet is judged by the old policy or by the new one.\n"
		"A policy that would cut the SSH session it is typed in is not applied, where that session is\n"
		"recognised: by the sshd above this process, or by SSH_CONNECTION. Others' sessions are not looked "
		"at.");
	verb->callback([&context, options] { context.run = [&context, options] { return apply(*options, context); }; });
}

} // namespace weir::cli
