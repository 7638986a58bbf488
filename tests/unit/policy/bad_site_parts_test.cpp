// SPDX-License-Identifier: Apache-2.0
// What is wrong in the later parts of a site file: scenarios, DNS names, places of components, users, windows.
#include "bad_file.h"
#include "policy/diagnostic.h"
#include "policy/policy.h"

namespace weir::policy {
namespace {

constexpr std::string_view good_site_parts = R"(format = 1
scenarios = ["node-vpn", "researcher-vpn"]
resolvers = ["192.0.2.53", "[2001:db8::53]:5353"]
[names]
researcher = "10.222.0.2"
vpnserver = { host = "VPN.example.org.", within = ["192.0.2.0/24", "2001:db8::/32"] }
[users]
node = 1001
[cgroups]
researcher = "/c/researcher"
[units]
gui = "fedbiomed-gui.service"
[containers]
node = "fedbiomed-vpn-node-*"
[windows.installation]
components = ["node"]
longest = "1h30m"
through = "http-proxy"
[windows.key-negotiation]
peers = ["researcher", "vpnserver"]
longest = "10m"
)";

TEST(SiteParts, EveryKey)
{
	const auto site = parse_site(good_site_parts, "s.toml");
	ASSERT_TRUE(site) << site.error().message;
	EXPECT_EQ(site->scenario, "node-vpn");
	EXPECT_EQ(site->more_scenarios, std::vector<std::string>{"researcher-vpn"});
	EXPECT_EQ(site->resolvers, (std::vector<std::string>{"192.0.2.53", "[2001:db8::53]:5353"}));
	EXPECT_FALSE(site->names.contains("vpnserver"));
	const HostName host{"vpn.example.org", {*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::/32")}, {}};
	EXPECT_EQ(site->hosts, (std::map<std::string, HostName>{{"vpnserver", host}}));
	EXPECT_EQ(site->users, (std::map<std::string, std::uint32_t>{{"node", 1001}}));
	EXPECT_EQ(site->cgroups, (std::map<std::string, std::string>{{"researcher", "/c/researcher"},
								     {"gui", "unit:fedbiomed-gui.service"},
								     {"node", "container:fedbiomed-vpn-node-*"}}));
	ASSERT_EQ(site->windows.size(), 2u);
	EXPECT_EQ(site->windows[0].name, "installation");
	EXPECT_EQ(site->windows[0].components, std::vector<std::string>{"node"});
	EXPECT_EQ(site->windows[0].longest, 5400u);
	EXPECT_EQ(site->windows[0].through, "http-proxy");
	EXPECT_EQ(site->windows[1].name, "key-negotiation");
	EXPECT_EQ(site->windows[1].peers, (std::vector<std::string>{"researcher", "vpnserver"}));
	EXPECT_TRUE(site->windows[1].components.empty());
}

TEST(SiteParts, OneScenarioInAListIsOne)
{
	const auto site = parse_site("format = 1\nscenarios = [\"a\"]\n", "s.toml");
	ASSERT_TRUE(site) << site.error().message;
	EXPECT_EQ(site->scenario, "a");
	EXPECT_TRUE(site->more_scenarios.empty());
}

TEST(SiteParts, ADnsNameMayBeATable)
{
	const auto site = parse_site(
		"format = 1\nscenario = \"a\"\n[names.r]\nhost = \"r.example\"\nwithin = \"192.0.2.1\"\n", "s.toml");
	ASSERT_TRUE(site) << site.error().message;
	EXPECT_EQ(site->hosts.at("r").within, std::vector{*Prefix::parse("192.0.2.1")});
}

constexpr BadFile bad_site_parts_files[] = {
	{"both", "scenarios =", "scenario = \"a\"\nscenarios =",
	 "@3:13 \"scenario\" and \"scenarios\" are both given\n"
	 "  keep the one, or the list"},
	{"none", R"(["node-vpn", "researcher-vpn"])", "[]",
	 "@2:13 \"scenarios\" has no scenario\n  list them, such as: scenarios = [\"node-vpn\", \"researcher-vpn\"]"},
	{"scenarios_text", R"(["node-vpn", "researcher-vpn"])", "\"a\"",
	 "@2:13 \"scenarios\" is not a list\n  list them, such as: scenarios = [\"node-vpn\", \"researcher-vpn\"]"},
	{"scenario_twice", R"("researcher-vpn")", R"("node-vpn")",
	 "@2:26 \"node-vpn\" is given twice\n  keep one of the two"},
	{"scenario_with_slash", R"("researcher-vpn")", R"("../x")",
	 "@2:26 \"scenarios\" is not letters, digits, \".\", \"_\" and \"-\" after a letter or a digit\n"
	 "  write it like \"node-native\""},
	{"services_among_them", R"("researcher-vpn")", R"("host-services")",
	 "@2:26 host services are part of every policy with an edge\n  take it out; alone they are: scenario = "
	 "\"host-services\""},
	{"resolver_name", R"("192.0.2.53")", R"("dns.example.org")",
	 "@3:14 \"dns.example.org\" is not a resolver\n  write its address, such as \"192.0.2.53\", or "
	 "\"[2001:db8::53]:5353\" with a port"},
	{"resolver_none", R"(["192.0.2.53", "[2001:db8::53]:5353"])", "[]",
	 "@3:13 \"resolvers\" has no resolver\n  give one, or take it out: then those of /etc/resolv.conf are asked"},
	{"resolver_twice", R"("[2001:db8::53]:5353")", R"("192.0.2.53")",
	 "@3:28 \"192.0.2.53\" is given twice\n  keep one of the two"},
	{"host_number", R"("VPN.example.org.")", "5",
	 "@6:22 \"host\" is an integer, not a string\n  put the value in quotes"},
	{"host_that_is_none", R"("VPN.example.org.")", R"("vpn_server")",
	 "@6:22 \"vpn_server\" is not a name in DNS\n  write it like \"researcher.example.org\""},
	{"host_that_is_an_address", R"("VPN.example.org.")", R"("192.0.2.1")",
	 "@6:22 \"192.0.2.1\" is an address, not a name in DNS\n  write it without host and within"},
	{"no_within", R"(, within = ["192.0.2.0/24", "2001:db8::/32"])", "",
	 "@6:13 the DNS name of \"vpnserver\" without \"within\"\n  say what an answer may be, such as: within = "
	 "[\"192.0.2.0/24\"]"},
	{"no_host", R"(host = "VPN.example.org.", )", "",
	 "@6:13 the DNS name of \"vpnserver\" without \"host\"\n  such as: host = \"researcher.example.org\""},
	{"host_key_unknown", "within =", "whithin =", "@6:42 unknown key \"whithin\"\n  did you mean \"within\"?"},
	{"within_empty", R"(["192.0.2.0/24", "2001:db8::/32"])", "[]",
	 "@6:51 \"within\" has no address\n  give one, or take the name out"},
	{"within_bits", R"("192.0.2.0/24")", R"("192.0.2.1/24")",
	 "@6:52 \"192.0.2.1/24\" has bits set past its prefix length\n  write 192.0.2.0/24, or 192.0.2.1 for the one "
	 "address"},
	{"within_loopback", R"(["192.0.2.0/24", "2001:db8::/32"])", R"("127.0.0.0/8")",
	 "@6:51 127.0.0.0/8 is this host itself\n  no answer of DNS is taken for it: bind the name to the address"},
	{"within_name", R"(["192.0.2.0/24", "2001:db8::/32"])", R"("example.org")",
	 "@6:51 \"example.org\" is a name, not an address\n  give its addresses, or have DNS asked: { host = \"...\", "
	 "within = "
	 "[\"192.0.2.0/24\"] }"},
	{"host_in_a_list", R"("10.222.0.2")", R"([{ host = "a.b", within = "192.0.2.1" }])",
	 "@5:15 \"researcher\" is a table, not an address\n  put the address in quotes, such as \"192.0.2.10\""},
	{"host_of_dhcp", "vpnserver =", "broadcast =",
	 "@6:1 \"broadcast\" means the same on every host\n  give its addresses: it is not a host that DNS knows"},
	{"uid_text", "1001", "\"node\"", "@8:8 \"node\" is a string, not a number of a user\n  id -u NAME tells it"},
	{"uid_negative", "1001", "-1", "@8:8 -1 is not the number of a user\n  use 0 to 4294967294"},
	{"uid_of_nobody", "1001", "4294967295", "@8:8 4294967295 is not the number of a user\n  use 0 to 4294967294"},
	{"user_number", "node = 1001", "1001 = 1001",
	 "@8:1 \"1001\" is a number, which needs no line here\n  a row has it itself: user = 1001"},
	{"user_empty", "node = 1001", "\"\" = 1", "@8:1 the user \"\" is empty\n  give it a value"},
	{"uid_table", "1001", "{ uid = 1 }", "@8:8 \"node\" is a table, not a number of a user\n  id -u NAME tells it"},
	{"in_two_tables", "gui = \"fedbiomed-gui.service\"", "researcher = \"r.service\"",
	 "@12:1 component \"researcher\" stands in [cgroups], too\n  a component runs in one place: keep one of the "
	 "two"},
	{"unit_without_type", "fedbiomed-gui.service", "fedbiomed-gui",
	 "@12:7 \"fedbiomed-gui\" is no service, scope or slice\n  write it whole, such as \"fedbiomed-node.service\""},
	{"unit_socket", "fedbiomed-gui.service", "gui.socket",
	 "@12:7 \"gui.socket\" is no service, scope or slice\n  write it whole, such as \"fedbiomed-node.service\""},
	{"unit_path", "fedbiomed-gui.service", "/etc/gui.service",
	 "@12:7 \"/etc/gui.service\" is no name of a unit\n  systemctl list-units tells the names"},
	{"unit_of_nothing", "fedbiomed-gui.service", ".service",
	 "@12:7 \".service\" is no name of a unit\n  systemctl list-units tells the names"},
	{"unit_pattern", "fedbiomed-gui.service", "gui-*.service",
	 "@12:7 \"gui-*.service\" is no name of a unit\n  systemctl list-units tells the names"},
	{"unit_template", "fedbiomed-gui.service", "gui@.service",
	 "@12:7 \"gui@.service\" is a template, which never runs itself\n  name an instance of it, such as "
	 "\"gui@1.service\""},
	{"unit_list", "\"fedbiomed-gui.service\"", "[\"a.service\"]",
	 "@12:7 \"gui\" is an array, not a string\n  give one value, in quotes and without brackets"},
	{"unit_of_localhost",
	 "gui =", "localhost =", "@12:1 \"localhost\" is built in\n  a unit belongs to a component of this host"},
	{"units_text", "[units]\ngui = \"fedbiomed-gui.service\"", "[[units]]",
	 "@11:1 \"units\" is not a table\n  begin it with: [units]"},
	{"container_slash", "fedbiomed-vpn-node-*", "a/b",
	 "@14:8 \"a/b\" is no name of a container\n  use letters, digits, \"_\", \".\", \"-\", and \"*\" or \"?\" for "
	 "what may "
	 "differ"},
	{"container_bracket", "fedbiomed-vpn-node-*", "node-[12]",
	 "@14:8 \"node-[12]\" is no name of a container\n  use letters, digits, \"_\", \".\", \"-\", and \"*\" or "
	 "\"?\" for what "
	 "may differ"},
	{"container_every", "fedbiomed-vpn-node-*", "*?",
	 "@14:8 \"*?\" is every container of the host\n  begin it with what the component's containers share, such as "
	 "\"fedbiomed-vpn-node-*\""},
	{"container_empty", "fedbiomed-vpn-node-*", "", "@14:8 \"node\" is empty\n  give it a value"},
	{"no_longest", "longest = \"1h30m\"\n", "",
	 "@15:1 a window without \"longest\"\n  how long it may be open at a time, such as: longest = \"4h\""},
	{"longest_number", "\"1h30m\"", "90",
	 "@17:11 \"longest\" is an integer, not a duration\n  in quotes and with a unit, "
	 "such as \"4h\""},
	{"longest_no_unit", "1h30m", "90",
	 "@17:11 \"90\" has no unit\n  write it like \"90s\", \"30m\", \"4h\" or \"1h30m\""},
	{"longest_nothing", "1h30m", "0m",
	 "@17:11 \"0m\" is no time at all\n  write it like \"90s\", \"30m\", \"4h\" or "
	 "\"1h30m\""},
	{"longest_negative", "1h30m", "-1h",
	 "@17:11 \"-1h\" is negative\n  write it like \"90s\", \"30m\", \"4h\" or \"1h30m\""},
	{"longest_absurd", "1h30m", "9999h",
	 "@17:11 \"9999h\" is longer than a day\n  a window is an exception: use at most "
	 "\"24h\""},
	{"window_key_unknown", "through =", "thru =",
	 "@18:1 unknown key \"thru\"\n  a window has \"components\", \"peers\", \"longest\" and \"through\""},
	{"window_of_the_scenario", "[windows.installation]", "[windows.researcher-vpn]",
	 "@15:10 the rows of \"researcher-vpn\" are always on: it is a scenario of the site\n  a window is of another "
	 "scenario, "
	 "such as [windows.installation]"},
	{"window_of_services", "[windows.installation]", "[windows.host-services]",
	 "@15:10 the rows of \"host-services\" are on where [names] binds their peers\n  a window is of another "
	 "scenario, such as "
	 "[windows.installation]"},
	{"window_name", "[windows.installation]", "[windows.\"../x\"]",
	 "@15:10 the window \"../x\" is not letters, digits, \".\", \"_\" and \"-\" after a letter or a digit\n  write "
	 "it like "
	 "\"node-native\""},
	{"window_text",
	 "[windows.installation]\ncomponents = [\"node\"]\nlongest = \"1h30m\"\nthrough = \"http-proxy\"",
	 "[windows]\ninstallation = \"4h\"",
	 "@16:1 \"installation\" is not a window\n  begin each with a header, such as [windows.installation]"},
	{"components_text", "[\"node\"]", "\"node\"",
	 "@16:14 \"components\" is not a list\n  list who gets the rows, such as: components = [\"node\"]"},
	{"components_none", "[\"node\"]", "[]",
	 "@16:14 \"components\" has no component\n  list who gets the rows, or take it out: then all of the host do"},
	{"no_peers", "peers = [\"researcher\", \"vpnserver\"]\n", "",
	 "@19:10 a key negotiation without \"peers\"\n  name the parties, such as: peers = [\"researcher\"]"},
	{"peers_none", "[\"researcher\", \"vpnserver\"]", "[]",
	 "@20:9 \"peers\" has no name\n  list names from [names], such as: peers = [\"researcher\"]"},
	{"peer_not_bound", "\"vpnserver\"]", "\"other-node\"]",
	 "@20:24 \"other-node\" is not bound\n  name a party, and bind it in [names]"},
	{"peer_mistyped", "\"vpnserver\"]", "\"vpnsever\"]",
	 "@20:24 \"vpnsever\" is not bound\n  did you mean \"vpnserver\"?"},
	{"peer_internet", "\"vpnserver\"]", "\"Internet\"]",
	 "@20:24 \"Internet\" is no party\n  name a party, and bind it in [names]"},
	{"peer_twice", "\"vpnserver\"]", "\"researcher\"]",
	 "@20:24 \"researcher\" is given twice\n  keep one of the two"},
	{"peers_and_through", "longest = \"10m\"", "longest = \"10m\"\nthrough = \"http-proxy\"",
	 "@22:11 a window has its peers, or goes through a service\n  take out \"through\", or \"peers\""},
	{"through_list", "\"http-proxy\"", "[\"http-proxy\"]",
	 "@18:11 \"through\" is an array, not a string\n  give one value, in quotes and without brackets"},
};

/// Messages of the table are short for what error_at() makes of them.
std::string whole(std::string_view message, const std::string &text)
{
	const std::size_t space = message.find(' ');
	const std::size_t colon = message.find(':');
	const auto line = static_cast<unsigned>(std::stoul(std::string(message.substr(1, colon - 1))));
	const Place at{"s.toml", line,
		       static_cast<unsigned>(std::stoul(std::string(message.substr(colon + 1, space))))};
	std::string phrase(message.substr(space + 1));
	const std::size_t hint = phrase.find("\n  ");
	return error_at(text, at, phrase.substr(0, hint), phrase.substr(hint + 3)).error().message;
}

class BadSiteParts : public testing::TestWithParam<BadFile> {};

TEST_P(BadSiteParts, IsToldToTheLetter)
{
	const std::string text = GetParam().text(good_site_parts);
	EXPECT_EQ(message_of(parse_site(text, "s.toml")), whole(GetParam().message, text));
}

INSTANTIATE_TEST_SUITE_P(, BadSiteParts, testing::ValuesIn(bad_site_parts_files), name_of);

TEST(SiteParts, NoMoreThanSixteenWindows)
{
	std::string text = "format = 1\nscenario = \"s\"\n";
	for (char letter = 'a'; letter < 'a' + 16; letter++)
		text += std::string("[windows.") + letter + "]\nlongest = \"1h\"\n";
	EXPECT_TRUE(parse_site(text, "s.toml"));
	EXPECT_EQ(message_of(parse_site(text + "[windows.z]\nlongest = \"1h\"\n", "s.toml")),
		  "s.toml:35:10: error: more than 16 windows\n   35 | [windows.z]\n      |          ^\n"
		  "  keep those that the host needs");
}

} // namespace
} // namespace weir::policy
