// SPDX-License-Identifier: Apache-2.0
#include "audit/events_view.h"
#include "cli/cli.h"
#include "cli/event_options.h"
#include "formats/format.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <thread>

namespace weir::cli {
namespace {

struct EventsOptions {
	std::string file;
	bool follow = false;
	EventOptions chosen;
	std::string format;
};

Result<Exit> show_events(const EventsOptions &options, const Context &context)
{
	auto filter = filter_of(options.chosen, context.site(""));
	if (!filter)
		return std::unexpected(std::move(filter).error());
	const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
	audit::EventsView::Style style{
		.json = context.json || !options.format.empty(), .color = terminal, .count = options.chosen.count};
	if (const auto format = formats::format_of(options.format); format && *format != formats::Format::ecs)
		style.convert = [format](std::string_view line) { return formats::convert(*format, line); };
	audit::EventsView view(
		std::move(*filter), std::move(style),
		[](std::string_view line) { std::fwrite(line.data(), 1, line.size(), stdout); },
		[](std::string_view line) { std::cerr << "weir: " << line; });
	const auto file = options.file.empty() ? "/var/log/weir/" + context.where.instance + ".jsonl" : options.file;
	audit::Follower follower(file);

	for (bool first = true;; first = false) {
		const auto lines = follower.take(view);
		if (!lines)
			return std::unexpected(lines.error());
		if (std::fflush(stdout) != 0) // `weir events --follow | head` is nothing to complain of
			return errno == EPIPE ? fail("")
					      : fail(fmt::format("cannot write to the standard output: {}",
								 std::strerror(errno)));
		if (view.done())
			return Exit::ok;
		if (file == "-") {
			if (follower.at_end())
				break;
			continue;
		}
		if (!options.follow)
			break;
		if (first && !follower.is_open())
			std::cerr << "weir: " << file << " is not there yet: waiting for it\n";
		if (*lines == 0)
			std::this_thread::sleep_for(std::chrono::milliseconds(200));
	}
	if (!follower.is_open())
		return fail(fmt::format(
			"there is no {0}. `weir run --output {0}` writes it; another file can be named.", file));
	follower.finish(view);
	return Exit::ok;
}

} // namespace

void add_events(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("events", "Show what was refused, out of a file that `weir run` wrote");
	verb->fallthrough(); // --json, --instance and the like stand behind the verb, too
	auto options = std::make_shared<EventsOptions>();
	verb->add_option("file", options->file,
			 "JSON lines; - is the standard input "
			 "[/var/log/weir/INSTANCE.jsonl]");
	verb->add_flag("-f,--follow", options->follow, "Wait for more, also when the file is rotated");
	add_event_options(*verb, options->chosen);
	verb->add_option("--format", options->format,
			 "As ecs (as --json), ocsf, cef or syslog (RFC 5424): one line each, for other systems")
		->check(CLI::IsMember({"ecs", "ocsf", "cef", "syslog"}));
	verb->footer("Examples:\n  weir events --since 1h --direction out\n  weir events --follow --process curl\n"
		     "  weir events --kind policy,window --since 30d\n"
		     "  weir events --json --reason no_row --to 192.0.2.0/24 | jq .process\n\n"
		     "All conditions have to hold. Records of lost events are shown to people unless kinds are chosen, "
		     "and to\n"
		     "machines (--json, --format) when nothing but the time and the kind is.");
	verb->callback(
		[&context, options] { context.run = [&context, options] { return show_events(*options, context); }; });
}

} // namespace weir::cli
