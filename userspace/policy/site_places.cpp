// SPDX-License-Identifier: Apache-2.0
// Where the components of a site run: [cgroups], [units], [containers].
#include "policy/site_parts.h"
#include "policy/text.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace weir::policy {
namespace {

constexpr std::array<std::string_view, 3> unit_types = {".service", ".scope", ".slice"}; // those with a cgroup
constexpr std::size_t longest_unit = 255;      // systemd's UNIT_NAME_MAX is 256, with the NUL
constexpr std::size_t longest_container = 255; // what Docker and Podman give a container's directory

bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<std::string> directory(const TomlFile &file, const toml::node &node, std::string_view key)
{
	const Result<std::string> directory = file.words(node, key);
	if (!directory) {
		return std::unexpected(directory.error());
	}
	const std::filesystem::path path(*directory);
	if (!path.is_absolute()) {
		return file.error(node.source(), in_quotes(*directory) + " is not an absolute directory",
				  "give all of it, such as \"/sys/fs/cgroup/system.slice/fedbiomed-node.service\"");
	}
	if (std::ranges::find(path, "..") != path.end()) {
		return file.error(node.source(), in_quotes(*directory) + " has \"..\" in it",
				  "give the directory itself");
	}
	std::string plain = path.lexically_normal().string();
	while (plain.size() > 1 && plain.ends_with('/')) {
		plain.pop_back();
	}
	return plain;
}

/// What systemd.unit(5) lets a unit be called.
Result<std::string> unit(const TomlFile &file, const toml::node &node, std::string_view key)
{
	Result<std::string> name = file.words(node, key);
	if (!name) {
		return name;
	}
	const auto type = std::ranges::find_if(unit_types, [&](std::string_view end) { return name->ends_with(end); });
	if (type == unit_types.end()) {
		return file.error(node.source(), in_quotes(*name) + " is no service, scope or slice",
				  "write it whole, such as \"fedbiomed-node.service\"");
	}
	const std::string_view stem = std::string_view(*name).substr(0, name->size() - type->size());
	const auto can_be = [](char c) { return is_letter_or_digit(c) || std::string_view(":-_.\\@").contains(c); };
	if (stem.empty() || name->size() > longest_unit || !std::ranges::all_of(stem, can_be)) {
		return file.error(node.source(), in_quotes(*name) + " is no name of a unit",
				  "systemctl list-units tells the names");
	}
	if (stem.ends_with('@')) {
		return file.error(node.source(), in_quotes(*name) + " is a template, which never runs itself",
				  "name an instance of it, such as \"" + std::string(stem) + '1' + std::string(*type) +
					  '"');
	}
	return "unit:" + *name;
}

/// Names of containers as Docker and Podman give them, with * and ? for what a site doesn't know beforehand.
Result<std::string> container(const TomlFile &file, const toml::node &node, std::string_view key)
{
	Result<std::string> pattern = file.words(node, key);
	if (!pattern) {
		return pattern;
	}
	const auto is_wild = [](char c) { return c == '*' || c == '?'; };
	const auto can_be = [&](char c) {
		return is_letter_or_digit(c) || is_wild(c) || std::string_view("_.-").contains(c);
	};
	if (pattern->size() > longest_container || !std::ranges::all_of(*pattern, can_be)) {
		return file.error(node.source(), in_quotes(*pattern) + " is no name of a container",
				  "use letters, digits, \"_\", \".\", \"-\", and \"*\" or \"?\" for what may differ");
	}
	if (std::ranges::all_of(*pattern, is_wild)) {
		return file.error(node.source(), in_quotes(*pattern) + " is every container of the host",
				  "begin it with what the component's containers share, such as "
				  "\"fedbiomed-vpn-node-*\"");
	}
	return "container:" + *pattern;
}

struct Kind {
	std::string_view table;
	Result<std::string> (*read)(const TomlFile &, const toml::node &, std::string_view key);
	std::string_view builtin_hint;
};

constexpr std::array<Kind, 3> kinds = {{
	{"cgroups", directory, "a cgroup belongs to a component of this host"},
	{"units", unit, "a unit belongs to a component of this host"},
	{"containers", container, "a container belongs to a component of this host"},
}};

} // namespace

Result<> read_places(const TomlFile &file, Site &site)
{
	std::map<std::string, std::string_view> tables; ///< of the component
	for (const Kind &kind : kinds) {
		const auto table = table_of(file, kind.table);
		if (!table) {
			return std::unexpected(table.error());
		}
		if (*table == nullptr) {
			continue;
		}
		for (const auto &[key, node] : **table) {
			if (const Result<> good = check_key(file, key, kind.builtin_hint); !good) {
				return good;
			}
			const std::string component(key.str());
			const auto [first, fresh] = tables.emplace(component, kind.table);
			if (!fresh) {
				return file.error(key.source(),
						  "component " + in_quotes(component) + " stands in [" +
							  std::string(first->second) + "], too",
						  "a component runs in one place: keep one of the two");
			}
			Result<std::string> place = kind.read(file, node, key.str());
			if (!place) {
				return std::unexpected(place.error());
			}
			site.cgroups.emplace(component, std::move(*place));
		}
	}
	return {};
}

} // namespace weir::policy
