// SPDX-License-Identifier: Apache-2.0
#include "daemon/kept_addresses.h"

#include <algorithm>

namespace weir::daemon {

void KeptAddresses::adopt(const std::vector<Prefix> &in_force, std::int64_t now)
{
	std::erase_if(seen_,
		      [&](const auto &each) { return std::ranges::find(in_force, each.first) == in_force.end(); });
	for (const auto &address : in_force)
		seen_.try_emplace(address, Sight{now, 0});
}

std::vector<Prefix> KeptAddresses::after(const std::vector<Prefix> &answer, std::int64_t now)
{
	for (auto &[address, sight] : seen_)
		sight.lacked++;
	for (const auto &address : answer)
		seen_[address] = {now, 0};
	std::erase_if(seen_, [&](const auto &each) {
		return each.second.lacked >= answers && now - each.second.last >= keep_;
	});
	while (seen_.size() > most)
		seen_.erase(std::ranges::min_element(seen_, {}, [](const auto &each) {
			return std::pair(each.second.lacked == 0, each.second.last);
		}));
	std::vector<Prefix> all;
	all.reserve(seen_.size());
	for (const auto &[address, sight] : seen_)
		all.push_back(address);
	return all;
}

} // namespace weir::daemon
