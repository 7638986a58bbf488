// SPDX-License-Identifier: Apache-2.0
#include "cli/event_options.h"

#include "audit/event.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

namespace weir::cli {

Result<audit::Filter> filter_of(const EventOptions &options)
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

void add_event_options(CLI::App &verb, EventOptions &options)
{
	verb.add_option("--since", options.since, "From this moment (RFC 3339) or age (90s, 30m, 4h, 7d) on");
	verb.add_option("--direction", options.direction, "out or in")->check(CLI::IsMember({"out", "in"}));

	std::vector<std::string> reasons, gates;
	for (std::uint8_t i = 1; i < WEIR_REASONS; i++)
		reasons.emplace_back(audit::reason_name(i));
	for (std::uint8_t i = 1; i < WEIR_GATES; i++)
		gates.emplace_back(audit::gate_name(i));
	verb.add_option("--reason", options.reason, "Refused for this reason")->check(CLI::IsMember(reasons));
	verb.add_option("--gate", options.gate, "Refused by this gate")->check(CLI::IsMember(gates));
	verb.add_option("--pid", options.pid, "Of this process")->check(CLI::PositiveNumber);
	verb.add_option("--process", options.process, "Of processes by this name");
	verb.add_option("--to", options.to, "To this address or network")->type_name("ADDR[/LEN]");
	verb.add_option("-n,--count", options.count, "Stop after so many records")->check(CLI::PositiveNumber);
}

} // namespace weir::cli
