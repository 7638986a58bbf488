// SPDX-License-Identifier: Apache-2.0
// What the gates do not report one by one: refusals, and packets that rows of windows admitted. Taken out of the kernel,
// and written with their number.
#pragma once

#include "audit/enrich.h"
#include "daemon/broker.h"
#include "daemon/clock.h"
#include "daemon/records.h"
#include "daemon/row_names.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace weir::daemon {

class Merged {
public:
	/// `rows`: of those that admitted.
	Merged(Broker &broker, RowNames &rows) : broker_(broker), rows_(rows) {}

	/// Takes the kernel's tables, that of what windows admitted every five seconds: a connection that goes on has a record
	/// each time. Not before the last one is written: until then the kernel counts on in its own, which is bounded, and
	/// so is this one.
	void take();
	void take_all(); ///< with that one
	/// Writes of it what there is room for.
	void put(Records &, audit::Enricher &, std::int64_t to_wall);
	/// Writes how much each counter of sums has grown since it was last written; what finds no room, later.
	void put_sums(const kernel::Counters &, Records &);

	/// What windows admitted was taken, too, the last time.
	[[nodiscard]] bool has_admitted() const { return has_admitted_; }
	[[nodiscard]] bool is_empty() const { return next_ == taken_.size(); }
	/// Refusals in records of this run.
	[[nodiscard]] std::uint64_t counted() const { return counted_; }
	/// Throws away what is not written; gives its number.
	std::uint64_t discard(Balance &);
	/// Another instance has taken the name: its counters begin anew.
	void forget_sums();
	/// By weir_counter_index(): what the records say of the counters.
	[[nodiscard]] std::map<std::uint32_t, std::uint64_t> sums() const;
	/// The records of an earlier run say so much.
	void resume(const std::map<std::uint32_t, std::uint64_t> &sums);

private:
	void take(bool admitted);
	void put(Records &, audit::Enricher &, std::int64_t to_wall, const weir_merge_key &, const weir_merge &);

	Broker &broker_;
	RowNames &rows_;
	std::vector<std::pair<weir_merge_key, weir_merge>> taken_;
	std::size_t next_ = 0; ///< of taken_: not written from here on
	std::vector<std::uint64_t> sums_; ///< by weir_counter_index(): what the records say
	std::int64_t looked_at_ = 0; ///< UNIX time, ns: when the counters were last written from
	std::uint64_t counted_ = 0;
	std::int64_t admitted_at_ = 0; ///< CLOCK_MONOTONIC, ns: when to take what was admitted
	bool has_admitted_ = false;
	Complaint complaint_;
};

} // namespace weir::daemon
