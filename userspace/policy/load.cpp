// SPDX-License-Identifier: Apache-2.0
// From the site file to the bound policy.
#include "policy/host_services.h"
#include "policy/policy.h"
#include "policy/text.h"
#include "policy/toml_file.h"

#include <algorithm>
#include <filesystem>

namespace weir::policy {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> matrices_in(const std::string &directory)
{
	std::vector<std::string> names;
	std::error_code error;
	for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
		if (entry->path().extension() == ".toml") {
			names.push_back(entry->path().stem().string());
		}
	}
	std::ranges::sort(names);
	return names;
}

// A file that is there but can't be read is taken, so that reading it says why, and is not passed over for the
// other one.
Result<std::string> matrix_file(const std::string &scenario, const Place &asked, const Site &site,
				const std::string &policies_dir)
{
	const std::string name = scenario + ".toml";
	const fs::path site_file = site.place.file;
	std::vector<std::string> tried;
	for (const fs::path &directory : {site_file.parent_path(), fs::path(policies_dir)}) {
		const fs::path candidate = directory / name;
		std::error_code error;
		if (fs::equivalent(candidate, site_file, error)) {
			continue; // the site file has the scenario's name
		}
		if (fs::symlink_status(candidate, error).type() != fs::file_type::not_found) {
			return candidate.string();
		}
		tried.push_back(candidate.string());
	}
	std::string hint = did_you_mean(scenario, matrices_in(policies_dir));
	for (std::size_t index = 0; index < tried.size(); index++) {
		hint += (index > 0 ? " and " : hint.empty() ? "looked for " : " looked for ") + tried[index];
	}
	return error_at(site.text, asked, "there is no matrix " + in_quotes(scenario), hint);
}

/// `asked`: the place in the site that wants this matrix.
Result<Matrix> read_matrix(const std::string &scenario, const Place &asked, const Site &site,
			   const std::string &policies_dir)
{
	const Result<std::string> path = matrix_file(scenario, asked, site, policies_dir);
	if (!path) {
		return std::unexpected(path.error());
	}
	const Result<std::string> text = read_file(*path);
	if (!text) {
		return std::unexpected(text.error());
	}
	return parse_matrix(*text, *path);
}

Result<std::vector<Matrix>> read_scenarios(const Site &site, const std::string &policies_dir)
{
	std::vector<std::string> names = {site.scenario};
	names.insert(names.end(), site.more_scenarios.begin(), site.more_scenarios.end());
	std::vector<Matrix> matrices;
	for (std::size_t index = 0; index < names.size(); index++) {
		Result<Matrix> matrix = read_matrix(names[index], place_of_scenario(site, index), site, policies_dir);
		if (!matrix) {
			return std::unexpected(matrix.error());
		}
		matrices.push_back(std::move(*matrix));
	}
	return matrices;
}

Result<std::vector<Matrix>> read_windows(const Site &site, const std::string &policies_dir)
{
	std::vector<Matrix> matrices;
	for (const WindowRule &window : site.windows) {
		Result<Matrix> matrix =
			read_matrix(window.name, place_of_window(site, window.name), site, policies_dir);
		if (!matrix) {
			return std::unexpected(matrix.error());
		}
		matrices.push_back(std::move(*matrix));
	}
	return matrices;
}

/// Without rows where nothing asks for them.
Result<Matrix> read_services(const Site &site, const std::string &policies_dir)
{
	const auto through =
		std::ranges::find_if(site.windows, [](const WindowRule &window) { return !window.through.empty(); });
	if (!site.edge.present && through == site.windows.end()) {
		return Matrix{};
	}
	const Place asked = site.edge.present ? place_of_site_key(site, "", "edge")
					      : place_of_window(site, through->name, "through");
	return read_matrix(std::string(host_scenario), asked, site, policies_dir);
}

Result<Matrices> read_matrices(const Site &site, const std::string &policies_dir)
{
	Result<std::vector<Matrix>> scenarios = read_scenarios(site, policies_dir);
	if (!scenarios) {
		return std::unexpected(scenarios.error());
	}
	Result<std::vector<Matrix>> windows = read_windows(site, policies_dir);
	if (!windows) {
		return std::unexpected(windows.error());
	}
	if (site.scenario == host_scenario) { // a host whose edge is held to nothing else
		if (!site.edge.present) {
			return error_at(site.text, place_of_scenario(site, 0), "host services need [edge]",
					"add to the site file: [edge]");
		}
		Matrix services = std::move(scenarios->front());
		Matrix none{services.scenario, services.title, services.component, {}, services.place, services.text};
		return Matrices{{std::move(none)}, std::move(*windows), std::move(services)};
	}
	Result<Matrix> services = read_services(site, policies_dir);
	if (!services) {
		return std::unexpected(services.error());
	}
	return Matrices{std::move(*scenarios), std::move(*windows), std::move(*services)};
}

} // namespace

Result<BoundPolicy> load(const std::string &site_file, const std::string &policies_dir, const ResolveHosts &resolve)
{
	const Result<std::string> text = read_file(site_file);
	if (!text) {
		return std::unexpected(text.error());
	}
	Result<Site> site = parse_site(*text, site_file);
	if (!site) {
		return std::unexpected(site.error());
	}
	const Result<Matrices> matrices = read_matrices(*site, policies_dir);
	if (!matrices) {
		return std::unexpected(matrices.error());
	}
	if (!site->hosts.empty() && resolve) {
		if (const Result<> good = resolve(*site); !good) {
			return std::unexpected(good.error());
		}
	}
	return bind(*matrices, *site);
}

} // namespace weir::policy
