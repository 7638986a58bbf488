// SPDX-License-Identifier: Apache-2.0
// A site file: which scenarios, what their names mean here, where the components run, what is turned on.
#include "policy/edge_file.h"
#include "policy/host_services.h"
#include "policy/journal_key.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/site_parts.h"
#include "policy/text.h"

#include <algorithm>
#include <array>

namespace weir::policy {

Result<const toml::table *> table_of(const TomlFile &file, std::string_view key)
{
	const toml::node *node = file.root().get(key);
	if (node == nullptr) {
		return nullptr;
	}
	if (const toml::table *found = node->as_table(); found != nullptr) {
		return found;
	}
	return file.error(node->source(), in_quotes(key) + " is not a table",
			  "begin it with: [" + std::string(key) + ']');
}

Result<> check_key(const TomlFile &file, const toml::key &key, std::string_view builtin_hint)
{
	if (const std::string complaint = text_complaint(key.str(), false); !complaint.empty()) {
		return file.error(key.source(), {Exit::policy, "the name " + in_quotes(key.str()) + ' ' + complaint});
	}
	if (is_builtin_name(key.str())) {
		return file.error(key.source(), in_quotes(key.str()) + " is built in", builtin_hint);
	}
	return {};
}

namespace {

constexpr std::string_view kind = "a site file";
constexpr std::array<std::string_view, 15> file_keys = {"format",     "scenario",  "scenarios", "loopback", "journal",
							"optional",   "resolvers", "names",     "cgroups",  "units",
							"containers", "users",     "edge",      "services", "windows"};

using ReadOne = Result<std::string> (TomlFile::*)(const toml::node &, std::string_view) const;

Result<std::vector<std::string>> list_of(const TomlFile &file, const toml::node &node, std::string_view key,
					 std::string_view hint, ReadOne read)
{
	const toml::array *list = node.as_array();
	if (list == nullptr) {
		return file.error(node.source(), in_quotes(key) + " is not a list", hint);
	}
	std::vector<std::string> result;
	for (const toml::node &entry : *list) {
		Result<std::string> one = (file.*read)(entry, key);
		if (!one) {
			return std::unexpected(one.error());
		}
		if (std::ranges::find(result, *one) != result.end()) {
			return file.error(entry.source(), in_quotes(*one) + " is given twice", "keep one of the two");
		}
		result.push_back(std::move(*one));
	}
	return result;
}

class SiteReader {
public:
	explicit SiteReader(const TomlFile &file) : file_(file) {}

	Result<Site> read();

private:
	Result<> header();
	Result<> one_scenario();
	Result<> several_scenarios(const toml::node &);
	Result<> loopback();
	Result<> journal();
	Result<> optional();
	Result<> edge();
	Result<> services();

	const TomlFile &file_;
	Site site_;
};

Result<> SiteReader::header()
{
	const toml::table &root = file_.root();
	if (root.contains("row") || root.contains("component")) {
		return error_at({}, {site_.place.file, 0, 0}, "this is a matrix file, not a site",
				"give the site file, which names the matrix with: scenario = \"...\"");
	}
	if (const Result<> good = file_.only(root, file_keys, kind); !good) {
		return good;
	}
	const toml::node *several = root.get("scenarios");
	if (const Result<> good = several == nullptr ? one_scenario() : several_scenarios(*several); !good) {
		return good;
	}
	return loopback();
}

Result<> SiteReader::one_scenario()
{
	const auto scenario = file_.need(file_.root(), "scenario", kind, "such as: scenario = \"node-native\"");
	if (!scenario) {
		return std::unexpected(scenario.error());
	}
	Result<std::string> value = file_.id(**scenario, "scenario");
	if (!value) {
		return std::unexpected(value.error());
	}
	site_.scenario = std::move(*value);
	return {};
}

Result<> SiteReader::several_scenarios(const toml::node &node)
{
	if (file_.root().contains("scenario")) {
		return file_.error(node.source(), "\"scenario\" and \"scenarios\" are both given",
				   "keep the one, or the list");
	}
	constexpr std::string_view hint = "list them, such as: scenarios = [\"node-vpn\", \"researcher-vpn\"]";
	Result<std::vector<std::string>> list = ids_of(file_, node, "scenarios", hint);
	if (!list) {
		return std::unexpected(list.error());
	}
	if (list->empty()) {
		return file_.error(node.source(), "\"scenarios\" has no scenario", hint);
	}
	if (const auto host = std::ranges::find(*list, host_scenario); host != list->end()) {
		const auto index = static_cast<std::size_t>(host - list->begin());
		return file_.error(node.as_array()->get(index)->source(),
				   "host services are part of every policy with an edge",
				   "take it out; alone they are: scenario = \"host-services\"");
	}
	site_.scenario = std::move(list->front());
	site_.more_scenarios.assign(std::next(list->begin()), list->end());
	return {};
}

Result<> SiteReader::loopback()
{
	const toml::node *loopback = file_.root().get("loopback");
	if (loopback == nullptr) {
		return {};
	}
	const Result<std::string> mode = file_.string(*loopback, "loopback");
	if (!mode) {
		return std::unexpected(mode.error());
	}
	if (*mode != "open" && *mode != "matrix") {
		return file_.wrong_choice(*loopback, *mode, "mode of loopback", {"open", "matrix"});
	}
	site_.open_loopback = *mode == "open";
	return {};
}

Result<> SiteReader::journal()
{
	const Result<bool> needed = read_journal(file_, file_.root());
	if (!needed) {
		return std::unexpected(needed.error());
	}
	site_.needs_journal = *needed;
	return {};
}

Result<> SiteReader::optional()
{
	const toml::node *node = file_.root().get("optional");
	if (node == nullptr) {
		return {};
	}
	Result<std::vector<std::string>> list = ids_of(
		file_, *node, "optional", "list the ids of the rows to turn on, such as: optional = [\"node-gui\"]");
	if (!list) {
		return std::unexpected(list.error());
	}
	site_.optional = std::move(*list);
	return {};
}

Result<> SiteReader::edge()
{
	Result<Edge> edge = read_edge(file_);
	if (!edge) {
		return std::unexpected(edge.error());
	}
	site_.edge = std::move(*edge);
	return {};
}

Result<> SiteReader::services()
{
	const auto services = table_of(file_, "services");
	if (!services) {
		return std::unexpected(services.error());
	}
	if (*services == nullptr) {
		return {};
	}
	if (!site_.edge.present) {
		return file_.error((*services)->source(), "[services] needs [edge]",
				   "host services are rows of the edge: add [edge], or take [services] out");
	}
	for (const auto &[key, node] : **services) {
		if (const Result<> good = check_key(file_, key, "services are used by components of this host");
		    !good) {
			return good;
		}
		const std::string hint = "list ids of host services, such as: " + std::string(key.str()) +
					 " = [\"dns-udp\"]";
		Result<std::vector<std::string>> list = ids_of(file_, node, key.str(), hint);
		if (!list) {
			return std::unexpected(list.error());
		}
		if (list->empty()) {
			return file_.error(node.source(), in_quotes(key.str()) + " has no service", hint);
		}
		site_.services.emplace(key.str(), std::move(*list));
	}
	return {};
}

Result<Site> SiteReader::read()
{
	site_.place = {file_.place({}).file, 0, 0};
	site_.text = file_.text();
	for (const auto part : {&SiteReader::header, &SiteReader::journal, &SiteReader::optional, &SiteReader::edge,
				&SiteReader::services}) {
		if (const Result<> good = (this->*part)(); !good) {
			return std::unexpected(good.error());
		}
	}
	for (const auto part : {read_names, read_places, read_users, read_windows}) {
		if (const Result<> good = part(file_, site_); !good) {
			return std::unexpected(good.error());
		}
	}
	return std::move(site_);
}

} // namespace

Result<std::vector<std::string>> ids_of(const TomlFile &file, const toml::node &node, std::string_view key,
					std::string_view hint)
{
	return list_of(file, node, key, hint, &TomlFile::id);
}

Result<std::vector<std::string>> words_of(const TomlFile &file, const toml::node &node, std::string_view key,
					  std::string_view hint)
{
	return list_of(file, node, key, hint, &TomlFile::words);
}

Result<Site> parse_site(std::string_view text, const std::string &file)
{
	const Result<TomlFile> toml = TomlFile::parse(text, file, kind);
	if (!toml) {
		return std::unexpected(toml.error());
	}
	return SiteReader(*toml).read();
}

} // namespace weir::policy
