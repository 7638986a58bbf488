// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.h"

#include "kernel/counter_place.h"
#include "audit/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::metrics {
namespace {

/// A label's value: backslash, quote and newline are escaped.
std::string escaped(std::string_view text)
{
	std::string out;
	for (const char c : text) {
		if (c == '\\' || c == '"')
			out += '\\';
		if (c == '\n')
			out += "\\n";
		else
			out += c;
	}
	return out;
}

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Text {
public:
	explicit Text(std::string_view instance) : instance_(escaped(instance)) {}
	/// Begins a family: what add() adds is of this one.
	void family(std::string_view name, std::string_view type, std::string_view help)
	{
		name_ = name;
		text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
	}
	template <typename Value>
	void add(Labels labels, Value value)
	{
		text_ += fmt::format("{}{{instance=\"{}\"", name_, instance_);
		for (const auto &[key, each] : labels)
			text_ += fmt::format(",{}=\"{}\"", key, escaped(each));
		text_ += fmt::format("}} {}\n", value);
	}
	template <typename Value>
	void one(std::string_view name, std::string_view type, std::string_view help, Value value)
	{
		family(name, type, help);
		add({}, value);
	}
	[[nodiscard]] std::string take() { return std::move(text_); }

private:
	std::string instance_;
	std::string name_;
	std::string text_;
};

std::string scope_of(const BoundPolicy &policy, std::size_t scope)
{
	if (scope >= policy.scopes.size())
		return fmt::format("{}", scope);
	const auto &each = policy.scopes[scope];
	return each.is_edge() ? "edge" : fmt::format("{}", fmt::join(each.components, ","));
}

struct Counter {
	std::string_view name, help;
	std::uint64_t (*of)(const weir_counter &);
};
constexpr Counter counters[] = {
	{"weir_refused_total", "Attempts that were refused.",
	 [](const weir_counter &c) -> std::uint64_t { return c.refused; }},
	{"weir_observed_total", "Attempts that would have been refused, but the policy only observes.",
	 [](const weir_counter &c) -> std::uint64_t { return c.observed; }},
	{"weir_reported_total", "Refusals that have an event of their own.",
	 [](const weir_counter &c) -> std::uint64_t { return c.reported; }},
	{"weir_merged_total", "Refusals counted with others that are alike.",
	 [](const weir_counter &c) -> std::uint64_t { return c.merged; }},
	{"weir_summed_total", "Refusals of which only the number is known.",
	 [](const weir_counter &c) -> std::uint64_t { return c.summed; }},
	{"weir_lost_total", "Refusals that could not be reported.",
	 [](const weir_counter &c) -> std::uint64_t { return c.lost; }},
};

/// Of what a counter is.
struct Place {
	std::string scope;
	std::string_view gate, direction;
	std::uint8_t reason;
};

Place place_of(const BoundPolicy &policy, std::size_t index)
{
	const auto place = kernel::place_of(index);
	return {.scope = scope_of(policy, place.scope),
		.gate = audit::gate_name(place.gate),
		.direction = place.direction == WEIR_OUT ? "out" : "in",
		.reason = place.reason};
}

void add_refusals(Text &out, const kernel::State &state)
{
	for (const auto &counter : counters) {
		out.family(counter.name, "counter", counter.help);
		bool any = false;
		for (std::size_t index = 0; index < state.counters.size(); index++) {
			const auto value = counter.of(state.counters[index]);
			if (value == 0 || !kernel::is_of_refusals(index))
				continue;
			any = true;
			const auto place = place_of(state.policy, index);
			out.add({{"scope", place.scope},
				 {"gate", place.gate},
				 {"direction", place.direction},
				 {"reason", audit::reason_name(place.reason)}},
				value);
		}
		if (!any) // so that an alert on its growth sees the first one
			out.add({{"scope", ""}, {"gate", ""}, {"direction", ""}, {"reason", ""}}, 0);
	}
}

void add_admitted(Text &out, const kernel::State &state)
{
	out.family("weir_window_packets_total", "counter", "Packets that rows of windows admitted.");
	bool any = false;
	for (std::size_t index = 0; index < state.counters.size(); index++) {
		const auto value = state.counters[index].observed;
		if (value == 0 || kernel::is_of_refusals(index))
			continue;
		any = true;
		const auto place = place_of(state.policy, index);
		out.add({{"scope", place.scope}, {"gate", place.gate}, {"direction", place.direction}}, value);
	}
	if (!any)
		out.add({{"scope", ""}, {"gate", ""}, {"direction", ""}}, 0);
}

void add_rows(Text &out, const kernel::State &state)
{
	out.family("weir_row_decisions_total", "counter",
		   "How often a row decided, since this generation of the policy was published.");
	for (std::size_t row = 0; row < state.policy.rows.size(); row++) {
		const auto &bound = state.policy.rows[row];
		out.add({{"row", fmt::format("{}", row)},
			 {"id", bound.row.id},
			 {"scope", scope_of(state.policy, bound.scope)},
			 {"window", bound.window}},
			row < state.tallies.size() ? state.tallies[row] : 0);
	}
}

void add_windows(Text &out, const kernel::State &state, const Facts &facts)
{
	std::vector<std::pair<std::string, double>> left;
	for (const auto &window : state.policy.windows) {
		double seconds = 0;
		for (const auto &opening : state.policy.openings)
			if (opening.window == window.name && opening.closed == 0 && opening.deadline > facts.boot_ns)
				seconds =
					std::max(seconds, static_cast<double>(opening.deadline - facts.boot_ns) / 1e9);
		left.emplace_back(window.name, seconds);
	}
	out.family("weir_window_open", "gauge", "1 while the window is open.");
	for (const auto &[name, seconds] : left)
		out.add({{"window", name}}, seconds > 0 ? 1 : 0);
	out.family("weir_window_seconds_left", "gauge", "Until the window ends; 0 when it is closed.");
	for (const auto &[name, seconds] : left)
		out.add({{"window", name}}, seconds);
}

void add_state(Text &out, const kernel::State &state, const Facts &facts)
{
	out.one("weir_enforcing", "gauge", "1 when all that the policy needs is in force, read back from the kernel.",
		state.problems.empty() && !state.observe ? 1 : 0);
	out.one("weir_observing", "gauge", "1 when the policy refuses nothing and reports what would be.",
		state.observe ? 1 : 0);
	out.one("weir_problems", "gauge", "How many things are not as the policy needs them.", state.problems.size());
	out.one("weir_generation", "gauge", "Number of the policy in force.", state.generation);
	out.family("weir_policy_info", "gauge", "Which policy is in force; always 1.");
	out.add({{"scenario", state.policy.scenario}, {"digest", state.digest}}, 1);
	out.family("weir_hook_attached", "gauge", "1 when the hook has its program and the policy's image.");
	for (const auto &hook : state.hooks)
		out.add({{"scope", scope_of(state.policy, hook.scope)},
			 {"gate", hook.gate == 0 ? "" : audit::gate_name(hook.gate)},
			 {"hook", hook.name}},
			hook.attached && hook.problem.empty() ? 1 : 0);
	if (std::ranges::any_of(state.policy.rows, [](const BoundRow &row) { return row.row.needs_journal; }))
		out.one("weir_journal_rows_open", "gauge", "1 while rows that need the journal are open.",
			state.lease.until > facts.boot_ns ? 1 : 0);
	if (state.policy.edge.present) {
		out.family("weir_interface_held", "gauge", "1 when the edge gate holds the interface.");
		for (const auto &interface : state.interfaces)
			out.add({{"interface", interface.name}},
				interface.flags != 0 && interface.problem.empty() ? 1 : 0);
	}
	add_refusals(out, state);
	add_admitted(out, state);
	add_rows(out, state);
	add_windows(out, state, facts);
}

void add_run(Text &out, const RunFigures &run)
{
	out.one("weir_run_records_total", "counter", "Records of refusals that went into the output.", run.written);
	out.one("weir_run_waiting_lines", "gauge", "Lines that the output has not taken yet.", run.waiting);
	out.one("weir_run_discarded_total", "counter", "Refusals that were read and not written.", run.discarded);
	const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
		out.family(name, type, help);
		for (const auto &[sink, figures] : run.sinks)
			out.add({{"sink", sink}}, value(figures));
	};
	if (run.sinks.empty())
		return;
	each("weir_sink_up", "gauge", "1 while the sink takes records.",
	     [](const sinks::Figures &f) { return f.problem.empty() ? 1 : 0; });
	each("weir_sink_sent_total", "counter", "Records that were handed over.",
	     [](const sinks::Figures &f) { return f.sent; });
	each("weir_sink_dropped_total", "counter", "Records that the sink did not get.",
	     [](const sinks::Figures &f) { return f.dropped; });
	each("weir_sink_waiting", "gauge", "Records in the sink's queue.",
	     [](const sinks::Figures &f) { return f.waiting; });
	each("weir_sink_failures_total", "counter", "How often the sink broke, or could not be opened.",
	     [](const sinks::Figures &f) { return f.failures; });
}

} // namespace

std::string text_of(const Facts &facts)
{
	Text out(facts.instance);
	out.family("weir_build_info", "gauge", "Which weir wrote this; always 1.");
	out.add({{"version", facts.version}}, 1);
	out.one("weir_written_timestamp_seconds", "gauge", "When this was written.", facts.unix_ns / 1'000'000'000);
	out.one("weir_loaded", "gauge", "1 when the instance is loaded.", facts.state ? 1 : 0);
	if (facts.state)
		add_state(out, *facts.state, facts);
	if (facts.run)
		add_run(out, *facts.run);
	return out.take();
}

std::string text_of(const std::string &instance, const RunFigures &run)
{
	Text out(instance);
	add_run(out, run);
	return out.take();
}

Result<> replace(const std::string &path, std::string_view text)
{
	// Not *.prom: the collector doesn't take it for a file of its own.
	const auto other = fmt::format("{}.{}.new", path, ::getpid());
	const Fd file(::open(other.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
	// Mode: of others, too, whatever the umask is. The collector is a user of its own.
	const bool written = file && ::fchmod(file.get(), 0644) == 0 &&
			     ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
	if (!written || ::rename(other.c_str(), path.c_str()) != 0) {
		auto error = fail(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
		::unlink(other.c_str());
		return error;
	}
	return {};
}

} // namespace weir::metrics
