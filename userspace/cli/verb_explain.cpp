// SPDX-License-Identifier: Apache-2.0
// `weir explain`: which row decides, or why none does; without touching the kernel.
#include "audit/event.h"
#include "cli/cli.h"
#include "cli/host_names.h"
#include "compile/evaluate.h"
#include "compile/image.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/text.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <optional>
#include <set>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
	std::string site;
	std::vector<std::string> out; ///< protocol, peer
	std::vector<std::string> in;
	std::string component;
	std::string zone;
};

std::unexpected<Error> wrong(const std::string &what, const std::string &hint)
{
	return fail(Exit::usage, what + "\n  " + hint);
}

std::optional<std::uint16_t> number_up_to(std::string_view text, unsigned most)
{
	unsigned value = 0;
	const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (problem != std::errc{} || end != text.data() + text.size() || value > most)
		return std::nullopt;
	return static_cast<std::uint16_t>(value);
}

Result<std::uint8_t> protocol_from(const std::string &text)
{
	std::string upper;
	for (const char c : text)
		upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
	if (upper == "ICMPV6")
		upper = "ICMPv6";
	else if (upper == "UDPLITE")
		upper = "UDP-Lite";
	if (const auto service = policy::parse_service(upper + "/1")) // any port will do
		return service->protocol;
	if (const auto number = number_up_to(text, 255))
		return static_cast<std::uint8_t>(*number);
	return wrong("\"" + text + "\" is no protocol",
		     "use tcp, udp, sctp, dccp, udplite, icmp, icmpv6, or a number up to 255");
}

/// "192.0.2.10:443", "[2001:db8::1]:443", "192.0.2.10", "2001:db8::1"
Result<> set_peer(const std::string &text, Question &q)
{
	constexpr const char *forms =
		"write 192.0.2.10:443 or [2001:db8::10]:443; for a protocol without ports, the address alone";
	const Service service{q.protocol, 0, 0};
	const bool icmp = q.protocol == IPPROTO_ICMP || q.protocol == IPPROTO_ICMPV6;
	std::string host = text;
	std::string port;
	if (text.starts_with('[')) {
		const auto close = text.find(']');
		if (close == std::string::npos)
			return wrong("\"" + text + "\" has no closing bracket", forms);
		host = text.substr(1, close - 1);
		port = text.substr(close + 1);
		if (!port.empty() && port.front() != ':')
			return wrong("\"" + text + "\" is not an address and a port", forms);
		port.erase(0, 1);
	} else if (const auto colon = text.find(':');
		   colon != std::string::npos && text.find(':', colon + 1) == std::string::npos) {
		host = text.substr(0, colon);
		port = text.substr(colon + 1);
	}
	const auto address = Address::parse(host);
	if (!address)
		return wrong("\"" + host + "\" is no address", forms);
	q.remote = *address;
	if (!service.has_ports()) {
		if (!port.empty())
			return wrong("IP protocol " + std::to_string(q.protocol) + " has no ports",
				     "give the address alone");
		return {};
	}
	if (port.empty() && icmp) {
		q.port = q.protocol == IPPROTO_ICMP ? 8 : 128; // echo request
		return {};
	}
	const auto number = number_up_to(port, icmp ? 255 : 65535);
	if (!number || (!icmp && *number == 0))
		return wrong("\"" + text + "\" has no port that could be", forms);
	q.port = *number;
	return {};
}

bool is_loopback(const Address &address)
{
	static const Prefix v4 = *Prefix::parse("127.0.0.0/8");
	static const Prefix v6 = *Prefix::parse("::1");
	return v4.contains(address) || v6.contains(address);
}

/// What a call to an address reaches: the unspecified one means this host, by loopback, as the socket gate has it.
Address reached(const Address &address)
{
	static const Address v4 = *Address::parse("0.0.0.0");
	static const Address v6 = *Address::parse("::");
	if (address == v4)
		return *Address::parse("127.0.0.1");
	return address == v6 ? *Address::parse("::1") : address;
}

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
	return fmt::format("{}: {} {} -> {} {} ({}){}", row.id, policy::text_of(row.dir), row.source, row.destination,
			   row.port.text(), peers,
			   row.place.line == 0 ? "" : fmt::format(", {}:{}", row.place.file, row.place.line));
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
	std::string_view differs;
};

std::vector<Near> near_rows(const BoundPolicy &policy, const Question &q)
{
	std::vector<Near> near;
	for (const auto &row : policy.rows) {
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
		if (dir && port && zone && !peer)
			near.push_back({&row, "another address"});
		else if (dir && protocol && zone && peer && !port)
			near.push_back({&row, "another port"});
		else if (dir && peer && zone && !protocol)
			near.push_back({&row, "another protocol"});
		else if (dir && port && peer && !zone)
			near.push_back({&row, policy.edge.present       ? holds_in(row.zones)
					      : q.zone == zone_loopback ? "the network, not loopback"
									: "loopback, not the network"});
		else if (port && peer && zone && !dir)
			near.push_back({&row, "the other direction"});
		if (near.size() == 4)
			break;
	}
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
	if (answer.row != WEIR_NO_ROW) {
		const auto &row = policy.rows.at(answer.row).row;
		facts["row"] = {{"id", row.id}, {"file", row.place.file}, {"line", row.place.line}};
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
							: "by row " + text_of(policy.rows.at(answer.row)))
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

Result<Exit> explain(const Options &options, const Context &context)
{
	if (options.out.empty() == options.in.empty())
		return wrong("explain takes one of --out and --in", "weir explain SITE --out tcp 192.0.2.10:443");
	const auto policy = policy::load(context.site(options.site), context.policies_dir, ask_dns());
	if (!policy)
		return std::unexpected(policy.error());
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

	const auto image = compile(*policy);
	if (!image)
		return std::unexpected(image.error());
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
	auto options = std::make_shared<Options>();
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
	verb->footer(
		"Examples:\n  weir explain site.toml --out tcp 203.0.113.7:443\n"
		"  weir explain site.toml --in tcp [2001:db8::66]:22\n  weir explain site.toml --out icmp "
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
