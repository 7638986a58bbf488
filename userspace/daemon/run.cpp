// SPDX-License-Identifier: Apache-2.0
#include "daemon/run.h"

#include "audit/enrich.h"
#include "audit/event.h"
#include "daemon/broker.h"
#include "daemon/child.h"
#include "daemon/keeper.h"
#include "daemon/lease.h"
#include "daemon/merged.h"
#include "daemon/records.h"
#include "daemon/row_names.h"
#include "daemon/upkeep.h"
#include "daemon/watch.h"
#include "metrics/metrics.h"
#include "sinks/fan.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
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
constexpr std::int64_t metrics_pause = 10 * second; ///< between two files for Prometheus
constexpr unsigned housekeeping_every = 256;       ///< events

constexpr std::int64_t patience = 5 * second; ///< with records of the process that changes the kernel

class Daemon {
public:
	/// `process`: what changes the kernel; nullopt: this one does.
	Daemon(const RunOptions &options, Records records, Broker &broker, kernel::Ring ring,
	       std::optional<UpkeepProcess> process, Fd signals)
		: where_(options.where), metrics_(options.metrics), records_(std::move(records)), broker_(broker),
		  ring_(std::move(ring)), signals_(std::move(signals)), rows_(broker), merged_(broker, rows_),
		  process_(std::move(process)), keeper_(options.where.instance), lease_(broker),
		  watch_(broker, options.journal, process_ ? patience : 0), enricher_(broker.sight()),
		  identity_(broker.identity())
	{
		if (!process_)
			upkeep_.emplace(options.where, options.journal, options.keep_ns);
		for (const auto &address : options.sinks)
			fan_.add(address);
		if (fan_.any())
			records_.keep_new();
	}

	Result<Exit> stream();

private:
	void on_event(const weir_event &, std::uint64_t number);
	void housekeeping();
	void upkeep();
	void heard();
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
	Broker &broker_;
	std::optional<kernel::Ring> ring_;
	Fd signals_;
	RowNames rows_;
	Merged merged_;
	std::optional<Upkeep> upkeep_;         ///< in this process
	std::optional<UpkeepProcess> process_; ///< or in its own
	Keeper keeper_;
	Lease lease_;
	Watch watch_;
	sinks::Fan fan_;
	audit::Enricher enricher_;
	std::uint64_t identity_;

	bool stop_ = false;       ///< a signal said so, or there is no use in going on
	bool closing_ = false; ///< the last table of like refusals was taken: what comes now waits for the next run
	bool replaced_ = false; ///< the pins that the ring was opened by are gone
	bool is_removed_ = false; ///< and no others came in their place
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
			   rows_.of(event.generation, event.row).id, to_wall_, number);
	records_.put_event(event.gate);
	if (records_.is_batch())
		write_out();
}

/// A flood does not let poll() return, so what else there is to do is done among its events, too.
void Daemon::housekeeping()
{
	since_housekeeping_ = 0;
	read_signals();
	if (!stop_ && upkeep_)
		upkeep_->look(records_);
	heard();
	if (clock_ns(CLOCK_MONOTONIC) >= next_tick_)
		tick();
	if (!broken_)
		merged_.put(records_, enricher_, to_wall_);
	keeper_.look(records_, *ring_, merged_);
}

/// Of the upkeep: what it put, or sent.
void Daemon::heard()
{
	if (upkeep_ ? upkeep_->take_edge_is_here() : process_->take(records_))
		enricher_.edge_is_here(true);
	if (stop_)
		return;
	if (process_ && process_->is_gone())
		ring_error_ = Error{Exit::failure, "the process of weir run that follows components, interfaces, names "
						   "and windows has ended"};
	else if (broker_.is_gone())
		ring_error_ = Error{Exit::failure, "the process of weir run that asks the kernel has ended"};
	if (ring_error_) {
		stop_ = true;
		deadline_ = clock_ns(CLOCK_MONOTONIC) + closing_time;
	}
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
	if (broker_.identity() != identity_) {
		heard();
		replaced_ = !broker_.is_gone(); // else it does not answer any more: the instance is there all the same
		return; // the counters by that name are another instance's
	}
	if (upkeep_ && !stop_)
		upkeep_->tick(records_);
	else if (upkeep_ && !broken_)
		upkeep_->end(records_);
	heard();
	const auto there = broker_.read_generation();
	if (there)
		rows_.see(*there);
	if (!broken_ && !closing_) {
		merged_.take();
		merged_.put(records_, enricher_, to_wall_);
	}
	if (!there && there.error().code == Exit::absent) {
		replaced_ = true;
	} else if (const auto counters = ring_->counters()) {
		audit::Totals totals;
		for (std::size_t i = 0; i < counters->size(); ++i) {
			const auto &counter = (*counters)[i];
			if (!kernel::is_of_refusals(i))
				continue;
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
	const auto done = broker_.write_metrics(metrics::text_of(where_.instance, {.written = records_.events(),
										   .waiting = records_.unwritten(),
										   .discarded = discarded_,
										   .sinks = fan_.figures()}));
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
	if (*done && upkeep_)
		upkeep_->written();
	else if (*done)
		process_->written();
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
		if (!stop_ && upkeep_) // whatever becomes of the records, what starts is to be held
			upkeep_->look_at_components(records_);
	}
}

void Daemon::wait(std::int64_t longest_ns, bool for_events)
{
	std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}, {records_.slow_fd(), POLLOUT, 0}};
	if (for_events) {
		watched.push_back({ring_->epoll_fd(), POLLIN, 0});
		if (upkeep_)
			upkeep_->add_to(watched);
		else if (!records_.is_jammed())
			watched.push_back({process_->fd(), POLLIN, 0});
	}
	if (closing_ && process_ && !process_->is_gone() && !records_.is_jammed())
		watched.push_back({process_->fd(), POLLIN, 0}); // what it has to say at last, and its end
	// Up, not down: the last part of a millisecond would be a busy loop.
	::poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>((longest_ns + ms - 1) / ms, 0)));
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
	auto ring = broker_.open_ring();
	if (!ring) {
		is_removed_ = ring.error().code == Exit::absent;
		if (is_removed_)
			say(fmt::format("instance {} was removed: nothing more to stream", where_.instance));
		else
			ring_error_ = std::move(ring).error();
		return false;
	}
	say(fmt::format("instance {} was loaded anew: going on with it", where_.instance));
	ring_.emplace(std::move(*ring));
	identity_ = broker_.identity();
	replaced_ = false;
	rows_.forget();
	merged_.forget_sums();
	keeper_.turn_to(records_, *ring_, merged_);
	if (upkeep_)
		upkeep_->look_again();
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
		if (broker_.identity() == identity_)
			merged_.take_all(); // nothing while an earlier table waits: that one first
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
	stop_ = true;
	if (!deadline_)
		deadline_ = clock_ns(CLOCK_MONOTONIC) + closing_time;
	if (ring_ && !broken_ && !ring_error_)
		drain();
	if (process_)
		process_->end();
	put_merged();
	if (ring_)
		tick();
	else if (upkeep_ && !broken_)
		upkeep_->end(records_); // of what went with the instance
	const auto is_done = [this] { return records_.is_empty() && (!process_ || process_->is_gone()); };
	for (write_out(); !is_done() && !broken_ && clock_ns(CLOCK_MONOTONIC) < *deadline_; write_out()) {
		wait(retry_pause, false);
		heard();
	}
	const auto sinks_have = [] {
		return std::chrono::steady_clock::now() + std::chrono::nanoseconds(closing_time);
	};
	put_news(fan_.settle(sinks_have()));
	write_out(); // what the sinks did not get is in the main output, or said
	write_metrics();

	const auto waiting = broken_ ? records_.unwritten() : records_.is_empty() ? 0 : records_.unwritten();
	const auto alike = merged_.counted() == 0 ? "" : fmt::format(", {} counted in some of them", merged_.counted());
	say(fmt::format(
		"{} events written to {}{}, {} lost by the kernel since the instance was loaded, {} not written",
		records_.events() - std::min(records_.events(), waiting), records_.name(), alike, totals_.lost,
		waiting + discarded_));
	watch_.tick(records_); // who removed it
	const auto ended = keeper_.end(records_, ring_ ? &*ring_ : nullptr, merged_, is_removed_);
	if (ended)
		watch_.signed_off();
	if (records_.journal() != nullptr) { // all get the end and its signature, too, as far as they take it
		fan_.offer(records_.take_new());
		(void)records_.write_out();
	}
	for (const auto &record : fan_.close(sinks_have()))
		say(record.text);
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
	const auto account = options.user.empty() ? Result<Account>() : account_of(options.user);
	if (!account)
		return std::unexpected(account.error());
	const bool apart = !options.user.empty();
	auto broker = apart ? Broker::start(options.where, options.metrics) : Broker(options.where, options.metrics);
	if (!broker)
		return std::unexpected(std::move(broker).error());
	auto ring = broker->open_ring();
	if (!ring)
		return std::unexpected(std::move(ring).error());
	std::optional<UpkeepProcess> upkeep;
	if (apart) {
		auto started = UpkeepProcess::start(options.where, options.journal, options.keep_ns);
		if (!started)
			return std::unexpected(std::move(started).error());
		upkeep = std::move(*started);
		if (auto became = become(*account); !became)
			return std::unexpected(std::move(became).error());
	}
	auto records = Records::open(options.output, options.journal);
	if (!records && apart && records.error().code == Exit::failure)
		records.error().message +=
			fmt::format("\n  as the user {}: it has to belong to it (chown -R {} DIRECTORY)", options.user,
				    options.user);
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
	return Daemon(options, std::move(*records), *broker, std::move(*ring), std::move(upkeep), std::move(signals))
		.stream();
}

} // namespace weir::daemon
