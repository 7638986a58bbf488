// SPDX-License-Identifier: Apache-2.0
// Rows of the host itself: which are on, and who uses them besides the host.
#include "policy/binder.h"
#include "policy/host_services.h"
#include "policy/text.h"
#include "policy/toml_file.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir::policy {
namespace {

bool leads_an_admin_in(const Row &row)
{
	constexpr std::uint16_t ssh = 22;
	return row.dir == Direction::in && row.port.protocol == IPPROTO_TCP && row.port.first <= ssh &&
	       ssh <= row.port.last;
}

} // namespace

bool Binder::is_used_by_a_component(const Row &row) const
{
	return std::ranges::any_of(site_.services, [&](const auto &each) {
		return std::ranges::find(each.second, row.id) != each.second.end();
	});
}

// A name turns on all its rows, but for those that can't be of its addresses: ping is two rows, ICMP and ICMPv6.
bool Binder::is_service_on(const Row &row) const
{
	const std::string name(switch_of(row));
	return is_bound(name) && family(row, families_of(name)).has_value();
}

Result<BoundRow> Binder::bound_service(const Row &row)
{
	if (const std::optional<Prefix> builtin = builtin_host_peer(row.peer())) {
		return bound_to(row, {*builtin});
	}
	Result<std::vector<Prefix>> peers = peers_of(row);
	if (!peers) {
		return std::unexpected(peers.error());
	}
	return bound_to(row, std::move(*peers));
}

Result<> Binder::host_service(const Row &row)
{
	used_.emplace(switch_of(row));
	if (!is_service_on(row)) {
		services_off_.push_back(row);
		return {};
	}
	if (row.needs_journal && leads_an_admin_in(row)) {
		return row_error(row, "journal", "by this row comes who is to repair the journal",
				 "take journal = \"required\" out of it");
	}
	if (const Result<> good = scope_of(row); !good) {
		return good;
	}
	const Result<BoundRow> one = bound_service(row);
	if (!one) {
		return std::unexpected(one.error());
	}
	return hold(*one);
}

/// The row of a host service that is on; `asked`: where the site wants it.
Result<const Row *> Binder::service(const std::string &id, const Place &asked) const
{
	const std::vector<Row> &services = matrices_.host_services.rows;
	const auto row = std::ranges::find(services, id, &Row::id);
	if (row == services.end()) {
		std::vector<std::string> known;
		std::string all;
		for (const Row &each : services) {
			known.push_back(each.id);
			all += (all.empty() ? "" : ", ") + each.id;
		}
		return error_at(
			site_.text, asked, "there is no host service " + in_quotes(id),
			or_else(did_you_mean(id, known), all.empty() ? "there are none here" : "there are: " + all));
	}
	if (!is_service_on(*row)) {
		const std::string name(switch_of(*row));
		return error_at(site_.text, asked,
				"host service " + in_quotes(row->id) + " is off: " + in_quotes(name) +
					(is_bound(name) ? " has no address of its family" : " is not bound"),
				"add to [names]: " + toml_key(name) + " = \"ADDRESS\"");
	}
	return &*row;
}

// A component that uses a service itself: at the edge the host's row is enough, in its cgroup it needs its own.
Result<> Binder::services_of(const std::string &component, const std::vector<std::string> &ids)
{
	const Place place = place_of_site_key(site_, "services", component);
	if (component == host_component) {
		return error_at(site_.text, place, "the host uses every service that is on",
				"take the line out: [services] is for components in cgroups");
	}
	if (!site_.cgroups.contains(component)) {
		const std::string near = nearest(component, keys_of(site_.cgroups));
		return error_at(site_.text, place, "component " + in_quotes(component) + " has no cgroup",
				near.empty()
					? "take the line out: what is in no cgroup is held by the edge only, where "
					  "the host's rows are enough"
					: mistyped("cgroups", near));
	}
	if (const Result<> good = cgroup_of(component); !good) {
		return good;
	}
	for (std::size_t index = 0; index < ids.size(); index++) {
		const Result<const Row *> row = service(ids[index], place_of_service(site_, component, index));
		if (!row) {
			return std::unexpected(row.error());
		}
		Result<BoundRow> one = bound_service(**row);
		if (!one) {
			return std::unexpected(one.error());
		}
		one->row.id += '@' + component;
		(one->row.dir == Direction::out ? one->row.source : one->row.destination) = component;
		one->scope = *held_by(component);
		policy_.rows.push_back(std::move(*one));
	}
	return {};
}

} // namespace weir::policy
