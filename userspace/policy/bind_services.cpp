// SPDX-License-Identifier: Apache-2.0
// Rows of the host itself: which are on, and who uses them besides the host.
#include "policy/binder.h"
#include "policy/host_services.h"
#include "policy/text.h"
#include "policy/toml_file.h"
#include "policy/zones.h"

#include <algorithm>

namespace weir::policy {

// Of one id a status line, an event and an answer of `explain` must mean one row.
Result<> Binder::ids_of_services() const
{
	for (const Row &service : services_.rows) {
		const auto own = std::ranges::find(matrix_.rows, service.id, &Row::id);
		if (own != matrix_.rows.end()) {
			return row_error(*own, "id", "a host service has this id", "give the row another one");
		}
	}
	return {};
}

bool Binder::fits_family(const Row &row, const std::vector<Prefix> &peers) const
{
	return family(row, peers).has_value();
}

bool Binder::is_used_by_a_component(const Row &row) const
{
	return std::ranges::any_of(site_.services, [&](const auto &each) {
		return std::ranges::find(each.second, row.id) != each.second.end();
	});
}

// A name turns on all its rows, but for those that can't be of its addresses: ping is two rows, ICMP and ICMPv6.
Result<> Binder::host_service(const Row &row)
{
	const std::string_view switched = switch_of(row);
	used_.emplace(switched);
	const auto bound = site_.names.find(std::string(switched));
	if (bound == site_.names.end() || !fits_family(row, bound->second)) {
		services_off_.push_back(row);
		return {};
	}
	if (const Result<> good = scope_of(row); !good) {
		return good;
	}
	const std::optional<Prefix> builtin = builtin_host_peer(row.peer());
	std::vector<Prefix> peers = builtin ? std::vector{*builtin} : bound->second;
	std::ranges::sort(peers);
	return hold(row, std::move(peers));
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
		const auto row = std::ranges::find(services_.rows, ids[index], &Row::id);
		if (row == services_.rows.end()) {
			std::vector<std::string> known;
			std::string all;
			for (const Row &each : services_.rows) {
				known.push_back(each.id);
				all += (all.empty() ? "" : ", ") + each.id;
			}
			return error_at(site_.text, place_of_service(site_, component, index),
					"there is no host service " + in_quotes(ids[index]),
					or_else(did_you_mean(ids[index], known),
						all.empty() ? "there are none here" : "there are: " + all));
		}
		if (std::ranges::find(services_off_, row->id, &Row::id) != services_off_.end()) {
			const std::string name(switch_of(*row));
			const bool is_bound = site_.names.contains(name);
			return error_at(site_.text, place_of_service(site_, component, index),
					"host service " + in_quotes(row->id) + " is off: " + in_quotes(name) +
						(is_bound ? " has no address of its family" : " is not bound"),
					"add to [names]: " + toml_key(name) + " = \"ADDRESS\"");
		}
		const std::optional<Prefix> builtin = builtin_host_peer(row->peer());
		BoundRow bound;
		bound.row = *row;
		bound.row.id += '@' + component;
		(row->dir == Direction::out ? bound.row.source : bound.row.destination) = component;
		bound.scope = *held_by(component);
		bound.peers = builtin ? std::vector{*builtin} : site_.names.at(row->peer());
		std::ranges::sort(bound.peers);
		bound.zones = zones_of(*row, bound.peers, site_.open_loopback);
		policy_.rows.push_back(std::move(bound));
	}
	return {};
}

} // namespace weir::policy
