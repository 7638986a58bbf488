// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include "daemon/run.h"
#include "policy/duration.h"

#include <memory>
#include <vector>

namespace weir::cli {

void add_run(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("run", "Stream what is refused as JSON lines, until SIGTERM");
	verb->fallthrough();
	auto output = std::make_shared<std::string>("-");
	verb->add_option("-o,--output", *output,
			 "File to append to, such as /var/log/weir/default.jsonl; SIGHUP opens it anew. "
			 "- is the standard output")
		->type_name("FILE")
		->capture_default_str();
	auto keep = std::make_shared<std::string>("10m");
	verb->add_option("--keep-addresses", *keep,
			 "How long an address stays open that the answers for its DNS name lack: 90s, 30m, 4h")
		->type_name("TIME")
		->capture_default_str();
	auto sinks = std::make_shared<std::vector<std::string>>();
	verb->add_option("--sink", *sinks,
			 "Send a copy of each record there, too; may be given again: file:PATH, stdout:, journald:,\n"
			 "syslog+unix:/dev/log, syslog+udp://HOST:514, syslog+tcp://HOST:514,\n"
			 "syslog+tls://HOST:6514?ca=FILE&format=cef")
		->type_name("ADDRESS")
		->allow_extra_args(false);
	auto metrics = std::make_shared<std::string>();
	verb->add_option("--metrics", *metrics,
			 "Also write figures there every ten seconds, for node_exporter's textfile collector:\n"
			 "/var/lib/prometheus/node-exporter/weir.prom")
		->type_name("FILE");
	verb->footer(
		"Examples:\n  weir run --journal /var/log/weir/default --output /var/log/weir/default.jsonl\n  weir "
		"run | jq .weir.reason\n\n"
		"Nothing depends on it but the record: without it the policy holds, refusals are counted, and up to\n"
		"4 MiB of them wait in the kernel. With --journal it writes the journal that weir journal init has "
		"made,\n"
		"and --output and the sinks get what stands there. Sinks wait for nothing and hold nothing up: what "
		"they\n"
		"have no room for is counted and recorded.");
	verb->callback([&context, output, keep, sinks, metrics] {
		context.run = [&context, output, keep, sinks, metrics]() -> Result<Exit> {
			const auto seconds = policy::parse_duration(*keep);
			if (!seconds)
				return fail(Exit::usage, "--keep-addresses " + *keep +
								 ": that is no time of up to a day\n  write it "
								 "as 90s, 30m or 4h");
			std::vector<sinks::Address> addresses;
			addresses.reserve(sinks->size());
			for (const auto &text : *sinks) {
				auto address = sinks::parse_address(text);
				if (!address)
					return std::unexpected(std::move(address).error());
				addresses.push_back(std::move(*address));
			}
			return daemon::run({.where = context.where,
					    .output = *output,
					    .journal = context.journal,
					    .sinks = std::move(addresses),
					    .metrics = *metrics,
					    .keep_ns = std::int64_t{*seconds} * 1'000'000'000});
		};
	});
}

} // namespace weir::cli
