// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"
#include "cli/cli.h"
#include "cli/journal_key.h"
#include "cli/windows_view.h"
#include "cli/write_file.h"
#include "journal/files.h"
#include "journal/verify.h"
#include "journal/writer.h"
#include "report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

namespace weir::cli {
namespace {

struct ReportOptions {
	std::vector<std::string> sources;
	std::string key;
	std::vector<std::string> heads;
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

/// What verifying came to, in the report's words.
report::Integrity integrity_of(const journal::Verdict &verdict, const journal::PublicKey &first, bool own_key)
{
	using State = report::Integrity::State;
	report::Integrity integrity{.state = !verdict.findings.empty() ? State::bad
					     : own_key                 ? State::own_key
								       : State::good,
				    .fingerprint = journal::fingerprint(first),
				    .checkpoint = verdict.head,
				    .checkpoint_at = verdict.covered_at,
				    .records = verdict.records,
				    .checkpoints = verdict.checkpoints,
				    .after = verdict.last - std::min(verdict.covered, verdict.last)};
	integrity.text =
		integrity.state == State::bad
			? "The journal is not as it was written: what it says from there on is to be doubted."
		: own_key ? "The journal is whole and as it was written, by the key that lies with it. Who holds the "
			    "host "
			    "could have made both anew: it is proved only by the key that was kept elsewhere, whose "
			    "fingerprint is to be compared with this one."
			  : "The journal is whole and as it was written, by the key that was given. Its sums agree "
			    "with the "
			    "kernel's counters.";
	integrity.findings.reserve(verdict.findings.size());
	for (const auto &each : verdict.findings)
		integrity.findings.push_back(fmt::format("{}{}: {}: {}", each.file,
							 each.line != 0 ? fmt::format(":{}", each.line) : "",
							 journal::name_of(each.fault), each.text));
	return integrity;
}

/// A journal: verified as a whole, whatever time is asked for, and then read as far as it was.
Result<> read_journal(const ReportOptions &options, const std::string &directory, report::Collector &collector,
		      report::Integrity &integrity)
{
	const auto own = journal::read_first_key(directory);
	if (!own)
		return std::unexpected(own.error());
	auto question = journal_question(directory, options.key, options.heads);
	if (!question)
		return std::unexpected(std::move(question).error());
	const auto verdict = journal::verify(*question);
	if (!verdict)
		return std::unexpected(verdict.error());
	integrity = integrity_of(*verdict, question->key.value_or(*own), !question->key);
	const auto segments = journal::segments_of(directory);
	if (!segments)
		return std::unexpected(segments.error());
	std::uint64_t left = verdict->findings.empty() ? verdict->records
						       : UINT64_MAX; // what came since is not verified
	for (const auto &each : *segments)
		if (auto read = journal::read_lines(each,
						    [&](std::string_view line, bool has_end) {
							    if (has_end)
								    collector.line(line);
							    return --left != 0;
						    });
		    !read && integrity.findings.empty()) // what is damaged is found already
			return read;
		else if (left == 0)
			break;
	return {};
}

/// A journal or a file.
Result<> read_source(const ReportOptions &options, const std::string &source, report::Collector &collector,
		     report::Integrity &integrity)
{
	std::error_code ignored;
	if (std::filesystem::is_directory(source, ignored))
		return read_journal(options, source, collector, integrity);
	return report::read_lines(source, [&](std::string_view line) { collector.line(line); });
}

Result<Exit> make_report(ReportOptions options, const Context &context)
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
	if (options.sources.empty())
		options.sources.push_back(!context.journal.empty() ||
							  journal::read_first_key(context.journal_directory())
						  ? context.journal_directory()
						  : "/var/log/weir/" + context.where.instance + ".jsonl");

	report::Collector collector(*since, *until, context.where.instance);
	report::Integrity integrity{.text = "The records are of plain files. Nothing proves that they are complete and "
					    "as they were written."};
	for (const auto &source : options.sources)
		if (auto read = read_source(options, source, collector, integrity); !read)
			return std::unexpected(std::move(read).error());
	if (options.sources.size() > 1 && integrity.state != report::Integrity::State::not_checked)
		integrity.text +=
			" That is of the journal alone: other files were read besides, and nothing proves them.";
	auto report = collector.finish();
	report.made = now;
	report.version = WEIR_VERSION;
	report.sources.insert(options.sources.begin(), options.sources.end());
	report.integrity = std::move(integrity);
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
	auto options = std::make_shared<ReportOptions>();
	verb->add_option("source", options->sources,
			 "A journal, or files of `weir run`, rotated ones first; - is the standard input "
			 "[the journal of the instance, else /var/log/weir/INSTANCE.jsonl]");
	verb->add_option("--key", options->key,
			 "The journal's first key, as weir journal init showed it, or a file with it")
		->type_name("KEY");
	verb->add_option("--head", options->heads, "What weir journal head printed once; may be given several times")
		->type_name("LINE");
	verb->add_option("--since", options->since, "From this moment (RFC 3339) or age (90s, 30m, 4h, 7d) on")
		->capture_default_str();
	verb->add_option("--until", options->until, "To this moment or age, not included [now]");
	verb->add_option("-o,--output", options->output, "File that is written as a whole [the standard output]")
		->type_name("FILE");
	verb->footer("Examples:\n  weir report --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z -o "
		     "november.html\n  weir report /mnt/copy/weir/default --key KEY --since 30d -o report.html\n"
		     "  weir report --json | jq .violations.by_peer\n\n"
		     "The page loads nothing and runs nothing. A journal is verified as a whole first; only with the "
		     "--key that\n"
		     "was kept elsewhere is it proved. The matrix and its use are the kernel's, where it can be read; "
		     "all else\n"
		     "is out of the records, and needs neither root nor a kernel with the policy.");
	verb->callback(
		[&context, options] { context.run = [&context, options] { return make_report(*options, context); }; });
}

} // namespace weir::cli
