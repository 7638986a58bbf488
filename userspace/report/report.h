// SPDX-License-Identifier: Apache-2.0
// What an auditor reads of some span of time: gathered from records, one line after the other, in any order of files.
#pragma once

#include "base/result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace weir::report {

/// Refusals of one peer, process or reason.
struct Tally {
	std::uint64_t refused = 0;
	std::uint64_t observed = 0;
	std::uint64_t out = 0; ///< of both: what this host sent
	std::int64_t first = 0, last = 0; ///< UNIX time, ns
	std::set<std::string> details{};  ///< services, or executables; the first few
	[[nodiscard]] std::uint64_t all() const { return refused + observed; }
};

/// A policy in force.
struct Reign {
	std::string digest{};
	std::string generation{};
	std::int64_t first = 0, last = 0; ///< of the records that say so; 0, last: it is in force
	bool from_change = false;         ///< the change itself is recorded, not only refusals by it
	bool observe = false;             ///< it refuses nothing, as the change says
};

/// Packets that a window's row admitted, of one peer, service and process at one gate: one connection or several.
struct Connection {
	std::string peer{}, service{}, process{}, user{}, gate{}, row{};
	bool out = false; ///< this host opened it
	auto operator<=>(const Connection &) const = default;
};
struct Passed {
	std::uint64_t packets = 0;
	std::int64_t first = 0, last = 0; ///< UNIX time, ns
	std::set<std::string> executables{}; ///< the first few
};
using Connections = std::map<Connection, Passed>;

struct Window {
	std::string name{};
	std::int64_t opened = 0, until = 0, ended = 0; ///< ended 0: no record of an end
	std::string opened_by{}, opened_reason{};
	std::string end{};    ///< "closed", "expired", ""
	std::string closed_by{}, closed_reason{};
	std::uint64_t cut = 0; ///< connections that were ended at its end
	/// How often its rows decided: no fewer than there were connections. nullopt: no record says it.
	std::optional<std::uint64_t> decided{};
	Connections connections{};
};

/// Some time of which not everything is in the record, or in which not everything was held.
struct Gap {
	std::int64_t from = 0, to = 0; ///< to: `from` of a moment, 0 of one whose end is not known
	std::string kind{};            ///< "not recorded", ...: for people
	std::string text{};
};

/// What the checkpoints of this time state of one gate, of refusals or of packets that windows admitted.
struct Account {
	std::uint64_t judged = 0;    ///< by the kernel's counters
	std::uint64_t recorded = 0;
	std::uint64_t lost = 0;      ///< the ring was full
	std::uint64_t discarded = 0, missing = 0;
	std::int64_t waiting = 0;    ///< of the last one
};

/// Something that happened, in a sentence.
struct Note {
	std::int64_t time = 0;
	std::string kind{}; ///< event.action
	std::string text{};
	std::string by{};
	std::vector<std::string> opened{},
		closed{}; ///< of a change of the policy: what became reachable, and ceased to be
};

/// A row of the policy in force.
struct Row {
	std::string id{}, dir{}, source{}, destination{}, port{}, service{}, status{}, place{};
	std::uint64_t used = 0; ///< how often it decided, since the policy was published
	std::string window{};
};

/// How often a row decided under policies that were replaced in this time.
struct Use {
	std::uint64_t count = 0;
	std::string window{};
};

/// What verifying the journal came to. Whoever can verify fills it in.
struct Integrity {
	/// own_key: good, but by the key that lies with the journal.
	enum class State : std::uint8_t { not_checked, good, own_key, bad };
	State state = State::not_checked;
	std::string text{};      ///< for people
	std::string fingerprint{}; ///< of the key
	std::string checkpoint{};  ///< the last one in a line, as it can be kept elsewhere
	std::string checkpoint_at{}; ///< its time
	std::uint64_t records = 0, checkpoints = 0; ///< that were verified
	std::uint64_t after = 0;   ///< records that no checkpoint covers yet
	std::vector<std::string> findings{};
};

constexpr std::size_t buckets = 60; ///< of the plot

struct Report {
	std::int64_t since = 0, until = 0, made = 0; ///< UNIX time, ns
	std::string instance, version;
	std::set<std::string> hosts;   ///< that the records are of
	std::set<std::string> sources; ///< files that were read
	std::uint64_t records = 0;     ///< in that time
	std::uint64_t foreign = 0;     ///< lines that are no records of weir
	std::int64_t first = 0, last = 0;
	std::uint64_t refused = 0, observed = 0, unknown = 0; ///< unknown: of sums that don't tell
	std::vector<std::uint64_t> out = std::vector<std::uint64_t>(buckets), in = std::vector<std::uint64_t>(buckets);
	std::map<std::string, Tally> reasons, peers, processes, gates;
	std::vector<Reign> policies;
	std::vector<Window> windows;
	Connections unnamed; ///< under a window that their records don't name, or of which no opening is recorded
	std::vector<Note> changes; ///< of the policy, interfaces, components, names
	std::vector<Gap> gaps;     ///< what may be missing, and when
	std::vector<Note> alarms;  ///< tampering, and what could not be held
	std::vector<Row> rows;     ///< of the policy that is in force now; none: it can't be read
	std::string rows_digest;
	std::map<std::string, Use> used_before; ///< by row, out of records of changes
	std::map<std::string, Account> accounts; ///< of refusals, by gate; none: there is no journal
	std::map<std::string, Account> admitted; ///< of packets that windows admitted, by gate
	Integrity integrity;
};

class Collector {
public:
	/// [since, until), UNIX time in ns; refusals of `instance` and others alike are counted unless it is named.
	Collector(std::int64_t since, std::int64_t until, std::string instance);
	/// A record, without its newline. What is none is counted.
	void line(std::string_view);
	[[nodiscard]] Report finish();

private:
	void violation(const nlohmann::json &, std::int64_t time);
	void window(const nlohmann::json &, std::int64_t time);
	void admission(const nlohmann::json &, std::int64_t time);
	void give_to_windows(Report &);
	std::uint64_t count_of_sum(const nlohmann::json &, std::uint64_t total);
	void policy(const nlohmann::json &, std::int64_t time);
	void journal(const nlohmann::json &, std::int64_t time);
	void integrity(const nlohmann::json &, std::int64_t time);
	void checkpoint(const nlohmann::json &);
	void gap(std::int64_t from, std::int64_t to, std::string kind, std::string text);
	Reign *reign(const std::string &digest, const std::string &generation, std::int64_t time, bool from_change);

	Report report_;
	std::vector<std::pair<std::int64_t, std::string>> ends_; ///< when no policy was in force any more, and why
	std::map<std::string, Gap> tampered_; ///< by what is not as it was published
	/// By window: when a policy with it was replaced, and how often its rows had decided.
	std::map<std::string, std::vector<std::pair<std::int64_t, std::uint64_t>>> decided_;
	/// What was admitted, by window, generation and hour: an opening or an end makes a new generation, and no two instances
	/// of the name are likely to have the same one in one hour.
	std::map<std::tuple<std::string, std::string, std::int64_t>, Connections> admitted_;
	std::size_t connections_ = 0; ///< of all of them
	std::int64_t ended_ = 0; ///< the recording, and nothing is recorded since
	std::map<std::string, std::uint64_t> totals_; ///< of sums, by what they are of: the counters' last word
};

/// Hands each line of a file, without its newline, to `take`; "-" is the standard input. The journal's reader does the
/// same for a journal.
using TakeLine = std::function<void(std::string_view line)>;
Result<> read_lines(const std::string &path, const TakeLine &take);

/// One page with all in it: no script, nothing loaded from anywhere.
std::string html(const Report &);
nlohmann::ordered_json json(const Report &);

} // namespace weir::report
