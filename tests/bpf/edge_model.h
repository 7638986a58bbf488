// SPDX-License-Identifier: Apache-2.0
// What the edge gate should say, written from the design: rows by the evaluator, flows as sets. It knows packets by what
// they are and not by their bytes.
#pragma once

#include "compile/evaluate.h"

#include <netinet/in.h>

#include <compare>
#include <map>
#include <optional>

namespace weir::test {

class EdgeModel {
public:
	/// Both ends of a flow, as this host sees it; of echo: the identifier and who asks.
	struct Flow {
		Address local, remote;
		std::uint8_t protocol = 0;
		std::uint16_t local_port = 0, remote_port = 0;
		bool we_ask = false;
		auto operator<=>(const Flow &) const = default;
	};
	enum class Kind : std::uint8_t { whole, first_part, later_part, error };
	enum class Echo : std::uint8_t { none, request, reply };
	struct Packet {
		Direction dir = Direction::out;
		Flow flow; ///< of an error: the flow that it quotes
		Kind kind = Kind::whole;
		Echo echo = Echo::none;
		bool message = false; ///< ICMP that is neither echo nor error: its type is `remote_port`
		bool own_limit = false;
		std::uint8_t flags = 0; ///< of TCP
		bool data = false;
		std::uint32_t id = 0;
		unsigned part_at = 0, end = 0; ///< bytes
	};
	/// Before and after which rows end here: the clock of the model stands still between the two.
	static constexpr std::uint64_t long_ago = 1, far_ahead = ~0ULL, now = 1000;

	struct Entry {
		std::uint32_t generation = 0; ///< 0: a row that ends admitted it, and each packet is asked about anew
		unsigned age = 0; ///< seconds
		bool answered = false, fin_out = false, fin_in = false, reset = false;
	};
	using Table = std::map<Flow, Entry>;

	void publish(BoundPolicy policy, std::uint32_t generation)
	{
		policy_ = std::move(policy);
		generation_ = generation;
	}
	void forget() { opened.clear(), accepted.clear(), parts_.clear(); }
	/// WEIR_REASON_NONE: admitted. Whatever else is asked: what a row would admit that needs the journal lacks that.
	weir_reason judge(const Packet &p)
	{
		unwritten_ = false;
		window_.reset();
		const auto reason = judge_by_rows(p);
		return reason != WEIR_REASON_NONE && unwritten_ ? WEIR_REASON_JOURNAL : reason;
	}
	/// Of the packet that was judged last, and admitted: the row, when it has a deadline.
	[[nodiscard]] std::optional<std::uint32_t> window() const { return window_; }
	bool journal = true; ///< it is written

	Table opened, accepted;

private:
	struct Parts {
		std::uint32_t generation = 0;
		unsigned end = 0;
		std::optional<std::pair<Flow, Direction>> asked{}; ///< of what a row that ends admitted
	};
	using PartsKey = std::tuple<Direction, Address, Address, std::uint8_t, std::uint32_t>;

	weir_reason ask(const Flow &flow, Direction rows, bool kernel)
	{
		Question q;
		q.dir = rows;
		q.protocol = flow.protocol;
		q.remote = flow.remote;
		q.port = rows == Direction::out ? flow.remote_port : flow.local_port;
		q.from_kernel = kernel;
		q.now = now;
		q.journal = journal;
		const auto answer = evaluate(policy_, q);
		unwritten_ = unwritten_ || answer.reason == WEIR_REASON_JOURNAL;
		asked_.reset();
		window_.reset();
		if (answer.row != WEIR_NO_ROW && policy_.rows[answer.row].deadline != 0)
			window_ = answer.row;
		if (answer.row != WEIR_NO_ROW &&
		    (policy_.rows[answer.row].deadline != 0 || policy_.rows[answer.row].row.needs_journal))
			asked_ = {flow, rows};
		return answer.allowed ? WEIR_REASON_NONE : answer.reason;
	}
	[[nodiscard]] std::uint32_t lasting() const { return asked_ ? 0 : generation_; }
	static unsigned life(const Flow &flow, const Entry &entry)
	{
		switch (flow.protocol) {
		case IPPROTO_ICMP:
		case IPPROTO_ICMPV6:
			return 30;
		case IPPROTO_TCP:
			if (entry.reset)
				return 10;
			if (entry.fin_out && entry.fin_in)
				return 60;
			return entry.answered ? 86400 : 60;
		default:
			return entry.answered ? 300 : 60;
		}
	}
	Entry *alive(Table &table, const Flow &flow)
	{
		const auto found = table.find(flow);
		return found != table.end() && found->second.age <= life(flow, found->second) ? &found->second
											      : nullptr;
	}
	/// `reason`: why not, when rows were asked.
	bool belongs(Table &, Direction opener, const Packet &, bool kernel, weir_reason &reason);
	weir_reason judge_by_rows(const Packet &);
	weir_reason out(const Packet &, bool kernel);
	weir_reason in(const Packet &, bool kernel);

	BoundPolicy policy_;
	bool unwritten_ = false;
	std::uint32_t generation_ = 0;
	std::optional<std::pair<Flow, Direction>>
		asked_; ///< the last question, when a row that ends or needs the journal said yes
	std::optional<std::uint32_t> window_; ///< the row that said yes to the last question, when it has a deadline
	std::map<PartsKey, Parts> parts_;
};

inline bool EdgeModel::belongs(Table &table, Direction opener, const Packet &p, bool kernel, weir_reason &reason)
{
	Entry *entry = alive(table, p.flow);
	if (entry == nullptr)
		return false;
	if (entry->generation != generation_) {
		if (const auto stops = ask(p.flow, opener, kernel); stops != WEIR_REASON_NONE) {
			reason = stops;
			return false;
		}
		entry->generation = lasting();
	}
	if (p.dir == opener)
		entry->age = 0;
	else
		entry->answered = true;
	if ((p.flags & 1) != 0)
		(p.dir == Direction::out ? entry->fin_out : entry->fin_in) = true;
	if ((p.flags & 4) != 0)
		entry->reset = true;
	return true;
}

/// What leaves: of a flow that this host opened, or opens one, or answers.
inline weir_reason EdgeModel::out(const Packet &p, bool kernel)
{
	const bool tcp = p.flow.protocol == IPPROTO_TCP, syn = tcp && (p.flags & 0x12) == 2;
	weir_reason reason = WEIR_REASON_NO_FLOW;
	if (!syn && belongs(opened, Direction::out, p, kernel, reason))
		return WEIR_REASON_NONE;
	if (p.echo != Echo::reply) {
		reason = ask(p.flow, Direction::out, kernel);
		if (reason == WEIR_REASON_NONE) {
			opened[p.flow] = {.generation = lasting(), .answered = tcp && !syn};
			return reason;
		}
	}
	if (syn)
		return reason;
	if (belongs(accepted, Direction::in, p, kernel, reason))
		return WEIR_REASON_NONE;
	if (p.echo == Echo::reply)
		return WEIR_REASON_NO_FLOW;
	if (tcp) { // a first answer or a reset needs no entry, but carries nothing; no socket has a connection here
		reason = ask(p.flow, Direction::in, kernel);
		const bool first = (p.flags & 0x12) == 0x12 || (p.flags & 4) != 0;
		if (reason == WEIR_REASON_NONE && (!first || p.data))
			reason = WEIR_REASON_NO_FLOW;
	}
	return reason;
}

/// What comes in: an answer to a flow that this host opened, or admitted by a row.
inline weir_reason EdgeModel::in(const Packet &p, bool kernel)
{
	const bool tcp = p.flow.protocol == IPPROTO_TCP, syn = tcp && (p.flags & 0x12) == 2;
	weir_reason reason = WEIR_REASON_NO_FLOW;
	if (!syn && belongs(opened, Direction::out, p, kernel, reason))
		return WEIR_REASON_NONE;
	if (p.echo == Echo::reply)
		return WEIR_REASON_NO_FLOW;
	if (!syn && belongs(accepted, Direction::in, p, kernel, reason))
		return WEIR_REASON_NONE;
	reason = ask(p.flow, Direction::in, kernel);
	if (reason == WEIR_REASON_NONE && !syn)
		accepted[p.flow] = {.generation = lasting()};
	// From where this host may open, it looks like an answer.
	if (reason != WEIR_REASON_NONE && tcp && !syn && ask(p.flow, Direction::out, kernel) == WEIR_REASON_NONE)
		return WEIR_REASON_NO_FLOW;
	return reason;
}

inline weir_reason EdgeModel::judge_by_rows(const Packet &p)
{
	// Identifications are of a protocol in IPv4 only.
	const PartsKey parts{p.dir, p.flow.local, p.flow.remote,
			     p.flow.remote.is_v4() ? p.flow.protocol : std::uint8_t{0}, p.id};
	asked_.reset();
	if (p.kind == Kind::later_part) {
		const auto first = parts_.find(parts);
		if (first == parts_.end() || first->second.generation != generation_ || p.part_at < first->second.end)
			return WEIR_REASON_FRAGMENT;
		const auto asked = first->second.asked;
		return asked ? ask(asked->first, asked->second, false) : WEIR_REASON_NONE;
	}
	if (p.kind == Kind::error) {
		const bool ours = alive(opened, p.flow) != nullptr;
		const auto *entry = ours ? alive(opened, p.flow) : alive(accepted, p.flow);
		if (entry == nullptr)
			return WEIR_REASON_NO_FLOW;
		return entry->generation == generation_ ? WEIR_REASON_NONE
							: ask(p.flow, ours ? Direction::out : Direction::in, false);
	}
	// No process's packet goes out as the kernel's here; of what comes in, ICMPv6 with the hop limit of the
	// link is of the link.
	const bool kernel = p.own_limit && p.dir == Direction::in && p.flow.protocol == IPPROTO_ICMPV6;
	weir_reason reason = WEIR_REASON_NONE;
	if (p.message)
		reason = ask(p.flow, p.dir, kernel);
	else
		reason = p.dir == Direction::out ? out(p, kernel) : in(p, kernel);
	if (p.kind == Kind::first_part && reason == WEIR_REASON_NONE)
		parts_[parts] = {generation_, p.end, asked_};
	return reason;
}

} // namespace weir::test
