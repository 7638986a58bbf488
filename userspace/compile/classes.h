// SPDX-License-Identifier: Apache-2.0
// Which rows speak of the same ports, and which of the same addresses: classes. Internal to the compiler.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace weir::compiler {

/// Numbers of rows, ascending.
using RowSet = std::vector<std::uint32_t>;

/// The same set has the same number; 0 is the empty set.
class RowSets {
public:
	std::uint32_t intern(RowSet set);
	[[nodiscard]] const RowSet &at(std::uint32_t number) const { return *sets_[number]; }
	[[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(sets_.size()); }
	[[nodiscard]] std::size_t elements() const { return elements_; }

private:
	struct Hash {
		std::size_t operator()(const RowSet &set) const;
	};
	static inline const RowSet none;
	std::unordered_map<RowSet, std::uint32_t, Hash> numbers_;
	std::vector<const RowSet *> sets_{&none};
	std::size_t elements_ = 0;
};

/// Bound on the elements of all row sets together: 256 MB of the compiler's memory.
constexpr std::size_t element_limit = std::size_t{64} << 20;

/// The ports of one (scope, direction, protocol).
struct PortGroup {
	std::uint8_t scope = 0;
	Direction dir = Direction::out;
	std::uint8_t protocol = 0;
	bool paged = false;            ///< the protocol has ports
	std::uint32_t first_class = 0; ///< see struct weir_protocol
	/// Where the class changes, ascending: from this port on it is first_class + local; local 0 = no row.
	struct Step {
		std::uint16_t port;
		std::uint16_t local;
	};
	std::vector<Step> steps;
};

struct PortClasses {
	std::vector<PortGroup> groups;
	std::vector<std::vector<std::uint32_t>> of_row; ///< port classes of each row
};

/// Error (Exit::policy): past element_limit; names the row with the widest range.
Result<PortClasses> port_classes(const std::vector<BoundRow> &);

/// Every prefix that can be the longest match of some address, with the class of its row set.
struct ClassedPrefix {
	Prefix prefix;
	std::uint32_t address_class;
	int parent; ///< the longest prefix that holds this one, as an index; -1 = none
};

struct AddressClasses {
	RowSets sets; ///< by class
	std::vector<ClassedPrefix> prefixes; ///< sorted; of both families
};

/// Error (Exit::policy): past element_limit; names the row with the widest prefix.
Result<AddressClasses> address_classes(const std::vector<BoundRow> &);

} // namespace weir::compiler
