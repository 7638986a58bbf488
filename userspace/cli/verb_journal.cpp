// SPDX-License-Identifier: Apache-2.0
// `weir journal`: what an auditor does with a journal. Needs neither root nor the kernel.
#include "audit/events_view.h"
#include "cli/cli.h"
#include "cli/event_options.h"
#include "cli/journal_key.h"
#include "cli/windows_view.h"
#include "journal/files.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace weir::cli {
namespace {

struct JournalOptions {
	std::string directory;
	std::string key;
	std::vector<std::string> heads;
	std::string since;
	EventOptions chosen;
};

std::string directory_of(const JournalOptions &options, const Context &context)
{
	return options.directory.empty() ? context.journal_directory() : options.directory;
}

void print_key(const journal::PublicKey &key, const std::string &directory, const Context &context)
{
	if (context.json)
		std::cout << nlohmann::ordered_json{{"journal", directory},
						    {"key", journal::hex(key)},
						    {"fingerprint", journal::fingerprint(key)}}
				     .dump()
			  << '\n';
	else
		std::cout << "key          " << journal::hex(key) << "\nfingerprint  " << journal::fingerprint(key)
			  << '\n';
}

Result<Exit> init(const JournalOptions &options, const Context &context)
{
	const auto directory = directory_of(options, context);
	const auto key = journal::initialize(directory);
	if (!key)
		return std::unexpected(key.error());
	if (!context.json)
		std::cout << directory << ": an empty journal. The auditor keeps this key, elsewhere:\n\n";
	print_key(*key, directory, context);
	if (!context.json)
		std::cout << "\nand verifies with it: weir journal verify --key KEY\n";
	return Exit::ok;
}

Result<Exit> show_key(const JournalOptions &options, const Context &context)
{
	const auto directory = directory_of(options, context);
	const auto key = journal::read_first_key(directory);
	if (!key)
		return std::unexpected(key.error());
	print_key(*key, directory, context);
	return Exit::ok;
}

nlohmann::ordered_json json_of(const journal::Verdict &verdict)
{
	auto findings = nlohmann::ordered_json::array();
	for (const auto &each : verdict.findings)
		findings.push_back({{"fault", journal::name_of(each.fault)},
				    {"file", each.file},
				    {"line", each.line},
				    {"sequence", each.sequence},
				    {"text", each.text}});
	nlohmann::ordered_json json{{"whole", verdict.findings.empty()},
				    {"records", verdict.records},
				    {"first", verdict.first},
				    {"last", verdict.last},
				    {"retired", verdict.retired},
				    {"checkpoints", verdict.checkpoints},
				    {"covered", verdict.covered},
				    {"covered_at", verdict.covered_at},
				    {"head", verdict.head},
				    {"findings", findings}};
	if (const auto &rest = verdict.rest)
		json["rests_on"] = {{"checkpoint", rest->checkpoint},
				    {"at", rest->at},
				    {"by", rest->checkpoint == 0 ? "first_key"
					   : rest->by_head       ? "head"
								 : "keys"},
				    {"checkpoints_followed", rest->followed},
				    {"records_not_looked_at", rest->checkpoint}};
	return json;
}

/// What was not verified, and what the rest stands on.
void print_rest(const journal::Rest &rest, const std::string &since)
{
	if (rest.checkpoint == 0) {
		std::cout << "no checkpoint is as old as " << since << ": all was verified, from the first record on\n";
		return;
	}
	std::cout << fmt::format("rests on checkpoint {}, of {}: ", rest.checkpoint, audit::printable(rest.at));
	if (rest.by_head)
		std::cout << "it is the one that --head is of. What stands before it was not looked at, nor was the "
			     "first "
			     "key needed\n";
	else
		std::cout << fmt::format(
			"signed by the key that follows from the first one by all {} checkpoints up to "
			"it. Records before it were NOT looked at: this does not prove them whole\n",
			rest.followed);
}

void print(const journal::Verdict &verdict, const std::string &directory, bool own_key, const std::string &since)
{
	for (const auto &each : verdict.findings)
		std::cout << each.file << (each.line != 0 ? ":" + std::to_string(each.line) : "") << ": "
			  << journal::name_of(each.fault) << ": " << each.text << '\n';
	if (verdict.findings.size() >= journal::most_findings)
		std::cout << "and no further: there is enough to look at\n";
	if (!verdict.findings.empty()) {
		std::cout << directory << " is NOT as it was written\n";
		return;
	}
	const bool from = verdict.rest && verdict.rest->checkpoint != 0;
	std::cout << fmt::format("{}: whole{}, as it was written. {} records, {} checkpoints", directory,
				 from ? fmt::format(" from record {} on", verdict.rest->checkpoint + 1) : "",
				 verdict.records, verdict.checkpoints);
	if (verdict.retired != 0)
		std::cout << fmt::format("; records up to {} are retired", verdict.retired);
	std::cout << '\n';
	if (verdict.rest)
		print_rest(*verdict.rest, since);
	if (verdict.covered != 0)
		std::cout << fmt::format("signed up to record {} of {}, at {}\n", verdict.covered, verdict.last,
					 audit::printable(verdict.covered_at));
	if (verdict.last > verdict.covered)
		std::cout << "what comes after is not signed yet\n";
	if (own_key && !(from && verdict.rest->by_head))
		std::cout
			<< "by the key that lies with it: give the one that was kept elsewhere (--key), or this proves "
			   "only that nobody erred\n";
}

Result<Exit> verify(const JournalOptions &options, const Context &context)
{
	auto question = journal_question(directory_of(options, context), options.key, options.heads);
	if (!question)
		return std::unexpected(std::move(question).error());
	if (!options.since.empty()) {
		const auto since = audit::parse_since(options.since, Moment::now().unix_ns);
		if (!since)
			return std::unexpected(Error(since.error()).during("--since"));
		question->since = *since;
	}
	const bool bar = ::isatty(STDERR_FILENO) == 1;
	const auto progress = [](std::uint64_t done, std::uint64_t all) {
		constexpr unsigned width = 40;
		const auto part = all == 0 ? width : static_cast<unsigned>(done * width / all);
		std::fprintf(stderr, "\r[%s%s] %3u %%", std::string(part, '#').c_str(),
			     std::string(width - part, ' ').c_str(), part * 100 / width);
	};
	const auto verdict = bar ? journal::verify(*question, progress) : journal::verify(*question);
	if (bar)
		std::fputs("\r\033[K", stderr);
	if (!verdict)
		return std::unexpected(verdict.error());
	if (context.json)
		std::cout << json_of(*verdict).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
	else
		print(*verdict, question->directory, !question->key, options.since);
	return verdict->findings.empty() ? Exit::ok : Exit::differs;
}

Result<Exit> head(const JournalOptions &options, const Context &context)
{
	const auto verdict = journal::verify({directory_of(options, context)});
	if (!verdict)
		return std::unexpected(verdict.error());
	if (verdict->head.empty())
		return fail(Exit::absent, "the journal has no checkpoint yet");
	if (context.json)
		std::cout << nlohmann::ordered_json{{"head", verdict->head}, {"at", verdict->covered_at}}.dump()
			  << '\n';
	else
		std::cout << verdict->head << '\n';
	return Exit::ok;
}

Result<Exit> show(const JournalOptions &options, const Context &context)
{
	auto filter = filter_of(options.chosen, context.site(""));
	if (!filter)
		return std::unexpected(std::move(filter).error());
	const auto segments = journal::segments_of(directory_of(options, context));
	if (!segments)
		return std::unexpected(segments.error());
	const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
	audit::EventsView view(
		std::move(*filter), {.json = context.json, .color = terminal, .count = options.chosen.count},
		[](std::string_view line) { std::fwrite(line.data(), 1, line.size(), stdout); },
		[](std::string_view line) { std::cerr << "weir: " << line; });
	for (const auto &each : *segments) {
		view.reset_numbers();
		const auto read = journal::read_lines(each, [&](std::string_view line, bool has_end) {
			has_end ? view.line(line) : view.torn(line);
			return !view.done() && std::ferror(stdout) == 0;
		});
		if (!read)
			return std::unexpected(read.error());
		if (view.done())
			break;
	}
	return Exit::ok;
}

} // namespace

void add_journal(CLI::App &app, Context &context)
{
	auto *verb =
		app.add_subcommand("journal", "The record that can be proved whole: begin one, verify it, read it");
	verb->require_subcommand(1);
	verb->fallthrough();
	verb->footer("Examples:\n  weir journal init\n  weir journal verify --key 8f3c… --head weir-journal-head:1:…\n"
		     "  weir journal show --since 1d --kind policy,window");
	const auto add = [&](const char *name, const char *what,
			     Result<Exit> (*run)(const JournalOptions &, const Context &)) {
		auto *part = verb->add_subcommand(name, what);
		part->fallthrough();
		auto options = std::make_shared<JournalOptions>();
		part->add_option("directory", options->directory, "The journal [/var/log/weir/INSTANCE]")
			->type_name("DIR");
		part->callback([&context, options, run] {
			context.run = [&context, options, run] { return run(*options, context); };
		});
		return std::pair(part, options);
	};
	add("init", "Make an empty journal, and show the key that the auditor needs", init);
	add("key", "Show that key and its fingerprint", show_key);
	const auto [verify_verb, verify_options] =
		add("verify", "Prove that the journal is whole and as it was written", verify);
	verify_verb
		->add_option("--key", verify_options->key,
			     "The first key, as weir journal init showed it, or a file with it")
		->type_name("KEY");
	verify_verb
		->add_option("--head", verify_options->heads,
			     "What weir journal head printed once, and was kept elsewhere; may be given several times")
		->type_name("LINE");
	verify_verb
		->add_option("--since", verify_options->since,
			     "Only what stands behind the last checkpoint before this moment or age; see below")
		->type_name("WHEN");
	verify_verb->footer(
		"With --since, records before that checkpoint are not looked at, and nothing is proved of them. Its "
		"own\n"
		"key is: by the keys of all checkpoints before it, from the first one on; or, without reading what is\n"
		"older, because a --head that was kept elsewhere is of it. The output says which.\n\n"
		"Exit status 0 when it is whole, 5 when it is not. Needs neither root nor a running weir.\n"
		"What comes after the last checkpoint is not signed yet; that it was cut off behind an earlier\n"
		"one shows by a --head that was kept elsewhere.");
	add("head", "Print the last checkpoint in one line, to be kept elsewhere", head);
	const auto [show_verb, show_options] = add("show", "Show its records, as weir events does", show);
	add_event_options(*show_verb, show_options->chosen);
}

} // namespace weir::cli
