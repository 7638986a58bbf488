// SPDX-License-Identifier: Apache-2.0
// Matrices and site become a policy without names.
#include "policy/binder.h"
#include "policy/builtin.h"
#include "policy/host_services.h"
#include "policy/text.h"
#include "policy/toml_file.h"

namespace weir::policy {

Binder::Binder(const Matrices &matrices, const Site &site) : matrices_(matrices), site_(site), edge_(site) {}

Result<BoundPolicy> Binder::bind()
{
	for (const auto check : {&Binder::scenarios, &Binder::ids, &Binder::optional_ids}) {
		if (const Result<> good = (this->*check)(); !good) {
			return std::unexpected(good.error());
		}
	}
	for (const Matrix &matrix : matrices_.scenarios) {
		policy_.scenario += (policy_.scenario.empty() ? "" : "+") + matrix.scenario;
		policy_.title += (policy_.title.empty() ? "" : "; ") + matrix.title;
		for (const Row &one : matrix.rows) {
			if (const Result<> good = row(one); !good) {
				return std::unexpected(good.error());
			}
		}
	}
	if (site_.edge.present) {
		for (const Row &one : matrices_.host_services.rows) {
			if (const Result<> good = host_service(one); !good) {
				return std::unexpected(good.error());
			}
		}
	}
	for (const auto &[component, ids] : site_.services) {
		if (const Result<> good = services_of(component, ids); !good) {
			return std::unexpected(good.error());
		}
	}
	if (policy_.rows.empty() && edge_.empty()) {
		return error_at({}, site_.place, "no row is on: there is nothing to hold anyone to",
				std::string("turn on an optional row: optional = [\"ROW-ID\"]") +
					(site_.edge.present ? ", or bind the peer of a host service" : ""));
	}
	for (std::size_t index = 0; index < site_.windows.size(); index++) {
		if (const Result<> good = window_scopes(site_.windows[index], matrices_.windows[index]); !good) {
			return std::unexpected(good.error());
		}
	}
	edge_.append_to(policy_);
	for (std::size_t index = 0; index < site_.windows.size(); index++) {
		if (const Result<> good = window(site_.windows[index], matrices_.windows[index]); !good) {
			return std::unexpected(good.error());
		}
	}
	for (const auto check : {&Binder::unused, &Binder::resolvers}) {
		if (const Result<> good = (this->*check)(); !good) {
			return std::unexpected(good.error());
		}
	}
	policy_.off.insert(policy_.off.end(), services_off_.begin(), services_off_.end());
	for (std::size_t scope = 0; scope < policy_.scopes.size(); scope++) {
		append_builtin_rows(policy_, static_cast<std::uint8_t>(scope));
	}
	if (const Result<> good = twice(); !good) {
		return std::unexpected(good.error());
	}
	policy_.hosts = site_.hosts;
	for (auto &[name, host] : policy_.hosts) {
		host.later = false; // what it came to is in the addresses
	}
	policy_.resolvers = site_.resolvers;
	return std::move(policy_);
}

Result<BoundPolicy> bind(const Matrices &matrices, const Site &site)
{
	return Binder(matrices, site).bind();
}

} // namespace weir::policy
