// SPDX-License-Identifier: Apache-2.0
// Who the peers of a site are: [names], by address or by DNS name, and whom to ask for the latter.
#include "policy/dns_name.h"
#include "policy/host_services.h"
#include "policy/prefix_rules.h"
#include "policy/site_parts.h"
#include "policy/text.h"
#include "policy/zones.h"

#include <algorithm>
#include <array>
#include <set>

namespace weir::policy {
namespace {

constexpr std::array<std::string_view, 2> host_keys = {"host", "within"};
constexpr std::string_view within_hint = "say what an answer may be, such as: within = [\"192.0.2.0/24\"]";

Result<Prefix> prefix_of(const TomlFile &file, const toml::node &node, std::string_view name)
{
	const toml::value<std::string> *text = node.as_string();
	if (text == nullptr) {
		return file.wrong_type(node, name, "an address", "put the address in quotes, such as \"192.0.2.10\"");
	}
	Result<Prefix> prefix = parse_peer(text->get());
	if (!prefix) {
		return file.error(node.source(), prefix.error());
	}
	return prefix;
}

Result<std::vector<Prefix>> prefixes_of(const TomlFile &file, const toml::node &node, std::string_view name)
{
	std::vector<Prefix> result;
	const toml::array *list = node.as_array();
	if (list == nullptr) {
		const Result<Prefix> one = prefix_of(file, node, name);
		if (!one) {
			return std::unexpected(one.error());
		}
		result.push_back(*one);
		return result;
	}
	if (list->empty()) {
		return file.error(node.source(), in_quotes(name) + " has no address", "give one, or take the name out");
	}
	std::set<Prefix> seen;
	for (const toml::node &entry : *list) {
		const Result<Prefix> one = prefix_of(file, entry, name);
		if (!one) {
			return std::unexpected(one.error());
		}
		if (!seen.insert(*one).second) {
			return file.error(entry.source(), one->text() + " is given twice", "keep one of the two");
		}
	}
	result.assign(seen.begin(), seen.end());
	return result;
}

/// `researcher.example.org = "192.0.2.10"` makes a table, too: one that says nothing of a host.
bool is_dotted_key(const toml::table &table)
{
	return !table.is_inline() && !table.contains("host") && !table.contains("within");
}

Result<HostName> host_of(const TomlFile &file, const toml::key &key, const toml::table &table)
{
	if (builtin_host_peer(key.str())) {
		return file.error(key.source(), in_quotes(key.str()) + " means the same on every host",
				  "give its addresses: it is not a host that DNS knows");
	}
	const std::string where = "the DNS name of " + in_quotes(key.str());
	if (const Result<> good = file.only(table, host_keys, where); !good) {
		return std::unexpected(good.error());
	}
	const auto host = file.need(table, "host", where, "such as: host = \"researcher.example.org\"");
	if (!host) {
		return std::unexpected(host.error());
	}
	const Result<std::string> text = file.words(**host, "host");
	if (!text) {
		return std::unexpected(text.error());
	}
	Result<std::string> name = parse_dns_name(*text);
	if (!name) {
		return file.error((*host)->source(), name.error());
	}
	const auto within = file.need(table, "within", where, within_hint);
	if (!within) {
		return std::unexpected(within.error());
	}
	Result<std::vector<Prefix>> prefixes = prefixes_of(file, **within, "within");
	if (!prefixes) {
		return std::unexpected(prefixes.error());
	}
	if (const auto loopback = std::ranges::find_if(*prefixes, is_loopback); loopback != prefixes->end()) {
		return file.error((*within)->source(), loopback->text() + " is this host itself",
				  "no answer of DNS is taken for it: bind the name to the address");
	}
	return HostName{std::move(*name), std::move(*prefixes)};
}

Result<> read_resolvers(const TomlFile &file, Site &site)
{
	const toml::node *node = file.root().get("resolvers");
	if (node == nullptr) {
		return {};
	}
	constexpr std::string_view hint = "such as: resolvers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]";
	Result<std::vector<std::string>> list = words_of(file, *node, "resolvers", hint);
	if (!list) {
		return std::unexpected(list.error());
	}
	if (list->empty()) {
		return file.error(node->source(), "\"resolvers\" has no resolver",
				  "give one, or take it out: then those of /etc/resolv.conf are asked");
	}
	for (std::size_t index = 0; index < list->size(); index++) {
		if (const Result<Resolver> one = parse_resolver((*list)[index]); !one) {
			return file.error(node->as_array()->get(index)->source(), one.error());
		}
	}
	site.resolvers = std::move(*list);
	return {};
}

} // namespace

Result<> read_names(const TomlFile &file, Site &site)
{
	const auto names = table_of(file, "names");
	if (!names) {
		return std::unexpected(names.error());
	}
	if (*names != nullptr) {
		for (const auto &[key, node] : **names) {
			if (const Result<> good =
				    check_key(file, key, "take the line out: it means the same on every site");
			    !good) {
				return good;
			}
			if (const toml::table *table = node.as_table(); table != nullptr) {
				if (is_dotted_key(*table)) {
					return file.error(key.source(),
							  in_quotes(key.str()) + " is a table, not an address",
							  "put a name that has a point in quotes");
				}
				Result<HostName> host = host_of(file, key, *table);
				if (!host) {
					return std::unexpected(host.error());
				}
				site.hosts.emplace(key.str(), std::move(*host));
				continue;
			}
			Result<std::vector<Prefix>> addresses = prefixes_of(file, node, key.str());
			if (!addresses) {
				return std::unexpected(addresses.error());
			}
			site.names.emplace(key.str(), std::move(*addresses));
		}
	}
	return read_resolvers(file, site);
}

} // namespace weir::policy
