// SPDX-License-Identifier: Apache-2.0
// What runs of a policy's components at this moment: where, and whether a proxy in its environment leads elsewhere.
#pragma once

#include "policy/model.h"
#include "policy/proxy.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace weir::cli {

/// Processes of one program that would do the same.
struct ProxyFinding {
	std::vector<int> pids; ///< at least one
	std::string program;   ///< as in /proc/PID/comm
	policy::ProxyWarning warning;
};

struct ComponentFinding {
	std::uint8_t scope = 0;
	std::vector<std::string> cgroups; ///< that match what the site says; none: it does not run
	std::string problem;              ///< "" or why they can't be looked for
	unsigned processes = 0;
	unsigned unread = 0; ///< processes whose environment this user may not read
	std::vector<ProxyFinding> proxies;
};

/// By scope. Looks at /proc and at cgroup2, and changes nothing.
std::vector<ComponentFinding> find_components(const BoundPolicy &);

/// A warning for each thing that is not as a policy would have it.
std::vector<std::string> warnings_of(const std::vector<ComponentFinding> &, const BoundPolicy &);
nlohmann::ordered_json as_json(const std::vector<ComponentFinding> &, const BoundPolicy &);

} // namespace weir::cli
