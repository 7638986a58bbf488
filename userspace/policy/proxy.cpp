// SPDX-License-Identifier: Apache-2.0
#include "policy/proxy.h"

#include "policy/zones.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>

namespace weir::policy {

namespace {

constexpr std::uint8_t tcp = 6;

char lower(char letter)
{
	return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

std::string in_lower(std::string_view text)
{
	std::string out(text);
	std::ranges::transform(out, out.begin(), lower);
	return out;
}

std::string_view trimmed(std::string_view text)
{
	while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
		text.remove_prefix(1);
	while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
		text.remove_suffix(1);
	return text;
}

std::optional<unsigned> number(std::string_view text, unsigned most)
{
	unsigned value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	return error == std::errc{} && end == text.data() + text.size() && value <= most ? std::optional(value)
											 : std::nullopt;
}

/// What a variable says of a proxy.
struct Proxy {
	std::string variable;
	std::string scheme; ///< "" when none is said
	std::string host;
	std::uint16_t port = 0;
	[[nodiscard]] std::string text() const
	{
		if (host.empty())
			return "something that is no URL";
		return (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
	}
};

Proxy proxy_of(std::string variable, std::string_view url)
{
	Proxy proxy{.variable = std::move(variable), .scheme = {}, .host = {}};
	url = trimmed(url);
	if (const auto colon = url.find("://"); colon != std::string_view::npos) {
		proxy.scheme = in_lower(url.substr(0, colon));
		url.remove_prefix(colon + 3);
	}
	url = url.substr(0, url.find_first_of("/?#"));
	if (const auto at = url.rfind('@'); at != std::string_view::npos)
		url.remove_prefix(at + 1);
	std::string_view port;
	if (url.starts_with('[')) {
		const auto end = std::min(url.find(']'), url.size());
		proxy.host = url.substr(1, end - 1);
		port = url.substr(std::min(end + 1, url.size()));
	} else {
		const auto colon = std::min(url.find(':'), url.size());
		proxy.host = in_lower(url.substr(0, colon));
		port = url.substr(colon);
	}
	const auto said = port.starts_with(':') ? number(port.substr(1), 65535) : std::nullopt;
	proxy.port =
		static_cast<std::uint16_t>(said.value_or(proxy.scheme.starts_with("socks") ? 1080 : 443)); // as gRPC
	return proxy;
}

/// The first of these that is set; one that is set to nothing means: no proxy.
std::optional<Proxy> first_of(const Environment &environment, std::initializer_list<const char *> names)
{
	for (const char *const name : names)
		if (const auto found = environment.find(name); found != environment.end())
			return found->second.empty() ? std::nullopt : std::optional(proxy_of(name, found->second));
	return std::nullopt;
}

/// A host as a program is told it: by name, or by address (a whole network where the row admits one).
struct Target {
	std::string text;
	std::optional<Prefix> prefix;
};

bool is_in_network(const Prefix &target, std::string_view entry)
{
	const auto slash = entry.find('/');
	if (slash == std::string_view::npos)
		return false;
	const auto network = Address::parse(entry.substr(0, slash));
	const auto bits = number(entry.substr(slash + 1), 128);
	if (!network || !bits || network->is_v4() != target.is_v4())
		return false;
	const unsigned length = *bits + (network->is_v4() ? 96 : 0);
	if (length > 128 || target.length < length)
		return false;
	for (unsigned bit = 0; bit < length; ++bit) {
		const auto mask = 0x80u >> bit % 8;
		if ((network->bytes.at(bit / 8) & mask) != (target.address.bytes.at(bit / 8) & mask))
			return false;
	}
	return true;
}

bool ends_with(std::string_view host, std::string_view entry)
{
	return host.size() >= entry.size() &&
	       std::ranges::equal(host.substr(host.size() - entry.size()), entry, {}, lower, lower);
}

bool is_spared(const Target &target, std::string_view list, bool by_grpc)
{
	while (!list.empty()) {
		const auto comma = std::min(list.find(','), list.size());
		const auto entry = trimmed(list.substr(0, comma));
		list.remove_prefix(std::min(comma + 1, list.size()));
		if (entry.empty())
			continue;
		if ((entry == "*" && !by_grpc) || ends_with(target.text, entry) ||
		    (target.prefix && is_in_network(*target.prefix, entry)))
			return true;
	}
	return false;
}

std::string value_of(const Environment &environment, std::initializer_list<const char *> names)
{
	for (const char *const name : names)
		if (const auto found = environment.find(name); found != environment.end())
			return found->second;
	return "";
}

std::vector<Target> targets_of(const BoundRow &row, const BoundPolicy &policy)
{
	if (const auto host = policy.hosts.find(row.row.peer()); host != policy.hosts.end())
		return {{host->second.host, std::nullopt}};
	std::vector<Target> targets;
	for (const auto &prefix : row.peers)
		if (!is_loopback(prefix))
			targets.push_back({prefix.text(), prefix});
	return targets;
}

std::string who_admits(const Proxy &proxy, const BoundPolicy &policy, std::uint8_t scope)
{
	const auto address = Address::parse(proxy.host);
	const bool local = proxy.host == "localhost" || (address && is_loopback({*address, 128}));
	for (const auto &row : policy.rows) {
		if (row.scope != scope || row.row.dir != Direction::out || row.row.port.protocol != tcp ||
		    proxy.port < row.row.port.first || proxy.port > row.row.port.last)
			continue;
		const auto host = policy.hosts.find(row.row.peer());
		if (address ? std::ranges::any_of(row.peers,
						  [&](const Prefix &each) { return each.contains(*address); })
			    : host != policy.hosts.end() && host->second.host == proxy.host)
			return row.row.id;
	}
	return local && policy.scopes.at(scope).open_loopback ? "loopback" : "";
}

} // namespace

bool is_proxy_variable(std::string_view name)
{
	static constexpr std::array<std::string_view, 6> names{"grpc_proxy", "https_proxy",   "http_proxy",
							       "all_proxy",  "no_grpc_proxy", "no_proxy"};
	return std::ranges::find(names, in_lower(name)) != names.end();
}

std::vector<ProxyWarning> proxies_in_the_way(const BoundPolicy &policy, std::uint8_t scope,
					     const Environment &environment)
{
	auto grpc = first_of(environment, {"grpc_proxy", "https_proxy", "http_proxy"});
	if (grpc && grpc->scheme != "http")
		grpc.reset(); // gRPC says so in its log, and connects as if there were none
	const auto others = first_of(
		environment, {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"});
	const auto grpc_spares = value_of(environment, {"no_grpc_proxy", "no_proxy"});
	const auto others_spare = value_of(environment, {"no_proxy", "NO_PROXY"});

	std::vector<ProxyWarning> warnings;
	for (const auto &row : policy.rows) {
		if (row.scope != scope || row.row.dir != Direction::out || row.row.port.protocol != tcp ||
		    row.row.type == "host" || row.kernel_only)
			continue;
		for (const bool by_grpc : {true, false}) {
			const auto &proxy = by_grpc ? grpc : others;
			if (!proxy)
				continue;
			std::vector<std::string> peers;
			for (const auto &target : targets_of(row, policy))
				if (!is_spared(target, by_grpc ? grpc_spares : others_spare, by_grpc))
					peers.push_back(target.text);
			if (peers.empty())
				continue;
			const bool own = by_grpc && environment.contains("no_grpc_proxy");
			warnings.push_back({proxy->variable, by_grpc, proxy->text(), row.row.id, std::move(peers),
					    who_admits(*proxy, policy, scope), own ? "no_grpc_proxy" : "no_proxy"});
			break;
		}
	}
	return warnings;
}

std::string ProxyWarning::text() const
{
	std::string list;
	for (const auto &peer : peers)
		list += (list.empty() ? "" : ",") + peer;
	auto text = variable + " is set: " +
		    (grpc ? "gRPC would speak to the proxy " + proxy + " instead of " + list + " (row " + row + ")"
			  : "curl, pip and the like would speak to the proxy " + proxy + " instead of " + list +
				     " (row " + row + "); gRPC does not read it so");
	if (admitted_by == "loopback")
		text += ", which is this host itself: what relays is judged where it runs";
	else if (admitted_by.empty())
		text += ", which no row admits: it is refused";
	else
		text += ", which row " + admitted_by + " admits";
	text += "\n  add " + list + " to " + no_proxy + " of that process, to speak to the row's peer";
	if (admitted_by.empty())
		text += "; or make the proxy a row: service http-proxy, with [names] http-proxies";
	return text;
}

} // namespace weir::policy
