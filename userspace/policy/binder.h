// SPDX-License-Identifier: Apache-2.0
// Matrices, site and host services become a policy without names. Internal; see bind().
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

/// For one policy: bind.cpp has the order of things, bind_rows.cpp the rows of the scenarios, bind_services.cpp those
/// of the host, bind_windows.cpp those of windows, bind_check.cpp what is wrong as a whole.
class Binder {
public:
	Binder(const Matrices &matrices, const Site &site);

	Result<BoundPolicy> bind();

private:
	/// Who gets a window's rows in one cgroup.
	struct Holder {
		std::string component;
		std::uint8_t scope;
	};

	// bind_check.cpp
	Result<> scenarios() const;
	Result<> optional_ids() const;
	Result<> ids() const;
	Result<> unused() const;
	Result<> unused_cgroup(const std::string &component) const;
	Result<> resolvers() const;
	Result<> twice() const;
	[[nodiscard]] const Row *row_of_id(std::string_view id) const;
	[[nodiscard]] std::string site_name() const;
	[[nodiscard]] std::string mistyped(std::string_view table, std::string_view key) const;
	[[nodiscard]] std::string add_cgroup(const std::string &component) const;
	[[nodiscard]] const Matrix &matrix_of(const Row &) const;
	[[nodiscard]] std::unexpected<Error> row_error(const Row &, std::string_view key, std::string_view what,
						       std::string_view hint) const;

	// bind_rows.cpp
	Result<> row(const Row &);
	Result<> hold(const BoundRow &);
	Result<BoundRow> bound(const Row &);
	Result<BoundRow> bound_to(const Row &, std::vector<Prefix> peers);
	Result<> scope_of(const Row &);
	Result<> cgroup_of(const std::string &component);
	Result<std::vector<Prefix>> peers_of(const Row &) const;
	Result<std::vector<Prefix>> addresses_of(const Row &, const HostName &) const;
	Result<std::optional<std::uint32_t>> user_of(const Row &);
	Result<> family(const Row &, const std::vector<Prefix> &peers) const;
	[[nodiscard]] std::optional<std::uint8_t> held_by(const std::string &component) const;
	[[nodiscard]] bool is_on(const Row &) const;
	[[nodiscard]] bool is_bound(const std::string &name) const;
	[[nodiscard]] const std::vector<Prefix> &families_of(const std::string &name) const;

	// bind_services.cpp
	Result<> host_service(const Row &);
	Result<> services_of(const std::string &component, const std::vector<std::string> &ids);
	Result<BoundRow> bound_service(const Row &);
	Result<const Row *> service(const std::string &id, const Place &asked) const;
	[[nodiscard]] bool is_service_on(const Row &) const;
	[[nodiscard]] bool is_used_by_a_component(const Row &) const;

	// bind_windows.cpp
	Result<> window_scopes(const WindowRule &, const Matrix &);
	Result<> window(const WindowRule &, const Matrix &);
	Result<> window_of_matrix(const WindowRule &, const Matrix &, Window &);
	Result<> window_through(const WindowRule &, Window &);
	Result<> window_row(const Row &, const std::vector<Holder> &, bool at_edge, Window &);
	Result<> is_symmetric(const Matrix &) const;
	[[nodiscard]] std::vector<Holder> holders_of(const WindowRule &) const;
	[[nodiscard]] std::vector<Holder> holders_of(const WindowRule &, const Row &) const;

	const Matrices &matrices_;
	const Site &site_;
	EdgeTable edge_;
	BoundPolicy policy_;
	std::unordered_map<std::string, std::uint8_t> scopes_; ///< by cgroup
	std::vector<Row> services_off_;
	std::set<std::string, std::less<>> used_; ///< names of rows, on or off
	std::set<std::string, std::less<>> used_users_;
};

} // namespace weir::policy
