// SPDX-License-Identifier: Apache-2.0
#include "policy/edge_file.h"

#include "bpf/abi.h"
#include "policy/text.h"

#include <linux/if.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::policy {
namespace {

constexpr std::array<std::string_view, 5> edge_keys = {"interfaces", "tunnels", "ingress", "ethertypes", "flows"};

struct Named {
	std::string_view name;
	std::uint16_t type;
};
constexpr std::array<Named, 2> named_types = {{{"LLDP", ETH_P_LLDP}, {"EAPOL", ETH_P_PAE}}};

/// Types that are judged by more than their number, so that a site can't let them pass by it.
struct Known {
	std::uint16_t type;
	std::string_view what;
	std::string_view hint;
};
constexpr std::string_view tag_hint = "take it out: weir looks through tags, and judges what is inside";
constexpr std::array<Known, 6> known_types = {{
	{ETH_P_IP, "IPv4", "take it out: the rows say what passes"},
	{ETH_P_IPV6, "IPv6", "take it out: the rows say what passes"},
	{ETH_P_ARP, "ARP", "take it out: ARP passes anyway"},
	{ETH_P_8021Q, "a VLAN tag", tag_hint},
	{ETH_P_8021AD, "a VLAN tag", tag_hint},
	{ETH_P_QINQ1, "a VLAN tag", tag_hint},
}};

constexpr std::string_view type_forms = "write \"LLDP\", \"EAPOL\", or a number such as \"0x88f7\"";

/// As dev_valid_name() of the kernel has it; "" when an interface can have this name.
std::string name_complaint(std::string_view name)
{
	const auto forbidden = [](char c) {
		return c == '/' || c == ':' || c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
	};
	if (name.empty() || name == "." || name == "..") {
		return "is no name of an interface\nwrite it like \"eth0\"";
	}
	if (name.size() >= IFNAMSIZ) {
		return "is longer than a name of an interface\nLinux gives them up to " + std::to_string(IFNAMSIZ - 1) +
		       " bytes";
	}
	if (std::ranges::any_of(name, forbidden)) {
		return "is no name of an interface: it has a space, \"/\" or \":\" in it\nwrite it like \"eth0\"";
	}
	if (name == "lo") {
		return "does not lead off the host\ntake it out: loopback is not the network, see: loopback = "
		       "\"matrix\"";
	}
	return text_complaint(name, false);
}

class EdgeReader {
public:
	EdgeReader(const TomlFile &file, const toml::table &table) : file_(file), table_(table) {}

	Result<Edge> read();

private:
	Result<> interfaces();
	Result<> tunnels();
	Result<> ingress();
	Result<> ethertypes();
	Result<> flows();
	Result<std::vector<std::string>> names(const toml::array &, std::string_view key) const;
	Result<std::uint16_t> ethertype(const toml::node &) const;

	const TomlFile &file_;
	const toml::table &table_;
	Edge edge_;
};

Result<std::vector<std::string>> EdgeReader::names(const toml::array &list, std::string_view key) const
{
	std::vector<std::string> names;
	for (const toml::node &entry : list) {
		Result<std::string> name = file_.string(entry, key);
		if (!name) {
			return std::unexpected(name.error());
		}
		if (const std::string complaint = name_complaint(*name); !complaint.empty()) {
			return file_.error(entry.source(), {Exit::policy, in_quotes(*name) + ' ' + complaint});
		}
		if (*name == "auto") {
			return file_.error(entry.source(), "\"auto\" stands in a list",
					   "every interface that leads off the host is: interfaces = \"auto\"");
		}
		if (std::ranges::find(names, *name) != names.end()) {
			return file_.error(entry.source(), in_quotes(*name) + " is given twice", "keep one of the two");
		}
		names.push_back(std::move(*name));
	}
	return names;
}

Result<> EdgeReader::interfaces()
{
	const toml::node *node = table_.get("interfaces");
	if (node == nullptr) {
		return {};
	}
	constexpr std::string_view forms = "write \"auto\", or a list such as [\"eth0\", \"eth1\"]";
	const toml::array *list = node->as_array();
	if (list == nullptr) {
		const Result<std::string> word = file_.string(*node, "interfaces");
		if (!word) {
			return file_.wrong_type(*node, "interfaces", "a list", forms);
		}
		if (*word != "auto") {
			return file_.error(node->source(), in_quotes(*word) + " is not a list of interfaces", forms);
		}
		return {};
	}
	if (list->empty()) {
		return file_.error(node->source(), "\"interfaces\" has no interface", forms);
	}
	Result<std::vector<std::string>> result = names(*list, "interfaces");
	if (!result) {
		return std::unexpected(result.error());
	}
	edge_.interfaces = std::move(*result);
	return {};
}

Result<> EdgeReader::tunnels()
{
	const toml::node *node = table_.get("tunnels");
	if (node == nullptr) {
		return {};
	}
	const toml::array *list = node->as_array();
	if (list == nullptr) {
		return file_.error(node->source(), "\"tunnels\" is not a list", "such as: tunnels = [\"tun5\"]");
	}
	Result<std::vector<std::string>> result = names(*list, "tunnels");
	if (!result) {
		return std::unexpected(result.error());
	}
	for (std::size_t index = 0; index < result->size() && !edge_.interfaces.empty(); index++) {
		if (std::ranges::find(edge_.interfaces, (*result)[index]) == edge_.interfaces.end()) {
			return file_.error(list->get(index)->source(),
					   in_quotes((*result)[index]) + " is not among the interfaces that are held",
					   "add it to \"interfaces\", too");
		}
	}
	edge_.tunnels = std::move(*result);
	return {};
}

Result<> EdgeReader::ingress()
{
	const toml::node *node = table_.get("ingress");
	if (node == nullptr) {
		return {};
	}
	Result<std::string> mode = file_.string(*node, "ingress");
	if (!mode) {
		return std::unexpected(mode.error());
	}
	if (std::ranges::find(ingress_modes(), *mode) == ingress_modes().end()) {
		return file_.wrong_choice(*node, *mode, "mode of ingress", ingress_modes());
	}
	edge_.ingress = std::move(*mode);
	return {};
}

Result<std::uint16_t> EdgeReader::ethertype(const toml::node &node) const
{
	const toml::value<std::string> *text = node.as_string();
	if (text == nullptr) {
		return file_.wrong_type(node, "ethertypes", "an EtherType", type_forms);
	}
	const std::string &word = text->get();
	if (const auto named = std::ranges::find(named_types, word, &Named::name); named != named_types.end()) {
		return named->type;
	}
	std::uint16_t type = 0;
	const char *const end = word.data() + word.size();
	const bool hexadecimal = word.size() == 6 && word.starts_with("0x");
	const auto [stopped, problem] = std::from_chars(word.data() + (hexadecimal ? 2 : 0), end, type, 16);
	if (!hexadecimal || problem != std::errc{} || stopped != end) {
		const std::string near = did_you_mean(word, {"LLDP", "EAPOL"});
		return file_.error(node.source(), in_quotes(word) + " is not an EtherType",
				   near.empty() ? type_forms : near);
	}
	if (type < ETH_P_802_3_MIN) {
		return file_.error(node.source(), in_quotes(word) + " is a length, not an EtherType",
				   "EtherTypes begin at 0x0600");
	}
	if (const auto known = std::ranges::find(known_types, type, &Known::type); known != known_types.end()) {
		return file_.error(node.source(), in_quotes(word) + " is " + std::string(known->what), known->hint);
	}
	return type;
}

Result<> EdgeReader::ethertypes()
{
	const toml::node *node = table_.get("ethertypes");
	if (node == nullptr) {
		return {};
	}
	const toml::array *list = node->as_array();
	if (list == nullptr) {
		return file_.error(node->source(), "\"ethertypes\" is not a list", "such as: ethertypes = [\"LLDP\"]");
	}
	for (const toml::node &entry : *list) {
		const Result<std::uint16_t> type = ethertype(entry);
		if (!type) {
			return std::unexpected(type.error());
		}
		if (std::ranges::find(edge_.ethertypes, *type) != edge_.ethertypes.end()) {
			return file_.error(entry.source(), ethertype_text(*type) + " is given twice",
					   "keep one of the two");
		}
		if (edge_.ethertypes.size() == WEIR_ETHERTYPES) {
			return file_.error(entry.source(),
					   "more than " + std::to_string(WEIR_ETHERTYPES) + " EtherTypes",
					   "keep those that the host cannot do without");
		}
		edge_.ethertypes.push_back(*type);
	}
	std::ranges::sort(edge_.ethertypes);
	return {};
}

Result<> EdgeReader::flows()
{
	const toml::node *node = table_.get("flows");
	if (node == nullptr) {
		return {};
	}
	const toml::value<std::int64_t> *value = node->as_integer();
	if (value == nullptr) {
		return file_.wrong_type(*node, "flows", "an integer", "such as: flows = 65536");
	}
	if (value->get() < least_flows || value->get() > most_flows) {
		return file_.error(node->source(), std::to_string(value->get()) + " is no bound on flows",
				   "use " + std::to_string(least_flows) + " to " + std::to_string(most_flows));
	}
	edge_.flows = static_cast<std::uint32_t>(value->get());
	return {};
}

Result<Edge> EdgeReader::read()
{
	if (const Result<> good = file_.only(table_, edge_keys, "[edge]"); !good) {
		return std::unexpected(good.error());
	}
	edge_.present = true;
	for (const auto part : {&EdgeReader::interfaces, &EdgeReader::tunnels, &EdgeReader::ingress,
				&EdgeReader::ethertypes, &EdgeReader::flows}) {
		if (const Result<> good = (this->*part)(); !good) {
			return std::unexpected(good.error());
		}
	}
	return edge_;
}

} // namespace

Result<Edge> read_edge(const TomlFile &file)
{
	const toml::node *node = file.root().get("edge");
	if (node == nullptr) {
		return Edge{};
	}
	const toml::table *table = node->as_table();
	if (table == nullptr) {
		return file.error(node->source(), "\"edge\" is not a table", "begin it with: [edge]");
	}
	return EdgeReader(file, *table).read();
}

const std::vector<std::string> &ingress_modes()
{
	static const std::vector<std::string> all = {"auto", "tc", "xdp-generic"};
	return all;
}

std::string ethertype_text(std::uint16_t type)
{
	if (const auto named = std::ranges::find(named_types, type, &Named::type); named != named_types.end()) {
		return std::string(named->name);
	}
	constexpr std::string_view digits = "0123456789abcdef";
	std::string text = "0x";
	for (int shift = 12; shift >= 0; shift -= 4) {
		text += digits[type >> shift & 15];
	}
	return text;
}

} // namespace weir::policy
