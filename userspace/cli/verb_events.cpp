// SPDX-License-Identifier: Apache-2.0
#include "audit/event.h"
#include "audit/events_view.h"
#include "cli/cli.h"
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
#include <vector>

namespace weir::cli {
namespace {

struct Options {
	std::string file;
	bool follow = false;
	std::string since;
	std::string to;
	std::string direction;
	std::string reason;
	std::string gate;
	std::string process;
	std::uint32_t pid = 0;
	std::uint64_t count = 0;
	std::string format;
};

Result<audit::Filter> filter_of(const Options &options)
{
	audit::Filter filter;
	filter.reason = options.reason;
	filter.gate = options.gate;
	filter.process = options.process;
	if (options.pid != 0)
		filter.pid = options.pid;
	if (!options.direction.empty())
		filter.direction = options.direction == "out" ? "egress" : "ingress";
	if (!options.since.empty()) {
		using namespace std::chrono;
		const auto now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
		auto since = audit::parse_since(options.since, now);
		if (!since)
			return std::unexpected(std::move(since).error().during("--since"));
		filter.since = *since;
	}
	if (!options.to.empty()) {
		filter.to = Prefix::parse(options.to);
		if (!filter.to)
			return fail(Exit::usage,
				    fmt::format("--to: \"{}\" is not an address, nor a network whose host bits are "
						"zero (192.0.2.0/24)",
						audit::printable(options.to)));
	}
	return filter;
}

Result<Exit> show_events(const Options &options, const Context &context)
{
	auto filter = filter_of(options);
	if (!filter)
		return std::unexpected(std::move(filter).error());
	const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
	audit::EventsView::Style style{
		.json = context.json || !options.format.empty(), .color = terminal, .count = options.count};
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
	auto options = std::make_shared<Options>();
	verb->add_option("file", options->file,
			 "JSON lines; - is the standard input "
			 "[/var/log/weir/INSTANCE.jsonl]");
	verb->add_flag("-f,--follow", options->follow, "Wait for more, also when the file is rotated");
	verb->add_option("--since", options->since, "From this moment (RFC 3339) or age (90s, 30m, 4h, 7d) on");
	verb->add_option("--direction", options->direction, "out or in")->check(CLI::IsMember({"out", "in"}));

	std::vector<std::string> reasons, gates;
	for (std::uint8_t i = 1; i < WEIR_REASONS; i++)
		reasons.emplace_back(audit::reason_name(i));
	for (std::uint8_t i = 1; i < WEIR_GATES; i++)
		gates.emplace_back(audit::gate_name(i));
	verb->add_option("--reason", options->reason, "Refused for this reason")->check(CLI::IsMember(reasons));
	verb->add_option("--gate", options->gate, "Refused by this gate")->check(CLI::IsMember(gates));
	verb->add_option("--pid", options->pid, "Of this process")->check(CLI::PositiveNumber);
	verb->add_option("--process", options->process, "Of processes by this name");
	verb->add_option("--to", options->to, "To this address or network")->type_name("ADDR[/LEN]");
	verb->add_option("--format", options->format,
			 "As ecs (as --json), ocsf, cef or syslog (RFC 5424): one line each, for other systems")
		->check(CLI::IsMember({"ecs", "ocsf", "cef", "syslog"}));
	verb->add_option("-n,--count", options->count, "Stop after so many records")->check(CLI::PositiveNumber);
	verb->footer(
		"Examples:\n  weir events --since 1h --direction out\n  weir events --follow --process curl\n"
		"  weir events --json --reason no_row --to 192.0.2.0/24 | jq .process\n\n"
		"All conditions have to hold. Records of lost events are shown to people whatever is chosen, and to\n"
		"machines (--json, --format) when nothing but the time is.");
	verb->callback(
		[&context, options] { context.run = [&context, options] { return show_events(*options, context); }; });
}

} // namespace weir::cli
