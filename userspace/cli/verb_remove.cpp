// SPDX-License-Identifier: Apache-2.0
// `weir remove`: take an instance out of the kernel.
#include "cli/cli.h"
#include "cli/evidence.h"

#include <nlohmann/json.hpp>

#include <iostream>

namespace weir::cli {
namespace {

Result<Exit> remove(const Context &context)
{
	Evidence evidence(context, "remove");
	const auto removed = kernel::remove(context.where);
	if (!removed) {
		evidence.drop();
		return std::unexpected(removed.error());
	}
	evidence.done(removed->before ? &*removed->before : nullptr, removed->used, nullptr,
		      nlohmann::ordered_json{{"removed", removed->lines}}.dump(
			      -1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
	if (context.json) {
		std::cout << nlohmann::ordered_json{{"instance", context.where.instance}, {"removed", removed->lines}}
				     .dump()
			  << '\n';
		return Exit::ok;
	}
	for (const auto &line : removed->lines)
		std::cout << line << '\n';
	std::cout << "instance " << context.where.instance << " is removed: nothing holds its cgroups to a policy\n";
	return Exit::ok;
}

} // namespace

void add_remove(CLI::App &app, Context &context)
{
	auto *verb =
		app.add_subcommand("remove", "Take the policy out of force: detach every program, forget every map");
	verb->footer("Example:\n  weir --instance default remove\n\nThe cgroups are open when this has ended.");
	verb->callback([&context] { context.run = [&context] { return remove(context); }; });
}

} // namespace weir::cli
