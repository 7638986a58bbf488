// SPDX-License-Identifier: Apache-2.0
#include "daemon/run.h"

#include "audit/enrich.h"
#include "audit/event.h"
#include "daemon/components.h"
#include "daemon/hosts.h"
#include "daemon/interfaces.h"
#include "daemon/keeper.h"
#include "daemon/lease.h"
#include "daemon/merged.h"
#include "daemon/records.h"
#include "daemon/row_names.h"
#include "daemon/watch.h"
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
	Daemon(const RunOptions &options, Records records, kernel::Ring ring, Fd signals)
		: where_(options.where), metrics_(options.metrics), records_(std::move(records)),
		  ring_(std::move(ring)), signals_(std::move(signals)), rows_(options.where), merged_(options.where),
		  interfaces_(options.where), components_(options.where),
		  hosts_(options.where, {.keep = options.keep_ns}), windows_(options.where),
		  keeper_(options.where.instance), lease_(options.where), watch_(options.where, options.journal),
		  identity_(identity(options.where))
	{
		for (const auto &address : options.sinks)
			fan_.add(address);
		if (fan_.any())
			records_.keep_new();
	}

	Result<Exit> stream();

private:
	void on_event(const weir_event &, std::uint64_t number);
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
	Records records_;
	std::optional<kernel::Ring> ring_;
	Fd signals_;
	RowNames rows_;
	Merged merged_;
	Interfaces interfaces_;
	Components components_;
	Hosts hosts_;
	Windows windows_;
	Keeper keeper_;
	Lease lease_;
	Watch watch_;
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

void Daemon::on_event(const weir_event &event, std::uint64_t number)
{
	if (records_.balance().was_recorded(number))
		return;
	if (++since_housekeeping_ >= housekeeping_every)
		housekeeping();
	if (records_.is_full())
		make_room();
	// Poll goes on as long as there is an event, which under a flood is for ever: past the deadline each is
	// only counted, faster than the kernel makes them, and so the ring becomes empty.
	if (broken_ || records_.is_full() || (deadline_ && clock_ns(CLOCK_MONOTONIC) > *deadline_)) {
		discarded_++;
		records_.balance().discarded_event(event.gate);
		return;
	}
	audit::append_json(records_.line(), event, enricher_.enrich(event), where_.instance,
			   rows_.of(event.generation, event.row), to_wall_, number);
	records_.put_event(event.gate);
	if (records_.is_batch())
		write_out();
}

/// A flood does not let poll() return, so what else there is to do is done among its events, too.
void Daemon::housekeeping()
{
	since_housekeeping_ = 0;
	read_signals();
	if (!stop_) // first: a component that starts is unheld until then
		components_.look(records_);
	if (!stop_ && interfaces_.look(records_))
		enricher_.edge_is_here(true);
	if (!stop_) {
		hosts_.look(records_);
		windows_.look(records_);
	}
	if (clock_ns(CLOCK_MONOTONIC) >= next_tick_)
		tick();
	if (!broken_)
		merged_.put(records_, enricher_, to_wall_);
	keeper_.look(records_, *ring_, merged_);
}

void Daemon::read_signals()
{
	signalfd_siginfo info;
	while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			if (auto done = records_.reopen(); !done)
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
		components_.tick(records_);
	if (!stop_ && interfaces_.tick(records_))
		enricher_.edge_is_here(true);
	if (!stop_)
		hosts_.tick(records_);
	if (!broken_)
		windows_.tick(records_);
	if (!broken_ && !closing_) {
		merged_.take();
		merged_.put(records_, enricher_, to_wall_);
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
			merged_.put_sums(*counters, records_);
		watch_.tick(records_);
		keeper_.tick(records_, *ring_, merged_);
	}
	// Not at the output's own expense: a full buffer holds what was refused; the next tick says the sum.
	if ((totals_.lost > lost_written_ || discarded_ > discarded_written_) && !records_.is_full() && !broken_) {
		audit::append_lost_json(records_.line(), totals_, totals_.lost - lost_written_, discarded_,
					where_.instance, clock_ns(CLOCK_REALTIME));
		records_.put();
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
			     .run = metrics::RunFigures{.written = records_.events(),
							.waiting = records_.unwritten(),
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
		if (broken_ || records_.is_jammed())
			continue;
		audit::append_sink_json(records_.line(), record, where_.instance, clock_ns(CLOCK_REALTIME));
		records_.put();
	}
}

void Daemon::write_out()
{
	if (fan_.any())
		fan_.offer(records_.take_new());
	if (broken_)
		return;
	const auto done = records_.write_out();
	if (!done) {
		broken_ = done.error();
		stop_ = true;
		deadline_ = clock_ns(CLOCK_MONOTONIC);
		return;
	}
	if (!*done && !records_.problem().empty() && complaint_.is_due()) {
		say(fmt::format("cannot write to {}: {}. Trying on; {} lines wait, then the ring buffer fills and the "
				"kernel counts what is lost.",
				records_.name(), records_.problem(), records_.unwritten()));
	}
	if (*done && complaint_.settle())
		say(fmt::format("{} takes lines again", records_.name()));
	if (*done)
		windows_.written();
	if (!stop_)
		lease_.look(records_);
}

/// The output takes nothing and memory is bounded, so the ring is left alone, until there is room: what does not
/// fit into it is refused all the same, and counted by the kernel.
void Daemon::make_room()
{
	for (write_out(); records_.is_full() && !broken_; write_out()) {
		if (deadline_ && clock_ns(CLOCK_MONOTONIC) > *deadline_)
			return;
		keeper_.was_stuck(records_.problem());
		wait(retry_pause, false);
		read_signals();
		if (!stop_) // whatever becomes of the records, what starts is to be held
			components_.look(records_);
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
	watched[1].fd = records_.slow_fd();
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
		const auto taken = ring_->poll(
			0, [this](const weir_event &event, std::uint64_t number) { on_event(event, number); });
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
	keeper_.leave(records_, *ring_);
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
	keeper_.turn_to(records_, *ring_, merged_);
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
	keeper_.begin(records_, *ring_, merged_);
	tick();
	while (!stop_) {
		const auto taken = ring_->poll(
			0, [this](const weir_event &event, std::uint64_t number) { on_event(event, number); });
		if (!taken) { // what was read before is written all the same
			ring_error_ = taken.error();
			break;
		}
		housekeeping();
		write_out();
		if (replaced_ && !stop_ && !take_over())
			break;
		const bool may_put = !merged_.is_empty() && records_.is_empty();
		if (*taken == 0 && !stop_ && !may_put) {
			const auto pause = next_tick_ - clock_ns(CLOCK_MONOTONIC);
			wait(records_.is_empty() ? pause : std::min(pause, retry_pause), true);
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
		for (merged_.put(records_, enricher_, to_wall_); !merged_.is_empty() && !is_late();
		     merged_.put(records_, enricher_, to_wall_)) {
			write_out();
			if (records_.is_full())
				wait(retry_pause, false);
		}
	}
	discarded_ += merged_.discard(records_.balance());
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
	for (write_out(); !records_.is_empty() && !broken_ && clock_ns(CLOCK_MONOTONIC) < *deadline_; write_out())
		wait(retry_pause, false);
	put_news(fan_.close(std::chrono::steady_clock::now() + std::chrono::nanoseconds(closing_time)));
	write_out(); // what the sinks did not get is in the main output, or said
	write_metrics();

	const auto waiting = broken_ ? records_.unwritten() : records_.is_empty() ? 0 : records_.unwritten();
	const auto alike = merged_.counted() == 0 ? "" : fmt::format(", {} counted in some of them", merged_.counted());
	say(fmt::format(
		"{} events written to {}{}, {} lost by the kernel since the instance was loaded, {} not written",
		records_.events() - std::min(records_.events(), waiting), records_.name(), alike, totals_.lost,
		waiting + discarded_));
	watch_.tick(records_); // who removed it
	const auto ended = keeper_.end(records_, ring_ ? &*ring_ : nullptr, merged_);
	if (ended)
		watch_.signed_off();
	if (records_.journal() != nullptr)
		(void)records_.write_out(); // the output gets the end, too, as far as it takes it
	if (records_.dropped() != 0)
		say(fmt::format("{} lines were not passed on, as the output did not take them", records_.dropped()));
	if (broken_ || ring_error_)
		return std::unexpected(broken_ ? *broken_ : *ring_error_);
	if (!ended)
		return std::unexpected(ended.error());
	if (auto synced = records_.sync(); !synced)
		return std::unexpected(std::move(synced).error());
	if (waiting + discarded_ != 0)
		return fail(fmt::format("{} events could not be written to {}{}{}", waiting + discarded_,
					records_.name(), records_.problem().empty() ? "" : ": ", records_.problem()));
	return Exit::ok;
}

} // namespace

Result<Exit> run(const RunOptions &options)
{
	auto ring = kernel::Ring::open(options.where);
	if (!ring)
		return std::unexpected(std::move(ring).error());
	auto records = Records::open(options.output, options.journal);
	if (!records)
		return std::unexpected(std::move(records).error());

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

	say(fmt::format("streaming the events of instance {} to {}", options.where.instance, records->name()));
	return Daemon(options, std::move(*records), std::move(*ring), std::move(signals)).stream();
}

} // namespace weir::daemon
