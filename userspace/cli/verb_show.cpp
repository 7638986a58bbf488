// SPDX-License-Identifier: Apache-2.0
// `weir show`: the effective matrix of a site.
#include "cli/cli.h"
#include "cli/host_names.h"
#include "policy/policy.h"
#include "policy/render.h"

#include <iostream>
#include <memory>

namespace weir::cli {
namespace {

struct ShowOptions {
	std::string site;
	std::string format = "table";
	bool offline = false;
};

Result<Exit> show(const ShowOptions &options, const Context &context)
{
	const Result<BoundPolicy> policy = policy::load(context.site(options.site), context.policies_dir,
							options.offline ? take_all_within() : ask_dns());
	if (!policy) {
		return std::unexpected(policy.error());
	}
	if (context.json || options.format == "json") {
		std::cout << policy::as_json(*policy);
	} else if (options.format == "markdown") {
		std::cout << policy::as_markdown(*policy);
	} else {
		std::cout << policy::as_table(*policy);
	}
	return Exit::ok;
}

} // namespace

void add_show(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("show", "Show the rows of a site: with what ships with weir, and what is off");
	auto options = std::make_shared<ShowOptions>();
	verb->add_option("site", options->site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->add_flag("--offline", options->offline, "Look no DNS name up: show all that \"within\" allows");
	verb->add_option("--format", options->format, "table, markdown (as on the published page) or json")
		->check(CLI::IsMember({"table", "markdown", "json"}))
		->capture_default_str();
	verb->footer("Examples:\n  weir show site.toml\n  weir show site.toml --format markdown > approved.md\n\n"
		     "What is in force is shown by `weir status`: this reads files, and asks for DNS names in them.");
	verb->callback([&context, options] { context.run = [&context, options] { return show(*options, context); }; });
}

} // namespace weir::cli
