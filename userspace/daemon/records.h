// SPDX-License-Identifier: Apache-2.0
// The one way of the daemon's records: to the journal, where there is one, and behind it to the output. Without a
// journal the output is waited for; with one it is not, and what it does not take is counted.
#pragma once

#include "base/result.h"
#include "daemon/balance.h"
#include "daemon/clock.h"
#include "daemon/sink.h"
#include "journal/writer.h"
#include "kernel/instance.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

class Records {
public:
	explicit Records(Sink sink) : sink_(std::move(sink)) {}
	/// `journal`: its directory; "": none. Errors of Sink::open() and Writer::open().
	static Result<Records> open(const std::string &output, const std::string &journal);
	/// To another process that writes them, over a socket.
	static Records relay(Fd socket);

	/// A record is appended here, a whole line of JSON with its newline; then one of the put...() is called.
	[[nodiscard]] std::string &line() { return journal_ ? line_ : sink_.buffer(); }
	/// It is of no refusal.
	void put();
	/// It is of one event of the kernel's ring.
	void put_event(std::uint8_t gate);
	/// It is of so many refusals that are in no ring.
	void put_refusals(std::uint8_t gate, std::uint64_t count);
	/// It is of so many packets that rows of windows admitted.
	void put_admitted(std::uint8_t gate, std::uint64_t count);

	/// No more refusals: what there is waits in the kernel. Other records are few, and find room a while longer.
	[[nodiscard]] bool is_full() const { return journal_ ? journal_->waiting() >= Sink::bound : sink_.is_full(); }
	[[nodiscard]] bool is_jammed() const
	{
		return journal_ ? journal_->waiting() >= 2 * Sink::bound : sink_.is_full();
	}
	/// So much waits that it is worth a write in the middle of a flood.
	[[nodiscard]] bool is_batch() const;
	[[nodiscard]] bool is_empty() const { return sink_rests() && (!journal_ || journal_->waiting() == 0); }

	/// Lines are kept for take_new() from now on: for those that get a copy.
	void keep_new() { keeps_new_ = true; }
	/// Lines since the last call, as the output gets them, whether it takes them or not. Before write_out().
	std::string take_new();

	/// As Sink::write_out(): false when something is left that has to be written before more can be taken. Error: there
	/// is no use in going on.
	Result<bool> write_out();
	[[nodiscard]] const std::string &problem() const { return journal_ ? journal_->problem() : sink_.problem(); }
	Result<> reopen() { return sink_.reopen(); }
	Result<> sync() { return sink_.sync(); }
	/// Of an output that is slow: becomes writable. -1: there is nothing to wait for but time.
	[[nodiscard]] int slow_fd() const;

	[[nodiscard]] const std::string &name() const { return name_.empty() ? sink_.name() : name_; }
	[[nodiscard]] std::uint64_t events() const { return events_; } ///< records of refusals and admissions
	[[nodiscard]] std::uint64_t puts() const { return puts_; } ///< put() was called so often
	[[nodiscard]] std::uint64_t unwritten() const; ///< lines that are in memory only
	[[nodiscard]] std::uint64_t dropped() const { return dropped_; } ///< lines that the output did not take

	[[nodiscard]] journal::Writer *journal() { return journal_ ? &*journal_ : nullptr; }
	[[nodiscard]] Balance &balance() { return balance_; }
	/// Something stands in the journal that should be signed soon.
	[[nodiscard]] bool is_urgent() const { return urgent_; }
	void make_urgent() { urgent_ = true; }
	/// The checkpoint is on the disk: the output gets it, too.
	void signed_off();
	[[nodiscard]] std::uint64_t signatures() const { return signatures_; } ///< so many of this run
	/// The policy was changed by weir run itself, and a record says why.
	void published(const kernel::Applied &);
	/// The same, as the other process had it.
	void published(std::string text);
	/// JSON: `verb`, `before`, `after`, `opened`, `closed`, `used`, as a record of `weir.policy` has them.
	[[nodiscard]] std::vector<std::string> take_published() { return std::exchange(published_, {}); }
	/// What stood in the journal when it was opened: since when nobody wrote it, and what a run left unended.
	struct Past {
		bool any = false; ///< there was a record
		bool ended = false; ///< the last run ended it
		std::string last_time{}; ///< its @timestamp
		std::vector<std::string> policies{}; ///< records of changes of the policy, since the last checkpoint
	};
	[[nodiscard]] const Past &past() const { return past_; }

private:
	void pass_on(std::string_view line);
	void finish();
	[[nodiscard]] bool sink_rests() const { return is_gone_ || sink_.is_empty(); }

	Sink sink_;
	std::optional<journal::Writer> journal_;
	Balance balance_;
	Past past_;
	std::string name_;
	std::string line_;
	std::uint64_t events_ = 0;
	std::uint64_t puts_ = 0;
	std::uint64_t dropped_ = 0;
	std::uint64_t signatures_ = 0;
	std::vector<std::string> published_;
	std::string new_; ///< with a journal: what take_new() gives
	bool keeps_new_ = false;
	bool is_gone_ = false; ///< the output takes nothing any more
	bool urgent_ = false;
	bool relays_ = false;
	Complaint complaint_;
};

} // namespace weir::daemon
