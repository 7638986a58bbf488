// SPDX-License-Identifier: Apache-2.0
// A site file: which scenario, what its names mean here, where its components run, what is turned on.
#include "policy/edge_file.h"
#include "policy/policy.h"
#include "policy/prefix_rules.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/toml_file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace weir::policy {
namespace {

constexpr std::string_view kind = "a site file";
constexpr std::array<std::string_view, 8> file_keys = {"format", "scenario", "loopback", "optional",
						       "names",  "cgroups",  "edge",     "services"};

class SiteReader {
public:
	explicit SiteReader(const TomlFile &file) : file_(file) {}

	Result<Site> read();

private:
	Result<> header();
	Result<> optional();
	Result<> names();
	Result<> cgroups();
	Result<> edge();
	Result<> services();
	Result<std::vector<std::string>> ids(const toml::node &, std::string_view key, std::string_view hint) const;
	Result<std::vector<Prefix>> prefixes(const toml::node &, std::string_view name) const;
	Result<Prefix> prefix(const toml::node &, std::string_view name) const;
	Result<const toml::table *> table(std::string_view key, std::string_view example) const;
	Result<> key_of(const toml::key &, std::string_view builtin_hint) const;

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
	const auto scenario = file_.need(root, "scenario", kind, "such as: scenario = \"node-native\"");
	if (!scenario) {
		return std::unexpected(scenario.error());
	}
	Result<std::string> value = file_.id(**scenario, "scenario");
	if (!value) {
		return std::unexpected(value.error());
	}
	site_.scenario = std::move(*value);

	if (const toml::node *loopback = root.get("loopback"); loopback != nullptr) {
		const Result<std::string> mode = file_.string(*loopback, "loopback");
		if (!mode) {
			return std::unexpected(mode.error());
		}
		if (*mode != "open" && *mode != "matrix") {
			return file_.wrong_choice(*loopback, *mode, "mode of loopback", {"open", "matrix"});
		}
		site_.open_loopback = *mode == "open";
	}
	return {};
}

Result<std::vector<std::string>> SiteReader::ids(const toml::node &node, std::string_view key,
						 std::string_view hint) const
{
	const toml::array *list = node.as_array();
	if (list == nullptr) {
		return file_.error(node.source(), in_quotes(key) + " is not a list", hint);
	}
	std::vector<std::string> ids;
	for (const toml::node &entry : *list) {
		Result<std::string> id = file_.id(entry, key);
		if (!id) {
			return std::unexpected(id.error());
		}
		if (std::ranges::find(ids, *id) != ids.end()) {
			return file_.error(entry.source(), in_quotes(*id) + " is given twice", "keep one of the two");
		}
		ids.push_back(std::move(*id));
	}
	return ids;
}

Result<> SiteReader::optional()
{
	const toml::node *node = file_.root().get("optional");
	if (node == nullptr) {
		return {};
	}
	Result<std::vector<std::string>> list =
		ids(*node, "optional", "list the ids of the rows to turn on, such as: optional = [\"node-gui\"]");
	if (!list) {
		return std::unexpected(list.error());
	}
	site_.optional = std::move(*list);
	return {};
}

Result<const toml::table *> SiteReader::table(std::string_view key, std::string_view example) const
{
	const toml::node *node = file_.root().get(key);
	if (node == nullptr) {
		return nullptr;
	}
	if (const toml::table *found = node->as_table(); found != nullptr) {
		return found;
	}
	return file_.error(node->source(), in_quotes(key) + " is not a table", example);
}

Result<> SiteReader::key_of(const toml::key &key, std::string_view builtin_hint) const
{
	if (const std::string complaint = text_complaint(key.str(), false); !complaint.empty()) {
		return file_.error(key.source(), {Exit::policy, "the name " + in_quotes(key.str()) + ' ' + complaint});
	}
	if (is_builtin_name(key.str())) {
		return file_.error(key.source(), in_quotes(key.str()) + " is built in", builtin_hint);
	}
	return {};
}

Result<Prefix> SiteReader::prefix(const toml::node &node, std::string_view name) const
{
	const toml::value<std::string> *text = node.as_string();
	if (text == nullptr) {
		return file_.wrong_type(node, name, "an address", "put the address in quotes, such as \"192.0.2.10\"");
	}
	Result<Prefix> prefix = parse_peer(text->get());
	if (!prefix) {
		return file_.error(node.source(), prefix.error());
	}
	return prefix;
}

Result<std::vector<Prefix>> SiteReader::prefixes(const toml::node &node, std::string_view name) const
{
	std::vector<Prefix> result;
	const toml::array *list = node.as_array();
	if (list == nullptr) {
		const Result<Prefix> one = prefix(node, name);
		if (!one) {
			return std::unexpected(one.error());
		}
		result.push_back(*one);
		return result;
	}
	if (list->empty()) {
		return file_.error(node.source(), in_quotes(name) + " has no address",
				   "give one, or take the name out");
	}
	std::set<Prefix> seen;
	for (const toml::node &entry : *list) {
		const Result<Prefix> one = prefix(entry, name);
		if (!one) {
			return std::unexpected(one.error());
		}
		if (!seen.insert(*one).second) {
			return file_.error(entry.source(), one->text() + " is given twice", "keep one of the two");
		}
	}
	result.assign(seen.begin(), seen.end());
	return result;
}

Result<> SiteReader::names()
{
	const auto names = table("names", "begin it with: [names]");
	if (!names) {
		return std::unexpected(names.error());
	}
	if (*names == nullptr) {
		return {};
	}
	for (const auto &[key, node] : **names) {
		if (const Result<> good = key_of(key, "take the line out: it means the same on every site"); !good) {
			return good;
		}
		if (node.is_table()) {
			return file_.error(key.source(), in_quotes(key.str()) + " is a table, not an address",
					   "put a name that has a point in quotes");
		}
		Result<std::vector<Prefix>> addresses = prefixes(node, key.str());
		if (!addresses) {
			return std::unexpected(addresses.error());
		}
		site_.names.emplace(key.str(), std::move(*addresses));
	}
	return {};
}

Result<> SiteReader::cgroups()
{
	const auto cgroups = table("cgroups", "begin it with: [cgroups]");
	if (!cgroups) {
		return std::unexpected(cgroups.error());
	}
	if (*cgroups == nullptr) {
		return {};
	}
	for (const auto &[key, node] : **cgroups) {
		if (const Result<> good = key_of(key, "a cgroup belongs to a component of this host"); !good) {
			return good;
		}
		const Result<std::string> directory = file_.words(node, key.str());
		if (!directory) {
			return std::unexpected(directory.error());
		}
		const std::filesystem::path path(*directory);
		if (!path.is_absolute()) {
			return file_.error(
				node.source(), in_quotes(*directory) + " is not an absolute directory",
				"give all of it, such as \"/sys/fs/cgroup/system.slice/fedbiomed-node.service\"");
		}
		if (std::ranges::find(path, "..") != path.end()) {
			return file_.error(node.source(), in_quotes(*directory) + " has \"..\" in it",
					   "give the directory itself");
		}
		std::string plain = path.lexically_normal().string();
		while (plain.size() > 1 && plain.ends_with('/')) {
			plain.pop_back();
		}
		site_.cgroups.emplace(key.str(), std::move(plain));
	}
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
	const auto services = table("services", "begin it with: [services]");
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
		if (const Result<> good = key_of(key, "services are used by components of this host"); !good) {
			return good;
		}
		const std::string hint = "list ids of host services, such as: " + std::string(key.str()) +
					 " = [\"dns-udp\"]";
		Result<std::vector<std::string>> list = ids(node, key.str(), hint);
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
	for (const auto part : {&SiteReader::header, &SiteReader::optional, &SiteReader::names, &SiteReader::cgroups,
				&SiteReader::edge, &SiteReader::services}) {
		if (const Result<> good = (this->*part)(); !good) {
			return std::unexpected(good.error());
		}
	}
	return site_;
}

} // namespace

Result<Site> parse_site(std::string_view text, const std::string &file)
{
	const Result<TomlFile> toml = TomlFile::parse(text, file, kind);
	if (!toml) {
		return std::unexpected(toml.error());
	}
	return SiteReader(*toml).read();
}

} // namespace weir::policy
