// SPDX-License-Identifier: Apache-2.0
// `weir explain`: which row decides, or why none does. Of a site file, without touching the kernel; or of what is in
// force.
#include "audit/event.h"
#include "cli/cli.h"
#include "cli/question.h"
#include "cli/host_names.h"
#include "compile/evaluate.h"
#include "compile/image.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>
#include <set>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

struct ExplainOptions {
	std::string site;
	std::vector<std::string> out; ///< protocol, peer
	std::vector<std::string> in;
	std::string component;
	std::string zone;
	std::string user;
	bool applied = false;
};

/// All that the policy holds, or what holds a component: its cgroup and the edge. What travels by loopback doesn't
/// pass the edge.
Result<std::vector<std::uint8_t>> scopes_of(const BoundPolicy &policy, const std::string &component, std::uint8_t zone)
{
	std::vector<std::uint8_t> scopes;
	std::set<std::string> names;
	for (std::size_t scope = 0; scope < policy.scopes.size(); ++scope) {
		const auto &each = policy.scopes[scope];
		names.insert(each.components.begin(), each.components.end());
		const bool asked = component.empty() || std::ranges::binary_search(each.components, component);
		if (asked && !(each.is_edge() && zone == zone_loopback))
			scopes.push_back(static_cast<std::uint8_t>(scope));
	}
	if (component.empty() || names.contains(component))
		return scopes;
	return wrong("the policy has no component " + policy::in_quotes(component),
		     fmt::format("--component is one of: {}", fmt::join(names, ", ")));
}

std::string text_of(const BoundRow &bound)
{
	const Row &row = bound.row;
	std::string peers;
	for (std::size_t i = 0; i < bound.peers.size() && i < 4; ++i)
		peers += (i == 0 ? "" : ", ") + bound.peers[i].text();
	if (bound.peers.size() > 4)
		peers += fmt::format(" and {} more", bound.peers.size() - 4);
	return fmt::format("{}: {} {} -> {} {} ({}){}{}", row.id, policy::text_of(row.dir), row.source, row.destination,
			   row.port.text(), peers, bound.user ? ", user " + user_text(*bound.user, row) : "",
			   row.place.line == 0 ? "" : fmt::format(", {}:{}", row.place.file, row.place.line));
}

/// CLOCK_BOOTTIME, ns.
std::uint64_t boot_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Of the row that admits: how long it still holds, and what it needs; or "".
std::string end_of(const BoundRow &row, const Question &q)
{
	std::string need = row.row.needs_journal ? "; only while the journal is written" : "";
	if (row.deadline == 0)
		return need;
	const auto seconds = (row.deadline - std::min(q.now, row.deadline)) / 1'000'000'000;
	return need + fmt::format("; it ends with window {} in {} h {} min {} s", policy::in_quotes(row.window),
				  seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string_view zone_name(std::uint8_t zone)
{
	return zone == zone_loopback ? "loopback" : zone == zone_tunnel ? "tunnel" : "network";
}

/// Of a row that holds elsewhere than what was asked about.
std::string_view holds_in(std::uint8_t zones)
{
	switch (zones) {
	case zone_loopback:
		return "holds on loopback only";
	case zone_network:
		return "holds outside of tunnels, on the network";
	case zone_tunnel:
		return "holds inside a tunnel only: --zone tunnel";
	default:
		return "holds in another zone";
	}
}

/// Rows that would admit it but for one thing, and that thing.
struct Near {
	const BoundRow *row;
	std::string differs;
};

/// What keeps a row that speaks of the very packet from holding.
std::string unmet(const BoundRow &row, const Question &q)
{
	if (row.user && row.user != q.user)
		return fmt::format("holds for user {} only: --user {}", user_text(*row.user, row.row), *row.user);
	if (row.deadline != 0 && row.deadline <= q.now)
		return "its window has ended";
	return row.row.needs_journal && !q.journal
		       ? "needs the journal: weir status says why it is not written, and what to do"
		       : "";
}

void add_near(std::vector<Near> &near, const BoundPolicy &policy, const std::vector<BoundRow> &rows, const Question &q,
	      const std::string &window)
{
	for (const auto &row : rows) {
		if (near.size() == 4)
			return;
		if (row.scope != q.scope || row.kernel_only)
			continue;
		const Service &service = row.row.port;
		const Address remote = judged_form(q.remote);
		const bool dir = row.row.dir == q.dir;
		const bool protocol = service.protocol == q.protocol;
		const bool port = protocol &&
				  (!service.has_ports() || (service.first <= q.port && q.port <= service.last));
		const bool peer = std::ranges::any_of(row.peers, [&](const Prefix &p) { return p.contains(remote); });
		const bool zone = (row.zones & q.zone) != 0;
		if (dir && port && zone && peer) {
			if (const auto why = unmet(row, q); !why.empty())
				near.push_back({&row, why});
			else if (!window.empty())
				near.push_back(
					{&row, fmt::format("while window {} is open", policy::in_quotes(window))});
		} else if (!window.empty())
			continue;
		else if (dir && port && zone && !peer)
			near.push_back({&row, "another address"});
		else if (dir && protocol && zone && peer && !port)
			near.push_back({&row, "another port"});
		else if (dir && peer && zone && !protocol)
			near.push_back({&row, "another protocol"});
		else if (dir && port && peer && !zone)
			near.push_back({&row, policy.edge.present       ? std::string(holds_in(row.zones))
					      : q.zone == zone_loopback ? "the network, not loopback"
									: "loopback, not the network"});
		else if (port && peer && zone && !dir)
			near.push_back({&row, "the other direction"});
	}
}

std::vector<Near> near_rows(const BoundPolicy &policy, const Question &q)
{
	std::vector<Near> near;
	for (const auto &window : policy.windows)
		add_near(near, policy, window.rows, q, window.name);
	add_near(near, policy, policy.rows, q, "");
	return near;
}

ordered_json as_json(const BoundPolicy &policy, const Question &q, const Answer &answer)
{
	ordered_json facts = {
		{"allowed", answer.allowed},
		{"direction", std::string(policy::text_of(q.dir))},
		{"protocol", audit::protocol_name(q.protocol)},
		{"remote", q.remote.text()},
		{"port", q.port},
		{"zone", zone_name(q.zone)},
		{"components", policy.scopes.at(q.scope).components},
		{"cgroup", policy.scopes.at(q.scope).cgroup},
		{"edge", policy.scopes.at(q.scope).is_edge()},
	};
	if (q.user)
		facts["user"] = *q.user;
	if (answer.row != WEIR_NO_ROW) {
		const auto &bound = policy.rows.at(answer.row);
		const auto &row = bound.row;
		facts["row"] = {{"id", row.id}, {"file", row.place.file}, {"line", row.place.line}};
		if (row.needs_journal)
			facts["row"]["journal"] = policy::required;
		if (bound.user)
			facts["row"]["user"] = *bound.user;
		if (bound.deadline != 0) {
			facts["row"]["window"] = bound.window;
			facts["row"]["seconds_left"] = (bound.deadline - q.now) / 1'000'000'000;
		}
	} else if (answer.allowed) {
		facts["reason"] = "open_loopback";
	} else {
		facts["reason"] = audit::reason_name(answer.reason);
	}
	return facts;
}

void print(const BoundPolicy &policy, const Question &q, const Answer &answer)
{
	const Scope &scope = policy.scopes.at(q.scope);
	if (policy.scopes.size() > 1)
		std::cout << (scope.is_edge() ? "edge: " : fmt::format("{}: ", fmt::join(scope.components, ", ")));
	if (answer.allowed) {
		std::cout << "allowed: "
			  << (answer.row == WEIR_NO_ROW ? "loopback is open on this site"
							: "by row " + text_of(policy.rows.at(answer.row)) +
								  end_of(policy.rows.at(answer.row), q))
			  << '\n';
		return;
	}
	std::cout << "refused: " << audit::reason_sentence(answer.reason);
	if (answer.reason == WEIR_REASON_EMBEDDED)
		std::cout << " (" << refused_form(q.remote) << ')';
	std::cout << '\n';
	if (answer.reason == WEIR_REASON_EMBEDDED)
		return;
	for (const auto &near : near_rows(policy, q))
		std::cout << "  near: " << text_of(*near.row) << ": " << near.differs << '\n';
}

/// What is asked: the policy and what it is compiled to.
struct Asked {
	BoundPolicy policy;
	Image image;
};

Result<Asked> load(const ExplainOptions &options, const Context &context)
{
	if (options.applied) {
		auto image = kernel::read_image(context.where);
		if (!image)
			return std::unexpected(image.error());
		const auto text = weir::text_of(*image);
		if (!text)
			return std::unexpected(text.error());
		auto policy = policy::from_canonical(*text);
		if (!policy)
			return std::unexpected(policy.error());
		return Asked{std::move(*policy), std::move(*image)};
	}
	auto policy = policy::load(context.site(options.site), context.policies_dir, ask_dns());
	if (!policy)
		return std::unexpected(policy.error());
	auto image = compile(*policy);
	if (!image)
		return std::unexpected(image.error());
	return Asked{std::move(*policy), std::move(*image)};
}

Result<Exit> explain(const ExplainOptions &options, const Context &context)
{
	if (options.out.empty() == options.in.empty())
		return wrong("explain takes one of --out and --in", "weir explain SITE --out tcp 192.0.2.10:443");
	if (options.applied && !options.site.empty())
		return wrong("--applied asks what is in force and reads no site file", "leave out " + options.site);
	const auto from = load(options, context);
	if (!from)
		return std::unexpected(from.error());
	const auto *policy = &from->policy;
	const auto *image = &from->image;
	const auto &asked = options.out.empty() ? options.in : options.out;
	Question q;
	q.dir = options.out.empty() ? Direction::in : Direction::out;
	const auto protocol = protocol_from(asked.at(0));
	if (!protocol)
		return std::unexpected(protocol.error());
	q.protocol = *protocol;
	if (const auto set = set_peer(asked.at(1), q); !set)
		return std::unexpected(set.error());
	if (q.dir == Direction::out)
		q.remote = reached(q.remote);
	if (options.zone == "tunnel" && !policy->edge.present)
		return wrong("without [edge] nobody knows tunnels", "--zone is loopback or network");
	q.zone = options.zone == "tunnel"                                                        ? zone_tunnel
		 : options.zone == "loopback" || (options.zone.empty() && is_loopback(q.remote)) ? zone_loopback
												 : zone_network;
	const auto scopes = scopes_of(*policy, options.component, q.zone);
	if (!scopes)
		return std::unexpected(scopes.error());

	if (!options.user.empty()) {
		const auto user = user_from(options.user, *policy);
		if (!user)
			return std::unexpected(user.error());
		q.user = *user;
	}
	q.now = boot_clock();
	if (options.applied)
		if (const auto lease = kernel::read_lease(context.where))
			q.journal = lease->until > q.now;
	// Of the cgroups one is enough, where nobody said which; past the edge it has to get, too. What is in no cgroup
	// has only that before it.
	bool by_cgroup = options.component.empty() && policy->edge.present && q.zone != zone_loopback;
	bool by_edge = true;
	bool asked_cgroup = false;
	ordered_json answers = ordered_json::array();
	for (const auto scope : *scopes) {
		q.scope = scope;
		const Answer answer = ask(*image, q);
		if (answer != evaluate(*policy, q))
			return fail("the compiled policy and its rows disagree here: do not apply it, and report this "
				    "as a defect");
		if (policy->scopes.at(scope).is_edge()) {
			by_edge = answer.allowed;
		} else {
			asked_cgroup = true;
			by_cgroup = by_cgroup || answer.allowed;
		}
		if (context.json)
			answers.push_back(as_json(*policy, q, answer));
		else
			print(*policy, q, answer);
	}
	const bool allowed = (by_cgroup || !asked_cgroup) && by_edge;
	if (scopes->empty() && !context.json)
		std::cout << "allowed: what travels by loopback does not pass the edge, and no cgroup holds it\n";
	if (context.json)
		std::cout << ordered_json{{"allowed", allowed}, {"answers", answers}}.dump() << '\n';
	return allowed ? Exit::ok : Exit::refused;
}

} // namespace

void add_explain(CLI::App &app, Context &context)
{
	auto *verb =
		app.add_subcommand("explain", "Say which row admits a connection, or why none does; needs no kernel");
	auto options = std::make_shared<ExplainOptions>();
	verb->add_option("site", options->site, "Site file [/etc/weir/INSTANCE.toml]")->type_name("FILE");
	verb->add_option("--out", options->out, "From here: protocol, and the peer's address with the peer's port")
		->expected(2)
		->type_name("PROTOCOL ADDRESS[:PORT]");
	verb->add_option("--in", options->in, "To here: protocol, and the peer's address with the port of this host")
		->expected(2)
		->type_name("PROTOCOL ADDRESS[:PORT]");
	verb->add_option("--component", options->component, "Whose traffic; without it, everybody's")
		->type_name("NAME");
	verb->add_option("--zone", options->zone,
			 "loopback, network or tunnel; without it, told by the address: loopback or network")
		->check(CLI::IsMember({"loopback", "network", "tunnel"}));
	verb->add_option("--user", options->user, "Who made the socket; without it, nobody whom a row names")
		->type_name("UID|NAME");
	verb->add_flag("--applied", options->applied, "Ask the policy in force, open windows and all, not a site file");
	verb->footer(
		"Examples:\n  weir explain site.toml --out tcp 203.0.113.7:443\n"
		"  weir explain site.toml --in tcp [2001:db8::66]:22\n  weir explain site.toml --out udp "
		"192.0.2.1:51820 --user root\n  weir explain site.toml --out icmp "
		"192.0.2.10\n\n"
		"A port of icmp and icmpv6 is the message's type; without one, echo request. It is a new flow that is\n"
		"asked about: answers to what a row admits are admitted. Exit: 0 allowed, 4 refused; where\n"
		"the site has several cgroups, 0 when one of them may. Where it has an edge, 0 when it passes the "
		"edge;\n"
		"with --component, when it passes the component's cgroup, too.");
	verb->callback(
		[&context, options] { context.run = [&context, options] { return explain(*options, context); }; });
}

} // namespace weir::cli
