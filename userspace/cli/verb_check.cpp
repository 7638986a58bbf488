// SPDX-License-Identifier: Apache-2.0
// `weir check`: everything that `apply` would find wrong without the kernel.
#include "cli/cli.h"
#include "cli/component_check.h"
#include "compile/image.h"
#include "policy/policy.h"

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace weir::cli {
namespace {

std::string held(const BoundPolicy &policy)
{
	const std::size_t cgroups = policy.cgroups();
	std::string out = cgroups == 0 ? "" : std::to_string(cgroups) + (cgroups == 1 ? " cgroup" : " cgroups");
	if (policy.edge.present) {
		std::string interfaces;
		for (const std::string &name : policy.edge.interfaces) {
			interfaces += (interfaces.empty() ? "" : ", ") + name;
		}
		out += (out.empty() ? "" : " and ") + std::string("the edge: ") +
		       (interfaces.empty() ? "every interface that leads off the host" : interfaces);
	}
	return "holds " + out;
}

Result<Exit> check(const std::string &site, const Context &context)
{
	const Result<BoundPolicy> policy = policy::load(context.site(site), context.policies_dir);
	if (!policy) {
		return std::unexpected(policy.error());
	}
	const Result<Image> image = compile(*policy);
	if (!image) {
		return std::unexpected(image.error());
	}
	const std::string digest = hex(image->trailer().digest);
	const auto components = find_components(*policy);
	if (context.json) {
		const nlohmann::ordered_json facts = {
			{"ok", true},
			{"scenario", policy->scenario},
			{"rows", policy->rows.size()},
			{"off", policy->off.size()},
			{"cgroups", policy->cgroups()},
			{"edge", policy->edge.present},
			{"image_bytes", image->lines.size() * WEIR_LINE},
			{"digest", digest},
			{"components", as_json(components, *policy)},
		};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << "ok: " << policy->scenario << ", " << policy->rows.size() << " rows, digest " << digest
			  << '\n'
			  << held(*policy) << '\n';
	}
	for (const auto &warning : warnings_of(components, *policy))
		std::cerr << "weir: warning: " << warning << '\n';
	return Exit::ok;
}

} // namespace

void add_check(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("check",
					"Check a site file, its matrix, and the components that run; changes nothing");
	auto site = std::make_shared<std::string>();
	verb->add_option("site", *site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->footer("Example:\n  weir check /etc/weir/site.toml\n\n"
		     "The digest is that of the policy in all its detail: `weir status` shows the one in force.\n"
		     "Warns of components that do not run, and of processes that have a proxy in their environment "
		     "which\nwould take the place of a row's peer. Only root can read the environment of others.");
	verb->callback([&context, site] { context.run = [&context, site] { return check(*site, context); }; });
}

} // namespace weir::cli
