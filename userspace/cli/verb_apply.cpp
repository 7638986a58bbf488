// SPDX-License-Identifier: Apache-2.0
// `weir apply`: put a site's policy in force, read it back, and leave.
#include "cli/cli.h"
#include "cli/host_names.h"
#include "cli/ssh_guard.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

struct Options {
	std::string site;
	bool observe = false;
	bool cut_ssh = false;
	bool names_later = false;
};

Result<Exit> apply(const Options &options, const Context &context)
{
	const auto policy =
		policy::load(context.site(options.site), context.policies_dir, ask_dns(options.names_later));
	if (!policy)
		return std::unexpected(policy.error());
	if (!options.observe && !options.cut_ssh)
		if (const auto guarded = guard_ssh_session(*policy); !guarded)
			return std::unexpected(guarded.error());
	const auto applied = kernel::apply(context.where, *policy, options.observe);
	if (!applied)
		return std::unexpected(applied.error());
	const auto state = kernel::inspect(context.where);
	if (!state)
		return std::unexpected(Error(state.error()).during("it was applied, but cannot be read back"));
	const char *const word = !state->problems.empty() ? "degraded" : options.observe ? "observing" : "enforcing";
	std::vector<std::string> held;
	for (const auto &each : state->interfaces)
		if (each.flags == WEIR_INTERFACE_HELD)
			held.push_back(each.name);
	if (context.json) {
		const nlohmann::ordered_json facts = {
			{"instance", context.where.instance}, {"state", word},           {"scenario", policy->scenario},
			{"generation", applied->generation},  {"first", applied->first}, {"digest", applied->digest},
			{"publish_ms", applied->publish_ms},  {"interfaces", held},      {"problems", state->problems},
		};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << fmt::format("{} {}: generation {}, {} rows, digest {}\n", word, policy->scenario,
					 applied->generation, policy->rows.size(), applied->digest);
		if (policy->edge.present)
			std::cout << (held.empty() ? std::string("  the edge holds no interface: there is none that "
								 "leads off this host\n")
						   : fmt::format("  the edge holds {}\n", fmt::join(held, ", ")));
		if (options.observe && state->problems.empty())
			std::cout << "  nothing is refused: what would be is reported; apply without --observe to "
				     "enforce\n";
	}
	for (const auto &problem : state->problems)
		std::cerr << "weir: " << problem << '\n';
	return state->problems.empty() ? Exit::ok : Exit::degraded;
}

} // namespace

void add_apply(CLI::App &app, Context &context)
{
	auto *verb =
		app.add_subcommand("apply", "Put a site's policy in force, or replace the one that is; all or nothing");
	auto options = std::make_shared<Options>();
	verb->add_option("site", options->site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->add_flag("--observe", options->observe, "Report what would be refused, and refuse nothing");
	verb->add_flag("--cut-ssh", options->cut_ssh, "Apply it even if that cuts the SSH session it is typed in");
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
