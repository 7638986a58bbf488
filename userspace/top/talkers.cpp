// SPDX-License-Identifier: Apache-2.0
#include "top/talkers.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::top {

void TalkerTable::add(Talker who, std::uint64_t count, bool is_past)
{
	auto key = who.name + '\n' + who.place; // neither has a newline: both are printable
	auto found = entries_.find(key);
	if (found == entries_.end()) {
		if (entries_.size() >= most_)
			make_room();
		found = entries_.emplace(std::move(key), Entry{}).first;
	}
	Entry &entry = found->second;
	who.refused = entry.who.refused;
	who.refused.total += count;
	entry.who = std::move(who);
	all_.total += count;
	if (!is_past) {
		entry.fresh += count;
		fresh_ += count;
	}
}

void TalkerTable::end_interval(double seconds)
{
	if (seconds <= 0)
		return;
	for (auto &[key, entry] : entries_)
		entry.who.refused.per_second = static_cast<double>(std::exchange(entry.fresh, 0)) / seconds;
	all_.per_second = static_cast<double>(std::exchange(fresh_, 0)) / seconds;
}

/// Half of them go: those who are least busy now, then those who have least in all. One at a time would be a search
/// through all for each address of a flood.
void TalkerTable::make_room()
{
	using Weight = std::tuple<std::uint64_t, double, std::uint64_t>;
	std::vector<std::pair<Weight, const std::string *>> all;
	all.reserve(entries_.size());
	for (const auto &[key, entry] : entries_)
		all.emplace_back(Weight{entry.fresh, entry.who.refused.per_second, entry.who.refused.total}, &key);
	const auto middle = all.begin() + static_cast<std::ptrdiff_t>((all.size() + 1) / 2);
	std::ranges::nth_element(all, middle, {}, [](const auto &each) { return each.first; });
	std::vector<std::string> gone;
	gone.reserve(all.size());
	std::transform(all.begin(), middle, std::back_inserter(gone), [](const auto &each) { return *each.second; });
	for (const auto &key : gone) {
		forgotten_ += entries_.at(key).who.refused.total;
		entries_.erase(key);
	}
}

Talkers TalkerTable::talkers() const
{
	Talkers talkers{.kept = {}, .all = all_, .forgotten = forgotten_};
	talkers.kept.reserve(entries_.size());
	for (const auto &[key, entry] : entries_)
		talkers.kept.push_back(entry.who);
	return talkers;
}

} // namespace weir::top
