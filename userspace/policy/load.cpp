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

} // namespace

Result<BoundPolicy> load(const std::string &site_file, const std::string &policies_dir)
{
	const Result<std::string> site_text = read_file(site_file);
	if (!site_text) {
		return std::unexpected(site_text.error());
	}
	const Result<Site> site = parse_site(*site_text, site_file);
	if (!site) {
		return std::unexpected(site.error());
	}
	const Place scenario = place_of_site_key(*site, "", "scenario");
	Result<Matrix> matrix = read_matrix(site->scenario, scenario, *site, policies_dir);
	if (!matrix) {
		return std::unexpected(matrix.error());
	}
	const bool only_services = site->scenario == host_scenario;
	if (only_services && !site->edge.present) {
		return error_at(site->text, scenario, "host services need [edge]", "add to the site file: [edge]");
	}
	if (!site->edge.present) {
		return bind(*matrix, *site);
	}
	if (only_services) { // a host whose edge is held to nothing else
		const Matrix none{matrix->scenario, matrix->title, matrix->component, {}, matrix->place, matrix->text};
		return bind(none, *site, *matrix);
	}
	const Result<Matrix> services =
		read_matrix(std::string(host_scenario), place_of_site_key(*site, "", "edge"), *site, policies_dir);
	if (!services) {
		return std::unexpected(services.error());
	}
	return bind(*matrix, *site, *services);
}

} // namespace weir::policy
