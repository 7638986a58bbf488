// SPDX-License-Identifier: Apache-2.0
#include "policy/host_services.h"

#include "policy/text.h"
#include "policy/toml_file.h"

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

struct HostPeer {
	std::string_view name;
	std::string_view address;
	std::string_view switch_name;
};

constexpr std::array<HostPeer, 2> host_peers = {{
	{"broadcast", "255.255.255.255", "dhcp-servers"}, // RFC 2131 section 4.1
	{"dhcp6-agents", "ff02::1:2", "dhcp6-servers"},   // RFC 8415 section 7.1
}};

} // namespace

std::optional<Prefix> builtin_host_peer(std::string_view name)
{
	const auto peer = std::ranges::find(host_peers, name, &HostPeer::name);
	return peer == host_peers.end() ? std::nullopt : Prefix::parse(peer->address);
}

std::string_view switch_of(const Row &row)
{
	const auto peer = std::ranges::find(host_peers, row.peer(), &HostPeer::name);
	return peer == host_peers.end() ? std::string_view(row.peer()) : peer->switch_name;
}

bool is_host_service(const Row &row)
{
	return row.type == "host" && row.component() == host_component && row.status == Status::optional;
}

Result<> check_host_services(const Matrix &matrix)
{
	if (!matrix.rows.empty() && matrix.scenario != host_scenario) {
		return error_at(matrix.text, {matrix.place.file, 0, 0},
				"the file is of scenario " + in_quotes(matrix.scenario),
				"host services have: scenario = \"host-services\"");
	}
	for (const Row &row : matrix.rows) {
		const auto wrong = [&](std::string_view key, std::string_view hint) -> Result<> {
			return error_at(matrix.text, place_of_row_key(matrix, row, key),
					"row " + in_quotes(row.id) + " is no host service", hint);
		};
		if (row.component() != host_component) {
			return wrong(row.dir == Direction::out ? "source" : "destination",
				     "its component is the host itself: \"host\"");
		}
		if (row.type != "host") {
			return wrong("type", "use: type = \"host\"");
		}
		if (row.status != Status::optional) {
			return wrong("status", "use: status = \"optional\"; it is on where the site binds its peer");
		}
	}
	return {};
}

} // namespace weir::policy
