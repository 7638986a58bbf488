// SPDX-License-Identifier: Apache-2.0
#include "policy/hosts.h"

#include "policy/policy.h"
#include "policy/text.h"
#include "policy/zones.h"

#include <algorithm>

namespace weir::policy {
namespace {

/// Those that the name decides about: neighbour discovery has names of its own.
bool is_of(const BoundRow &row, const std::string &name)
{
	return !row.kernel_only && row.row.peer() == name;
}

template <typename Change>
void for_each_row_of(BoundPolicy &policy, const std::string &name, Change change)
{
	const auto in = [&](std::vector<BoundRow> &rows) {
		for (BoundRow &row : rows) {
			if (is_of(row, name)) {
				change(row);
			}
		}
	};
	in(policy.rows);
	for (Window &window : policy.windows) {
		in(window.rows);
	}
}

} // namespace

std::string answer_complaint(const HostName &host, const Address &address)
{
	static const Prefix multicast4 = *Prefix::parse("224.0.0.0/3"); // with 240.0.0.0/4 and the broadcast
	static const Prefix multicast6 = *Prefix::parse("ff00::/8");
	if (is_loopback({address, 128})) {
		return "is this host itself";
	}
	if (address == Address{} || address == Address::v4(0) || multicast4.contains(address) ||
	    multicast6.contains(address)) {
		return "is no address of a host";
	}
	if (const std::string_view form = refused_form(address); !form.empty()) {
		return "is " + std::string(form) + ", which is never admitted";
	}
	if (judged_form(address) != address) {
		return "is NAT64 (64:ff9b::/96), which is judged by the address inside";
	}
	if (std::ranges::none_of(host.within, [&](const Prefix &prefix) { return prefix.contains(address); })) {
		std::string ranges;
		for (const Prefix &prefix : host.within) {
			ranges += (ranges.empty() ? "" : ", ") + prefix.text();
		}
		return "is outside " + ranges;
	}
	return "";
}

Result<BoundPolicy> with_addresses(const BoundPolicy &in_force, const std::string &name, std::vector<Prefix> addresses)
{
	BoundPolicy policy = in_force;
	const auto host = policy.hosts.find(name);
	if (host == policy.hosts.end()) {
		return fail(Exit::policy, "the policy in force has no DNS name for " + in_quotes(name));
	}
	if (addresses.empty()) {
		return fail(Exit::policy, in_quotes(host->second.host) + " has no address: the last good ones stay");
	}
	for (const Prefix &address : addresses) {
		const std::string complaint = address.length != 128 ? "is not an address"
								    : answer_complaint(host->second, address.address);
		if (!complaint.empty()) {
			return fail(Exit::policy,
				    in_quotes(host->second.host) + ": " + address.text() + ' ' + complaint);
		}
	}
	std::ranges::sort(addresses);
	const auto repeated = std::ranges::unique(addresses);
	addresses.erase(repeated.begin(), repeated.end());
	// Where a row holds stays: no answer is a loopback address, and what else zones_of() asks is of the row.
	for_each_row_of(policy, name, [&](BoundRow &row) { row.peers = addresses; });
	host->second.addresses = std::move(addresses);
	return policy;
}

std::string approved_text(const BoundPolicy &in_force)
{
	BoundPolicy policy = in_force;
	policy.openings.clear();
	std::erase_if(policy.rows, [](const BoundRow &row) { return !row.window.empty(); });
	for (auto &[name, host] : policy.hosts) {
		for_each_row_of(policy, name, [](BoundRow &row) { row.peers.clear(); });
		host.addresses.clear();
	}
	return canonical(policy);
}

} // namespace weir::policy
