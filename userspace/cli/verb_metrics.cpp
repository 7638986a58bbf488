// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include "cli/windows_view.h"
#include "metrics/metrics.h"

#include <iostream>
#include <memory>

namespace weir::cli {
namespace {

Result<Exit> show_metrics(const std::string &output, const Context &context)
{
	const auto now = Moment::now();
	metrics::Facts facts{.instance = context.where.instance,
			     .version = WEIR_VERSION,
			     .unix_ns = now.unix_ns,
			     .boot_ns = now.boot_ns};
	auto state = kernel::inspect(context.where);
	if (!state && state.error().code != Exit::absent)
		return std::unexpected(std::move(state).error());
	if (state)
		facts.state = std::move(*state);
	const auto text = metrics::text_of(facts);
	if (output == "-")
		std::cout << text;
	else if (auto done = metrics::replace(output, text); !done)
		return std::unexpected(std::move(done).error());
	return Exit::ok;
}

} // namespace

void add_metrics(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("metrics", "Print figures of the policy in force for Prometheus");
	verb->fallthrough();
	auto output = std::make_shared<std::string>("-");
	verb->add_option("-o,--output", *output, "File that is replaced as a whole; - is the standard output")
		->type_name("FILE")
		->capture_default_str();
	verb->footer("Examples:\n  weir metrics | promtool check metrics\n"
		     "  weir metrics -o /var/lib/prometheus/node-exporter/weir.prom\n\n"
		     "`weir run --metrics FILE` writes them, with its own, every ten seconds. An instance that is not\n"
		     "loaded has weir_loaded 0.");
	verb->callback(
		[&context, output] { context.run = [&context, output] { return show_metrics(*output, context); }; });
}

} // namespace weir::cli
