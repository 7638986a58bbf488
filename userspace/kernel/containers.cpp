// SPDX-License-Identifier: Apache-2.0
#include "kernel/containers.h"

#include <fnmatch.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace weir::kernel {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

enum class Runtime : std::uint8_t { unknown, docker, podman, oci };

struct Made {
	Runtime runtime = Runtime::unknown;
	std::string id;
};

bool is_long_id(std::string_view text)
{
	return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Whose a cgroup is, by its name. The driver "systemd" makes scopes, "cgroupfs" plain directories.
Made made_by(std::string_view name)
{
	struct Form {
		std::string_view prefix;
		Runtime runtime;
	};
	static constexpr std::array forms{
		Form{"docker-", Runtime::docker}, Form{"libpod-payload-", Runtime::podman},
		Form{"libpod-", Runtime::podman}, Form{"crun-", Runtime::oci},
		Form{"runc-", Runtime::oci},
	};
	const bool scope = name.ends_with(".scope");
	if (scope)
		name.remove_suffix(std::string_view(".scope").size());
	for (const auto &[prefix, runtime] : forms) {
		const auto id = name.starts_with(prefix) ? name.substr(prefix.size()) : std::string_view();
		// Podman's own monitor is in libpod-conmon-ID.
		if (runtime == Runtime::oci ? scope && !id.empty() : is_long_id(id))
			return {runtime, std::string(id)};
	}
	if (scope || name.ends_with(".service") || name.ends_with(".slice"))
		return {};
	return {is_long_id(name) ? Runtime::docker : Runtime::oci, std::string(name)};
}

/// What a runtime wrote; it may be writing at this moment, so what is no JSON is nothing.
Json read(const fs::path &file)
{
	std::ifstream in(file);
	return in ? Json::parse(in, nullptr, false) : Json(Json::value_t::discarded);
}

std::string text_at(const Json &object, const char *key)
{
	const auto found = object.is_object() ? object.find(key) : object.end();
	return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<fs::path> entries(const fs::path &directory)
{
	std::vector<fs::path> found;
	std::error_code gone;
	for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone))
		found.push_back(at->path());
	return found;
}

} // namespace

bool is_of_container(std::string_view name)
{
	const auto made = made_by(name);
	return made.runtime == Runtime::docker || made.runtime == Runtime::podman;
}

std::vector<std::string> ContainerNames::of(const std::string &directory_name)
{
	const auto made = made_by(directory_name);
	switch (made.runtime) {
	case Runtime::docker: {
		auto name = in_docker(made.id);
		return name ? std::vector{std::move(*name)} : std::vector<std::string>{};
	}
	case Runtime::podman:
		return in_podman(made.id);
	case Runtime::oci:
		return {made.id};
	case Runtime::unknown:
		break;
	}
	return {};
}

std::optional<std::string> ContainerNames::in_docker(const std::string &id) const
{
	for (const auto &root : roots_.docker) {
		auto name = text_at(read(fs::path(root) / "containers" / id / "config.v2.json"), "Name");
		if (name.starts_with('/'))
			name.erase(0, 1);
		if (!name.empty())
			return name;
	}
	return std::nullopt;
}

std::vector<std::string> ContainerNames::in_podman(const std::string &id)
{
	if (!podman_) {
		podman_.emplace();
		for (const auto &root : roots_.podman)
			for (const auto &driver : entries(root)) {
				if (!driver.filename().string().ends_with("-containers"))
					continue;
				for (const char *const file : {"containers.json", "volatile-containers.json"})
					for (const auto &each : read(driver / file)) {
						const auto names = each.is_object() ? each.value("names", Json())
										    : Json();
						for (const auto &name : names)
							if (name.is_string())
								(*podman_)[text_at(each, "id")].push_back(name);
					}
			}
	}
	const auto found = podman_->find(id);
	return found == podman_->end() ? std::vector<std::string>{} : found->second;
}

std::vector<std::string> ContainerNames::cgroups_by_state(const std::string &pattern) const
{
	std::vector<std::string> found;
	for (const auto &root : roots_.oci)
		for (const auto &container : entries(root)) {
			if (::fnmatch(pattern.c_str(), container.filename().c_str(), 0) != 0)
				continue;
			const auto runc = read(container / "state.json");
			const auto paths = runc.is_object() ? runc.value("cgroup_paths", Json()) : Json();
			auto path = text_at(paths, ""); // of cgroup2; the others are of version 1
			if (const auto crun = text_at(read(container / "status"), "cgroup-path"); !crun.empty())
				path = roots_.cgroups + (crun.starts_with('/') ? "" : "/") + crun;
			std::error_code gone;
			if (path.starts_with(roots_.cgroups + "/") && fs::is_directory(path, gone))
				found.push_back(fs::path(path).lexically_normal());
		}
	return found;
}

} // namespace weir::kernel
