// SPDX-License-Identifier: Apache-2.0
// Address classes: each prefix that the policy names, with the rows that hold for the addresses whose longest
// match it is: its own and those of every prefix around it.
#include "compile/classes.h"

#include "policy/diagnostic.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

namespace weir::compiler {

namespace {

__extension__ using Count = unsigned __int128; ///< of addresses, modulo 2^128

constexpr Count size_of(const Prefix &prefix)
{
	return prefix.length == 0 ? 0 : Count{1} << (128 - prefix.length);
}

constexpr auto none = std::numeric_limits<std::size_t>::max();

struct Node {
	Prefix prefix;
	std::uint32_t address_class = 0;
	std::size_t parent = none;
	Count in_children = 0;
	bool has_children = false;
	[[nodiscard]] bool is_covered() const { return has_children && in_children == size_of(prefix); }
};

struct Mention {
	Prefix prefix;
	std::uint32_t row;
	bool operator==(const Mention &) const = default;
};

} // namespace

Result<AddressClasses> address_classes(const std::vector<BoundRow> &rows)
{
	std::vector<Mention> mentions;
	for (std::uint32_t row = 0; row < rows.size(); ++row)
		for (const auto &prefix : rows[row].peers)
			mentions.push_back({prefix, row});
	// What holds a prefix stands before it. Families apart: ::/0 stands around IPv4's addresses, and holds none.
	std::ranges::sort(mentions, {}, [](const Mention &m) { return std::tuple(m.prefix.is_v4(), m.prefix, m.row); });
	mentions.erase(std::ranges::unique(mentions).begin(), mentions.end());

	AddressClasses classes;
	std::vector<Node> nodes;
	std::vector<std::size_t> around; ///< the prefixes that hold the current one, widest first
	for (auto at = mentions.begin(); at != mentions.end();) {
		Node node{.prefix = at->prefix};
		RowSet own;
		for (; at != mentions.end() && at->prefix == node.prefix; ++at)
			own.push_back(at->row);
		while (!around.empty() && !nodes[around.back()].prefix.contains(node.prefix))
			around.pop_back();
		RowSet set;
		if (!around.empty()) {
			node.parent = around.back();
			auto &parent = nodes[around.back()];
			parent.has_children = true;
			parent.in_children += size_of(node.prefix);
			const auto &outer = classes.sets.at(parent.address_class);
			std::ranges::set_union(outer, own, std::back_inserter(set));
		} else {
			set = std::move(own);
		}
		node.address_class = classes.sets.intern(std::move(set));
		if (classes.sets.elements() > element_limit) {
			const auto widest =
				std::ranges::min(mentions, {}, [](const Mention &m) { return m.prefix.length; });
			return policy::error_at_row(rows[widest.row].row,
						    "the rows' prefixes overlap in too many ways to be compiled",
						    "this row has the widest prefix, with which all others cross");
		}
		around.push_back(nodes.size());
		nodes.push_back(node);
	}

	// A prefix whose addresses all have a longer match is left out: it is never the answer.
	std::vector<int> number(nodes.size(), -1);
	for (std::size_t i = 0; i < nodes.size(); ++i) {
		if (nodes[i].is_covered())
			continue;
		auto parent = nodes[i].parent;
		while (parent != none && nodes[parent].is_covered())
			parent = nodes[parent].parent;
		number[i] = static_cast<int>(classes.prefixes.size());
		classes.prefixes.push_back(
			{nodes[i].prefix, nodes[i].address_class, parent == none ? -1 : number[parent]});
	}
	return classes;
}

} // namespace weir::compiler
