// SPDX-License-Identifier: Apache-2.0
// From classes to lines: which rows meet in which cell, and where in the image each part stands.
#include "compile/image.h"

#include "compile/classes.h"
#include "compile/tables.h"
#include "policy/diagnostic.h"
#include "policy/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>

namespace weir {

namespace {

using namespace compiler;

/// Bound on what has to be looked at to make the cells: some seconds of one processor.
constexpr std::size_t meeting_limit = std::size_t{64} << 20;

/// The circumstances in which a row holds: each zone, each origin (a process, a kernel on this link), is a bit.
unsigned circumstances_of(const BoundRow &row)
{
	const unsigned from_kernel = row.zones;
	return from_kernel << 3 | (row.kernel_only ? 0 : from_kernel);
}

/// Does `row` hold whenever `other` does, where both hold at all?
bool lasts_as_long(const BoundRow &row, const BoundRow &other)
{
	return (!row.user || row.user == other.user) && (!row.row.needs_journal || other.row.needs_journal) &&
	       (row.deadline == 0 || (other.deadline != 0 && row.deadline >= other.deadline));
}

/// Keeps of the rows that meet in a cell those that can be the first to hold. They come in the order in which they
/// decide. Where none has a condition of its own they are at most 6, as there are 6 circumstances.
class Cell {
public:
	explicit Cell(const std::vector<BoundRow> &rows) : policy_(rows) {}
	/// False: there is no room for it.
	bool add(std::uint32_t number)
	{
		const auto &row = policy_[number];
		auto open = circumstances_of(row);
		for (std::size_t i = 0; i < count_; ++i)
			if (const auto &kept = policy_[rows_[i] - 1]; lasts_as_long(kept, row))
				open &= ~circumstances_of(kept);
		if (open == 0)
			return true;
		if (count_ == rows_.size())
			return false;
		rows_[count_++] = number + 1;
		return true;
	}
	[[nodiscard]] const std::array<std::uint32_t, WEIR_CELL_ROWS> &rows() const { return rows_; }
	[[nodiscard]] weir_cell at(std::uint32_t address_class, std::uint32_t port_class) const
	{
		weir_cell cell{};
		cell.address_class = address_class;
		cell.port_class = port_class;
		std::ranges::copy(rows_, cell.rows);
		return cell;
	}

private:
	const std::vector<BoundRow> &policy_;
	std::size_t count_ = 0;
	std::array<std::uint32_t, WEIR_CELL_ROWS> rows_{};
};

/// Numbers of the rows in the order in which they decide: those for good, then those that end, the later the earlier;
/// then in the same order those that need the journal.
std::vector<std::uint32_t> order_of(const std::vector<BoundRow> &rows)
{
	std::vector<std::uint32_t> order(rows.size());
	std::iota(order.begin(), order.end(), 0U);
	// 0, for good, becomes the latest.
	std::ranges::stable_sort(order, std::ranges::greater{}, [&](auto row) {
		return std::pair(!rows[row].row.needs_journal, rows[row].deadline - 1);
	});
	return order;
}

struct Meeting {
	std::uint32_t port_class;
	std::uint32_t place; ///< of the row, in that order
	auto operator<=>(const Meeting &) const = default;
};

std::unexpected<Error> too_many_meet(const BoundPolicy &policy, const Cell &cell, std::uint32_t row)
{
	std::string names;
	for (const auto number : cell.rows())
		names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", policy.rows[number - 1].row.id);
	return policy::error_at_row(
		policy.rows[row].row,
		fmt::format("row \"{}\" is the {}th for the same packets on a condition of its own, and {} can be "
			    "compiled",
			    policy.rows[row].row.id, cell.rows().size() + 1, cell.rows().size()),
		fmt::format(
			"the others are {}: give some of them the same user or zone, let all or none of them need the "
			"journal, or open fewer windows at a time",
			names));
}

Result<std::vector<weir_cell>> cells_of(const BoundPolicy &policy, const PortClasses &ports,
					const AddressClasses &addresses)
{
	std::vector<bool> is_used(addresses.sets.size());
	for (const auto &prefix : addresses.prefixes)
		is_used[prefix.address_class] = true;
	std::vector<std::size_t> meetings_of(policy.rows.size());
	std::size_t total = 0;
	for (std::uint32_t address_class = 1; address_class < addresses.sets.size(); ++address_class) {
		if (!is_used[address_class])
			continue;
		for (const auto row : addresses.sets.at(address_class)) {
			meetings_of[row] += ports.of_row[row].size();
			total += ports.of_row[row].size();
		}
	}
	if (total > meeting_limit) {
		const auto most = static_cast<std::size_t>(std::ranges::max_element(meetings_of) - meetings_of.begin());
		return policy::error_at_row(
			policy.rows[most].row,
			fmt::format("addresses and ports of the rows meet in {} ways, and {} can be compiled", total,
				    meeting_limit),
			fmt::format("{} of them are this row's: narrow its ports or its addresses", meetings_of[most]));
	}

	const auto order = order_of(policy.rows);
	std::vector<std::uint32_t> place_of(order.size());
	for (std::uint32_t place = 0; place < order.size(); ++place)
		place_of[order[place]] = place;
	std::vector<weir_cell> cells;
	std::vector<Meeting> meetings;
	for (std::uint32_t address_class = 1; address_class < addresses.sets.size(); ++address_class) {
		if (!is_used[address_class])
			continue;
		meetings.clear();
		for (const auto row : addresses.sets.at(address_class))
			for (const auto port_class : ports.of_row[row])
				meetings.push_back({port_class, place_of[row]});
		std::ranges::sort(meetings);
		for (auto at = meetings.begin(); at != meetings.end();) {
			const auto port_class = at->port_class;
			Cell cell(policy.rows);
			for (; at != meetings.end() && at->port_class == port_class; ++at)
				if (!cell.add(order[at->place]))
					return too_many_meet(policy, cell, order[at->place]);
			cells.push_back(cell.at(address_class, port_class));
		}
	}
	return cells;
}

/// What the matrix doesn't say of its own accord may well never match: rows that weir adds, and the copies of rows
/// that it makes, whose ids end in "@" and what a matrix can't write. Nor do rows whose peer DNS names at present.
bool may_be_idle(const BoundPolicy &policy, const BoundRow &row)
{
	return row.kernel_only || row.row.id.contains('@') || policy.hosts.contains(row.row.peer());
}

/// A row that no cell keeps never decides: another always does. Rows that weir adds itself may be so, and rows of a
/// window, which is opened for a while over whatever the policy says. At the
/// edge, where nobody knows whose a packet is, also those that another component's row stands before.
Result<> check_all_match(const BoundPolicy &policy, const PortClasses &ports, const AddressClasses &addresses,
			 const std::vector<weir_cell> &cells)
{
	std::vector<bool> decides(policy.rows.size());
	for (const auto &cell : cells)
		for (const auto row : cell.rows)
			if (row != 0)
				decides[row - 1] = true;
	for (std::uint32_t row = 0; row < policy.rows.size(); ++row) {
		if (decides[row] || may_be_idle(policy, policy.rows[row]) || policy.rows[row].deadline != 0)
			continue;
		const auto &shadowed = policy.rows[row].row;
		bool of_another = false;
		std::vector<std::string> earlier;
		for (const auto &cell : cells) {
			if (!std::ranges::binary_search(ports.of_row[row], cell.port_class) ||
			    !std::ranges::binary_search(addresses.sets.at(cell.address_class), row))
				continue;
			for (const auto number : cell.rows) {
				if (number == 0 || !lasts_as_long(policy.rows[number - 1], policy.rows[row]) ||
				    (policy.rows[number - 1].zones & policy.rows[row].zones) == 0)
					continue;
				const auto &other = policy.rows[number - 1].row;
				earlier.push_back(other.id);
				of_another = of_another || other.component() != shadowed.component();
			}
		}
		if (of_another && policy.scopes[policy.rows[row].scope].is_edge())
			continue;
		std::ranges::sort(earlier);
		earlier.erase(std::ranges::unique(earlier).begin(), earlier.end());
		std::string names;
		for (std::size_t i = 0; i < earlier.size() && i < 3; ++i)
			names += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", earlier[i]);
		if (earlier.size() > 3)
			names += fmt::format(" and {} more", earlier.size() - 3);
		return policy::error_at_row(
			shadowed, fmt::format("row \"{}\" can never match", shadowed.id),
			fmt::format("what it admits is admitted by {}, which decide{} before it: leave one of them out",
				    names, earlier.size() == 1 ? "s" : ""));
	}
	return {};
}

/// Puts parts one behind the other.
class Builder {
public:
	/// The line that the next part begins with.
	[[nodiscard]] std::uint32_t end() const { return static_cast<std::uint32_t>(image_.lines.size()); }
	template <typename Item>
	std::uint32_t add(const Item *items, std::size_t count, std::size_t per_line)
	{
		const auto at = end();
		image_.lines.resize(at + (count + per_line - 1) / per_line);
		for (std::size_t i = 0; i < count; ++i)
			std::memcpy(reinterpret_cast<char *>(&image_.lines[at + i / per_line]) +
					    i % per_line * sizeof(Item),
				    &items[i], sizeof(Item));
		return at;
	}
	std::uint32_t add_zeros(std::size_t lines)
	{
		const auto at = end();
		image_.lines.resize(at + lines);
		return at;
	}
	template <typename Part>
	Part &part(std::size_t line)
	{
		return *reinterpret_cast<Part *>(&image_.lines[line]);
	}
	Image take() { return std::move(image_); }

private:
	Image image_;
};

/// The page table of a group: blocks of 256 ports that are alike stand there once; block 0 is "no row".
std::uint32_t add_pages(Builder &builder, const PortGroup &group)
{
	using Block = std::array<std::uint16_t, 256>;
	Block first{};
	std::vector<Block> blocks{Block{}};
	std::map<Block, std::uint16_t> numbers{{Block{}, std::uint16_t{0}}};
	auto step = group.steps.begin();
	std::uint16_t local = 0;
	for (unsigned high = 0; high < 256; ++high) {
		Block block{};
		for (unsigned low = 0; low < 256; ++low) {
			if (step != group.steps.end() && step->port == (high << 8 | low))
				local = step++->local;
			block[low] = local;
		}
		const auto [at, is_new] = numbers.try_emplace(block, static_cast<std::uint16_t>(blocks.size()));
		if (is_new)
			blocks.push_back(block);
		first[high] = at->second;
	}
	const auto line = builder.add(first.data(), first.size(), WEIR_LINE / sizeof(std::uint16_t));
	for (const auto &block : blocks)
		builder.add(block.data(), block.size(), WEIR_LINE / sizeof(std::uint16_t));
	return line;
}

Image assemble(const BoundPolicy &policy, const CompileOptions &options, const PortClasses &ports,
	       const AddressClasses &addresses, const std::vector<weir_cell> &cells)
{
	Builder builder;
	weir_header header{};
	weir_trailer trailer{};
	builder.add_zeros(2);

	header.protocols = builder.add_zeros(policy.scopes.size() * WEIR_DIRECTIONS * 32);
	for (const auto &group : ports.groups) {
		const auto pages = group.paged ? add_pages(builder, group) : 0;
		const auto line = header.protocols +
				  (group.scope * WEIR_DIRECTIONS + static_cast<std::uint32_t>(group.dir)) * 32 +
				  group.protocol / 8u;
		(&builder.part<weir_protocol>(line))[group.protocol % 8] = {pages, group.first_class};
	}

	const auto v4 = search_of(addresses.prefixes, true);
	const auto v6 = search_of(addresses.prefixes, false);
	header.default4 = v4.default_class;
	header.default6 = v6.default_class;
	header.lengths4 = builder.add(v4.tree.data(), v4.tree.size(), WEIR_LINE);
	header.lengths6 = builder.add(v6.tree.data(), v6.tree.size(), WEIR_LINE);
	auto entries = v4.entries;
	entries.insert(entries.end(), v6.entries.begin(), v6.entries.end());
	const auto by_prefix = address_table(entries);
	header.addresses = builder.add(by_prefix.lines.data(), by_prefix.lines.size(), 1);
	header.address_mask = by_prefix.mask();
	const auto by_class = cell_table(cells);
	header.cells = builder.add(by_class.lines.data(), by_class.lines.size(), 1);
	header.cell_mask = by_class.mask();

	std::vector<weir_row> rows;
	rows.reserve(policy.rows.size());
	bool ends = false;
	bool need_journal = false;
	for (const auto &row : policy.rows) {
		const __u32 flags = (row.kernel_only ? __u32{WEIR_ROW_KERNEL} : 0u) |
				    (row.user ? __u32{WEIR_ROW_USER} : 0u) |
				    (row.row.needs_journal ? __u32{WEIR_ROW_JOURNAL} : 0u);
		rows.push_back({.deadline = row.deadline,
				.user = row.user.value_or(0),
				.zones = row.zones,
				.flags = static_cast<__u8>(flags),
				.zero = {}});
		ends = ends || row.deadline != 0;
		need_journal = need_journal || row.row.needs_journal;
	}
	header.rows = builder.add(rows.data(), rows.size(), WEIR_ROW_SLOTS);
	header.row_count = static_cast<std::uint32_t>(rows.size());
	header.tallies = builder.add_zeros((rows.size() + WEIR_TALLY_SLOTS - 1) / WEIR_TALLY_SLOTS);

	const auto text = policy::canonical(policy);
	const auto digest = digest_of(text);
	std::ranges::copy(digest, trailer.digest);
	trailer.text = builder.add(text.data(), text.size(), WEIR_LINE);
	trailer.text_size = static_cast<std::uint32_t>(text.size());
	trailer.scope_count = static_cast<std::uint32_t>(policy.scopes.size());
	for (std::size_t scope = 0; scope < policy.scopes.size(); ++scope)
		trailer.open_loopback |= policy.scopes[scope].open_loopback ? 1u << scope : 0u;
	std::ranges::copy(policy.edge.ethertypes, trailer.ethertypes);
	trailer.lines = builder.end();

	header.magic = WEIR_MAGIC;
	header.format = WEIR_FORMAT;
	header.generation = options.generation;
	header.flags = (options.observe ? __u32{WEIR_IMAGE_OBSERVE} : 0u) |
		       (policy.edge.present ? __u32{WEIR_IMAGE_EDGE} : 0u) | (ends ? __u32{WEIR_IMAGE_DEADLINES} : 0u) |
		       (need_journal ? __u32{WEIR_IMAGE_JOURNAL} : 0u);
	builder.part<weir_header>(0) = header;
	builder.part<weir_trailer>(1) = trailer;
	return builder.take();
}

} // namespace

Result<Image> compile(const BoundPolicy &policy, const CompileOptions &options)
{
	if (policy.scopes.empty() || policy.scopes.size() > WEIR_SCOPES)
		return fail(Exit::policy, fmt::format("the policy is for {} cgroups\n  give it 1 to {}",
						      policy.scopes.size(), WEIR_SCOPES));
	if (policy.edge.ethertypes.size() > WEIR_ETHERTYPES)
		return fail(Exit::policy, fmt::format("the edge lets {} EtherTypes pass\n  give it up to {}",
						      policy.edge.ethertypes.size(), WEIR_ETHERTYPES));
	if (policy.rows.size() > WEIR_MAX_ROWS)
		return fail(Exit::policy, fmt::format("the policy has {} rows\n  give it up to {}", policy.rows.size(),
						      WEIR_MAX_ROWS));
	const auto ports = port_classes(policy.rows);
	if (!ports)
		return std::unexpected(ports.error());
	const auto addresses = address_classes(policy.rows);
	if (!addresses)
		return std::unexpected(addresses.error());
	const auto cells = cells_of(policy, *ports, *addresses);
	if (!cells)
		return std::unexpected(cells.error());
	if (addresses->sets.size() > WEIR_MAX_CLASS)
		return fail(Exit::policy,
			    fmt::format("the rows' prefixes make {} classes of addresses, and {} can be compiled",
					addresses->sets.size(), WEIR_MAX_CLASS));
	if (const auto all = check_all_match(policy, *ports, *addresses, *cells); !all)
		return std::unexpected(all.error());
	return assemble(policy, options, *ports, *addresses, *cells);
}

} // namespace weir
