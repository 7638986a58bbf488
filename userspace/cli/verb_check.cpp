// SPDX-License-Identifier: Apache-2.0
// `weir check`: everything that `apply` would find wrong without the kernel.
#include "cli/cli.h"
#include "cli/component_check.h"
#include "cli/host_names.h"
#include "cli/journal_need.h"
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

struct CheckOptions {
	std::string site;
	bool offline = false;
};

Result<Exit> check(const CheckOptions &options, const Context &context)
{
	const Result<BoundPolicy> policy = policy::load(context.site(options.site), context.policies_dir,
							options.offline ? take_all_within() : ask_dns());
	if (!policy) {
		return std::unexpected(policy.error());
	}
	const Result<Image> image = compile(*policy);
	if (!image) {
		return std::unexpected(image.error());
	}
	// Of what was not looked up nobody knows the digest.
	const bool unknown = options.offline && !policy->hosts.empty();
	const std::string digest = unknown ? "" : hex(image->trailer().digest);
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
			{"digest", unknown ? nlohmann::ordered_json() : nlohmann::ordered_json(digest)},
			{"need_journal", rows_with_need(*policy)},
			{"components", as_json(components, *policy)},
		};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << "ok: " << policy->scenario << ", " << policy->rows.size() << " rows, "
			  << (unknown ? "DNS names not looked up: all of \"within\" stands for each"
				      : "digest " + digest)
			  << '\n'
			  << held(*policy) << '\n';
		if (const auto needing = rows_with_need(*policy).size(); needing != 0)
			std::cout << "needs the journal for " << needing << (needing == 1 ? " row" : " rows")
				  << ": open only while weir run writes it\n";
	}
	for (const auto &warning : warnings_of(components, *policy))
		std::cerr << "weir: warning: " << warning << '\n';
	for (const auto &warning : need_warnings(*policy, context))
		std::cerr << "weir: warning: " << warning << '\n';
	return Exit::ok;
}

} // namespace

void add_check(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("check",
					"Check a site file, its matrix, and the components that run; changes nothing");
	auto options = std::make_shared<CheckOptions>();
	verb->add_option("site", options->site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->add_flag("--offline", options->offline, "Look no DNS name up: reckon with all that \"within\" allows");
	verb->footer("Example:\n  weir check /etc/weir/site.toml\n\n"
		     "The digest is that of the policy in all its detail: `weir status` shows the one in force.\n"
		     "Warns of components that do not run, and of processes that have a proxy in their environment "
		     "which\nwould take the place of a row's peer. Only root can read the environment of others.");
	verb->callback([&context, options] { context.run = [&context, options] { return check(*options, context); }; });
}

} // namespace weir::cli
