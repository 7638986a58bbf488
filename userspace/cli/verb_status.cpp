// SPDX-License-Identifier: Apache-2.0
// `weir status`: what is in force, as the kernel tells it.
#include "audit/event.h"
#include "cli/cli.h"
#include "cli/journal_need.h"
#include "cli/windows_view.h"
#include "policy/row_rules.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

const char *word_of(const kernel::State &state)
{
	if (!state.problems.empty())
		return "degraded";
	return state.observe ? "observing" : "enforcing";
}

/// One line of the counters that is not all zero.
struct Refusals {
	std::uint8_t scope;
	std::uint8_t gate;
	std::uint8_t direction;
	std::uint8_t reason;
	weir_counter count;
};

struct Sums {
	weir_counter all{}; ///< of refusals
	std::uint64_t admitted = 0; ///< packets, by rows of windows
	std::vector<Refusals> lines;
};

Sums sums_of(const kernel::Counters &counters)
{
	Sums sums;
	for (std::uint8_t scope = 0; scope < WEIR_SCOPES; ++scope)
		for (std::uint8_t gate = 0; gate < WEIR_GATES; ++gate)
			for (std::uint8_t direction = 0; direction < WEIR_DIRECTIONS; ++direction)
				for (std::uint8_t reason = 0; reason < WEIR_REASONS; ++reason) {
					const auto &count =
						counters.at(weir_counter_index(scope, gate, direction, reason));
					if (reason == WEIR_REASON_NONE) {
						sums.admitted += count.observed;
						continue;
					}
					if (count.refused + count.observed == 0)
						continue;
					sums.all.refused += count.refused;
					sums.all.observed += count.observed;
					sums.all.reported += count.reported;
					sums.all.merged += count.merged;
					sums.all.summed += count.summed;
					sums.all.lost += count.lost;
					sums.lines.push_back({scope, gate, direction, reason, count});
				}
	return sums;
}

const char *direction_name(std::uint8_t direction)
{
	return direction == WEIR_OUT ? "out" : "in";
}

/// How an interface stands to the edge.
const char *standing_of(const kernel::InterfaceState &each)
{
	if (each.ifindex == 0)
		return "absent";
	if (each.flags == WEIR_INTERFACE_HELD)
		return "held";
	if (each.flags == WEIR_INTERFACE_CARRIED)
		return "carried";
	return each.flags == WEIR_INTERFACE_INSIDE ? "inside" : "refused";
}

const char *zone_name(std::uint8_t zone)
{
	return zone == zone_tunnel ? "tunnel" : "network";
}

std::vector<std::string> texts(const std::vector<Prefix> &prefixes)
{
	std::vector<std::string> all;
	all.reserve(prefixes.size());
	for (const auto &each : prefixes)
		all.push_back(each.text());
	return all;
}

ordered_json names_of(const BoundPolicy &policy)
{
	ordered_json names = ordered_json::array();
	for (const auto &[name, host] : policy.hosts)
		names.push_back({{"name", name},
				 {"host", host.host},
				 {"addresses", texts(host.addresses)},
				 {"within", texts(host.within)}});
	return names;
}

ordered_json interfaces_of(const kernel::State &state)
{
	ordered_json interfaces = ordered_json::array();
	for (const auto &each : state.interfaces)
		interfaces.push_back({{"name", each.name},
				      {"ifindex", each.ifindex},
				      {"zone", zone_name(each.zone)},
				      {"standing", standing_of(each)},
				      {"ingress", each.ingress},
				      {"egress", each.egress},
				      {"problem", each.problem}});
	return interfaces;
}

std::string line_of(const kernel::InterfaceState &each)
{
	const std::string standing = standing_of(each);
	std::string line = fmt::format("  {:<15} ", each.name);
	if (standing == "held")
		line += fmt::format("held, {}: in by {}, out by {}", zone_name(each.zone),
				    each.ingress.empty() ? "nothing" : each.ingress,
				    each.egress.empty() ? "nothing" : each.egress);
	else if (standing == "carried")
		line += fmt::format("carried by what is held, {}", zone_name(each.zone));
	else if (standing == "inside")
		line += "leads only into this host";
	else if (standing == "absent")
		line += "named by the site, is not there";
	else
		line += "not held: what sockets send and get by it is refused";
	return line + (each.problem.empty() ? "" : " (!)");
}

std::string name_of(const Scope &scope)
{
	return scope.is_edge() ? "the edge" : scope.cgroup;
}

/// Where a scope's cgroup is; empty when the kernel could not be read so far.
kernel::ComponentState place_of(const kernel::State &state, std::size_t scope)
{
	for (const auto &each : state.components)
		if (each.scope == scope)
			return each;
	return {};
}

JournalNeed need_now(const kernel::State &state, const Context &context)
{
	return need_of(state.policy, state.lease, kernel::has_reader(context.where), Moment::now().boot_ns,
		       context.where.instance);
}

ordered_json as_json(const kernel::State &state, const Context &context)
{
	const Sums sums = sums_of(state.counters);
	ordered_json cgroups = ordered_json::array();
	for (std::size_t scope = 0; scope < state.policy.cgroups(); ++scope) {
		ordered_json hooks = ordered_json::array();
		for (const auto &hook : state.hooks)
			if (hook.scope == scope)
				hooks.push_back(
					{{"name", hook.name}, {"attached", hook.attached}, {"problem", hook.problem}});
		const auto &each = state.policy.scopes[scope];
		const auto place = place_of(state, scope);
		cgroups.push_back({{"path", each.cgroup},
				   {"components", each.components},
				   {"found", place.cgroups},
				   {"awaited", place.awaited},
				   {"loopback", each.open_loopback ? "open" : "matrix"},
				   {"hooks", hooks}});
	}
	ordered_json rows = ordered_json::array();
	for (std::size_t number = 0; number < state.policy.rows.size(); ++number)
		rows.push_back({{"id", state.policy.rows[number].row.id},
				{"needs_journal", state.policy.rows[number].row.needs_journal},
				{"decided", number < state.tallies.size() ? state.tallies[number] : 0}});
	ordered_json refusals = ordered_json::array();
	for (const auto &line : sums.lines)
		refusals.push_back({{"scope", line.scope},
				    {"gate", audit::gate_name(line.gate)},
				    {"direction", direction_name(line.direction)},
				    {"reason", audit::reason_name(line.reason)},
				    {"refused", line.count.refused},
				    {"observed", line.count.observed},
				    {"reported", line.count.reported},
				    {"merged", line.count.merged},
				    {"summed", line.count.summed},
				    {"lost", line.count.lost}});
	return {{"instance", context.where.instance},
		{"state", word_of(state)},
		{"scenario", state.policy.scenario},
		{"generation", state.generation},
		{"digest", state.digest},
		{"approved_digest", approved_digest(state.policy)},
		{"windows", windows_json(state.policy, Moment::now())},
		{"journal", as_json(need_now(state, context))},
		{"cgroups", cgroups},
		{"edge", state.policy.edge.present},
		{"interfaces", interfaces_of(state)},
		{"names", names_of(state.policy)},
		{"rows", rows},
		{"events",
		 {{"refused", sums.all.refused},
		  {"observed", sums.all.observed},
		  {"reported", sums.all.reported},
		  {"merged", sums.all.merged},
		  {"summed", sums.all.summed},
		  {"lost", sums.all.lost},
		  {"by", refusals}}},
		{"admitted_by_windows", sums.admitted},
		{"problems", state.problems}};
}

void print(const kernel::State &state, const Context &context)
{
	const Sums sums = sums_of(state.counters);
	std::cout << fmt::format("{} {}: instance {}, generation {}\ndigest {}\n", word_of(state),
				 state.policy.scenario, context.where.instance, state.generation, state.digest);
	if (const auto approved = approved_digest(state.policy); approved != state.digest)
		std::cout << fmt::format("approved digest {}: without windows that are open, and addresses of DNS "
					 "names\n",
					 approved);
	if (const auto open = open_windows_text(state.policy, Moment::now()); !open.empty())
		std::cout << "windows that are open:\n" << open;
	for (std::size_t scope = 0; scope < state.policy.cgroups(); ++scope) {
		const auto &each = state.policy.scopes[scope];
		std::cout << fmt::format("cgroup {} ({}), loopback {}\n", each.cgroup, fmt::join(each.components, ", "),
					 each.open_loopback ? "open" : "by the matrix");
		const auto place = place_of(state, scope);
		if (place.awaited) {
			std::cout << "  awaited: it does not run; `weir run` holds it when it starts\n";
			continue;
		}
		for (const auto &found : place.cgroups)
			if (found != each.cgroup)
				std::cout << fmt::format("  at {}\n", found);
		std::cout << ' ';
		for (const auto &hook : state.hooks)
			if (hook.scope == scope)
				std::cout << ' ' << hook.name << (hook.problem.empty() ? "" : " (!)");
		std::cout << '\n';
	}
	if (state.policy.edge.present) {
		std::cout << "edge, interfaces:\n";
		for (const auto &each : state.interfaces)
			std::cout << line_of(each) << '\n';
	}
	for (const auto &[name, host] : state.policy.hosts)
		std::cout << fmt::format("name {} ({}): {}\n", name, host.host,
					 host.addresses.empty()
						 ? "no address yet, weir run finds it out"
						 : fmt::format("{}", fmt::join(texts(host.addresses), ", ")));
	for (const auto &problem : state.problems)
		std::cout << "problem: " << problem << '\n';
	if (const auto need = need_now(state, context); need.rows != 0)
		std::cout << text_of(need) << '\n';

	std::cout << fmt::format("\nevents since the programs were loaded: {} refused, {} observed; {} reported, {} "
				 "merged, {} summed, {} lost\n",
				 sums.all.refused, sums.all.observed, sums.all.reported, sums.all.merged,
				 sums.all.summed, sums.all.lost);
	if (sums.admitted != 0)
		std::cout << fmt::format("{:>12}  packets admitted by rows of windows, which are recorded, too\n",
					 sums.admitted);
	for (const auto &line : sums.lines)
		std::cout << fmt::format("{:>12}  {} gate, {}, {}: {}{}\n", line.count.refused + line.count.observed,
					 audit::gate_name(line.gate), direction_name(line.direction),
					 audit::reason_name(line.reason), audit::reason_sentence(line.reason),
					 state.policy.scopes.size() > 1
						 ? fmt::format(", in {}", name_of(state.policy.scopes.at(line.scope)))
						 : "");

	std::cout << "\nrows and how often each decided in this generation:\n";
	for (std::size_t number = 0; number < state.policy.rows.size(); ++number) {
		const auto &row = state.policy.rows[number].row;
		std::cout << fmt::format("{:>12}  {}: {} {} -> {} {}\n",
					 number < state.tallies.size() ? state.tallies[number] : 0, row.id,
					 policy::text_of(row.dir), row.source, row.destination, row.port.text());
	}
}

Result<Exit> status(const Context &context)
{
	const auto state = kernel::inspect(context.where);
	if (!state)
		return std::unexpected(state.error());
	if (context.json)
		std::cout << as_json(*state, context).dump() << '\n';
	else
		print(*state, context);
	return state->problems.empty() ? Exit::ok : Exit::degraded;
}

} // namespace

void add_status(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("status", "Show what is in force: read back from the kernel, not from files");
	verb->footer(
		"\"enforcing\" is said only when every hook has its program and the image in the kernel is what the\n"
		"policy in it compiles to. Anything else is named, with what it leaves open, and the exit code is 6.\n"
		"An established connection keeps its verdict: a row's count is of verdicts, not of packets.");
	verb->callback([&context] { context.run = [&context] { return status(context); }; });
}

} // namespace weir::cli
