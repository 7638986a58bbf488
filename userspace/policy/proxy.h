// SPDX-License-Identifier: Apache-2.0
// Would a proxy that a process has in its environment change the peer of a row? No process and no kernel is asked here.
#pragma once

#include "policy/model.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::policy {

/// The variables that speak of proxies, by their names as they stand in the environment.
using Environment = std::map<std::string, std::string>;

/// Those that are read at all: grpc_proxy, https_proxy, http_proxy, all_proxy, no_grpc_proxy, no_proxy, in both cases.
bool is_proxy_variable(std::string_view name);

/// What programs with such an environment would do with a row.
struct ProxyWarning {
	std::string variable; ///< the one that decides
	bool grpc =
		false; ///< gRPC goes by it, so it is the row's own traffic; else what reads it (curl, pip, requests)
	std::string proxy; ///< "proxy.example.org:3128": never with what stands before an @
	std::string row; ///< id
	std::vector<std::string> peers; ///< of the row, in place of which the proxy would be spoken to
	/// Id of the row that admits the proxy, "loopback" where that is open; "": none does.
	std::string admitted_by;
	std::string no_proxy; ///< variable that would spare the peers
	[[nodiscard]] std::string text() const; ///< what is wrong, and what to do
	bool operator==(const ProxyWarning &) const = default;
};

/// Of the rows of one scope of the policy: TCP, out, to other hosts; not those of host services, which no HTTP proxy
/// relays. At most one warning for each row.
///
/// gRPC (C core, as Python's): the first that is set of grpc_proxy, https_proxy and http_proxy, in lower case only, and
/// only with http://; not for hosts that no_grpc_proxy, else no_proxy, lists: by the end of their name, whatever stands
/// before it, or by a network (a.b.c.d/n; from gRPC 1.54 on).
std::vector<ProxyWarning> proxies_in_the_way(const BoundPolicy &, std::uint8_t scope, const Environment &);

} // namespace weir::policy
