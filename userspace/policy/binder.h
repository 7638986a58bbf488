// SPDX-License-Identifier: Apache-2.0
// Matrix, site and host services become a policy without names. Internal; see bind().
#pragma once

#include "policy/edge_table.h"
#include "policy/policy.h"

#include <optional>
#include <set>
#include <unordered_map>

namespace weir::policy {

template <typename Map>
std::vector<std::string> keys_of(const Map &map)
{
	std::vector<std::string> keys;
	keys.reserve(map.size());
	for (const auto &[key, value] : map) {
		keys.push_back(key);
	}
	return keys;
}

inline std::string or_else(std::string suggestion, std::string otherwise)
{
	return suggestion.empty() ? std::move(otherwise) : std::move(suggestion);
}

/// A key of TOML: bare when it can be.
std::string toml_key(const std::string &name);

/// For one policy: bind.cpp has the rows of the matrix, bind_services.cpp those of the host.
class Binder {
public:
	Binder(const Matrix &matrix, const Site &site, const Matrix &services)
		: matrix_(matrix), site_(site), services_(services), edge_(site.edge)
	{}

	Result<BoundPolicy> bind();

private:
	Result<> scenario() const;
	Result<> optional_ids() const;
	Result<> ids_of_services() const;
	Result<> row(const Row &);
	Result<> hold(const Row &, std::vector<Prefix> peers);
	Result<> host_service(const Row &);
	Result<> services_of(const std::string &component, const std::vector<std::string> &ids);
	Result<> scope_of(const Row &);
	Result<> cgroup_of(const std::string &component);
	[[nodiscard]] std::optional<std::uint8_t> held_by(const std::string &component) const;
	Result<std::vector<Prefix>> peers_of(const Row &) const;
	[[nodiscard]] bool fits_family(const Row &, const std::vector<Prefix> &) const;
	Result<> family(const Row &, const std::vector<Prefix> &) const;
	Result<> unused() const;
	Result<> twice() const;
	[[nodiscard]] bool is_on(const Row &) const;
	[[nodiscard]] bool is_used_by_a_component(const Row &) const;
	[[nodiscard]] std::string site_name() const;
	[[nodiscard]] std::string mistyped(std::string_view table, std::string_view key) const;
	[[nodiscard]] std::string add_cgroup(const std::string &component) const;
	[[nodiscard]] std::unexpected<Error> row_error(const Row &, std::string_view key, std::string_view what,
						       std::string_view hint) const;

	const Matrix &matrix_;
	const Site &site_;
	const Matrix &services_; ///< of the host; without rows where the site has no edge
	EdgeTable edge_;
	BoundPolicy policy_;
	std::unordered_map<std::string, std::uint8_t> scopes_; ///< by cgroup
	std::vector<Row> services_off_;
	std::set<std::string, std::less<>> used_; ///< names of rows, on or off
};

} // namespace weir::policy
