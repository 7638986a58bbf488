// SPDX-License-Identifier: Apache-2.0
// [users] and [windows.*] of a site file.
#include "policy/duration.h"
#include "policy/host_services.h"
#include "policy/row_rules.h"
#include "policy/site_parts.h"
#include "policy/text.h"
#include "policy/users.h"
#include "policy/windows.h"

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

constexpr std::array<std::string_view, 4> window_keys = {"components", "peers", "longest", "through"};

class WindowReader {
public:
	WindowReader(const TomlFile &file, const Site &site, const toml::key &key, const toml::table &table)
		: file_(file), site_(site), key_(key), table_(table)
	{}

	Result<WindowRule> read();

private:
	Result<> name();
	Result<> longest();
	Result<> components();
	Result<> peers();
	Result<> through();
	Result<> need_peers() const;

	const TomlFile &file_;
	const Site &site_;
	const toml::key &key_;
	const toml::table &table_;
	WindowRule rule_;
};

Result<> WindowReader::name()
{
	rule_.name = std::string(key_.str());
	if (const std::string complaint = id_complaint(rule_.name); !complaint.empty()) {
		return file_.error(key_.source(),
				   {Exit::policy, "the window " + in_quotes(rule_.name) + ' ' + complaint});
	}
	const bool always = rule_.name == site_.scenario ||
			    std::ranges::find(site_.more_scenarios, rule_.name) != site_.more_scenarios.end();
	if (always || rule_.name == host_scenario) {
		return file_.error(key_.source(),
				   "the rows of " + in_quotes(rule_.name) +
					   (always ? " are always on: it is a scenario of the site"
						   : " are on where [names] binds their peers"),
				   "a window is of another scenario, such as [windows.installation]");
	}
	return file_.only(table_, window_keys, "a window");
}

Result<> WindowReader::longest()
{
	const auto node = file_.need(table_, "longest", "a window",
				     "how long it may be open at a time, such as: longest = \"4h\"");
	if (!node) {
		return std::unexpected(node.error());
	}
	if (!(*node)->is_string()) {
		return file_.wrong_type(**node, "longest", "a duration", "in quotes and with a unit, such as \"4h\"");
	}
	const Result<std::string> text = file_.string(**node, "longest");
	const Result<std::uint32_t> seconds = parse_duration(*text);
	if (!seconds) {
		return file_.error((*node)->source(), seconds.error());
	}
	rule_.longest = *seconds;
	return {};
}

Result<> WindowReader::components()
{
	const toml::node *node = table_.get("components");
	if (node == nullptr) {
		return {};
	}
	constexpr std::string_view hint = "list who gets the rows, such as: components = [\"node\"]";
	Result<std::vector<std::string>> list = words_of(file_, *node, "components", hint);
	if (!list) {
		return std::unexpected(list.error());
	}
	if (list->empty()) {
		return file_.error(node->source(), "\"components\" has no component",
				   "list who gets the rows, or take it out: then all of the host do");
	}
	rule_.components = std::move(*list);
	return {};
}

Result<> WindowReader::need_peers() const
{
	if (rule_.name != negotiation_scenario) {
		return {};
	}
	return file_.error(key_.source(), "a key negotiation without \"peers\"",
			   "name the parties, such as: peers = [\"researcher\"]");
}

Result<> WindowReader::peers()
{
	const toml::node *node = table_.get("peers");
	if (node == nullptr) {
		return need_peers();
	}
	constexpr std::string_view hint = "list names from [names], such as: peers = [\"researcher\"]";
	Result<std::vector<std::string>> list = words_of(file_, *node, "peers", hint);
	if (!list) {
		return std::unexpected(list.error());
	}
	if (list->empty()) {
		return file_.error(node->source(), "\"peers\" has no name", hint);
	}
	for (std::size_t index = 0; index < list->size(); index++) {
		const std::string &peer = (*list)[index];
		if (site_.names.contains(peer) || site_.hosts.contains(peer)) {
			continue;
		}
		std::vector<std::string> known;
		known.reserve(site_.names.size() + site_.hosts.size());
		for (const auto &[name, addresses] : site_.names) {
			known.push_back(name);
		}
		for (const auto &[name, host] : site_.hosts) {
			known.push_back(name);
		}
		const std::string near = did_you_mean(peer, known);
		return file_.error(node->as_array()->get(index)->source(),
				   in_quotes(peer) + (is_builtin_name(peer) ? " is no party" : " is not bound"),
				   near.empty() ? "name a party, and bind it in [names]" : near);
	}
	rule_.peers = std::move(*list);
	return {};
}

Result<> WindowReader::through()
{
	const toml::node *node = table_.get("through");
	if (node == nullptr) {
		return {};
	}
	Result<std::string> id = file_.id(*node, "through");
	if (!id) {
		return std::unexpected(id.error());
	}
	if (!rule_.peers.empty()) {
		return file_.error(node->source(), "a window has its peers, or goes through a service",
				   "take out \"through\", or \"peers\"");
	}
	rule_.through = std::move(*id);
	return {};
}

Result<WindowRule> WindowReader::read()
{
	for (const auto part : {&WindowReader::name, &WindowReader::longest, &WindowReader::components,
				&WindowReader::peers, &WindowReader::through}) {
		if (const Result<> good = (this->*part)(); !good) {
			return std::unexpected(good.error());
		}
	}
	return std::move(rule_);
}

} // namespace

Result<> read_users(const TomlFile &file, Site &site)
{
	const auto users = table_of(file, "users");
	if (!users) {
		return std::unexpected(users.error());
	}
	if (*users == nullptr) {
		return {};
	}
	for (const auto &[key, node] : **users) {
		if (const std::string complaint = text_complaint(key.str(), false); !complaint.empty()) {
			return file.error(key.source(),
					  {Exit::policy, "the user " + in_quotes(key.str()) + ' ' + complaint});
		}
		if (is_number(key.str())) {
			return file.error(key.source(), in_quotes(key.str()) + " is a number, which needs no line here",
					  "a row has it itself: user = " + std::string(key.str()));
		}
		const Result<std::uint32_t> uid = read_uid(file, node, key.str());
		if (!uid) {
			return std::unexpected(uid.error());
		}
		site.users.emplace(key.str(), *uid);
	}
	return {};
}

Result<> read_windows(const TomlFile &file, Site &site)
{
	const auto windows = table_of(file, "windows");
	if (!windows) {
		return std::unexpected(windows.error());
	}
	if (*windows == nullptr) {
		return {};
	}
	for (const auto &[key, node] : **windows) {
		const toml::table *table = node.as_table();
		if (table == nullptr) {
			return file.error(key.source(), in_quotes(key.str()) + " is not a window",
					  "begin each with a header, such as [windows.installation]");
		}
		if (site.windows.size() == most_openings) {
			return file.error(key.source(), "more than " + std::to_string(most_openings) + " windows",
					  "keep those that the host needs");
		}
		Result<WindowRule> rule = WindowReader(file, site, key, *table).read();
		if (!rule) {
			return std::unexpected(rule.error());
		}
		site.windows.push_back(std::move(*rule));
	}
	return {};
}

} // namespace weir::policy
