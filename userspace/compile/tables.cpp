// SPDX-License-Identifier: Apache-2.0
#include "compile/tables.h"

#include <algorithm>
#include <cstring>

#include <utility>

namespace weir::compiler {

namespace {

std::uint64_t hash_of(const weir_address &item)
{
	const auto *p = item.prefix;
	return weir_hash(std::uint64_t{p[0]} << 32 | p[1], std::uint64_t{p[2]} << 32 | p[3], item.len_class >> 24);
}

std::uint64_t hash_of(const weir_cell &item)
{
	return weir_hash(item.address_class, item.port_class, 0);
}

bool is_empty(const weir_address &item)
{
	return item.len_class == 0;
}

bool is_empty(const weir_cell &item)
{
	return item.port_class == 0;
}

/// Cuckoo hashing (Pagh and Rodler, 2001) with buckets: an item that finds both of its buckets full takes the
/// place of another, which goes to its own second bucket, and so on.
template <typename Item, std::size_t Slots>
class Cuckoo {
public:
	explicit Cuckoo(std::size_t buckets) : lines_(buckets) {}

	bool insert(Item item)
	{
		if (put(first(item), item))
			return true;
		auto bucket = second(item);
		for (unsigned kick = 0; kick < 512; ++kick) {
			if (put(bucket, item))
				return true;
			// Which one has to go must be anyone's, or a few would drive each other round for ever; and the same
			// in every run, as the image is compared with what the policy compiles to.
			walk_ = walk_ * 6364136223846793005u + 1442695040888963407u; // Knuth, MMIX
			std::swap(item, slot(bucket, (walk_ >> 33) % Slots));
			bucket = other(item, bucket);
		}
		return false;
	}
	std::vector<weir_line> take() { return std::move(lines_); }

private:
	[[nodiscard]] std::size_t first(const Item &item) const
	{
		return hash_of(item) & 0xffffffff & (lines_.size() - 1);
	}
	[[nodiscard]] std::size_t second(const Item &item) const { return hash_of(item) >> 32 & (lines_.size() - 1); }
	[[nodiscard]] std::size_t other(const Item &item, std::size_t bucket) const
	{
		return bucket == first(item) ? second(item) : first(item);
	}
	Item &slot(std::size_t bucket, std::size_t index) { return reinterpret_cast<Item *>(&lines_[bucket])[index]; }
	bool put(std::size_t bucket, const Item &item)
	{
		for (std::size_t index = 0; index < Slots; ++index) {
			if (is_empty(slot(bucket, index))) {
				slot(bucket, index) = item;
				return true;
			}
		}
		return false;
	}
	std::vector<weir_line> lines_;
	std::uint64_t walk_ = 0;
};

template <typename Item, std::size_t Slots>
Table table_of(const std::vector<Item> &items)
{
	std::size_t buckets = 1;
	while (buckets * Slots * 4 < items.size() * 5) // no fuller than 4/5
		buckets *= 2;
	for (;; buckets *= 2) {
		Cuckoo<Item, Slots> cuckoo(buckets);
		bool all = true;
		for (auto item = items.begin(); all && item != items.end(); ++item)
			all = cuckoo.insert(*item);
		if (all)
			return {cuckoo.take()};
	}
}

using Tree = std::array<std::uint8_t, 256>;

void plant(Tree &tree, std::size_t node, const std::vector<std::uint8_t> &lengths, std::size_t from, std::size_t to)
{
	if (from == to)
		return;
	const auto middle = from + (to - from) / 2;
	tree[node] = lengths[middle];
	plant(tree, 2 * node, lengths, from, middle);
	plant(tree, 2 * node + 1, lengths, middle + 1, to);
}

Prefix cut(Prefix prefix, std::uint8_t length)
{
	for (unsigned bit = length; bit < prefix.length; ++bit)
		prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
	prefix.length = length;
	return prefix;
}

} // namespace

Table address_table(const std::vector<weir_address> &items)
{
	return table_of<weir_address, WEIR_ADDRESS_SLOTS>(items);
}

Table cell_table(const std::vector<weir_cell> &items)
{
	return table_of<weir_cell, WEIR_CELL_SLOTS>(items);
}

Search search_of(const std::vector<ClassedPrefix> &prefixes, bool v4)
{
	Search search;
	const std::uint8_t whole = v4 ? 96 : 0; ///< length of the family's whole space
	std::array<bool, 129> used{};
	for (const auto &each : prefixes)
		if (each.prefix.is_v4() == v4)
			used[each.prefix.length] = true;
	std::vector<std::uint8_t> lengths;
	for (unsigned length = whole + 1u; length < used.size(); ++length)
		if (used[length])
			lengths.push_back(static_cast<std::uint8_t>(length));
	plant(search.tree, 1, lengths, 0, lengths.size());

	std::vector<std::pair<Prefix, std::uint32_t>> entries;
	for (const auto &each : prefixes) {
		if (each.prefix.is_v4() != v4)
			continue;
		if (each.prefix.length == whole) {
			search.default_class = each.address_class;
			continue;
		}
		for (std::size_t node = 1; search.tree[node] != each.prefix.length;) {
			const auto length = search.tree[node];
			node = 2 * node + (length < each.prefix.length ? 1 : 0);
			if (length > each.prefix.length)
				continue;
			// A marker: "look further". What holds there if nothing longer is found: the nearest outer prefix.
			const ClassedPrefix *outer = &each;
			while (outer != nullptr && outer->prefix.length > length)
				outer = outer->parent < 0 ? nullptr
							  : &prefixes[static_cast<std::size_t>(outer->parent)];
			entries.emplace_back(cut(each.prefix, length), outer == nullptr ? 0 : outer->address_class);
		}
		entries.emplace_back(each.prefix, each.address_class);
	}
	// A marker where a prefix is has that prefix's class: they are the same entry.
	std::ranges::sort(entries);
	entries.erase(std::ranges::unique(entries).begin(), entries.end());
	for (const auto &[prefix, address_class] : entries) {
		weir_address item{};
		std::memcpy(item.prefix, prefix.address.bytes.data(), sizeof(item.prefix));
		item.len_class = std::uint32_t{prefix.length} << 24 | address_class;
		search.entries.push_back(item);
	}
	return search;
}

} // namespace weir::compiler
