// SPDX-License-Identifier: Apache-2.0
#include "cli/event_options.h"

#include "audit/event.h"
#include "policy/policy.h"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <tuple>
#include <vector>

namespace weir::cli {

namespace {

/// The addresses that a site file gives a name; none where there is no such file, or it has no such name.
std::vector<Prefix> addresses_of(const std::string &name, const std::string &file)
{
	std::ifstream in(file);
	const std::string text{std::istreambuf_iterator<char>(in), {}};
	const auto site = text.empty() ? fail("no site file") : policy::parse_site(text, file);
	if (!site)
		return {};
	if (const auto found = site->names.find(name); found != site->names.end())
		return found->second;
	const auto host = site->hosts.find(name);
	return host != site->hosts.end() ? host->second.within : std::vector<Prefix>();
}

/// An address, a network, or a name.
Result<> take_peer(audit::Filter &filter, const std::string &peer, const std::string &site)
{
	if (const auto prefix = Prefix::parse(peer)) {
		filter.peers = {*prefix};
		return {};
	}
	// A name has a letter and neither a colon nor a slash.
	if (peer.find_first_of(":/ ") != std::string::npos ||
	    peer.find_first_not_of("0123456789.") == std::string::npos)
		return fail(Exit::usage,
			    fmt::format("--peer: \"{}\" is neither an address, nor a network whose host bits "
					"are zero (192.0.2.0/24), nor a name",
					audit::printable(peer)));
	filter.peer_name = peer;
	filter.peers = addresses_of(peer, site);
	return {};
}

} // namespace

Result<audit::Filter> filter_of(const EventOptions &options, const std::string &site)
{
	audit::Filter filter;
	filter.kinds = options.kinds;
	filter.reason = options.reason;
	filter.gate = options.gate;
	filter.process = options.process;
	filter.row = options.row;
	if (options.pid != 0)
		filter.pid = options.pid;
	if (!options.direction.empty())
		filter.direction = options.direction == "out" ? "egress" : "ingress";
	using namespace std::chrono;
	const auto now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
	for (const auto &[name, given, taken] : {std::tuple("--since", &options.since, &filter.since),
						 std::tuple("--until", &options.until, &filter.until)}) {
		if (given->empty())
			continue;
		auto time = audit::parse_since(*given, now);
		if (!time)
			return std::unexpected(std::move(time).error().during(name));
		*taken = *time;
	}
	if (filter.since && filter.until && *filter.until <= *filter.since)
		return fail(Exit::usage, "--until is not after --since");
	if (!options.to.empty()) {
		filter.to = Prefix::parse(options.to);
		if (!filter.to)
			return fail(Exit::usage,
				    fmt::format("--to: \"{}\" is not an address, nor a network whose host bits are "
						"zero (192.0.2.0/24)",
						audit::printable(options.to)));
	}
	if (!options.peer.empty())
		if (auto taken = take_peer(filter, options.peer, site); !taken)
			return std::unexpected(std::move(taken).error());
	return filter;
}

void add_event_options(CLI::App &verb, EventOptions &options)
{
	verb.add_option("--since", options.since, "From this moment (RFC 3339) or age (90s, 30m, 4h, 7d) on");
	verb.add_option("--until", options.until, "To this moment or age, not included");
	verb.add_option("--kind", options.kinds,
			fmt::format("Of this kind ({}), or with this event.action; may be given several times",
				    fmt::join(audit::kinds, ", ")))
		->delimiter(',')
		->check([](const std::string &kind) {
			const bool known = audit::is_kind("weir." + kind) || kind.find('_') != std::string::npos ||
					   kind == "connect" || kind == "send" || kind == "packet";
			return known ? ""
				     : fmt::format("{} is no kind of record: {}", kind, fmt::join(audit::kinds, ", "));
		});
	verb.add_option("--direction", options.direction, "out or in")->check(CLI::IsMember({"out", "in"}));

	std::vector<std::string> reasons, gates;
	for (std::uint8_t i = 1; i < WEIR_REASONS; i++)
		reasons.emplace_back(audit::reason_name(i));
	for (std::uint8_t i = 1; i < WEIR_GATES; i++)
		gates.emplace_back(audit::gate_name(i));
	verb.add_option("--reason", options.reason, "Refused for this reason")->check(CLI::IsMember(reasons));
	verb.add_option("--gate", options.gate, "Refused by this gate")->check(CLI::IsMember(gates));
	verb.add_option("--pid", options.pid, "Of this process")->check(CLI::PositiveNumber);
	verb.add_option("--process", options.process, "Of processes by this name, or with this executable");
	verb.add_option("--row", options.row, "That this row decided; changes of what it reaches")->type_name("ID");
	verb.add_option("--peer", options.peer,
			"The other end, whichever way: an address, a network, or a name of the site file or in DNS")
		->type_name("ADDR[/LEN]|NAME");
	verb.add_option("--to", options.to, "To this address or network")->type_name("ADDR[/LEN]");
	verb.add_option("-n,--count", options.count, "Stop after so many records")->check(CLI::PositiveNumber);
}

} // namespace weir::cli
