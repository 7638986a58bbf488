// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"
#include "cli/cli.h"
#include "cli/windows_view.h"
#include "cli/write_file.h"
#include "report/report.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <vector>

namespace weir::cli {
namespace {

struct Options {
	std::vector<std::string> files;
	std::string since = "7d";
	std::string until;
	std::string output;
};

/// What the kernel holds here and now, where this may be read; a report can also be made elsewhere.
void add_rows(report::Report &report, const Context &context)
{
	const auto state = kernel::inspect(context.where);
	if (!state)
		return;
	report.rows_digest = state->digest;
	report.rows.reserve(state->policy.rows.size());
	for (std::size_t number = 0; number < state->policy.rows.size(); number++) {
		const auto &bound = state->policy.rows[number];
		const auto &scope = state->policy.scopes.at(bound.scope);
		report.rows.push_back(
			{.id = bound.row.id,
			 .dir = bound.row.dir == Direction::out ? "out" : "in",
			 .source = bound.row.source,
			 .destination = bound.row.destination,
			 .port = bound.row.port.text(),
			 .service = bound.row.service,
			 .status = bound.row.status == Status::mandatory ? "mandatory" : "optional",
			 .place = scope.is_edge() ? "edge" : fmt::format("{}", fmt::join(scope.components, ", ")),
			 .used = number < state->tallies.size() ? state->tallies[number] : 0,
			 .window = bound.window});
	}
}

Result<Exit> make_report(Options options, const Context &context)
{
	const auto now = Moment::now().unix_ns;
	const auto since = audit::parse_since(options.since, now);
	if (!since)
		return std::unexpected(Error(since.error()).during("--since"));
	const auto until = options.until.empty() ? Result<std::int64_t>(now) : audit::parse_since(options.until, now);
	if (!until)
		return std::unexpected(Error(until.error()).during("--until"));
	if (*until <= *since)
		return fail(Exit::usage, "--until is not after --since");
	if (options.files.empty())
		options.files.push_back("/var/log/weir/" + context.where.instance + ".jsonl");

	report::Collector collector(*since, *until, context.where.instance);
	for (const auto &file : options.files)
		if (auto read = report::read_lines(file, [&](std::string_view line) { collector.line(line); }); !read)
			return std::unexpected(std::move(read).error());
	auto report = collector.finish();
	report.made = now;
	report.version = WEIR_VERSION;
	report.sources.insert(options.files.begin(), options.files.end());
	report.integrity.text =
		"The records are of plain files. Nothing proves that they are complete and as they were "
		"written.";
	add_rows(report, context);

	const auto text =
		context.json ? report::json(report).dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n"
			     : report::html(report);
	if (options.output.empty() || options.output == "-")
		std::cout << text;
	else if (auto written = write_file(options.output, text, true); !written)
		return std::unexpected(std::move(written).error());
	return Exit::ok;
}

} // namespace

void add_report(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("report", "A page for the auditor: what was in force, refused and changed");
	verb->fallthrough();
	auto options = std::make_shared<Options>();
	verb->add_option("file", options->files,
			 "Files of `weir run`, rotated ones first; - is the standard input "
			 "[/var/log/weir/INSTANCE.jsonl]");
	verb->add_option("--since", options->since, "From this moment (RFC 3339) or age (90s, 30m, 4h, 7d) on")
		->capture_default_str();
	verb->add_option("--until", options->until, "To this moment or age, not included [now]");
	verb->add_option("-o,--output", options->output, "File that is written as a whole [the standard output]")
		->type_name("FILE");
	verb->footer(
		"Examples:\n  weir report --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z -o november.html\n"
		"  weir report --json | jq .violations.by_peer\n\n"
		"The page loads nothing and runs nothing. The matrix and its use are the kernel's, where it can be "
		"read;\n"
		"all else is out of the files.");
	verb->callback(
		[&context, options] { context.run = [&context, options] { return make_report(*options, context); }; });
}

} // namespace weir::cli
