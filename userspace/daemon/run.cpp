// SPDX-License-Identifier: Apache-2.0
#include "daemon/run.h"

#include "audit/enrich.h"
#include "audit/event.h"
#include "daemon/components.h"
#include "daemon/hosts.h"
#include "daemon/interfaces.h"
#include "daemon/merged.h"
#include "daemon/row_names.h"
#include "daemon/sink.h"
#include "daemon/windows.h"
#include "metrics/metrics.h"
#include "sinks/fan.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

namespace weir::daemon {
namespace {

constexpr std::int64_t tick_pause = second;        ///< between two looks at the counters
constexpr std::int64_t retry_pause = 200 * ms;     ///< of an output that takes nothing
constexpr std::int64_t closing_time = 2 * second;  ///< for the rest of the ring and a slow output
constexpr std::int64_t metrics_pause = 10 * second; ///< between two files for Prometheus
constexpr unsigned housekeeping_every = 256;       ///< events

/// The directory of the pins: another one by the same name is another instance. 0: there is none.
ino_t identity(const kernel::Where &where)
{
	struct stat status{};
	return ::stat(where.directory().c_str(), &status) == 0 ? status.st_ino : 0;
}

class Daemon {
public:
	Daemon(const RunOptions &options, Sink sink, kernel::Ring ring, Fd signals)
		: where_(options.where), metrics_(options.metrics), sink_(std::move(sink)), ring_(std::move(ring)),
		  signals_(std::move(signals)), rows_(options.where), merged_(options.where),
		  interfaces_(options.where), components_(options.where),
		  hosts_(options.where, {.keep = options.keep_ns}), windows_(options.where),
		  identity_(identity(options.where))
	{
		for (const auto &address : options.sinks)
			fan_.add(address);
	}

	Result<Exit> stream();

private:
	void on_event(const weir_event &);
	void housekeeping();
	void read_signals();
	void tick();
	void write_out();
	void make_room();
	void wait(std::int64_t longest_ns, bool for_events);
	void drain();
	bool take_over();
	void put_merged();
	void put_news(const std::vector<audit::SinkRecord> &);
	void write_metrics();
	Result<Exit> close();

	kernel::Where where_;
	std::string metrics_;
	Sink sink_;
	std::optional<kernel::Ring> ring_;
	Fd signals_;
	RowNames rows_;
	Merged merged_;
	Interfaces interfaces_;
	Components components_;
	Hosts hosts_;
	Windows windows_;
	sinks::Fan fan_;
	audit::Enricher enricher_;
	ino_t identity_;

	bool stop_ = false;       ///< a signal said so, or there is no use in going on
	bool closing_ = false; ///< the last table of like refusals was taken: what comes now waits for the next run
	bool replaced_ = false; ///< the pins that the ring was opened by are gone
	std::optional<std::int64_t> deadline_; ///< of closing, monotonic
	std::optional<Error> broken_; ///< the output will never take another line
	std::optional<Error> ring_error_;
	unsigned since_housekeeping_ = 0;
	std::int64_t next_tick_ = 0;
	std::int64_t next_metrics_ = 0;
	Complaint complaint_;
	Complaint metrics_complaint_;
	std::int64_t to_wall_ = 0;
	audit::Totals totals_;
	std::uint64_t lost_written_ = 0; ///< of totals_.lost, what the records say
	std::uint64_t discarded_ = 0;
	std::uint64_t discarded_written_ = 0;
};

void Daemon::on_event(const weir_event &event)
{
	if (++since_housekeeping_ >= housekeeping_every)
		housekeeping();
	if (sink_.is_full())
		make_room();
	// Poll goes on as long as there is an event, which under a flood is for ever: past the deadline each is
	// only counted, faster than the kernel makes them, and so the ring becomes empty.
	if (broken_ || sink_.is_full() || (deadline_ && clock_ns(CLOCK_MONOTONIC) > *deadline_)) {
		discarded_++;
		return;
	}
	audit::append_json(sink_.buffer(), event, enricher_.enrich(event), where_.instance,
			   rows_.of(event.generation, event.row), to_wall_);
	sink_.commit(1);
	if (sink_.buffer().size() >= Sink::batch)
		write_out();
}

/// A flood does not let poll() return, so what else there is to do is done among its events, too.
void Daemon::housekeeping()
{
	since_housekeeping_ = 0;
	read_signals();
	if (!stop_) // first: a component that starts is unheld until then
		components_.look(sink_);
	if (!stop_ && interfaces_.look(sink_))
		enricher_.edge_is_here(true);
	if (!stop_) {
		hosts_.look(sink_);
		windows_.look(sink_);
	}
	if (clock_ns(CLOCK_MONOTONIC) >= next_tick_)
		tick();
	if (!broken_)
		merged_.put(sink_, enricher_, to_wall_);
}

void Daemon::read_signals()
{
	signalfd_siginfo info;
	while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			if (auto done = sink_.reopen(); !done)
				say(done.error().message + "; the old file stays in use");
			continue;
		}
		stop_ = true;
		if (!deadline_)
			deadline_ = clock_ns(CLOCK_MONOTONIC) + closing_time;
	}
}

/// Once a second: the offset of the clocks (the wall clock may be set), the counters, and whether the instance is
/// still the one that the ring belongs to.
void Daemon::tick()
{
	next_tick_ = clock_ns(CLOCK_MONOTONIC) + tick_pause;
	to_wall_ = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
	if (identity(where_) != identity_) {
		replaced_ = true;
		return; // the counters by that name are another instance's
	}
	if (!stop_)
		components_.tick(sink_);
	if (!stop_ && interfaces_.tick(sink_))
		enricher_.edge_is_here(true);
	if (!stop_)
		hosts_.tick(sink_);
	if (!broken_)
		windows_.tick(sink_);
	if (!broken_ && !closing_) {
		merged_.take();
		merged_.put(sink_, enricher_, to_wall_);
	}
	const auto counters = kernel::read_counters(where_);
	if (!counters && counters.error().code == Exit::absent) {
		replaced_ = true;
	} else if (counters) {
		audit::Totals totals;
		for (const auto &counter : *counters) {
			totals.refused += counter.refused;
			totals.observed += counter.observed;
			totals.reported += counter.reported;
			totals.merged += counter.merged;
			totals.summed += counter.summed;
			totals.lost += counter.lost;
		}
		totals_ = totals;
		if (!broken_)
			merged_.put_sums(*counters, sink_);
	}
	// Not at the output's own expense: a full buffer holds what was refused; the next tick says the sum.
	if ((totals_.lost > lost_written_ || discarded_ > discarded_written_) && !sink_.is_full() && !broken_) {
		audit::append_lost_json(sink_.buffer(), totals_, totals_.lost - lost_written_, discarded_,
					where_.instance, clock_ns(CLOCK_REALTIME));
		lost_written_ = totals_.lost;
		discarded_written_ = discarded_;
	}
	if (next_tick_ >= next_metrics_) {
		next_metrics_ = next_tick_ + metrics_pause;
		write_metrics();
	}
	if (!closing_)
		put_news(fan_.news(std::chrono::steady_clock::now()));
}

void Daemon::write_metrics()
{
	if (metrics_.empty())
		return;
	metrics::Facts facts{.instance = where_.instance,
			     .version = WEIR_VERSION,
			     .run = metrics::RunFigures{.written = sink_.events(),
							.waiting = sink_.unwritten_lines(),
							.discarded = discarded_,
							.sinks = fan_.figures()},
			     .unix_ns = clock_ns(CLOCK_REALTIME),
			     .boot_ns = static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME))};
	if (auto state = kernel::inspect(where_))
		facts.state = std::move(*state);
	const auto done = metrics::replace(metrics_, metrics::text_of(facts));
	if (done)
		metrics_complaint_.settle();
	else if (metrics_complaint_.is_due())
		say(done.error().message);
}

/// What the sinks have to say of themselves. The main output's room is for what was refused.
void Daemon::put_news(const std::vector<audit::SinkRecord> &news)
{
	for (const auto &record : news) {
		say(record.text);
		if (!broken_ && !sink_.is_full())
			audit::append_sink_json(sink_.buffer(), record, where_.instance, clock_ns(CLOCK_REALTIME));
	}
}

void Daemon::write_out()
{
	fan_.offer(sink_.take_new());
	if (broken_)
		return;
	const auto done = sink_.write_out();
	if (!done) {
		broken_ = done.error();
		stop_ = true;
		deadline_ = clock_ns(CLOCK_MONOTONIC);
		return;
	}
	if (!*done && !sink_.problem().empty() && complaint_.is_due()) {
		say(fmt::format("cannot write to {}: {}. Trying on; {} lines wait, then the ring buffer fills and the "
				"kernel counts what is lost.",
				sink_.name(), sink_.problem(), sink_.unwritten_lines()));
	}
	if (*done && complaint_.settle())
		say(fmt::format("{} takes lines again", sink_.name()));
	if (*done)
		windows_.written();
}

/// The output takes nothing and memory is bounded, so the ring is left alone, until there is room: what does not
/// fit into it is refused all the same, and counted by the kernel.
void Daemon::make_room()
{
	for (write_out(); sink_.is_full() && !broken_; write_out()) {
		if (deadline_ && clock_ns(CLOCK_MONOTONIC) > *deadline_)
			return;
		wait(retry_pause, false);
		read_signals();
	}
}

void Daemon::wait(std::int64_t longest_ns, bool for_events)
{
	pollfd watched[] = {{signals_.get(), POLLIN, 0},
			    {-1, POLLOUT, 0},
			    {-1, POLLIN, 0},
			    {-1, POLLIN, 0},
			    {-1, POLLIN, 0},
			    {-1, POLLIN, 0},
			    {-1, POLLIN, 0}};
	// An output with a problem is "writable" to poll(): only a slow one is waited for.
	if (!sink_.is_empty() && sink_.problem().empty())
		watched[1].fd = sink_.fd();
	if (for_events) {
		watched[2].fd = ring_->epoll_fd();
		watched[3].fd = interfaces_.fd();
		watched[4].fd = components_.fd();
		watched[5].fd = hosts_.fd();
		watched[6].fd = windows_.fd();
	}
	// Up, not down: the last part of a millisecond would be a busy loop.
	::poll(watched, std::size(watched), static_cast<int>(std::max<std::int64_t>((longest_ns + ms - 1) / ms, 0)));
}

void Daemon::drain()
{
	for (;;) {
		const auto taken = ring_->poll(0, [this](const weir_event &event) { on_event(event); });
		if (!taken)
			ring_error_ = taken.error();
		if (!taken || *taken == 0 || (deadline_ && clock_ns(CLOCK_MONOTONIC) > *deadline_))
			return;
	}
}

/// The instance went. If another came by the same name, goes on with that one.
bool Daemon::take_over()
{
	drain();
	write_out();
	ring_.reset();
	auto ring = kernel::Ring::open(where_);
	if (!ring) {
		if (ring.error().code == Exit::absent)
			say(fmt::format("instance {} was removed: nothing more to stream", where_.instance));
		else
			ring_error_ = std::move(ring).error();
		return false;
	}
	say(fmt::format("instance {} was loaded anew: going on with it", where_.instance));
	ring_.emplace(std::move(*ring));
	identity_ = identity(where_);
	replaced_ = false;
	rows_.forget();
	merged_.forget_sums();
	interfaces_.look_again();
	hosts_.look_again();
	windows_.look_again();
	enricher_.edge_is_here(false);
	totals_ = {};
	lost_written_ = 0;
	return true;
}

Result<Exit> Daemon::stream()
{
	tick();
	while (!stop_) {
		const auto taken = ring_->poll(0, [this](const weir_event &event) { on_event(event); });
		if (!taken) { // what was read before is written all the same
			ring_error_ = taken.error();
			break;
		}
		housekeeping();
		write_out();
		if (replaced_ && !stop_ && !take_over())
			break;
		const bool may_put = !merged_.is_empty() && sink_.is_empty();
		if (*taken == 0 && !stop_ && !may_put) {
			const auto pause = next_tick_ - clock_ns(CLOCK_MONOTONIC);
			wait(sink_.is_empty() ? pause : std::min(pause, retry_pause), true);
		}
	}
	return close();
}

/// The last time: what the kernel has counted, and then all of it is written, or is known not to be.
void Daemon::put_merged()
{
	const auto is_late = [this] { return broken_ || clock_ns(CLOCK_MONOTONIC) > *deadline_; };
	for (int tables = 0; tables < 2 && ring_ && !is_late(); tables++) {
		if (identity(where_) == identity_)
			merged_.take(); // nothing while an earlier table waits: that one first
		for (merged_.put(sink_, enricher_, to_wall_); !merged_.is_empty() && !is_late();
		     merged_.put(sink_, enricher_, to_wall_)) {
			write_out();
			if (sink_.is_full())
				wait(retry_pause, false);
		}
	}
	discarded_ += merged_.discard();
	closing_ = true;
}

Result<Exit> Daemon::close()
{
	if (!deadline_)
		deadline_ = clock_ns(CLOCK_MONOTONIC) + closing_time;
	if (ring_ && !broken_ && !ring_error_)
		drain();
	put_merged();
	if (ring_)
		tick();
	for (write_out(); !sink_.is_empty() && !broken_ && clock_ns(CLOCK_MONOTONIC) < *deadline_; write_out())
		wait(retry_pause, false);
	put_news(fan_.close(std::chrono::steady_clock::now() + std::chrono::nanoseconds(closing_time)));
	write_out(); // what the sinks did not get is in the main output, or said
	write_metrics();

	const auto waiting = broken_ ? sink_.unwritten_lines() : sink_.is_empty() ? 0 : sink_.unwritten_lines();
	const auto alike = merged_.counted() == 0 ? "" : fmt::format(", {} counted in some of them", merged_.counted());
	say(fmt::format(
		"{} events written to {}{}, {} lost by the kernel since the instance was loaded, {} not written",
		sink_.events() - std::min(sink_.events(), waiting), sink_.name(), alike, totals_.lost,
		waiting + discarded_));
	if (broken_ || ring_error_)
		return std::unexpected(broken_ ? *broken_ : *ring_error_);
	if (auto synced = sink_.sync(); !synced)
		return std::unexpected(std::move(synced).error());
	if (waiting + discarded_ != 0)
		return fail(fmt::format("{} events could not be written to {}{}{}", waiting + discarded_, sink_.name(),
					sink_.problem().empty() ? "" : ": ", sink_.problem()));
	return Exit::ok;
}

} // namespace

Result<Exit> run(const RunOptions &options)
{
	auto ring = kernel::Ring::open(options.where);
	if (!ring)
		return std::unexpected(std::move(ring).error());
	auto sink = Sink::open(options.output);
	if (!sink)
		return std::unexpected(std::move(sink).error());

	sigset_t taken;
	sigemptyset(&taken);
	for (const int signal : {SIGTERM, SIGINT, SIGHUP})
		sigaddset(&taken, signal);
	::sigprocmask(SIG_BLOCK, &taken, nullptr);
	std::signal(SIGPIPE, SIG_IGN); // write() says EPIPE
	std::signal(SIGXFSZ, SIG_IGN); // write() says EFBIG
	Fd signals(::signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC));
	if (!signals)
		return fail(fmt::format("cannot take signals: {}", std::strerror(errno)));

	say(fmt::format("streaming the events of instance {} to {}", options.where.instance, sink->name()));
	return Daemon(options, std::move(*sink), std::move(*ring), std::move(signals)).stream();
}

} // namespace weir::daemon
