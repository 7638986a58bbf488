// SPDX-License-Identifier: Apache-2.0
// Port classes: ports that the same rows speak of, by a sweep over the ends of the rows' ranges.
#include "compile/classes.h"

#include "policy/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace weir::compiler {

std::size_t RowSets::Hash::operator()(const RowSet &set) const
{
	std::uint64_t hash = set.size();
	for (const auto row : set)
		hash = (hash ^ row) * 0x9e3779b97f4a7c15ull ^ (hash >> 29);
	return hash;
}

std::uint32_t RowSets::intern(RowSet set)
{
	if (set.empty())
		return 0;
	const auto next = static_cast<std::uint32_t>(sets_.size());
	const auto [at, is_new] = numbers_.try_emplace(std::move(set), next);
	if (is_new) {
		sets_.push_back(&at->first);
		elements_ += at->first.size();
	}
	return at->second;
}

namespace {

struct End {
	std::uint32_t port; ///< the first where it holds, or the first where it does so no more
	bool begins;
	std::uint32_t row;
};

class Ports {
public:
	explicit Ports(const std::vector<BoundRow> &rows) : rows_(rows) { classes_.of_row.resize(rows.size()); }

	Result<> add(PortGroup group, const std::vector<std::uint32_t> &members)
	{
		group.first_class = next_;
		group.paged = rows_[members.front()].row.port.has_ports();
		if (!group.paged) {
			for (const auto row : members)
				classes_.of_row[row].push_back(next_);
			++next_;
		} else if (auto swept = sweep(group, members); !swept) {
			return swept;
		}
		classes_.groups.push_back(std::move(group));
		return {};
	}
	PortClasses take() { return std::move(classes_); }

private:
	Result<> sweep(PortGroup &group, const std::vector<std::uint32_t> &members)
	{
		std::vector<End> ends;
		for (const auto row : members) {
			const auto &port = rows_[row].row.port;
			ends.push_back({port.first, true, row});
			ends.push_back({port.last + 1u, false, row});
		}
		std::ranges::sort(ends, {}, &End::port);
		RowSets sets;
		std::set<std::uint32_t> active;
		for (auto end = ends.begin(); end != ends.end();) {
			const auto port = end->port;
			for (; end != ends.end() && end->port == port; ++end) {
				if (end->begins)
					active.insert(end->row);
				else
					active.erase(end->row);
			}
			if (port <= 0xffff)
				group.steps.push_back(
					{static_cast<std::uint16_t>(port),
					 static_cast<std::uint16_t>(sets.intern({active.begin(), active.end()}))});
			if (elements_ + sets.elements() > element_limit)
				return too_many(members);
		}
		elements_ += sets.elements();
		for (std::uint32_t local = 1; local < sets.size(); ++local)
			for (const auto row : sets.at(local))
				classes_.of_row[row].push_back(next_ + local);
		next_ += sets.size();
		return {};
	}
	Result<> too_many(const std::vector<std::uint32_t> &members) const
	{
		const auto widest = std::ranges::max(
			members, {}, [this](auto row) { return rows_[row].row.port.last - rows_[row].row.port.first; });
		return policy::error_at_row(rows_[widest].row,
					    "the ranges of ports overlap in too many ways to be compiled",
					    "this row has the widest range: narrow it, or split it where others begin");
	}

	const std::vector<BoundRow> &rows_;
	PortClasses classes_;
	std::uint32_t next_ = 1;
	std::size_t elements_ = 0;
};

} // namespace

Result<PortClasses> port_classes(const std::vector<BoundRow> &rows)
{
	std::map<std::tuple<std::uint8_t, Direction, std::uint8_t>, std::vector<std::uint32_t>> members;
	for (std::uint32_t row = 0; row < rows.size(); ++row)
		members[{rows[row].scope, rows[row].row.dir, rows[row].row.port.protocol}].push_back(row);
	Ports ports(rows);
	for (const auto &[key, of_key] : members) {
		PortGroup group;
		std::tie(group.scope, group.dir, group.protocol) = key;
		if (auto added = ports.add(std::move(group), of_key); !added)
			return std::unexpected(std::move(added).error());
	}
	return ports.take();
}

} // namespace weir::compiler
