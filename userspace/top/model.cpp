// SPDX-License-Identifier: Apache-2.0
#include "top/model.h"

#include "audit/event.h"
#include "audit/events_view.h"
#include "policy/windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::top {
namespace {

constexpr double second = 1e9;

/// What became of a counter in an interval. One that is smaller than it was has begun anew.
Rate rate_of(std::uint64_t now, std::uint64_t before, double seconds)
{
	const auto more = now >= before ? now - before : now;
	return {now, seconds > 0 ? static_cast<double>(more) / seconds : 0};
}

/// Messages for people may have a second line, with what to do.
std::string one_line(std::string text)
{
	std::ranges::replace(text, '\n', ' ');
	return audit::printable(text);
}

std::string place_of(const BoundPolicy &policy, std::size_t scope)
{
	if (scope >= policy.scopes.size())
		return "";
	const auto &each = policy.scopes[scope];
	return each.is_edge() ? "edge" : fmt::format("{}", fmt::join(each.components, ", "));
}

/// sock_create judges nothing, but belongs to what the socket gate knows.
std::uint8_t gate_of(const kernel::HookState &hook)
{
	return hook.gate == WEIR_GATE_NONE ? std::uint8_t{WEIR_GATE_SOCKET} : hook.gate;
}

bool is_held(const kernel::InterfaceState &each)
{
	return each.problem.empty() && each.flags != 0;
}

/// How many of what the gate has are attached, as published.
void count_attached(GateLine &line, const kernel::State &state, std::uint8_t scope, std::uint8_t gate)
{
	if (gate == WEIR_GATE_EDGE) {
		line.wanted = static_cast<unsigned>(state.interfaces.size());
		line.attached = static_cast<unsigned>(std::ranges::count_if(state.interfaces, is_held));
		return;
	}
	for (const auto &hook : state.hooks) {
		if (hook.scope != scope || gate_of(hook) != gate)
			continue;
		line.wanted++;
		line.attached += hook.attached && hook.problem.empty() ? 1 : 0;
	}
	line.awaited = std::ranges::any_of(state.components,
					   [&](const auto &each) { return each.scope == scope && each.awaited; });
}

Mode mode_of(const kernel::State &state)
{
	if (!state.problems.empty())
		return Mode::degraded;
	return state.observe ? Mode::observing : Mode::enforcing;
}

} // namespace

void Model::add(const Refusal &refusal, bool is_past)
{
	if (since_ == 0 || refusal.time < since_)
		since_ = refusal.time;
	peers_.add({.name = refusal.peer,
		    .place = refusal.incoming ? "in" : "out",
		    .user = {},
		    .latest = refusal.service,
		    .reason = refusal.reason,
		    .seen = refusal.time,
		    .refused = {}},
		   refusal.count, is_past);
	const auto gap = refusal.peer.empty() || refusal.service.empty() ? "" : " ";
	processes_.add({.name = refusal.process,
			.place = refusal.cgroup,
			.user = refusal.user,
			.pid = refusal.pid,
			.latest = refusal.peer + gap + refusal.service,
			.reason = refusal.reason,
			.seen = refusal.time,
			.refused = {}},
		       refusal.count, is_past);
}

void Model::end_interval(Sample sample)
{
	const bool first = ended_ == 0;
	const double seconds = first ? 0 : static_cast<double>(sample.monotonic_ns - ended_) / second;
	ended_ = sample.monotonic_ns;
	peers_.end_interval(seconds);
	processes_.end_interval(seconds);

	view_ = View{};
	view_.instance = instance_;
	view_.unix_ns = sample.unix_ns;
	view_.boot_ns = sample.boot_ns;
	view_.seconds = seconds;
	view_.peers = peers_.talkers();
	view_.processes = processes_.talkers();
	view_.record = std::move(sample.record);
	view_.record.since = since_;
	if (!sample.state) {
		const auto &error = sample.state.error();
		view_.mode = error.code == Exit::absent     ? Mode::not_loaded
			     : error.code == Exit::degraded ? Mode::degraded
							    : Mode::unknown;
		if (view_.mode == Mode::not_loaded) {
			before_ = {};
			was_absent_ = true;
		} else {
			view_.problems.push_back(one_line(error.message));
		}
		return;
	}
	const auto &state = *sample.state;
	view_.mode = mode_of(state);
	view_.problems.reserve(state.problems.size());
	for (const auto &problem : state.problems)
		view_.problems.push_back(one_line(problem));
	view_.scenario = state.policy.scenario;
	view_.generation = state.generation;
	view_.digest = state.digest;
	// What was loaded while this watched began at 0 in this interval. What it found loaded has a past, which is no
	// rate. Where the kernel could not be asked for a while, the counters tell of all of that time.
	const bool same = before_.identity == sample.identity;
	if (same)
		span_ = static_cast<double>(sample.monotonic_ns - before_.monotonic_ns) / second;
	else
		span_ = before_.identity != 0 || was_absent_ ? seconds : 0;
	was_absent_ = false;
	view_.refused = sum_of(state.counters, same, &weir_counter::refused, 0, state.counters.size());
	view_.observed = sum_of(state.counters, same, &weir_counter::observed, 0, state.counters.size());
	view_.lost = sum_of(state.counters, same, &weir_counter::lost, 0, state.counters.size());
	show_gates(state, same);
	show_rows(state, same && before_.generation == state.generation);
	show_windows(state);
	before_ = {sample.identity, state.generation, sample.monotonic_ns, state.counters, state.tallies};
}

void Model::show_rows(const kernel::State &state, bool same)
{
	view_.rows.reserve(state.policy.rows.size());
	for (std::size_t number = 0; number < state.policy.rows.size(); number++) {
		const auto &bound = state.policy.rows[number];
		const auto now = number < state.tallies.size() ? state.tallies[number] : 0;
		const auto was = same && number < before_.tallies.size() ? before_.tallies[number] : 0;
		view_.rows.push_back({.id = bound.row.id,
				      .direction = bound.row.dir == Direction::out ? "out" : "in",
				      .peer = bound.row.peer(),
				      .service = bound.row.port.text(),
				      .place = place_of(state.policy, bound.scope),
				      .window = bound.window,
				      .decided = rate_of(now, was, span_)});
	}
}

Rate Model::sum_of(const kernel::Counters &now, bool same, Figure figure, std::size_t first, std::size_t count) const
{
	Rate sum;
	for (auto index = first; index < std::min(first + count, now.size()); index++) {
		if (!kernel::is_of_refusals(index))
			continue;
		const auto was = same && index < before_.counters.size() ? before_.counters[index].*figure : 0;
		const auto rate = rate_of(now[index].*figure, was, span_);
		sum.total += rate.total;
		sum.per_second += rate.per_second;
	}
	return sum;
}

void Model::show_gates(const kernel::State &state, bool same)
{
	constexpr std::size_t of_a_gate = std::size_t{WEIR_DIRECTIONS} * WEIR_REASONS;
	const auto scopes = static_cast<std::uint8_t>(std::min<std::size_t>(state.policy.scopes.size(), WEIR_SCOPES));
	for (std::uint8_t scope = 0; scope < scopes; scope++)
		for (std::uint8_t gate = WEIR_GATE_SOCKET; gate < WEIR_GATES; gate++) {
			if ((gate == WEIR_GATE_EDGE) != state.policy.scopes[scope].is_edge())
				continue;
			GateLine line{.gate = audit::gate_name(gate), .place = place_of(state.policy, scope)};
			count_attached(line, state, scope, gate);
			const auto first = weir_counter_index(scope, gate, 0, 0);
			line.refused = sum_of(state.counters, same, &weir_counter::refused, first, of_a_gate);
			line.observed = sum_of(state.counters, same, &weir_counter::observed, first, of_a_gate);
			line.lost = sum_of(state.counters, same, &weir_counter::lost, first, of_a_gate);
			view_.gates.push_back(std::move(line));
		}
}

void Model::show_windows(const kernel::State &state)
{
	const auto open = policy::open_now(state.policy, view_.boot_ns);
	view_.windows.reserve(open.size());
	for (const auto &each : open) {
		const auto until = view_.unix_ns + static_cast<std::int64_t>(each.deadline - view_.boot_ns);
		view_.windows.push_back({.name = audit::printable(each.window),
					 .deadline = each.deadline,
					 .until = audit::local_time(until),
					 .by = audit::printable(each.by),
					 .reason = audit::printable(each.reason)});
	}
}

} // namespace weir::top
