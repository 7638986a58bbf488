// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include "top/top.h"

#include <memory>

namespace weir::cli {
namespace {

struct TopOptions {
	std::string file;
	double interval = 2;
	bool once = false;
};

/// What was named; else the instance's own journal and output, whichever is written.
top::Tail::Sources sources_of(const TopOptions &options, const Context &context)
{
	if (!options.file.empty())
		return {.journal = {}, .file = options.file};
	if (!context.journal.empty())
		return {.journal = context.journal, .file = {}};
	return {.journal = context.journal_directory(), .file = "/var/log/weir/" + context.where.instance + ".jsonl"};
}

} // namespace

void add_top(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("top", "A live view: rates by row, who is refused, gates, windows, problems");
	verb->fallthrough();
	auto options = std::make_shared<TopOptions>();
	verb->add_option("file", options->file,
			 "JSON lines of `weir run`, which peers and processes are taken from\n"
			 "[the journal, else /var/log/weir/INSTANCE.jsonl]");
	verb->add_option("--interval", options->interval, "Seconds between two looks")
		->check(CLI::Range(0.2, 3600.0).description("0.2 to 3600"))
		->capture_default_str();
	verb->add_flag("--once", options->once,
		       "Print one screen as text after one interval; the exit status is that of `weir status`");
	verb->footer(
		"Keys: q quits, Tab shows the next part, s sorts, p holds, / filters, ? says more.\n"
		"With --json an object on a line after each interval, until SIGTERM; with --once, one.\n"
		"The kernel is asked for rates, gates, windows and problems. Who was refused is read from the end of\n"
		"what `weir run` writes; without it those parts stay empty, and say so.");
	verb->callback([&context, options] {
		context.run = [&context, options] {
			return top::run({.where = context.where,
					 .sources = sources_of(*options, context),
					 .interval = options->interval,
					 .json = context.json,
					 .once = options->once});
		};
	});
}

} // namespace weir::cli
