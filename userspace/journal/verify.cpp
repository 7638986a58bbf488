// SPDX-License-Identifier: Apache-2.0
#include "journal/verify.h"

#include "journal/files.h"
#include "journal/sums.h"
#include "journal/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <functional>

namespace weir::journal {
namespace {

constexpr std::array<const char *, 10> fault_names{"damaged", "no_record", "edited",     "missing",   "misplaced",
						   "forged",  "truncated", "other_head", "other_key", "sums"};

std::string timestamp_of(std::string_view line)
{
	constexpr std::string_view begin = "{\"@timestamp\":\"";
	if (!line.starts_with(begin))
		return "";
	const auto rest = line.substr(begin.size());
	return std::string(rest.substr(0, std::min(rest.find('"'), rest.size())));
}

/// UNIX time, ns, of a time as records have it ("2026-11-24T12:03:04.123456789Z"); nullopt: it is none.
std::optional<std::int64_t> time_of(std::string_view text)
{
	const auto number = [&](std::size_t at, std::size_t size) {
		int value = 0;
		const auto part = text.substr(at, size);
		const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
		return read.ptr == part.data() + part.size() ? value : -1;
	};
	constexpr std::string_view shape = "2026-11-24T12:03:04.123456789Z";
	if (text.size() != shape.size())
		return std::nullopt;
	using namespace std::chrono;
	const year_month_day date{year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
				  day(static_cast<unsigned>(number(8, 2)))};
	const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2), rest = number(20, 9);
	if (!date.ok() || hour < 0 || minute < 0 || second < 0 || rest < 0)
		return std::nullopt;
	return (sys_days{date}.time_since_epoch().count() * std::int64_t{86400} + std::int64_t{hour} * 3600 +
		minute * std::int64_t{60} + second) *
		       1'000'000'000 +
	       rest;
}

bool may_be_checkpoint(std::string_view line)
{
	constexpr std::size_t tail = 160; // the signature and what is around it
	return line.substr(line.size() > tail ? line.size() - tail : 0).contains("\"signature\":\"");
}

/// Goes along the chain.
class Walk {
public:
	Walk(const Question &question, const PublicKey &first) : question_(question), first_(first), key_(first) {}

	Verdict verdict{};

	/// `first`: the number that a segment is named by; 0: it is none.
	void enter(const std::string &file, std::uint64_t first = 0)
	{
		file_ = std::filesystem::path(file).filename().string();
		named_ = first;
		line_ = 0;
	}
	void find(Fault fault, std::uint64_t sequence, std::string text)
	{
		if (verdict.findings.size() < most_findings)
			verdict.findings.push_back({fault, file_, line_, sequence, std::move(text)});
	}
	[[nodiscard]] bool goes_on() const { return verdict.findings.size() < most_findings; }

	/// A line that is not looked at but for its key, where it is a checkpoint of a time before `since`. False: it is one
	/// of a later time.
	bool passed(std::string_view line, bool has_end, std::int64_t since)
	{
		line_++;
		const auto link = has_end && may_be_checkpoint(line) ? link_of(line) : std::nullopt;
		if (!link || !link->is_checkpoint)
			return true;
		auto at = timestamp_of(line);
		if (const auto time = time_of(at); !time || *time > since)
			return false;
		if (link->sequence <= sequence_)
			find(Fault::misplaced, link->sequence, "the checkpoints are not in their order");
		check_signature(line, *link);
		begin(line, *link);
		verdict.rest->at = std::move(at);
		verdict.rest->followed++;
		note_head();
		return goes_on();
	}
	/// The checkpoint that a head is of: what stands before it need not be known.
	void begin_at(std::string_view line, const Link &link)
	{
		begin(line, link);
		verdict.rest->at = timestamp_of(line);
		verdict.rest->by_head = true;
		key_ = link.next;
		note_head();
	}
	/// What follows is read from behind this line of the segment.
	void go_on_behind(std::uint64_t line) { line_ = line; }
	[[nodiscard]] std::uint64_t line() const { return line_; }

	/// A checkpoint of a segment that retention took away.
	bool retired(std::string_view line, std::uint64_t before)
	{
		line_++;
		const auto link = link_of(line);
		if (!link || !link->is_checkpoint) {
			find(Fault::no_record, 0, "the line is no checkpoint");
			return goes_on();
		}
		if (link->sequence >= before) // it is in a segment, too: retention was interrupted
			return false;
		if (link->sequence <= sequence_)
			find(Fault::misplaced, link->sequence, "the checkpoints are not in their order");
		check_signature(line, *link);
		sequence_ = link->sequence;
		hash_ = hash_of(line);
		verdict.retired = sequence_;
		if (verdict.rest)
			verdict.rest->followed++;
		sums_.take(line);
		note_head();
		return goes_on();
	}

	bool record(std::string_view line, bool has_end)
	{
		line_++;
		verdict.records++;
		const auto link = has_end ? link_of(line) : std::nullopt;
		if (!link) {
			find(Fault::no_record, sequence_ + 1,
			     has_end ? "the line is no record of a journal"
				     : "the last line has no end: a crash, which the next start mends, or a cut");
			// What it was can't be known, so what follows can't be held against it.
			lost_ = true;
			return goes_on();
		}
		if (line_ == 1 && link->sequence != named_)
			find(Fault::misplaced, link->sequence,
			     fmt::format("the file begins with record {}, not with the one in its name",
					 link->sequence));
		else if (!lost_)
			check_place(*link);
		lost_ = false;
		sequence_ = link->sequence;
		hash_ = hash_of(line);
		if (verdict.first == 0)
			verdict.first = sequence_;
		verdict.last = sequence_;
		note_head();
		if (link->is_checkpoint)
			checkpoint(line, *link);
		else
			sums_.add(line);
		return goes_on();
	}

	void finish()
	{
		line_ = 0;
		for (const auto &head : question_.heads) {
			if (verdict.rest && verdict.rest->by_head && head.sequence < verdict.rest->checkpoint)
				continue; // of what was not looked at
			if (head.key != hex(first_).substr(0, 16)) {
				find(Fault::other_head, head.sequence, "the head is of another journal");
			} else if (head.sequence > sequence_) {
				find(Fault::truncated, head.sequence,
				     fmt::format("the journal ends with record {}, but had {} once", sequence_,
						 head.sequence));
			} else if (std::ranges::find(met_, head.sequence) == met_.end()) {
				find(Fault::other_head, head.sequence,
				     fmt::format("record {} is not the one that the head is of", head.sequence));
			}
		}
	}

private:
	/// All before this checkpoint is behind.
	void begin(std::string_view line, const Link &link)
	{
		sequence_ = link.sequence;
		hash_ = hash_of(line);
		sums_.take(line);
		verdict.rest->checkpoint = link.sequence;
		verdict.covered = verdict.last = link.sequence;
		verdict.covered_at = timestamp_of(line);
		verdict.head = head_of(first_, sequence_, hash_);
	}
	void check_place(const Link &link)
	{
		const auto wanted = sequence_ + 1;
		if (link.sequence == wanted && link.previous == hash_)
			return;
		if (link.sequence == wanted) {
			find(Fault::edited, sequence_,
			     sequence_ == 0
				     ? "the journal does not begin with its first record"
				     : fmt::format("record {} is not what its successor says that it was", sequence_));
		} else if (link.sequence > wanted) {
			find(Fault::missing, wanted,
			     link.sequence == wanted + 1
				     ? fmt::format("record {} is missing", wanted)
				     : fmt::format("records {} to {} are missing", wanted, link.sequence - 1));
		} else {
			find(Fault::misplaced, link.sequence,
			     fmt::format("record {} stands where record {} belongs", link.sequence, wanted));
		}
	}
	void check_signature(std::string_view line, const Link &link)
	{
		if (!is_signed_by(key_, line, link))
			find(Fault::forged, link.sequence,
			     fmt::format("checkpoint {} is not signed by the key that was announced for it",
					 link.sequence));
		key_ = link.next;
	}
	void checkpoint(std::string_view line, const Link &link)
	{
		check_signature(line, link);
		verdict.checkpoints++;
		verdict.covered = link.sequence;
		verdict.covered_at = timestamp_of(line);
		verdict.head = head_of(first_, link.sequence, hash_);
		if (auto complaint = sums_.close(line); !complaint.empty())
			find(Fault::sums, link.sequence, std::move(complaint));
	}
	void note_head()
	{
		for (const auto &head : question_.heads)
			if (head.sequence == sequence_ && head.hash == hash_)
				met_.push_back(sequence_);
	}

	const Question &question_;
	PublicKey first_;
	PublicKey key_;
	std::string file_;
	std::uint64_t line_ = 0;
	std::uint64_t named_ = 0;
	std::uint64_t sequence_ = 0;
	Hash hash_{};
	bool lost_ = false;
	Sums sums_;
	std::vector<std::uint64_t> met_; ///< numbers of the heads that were found
};

/// Where reading begins: behind so many lines of a segment.
struct Begin {
	std::size_t segment = 0;
	std::uint64_t line = 0;
};

/// At the latest checkpoint, not after `since`, that a given head is of. No line: at none.
Begin begin_at_head(Walk &walk, const Question &question, const std::vector<Segment> &segments)
{
	auto heads = question.heads;
	std::ranges::sort(heads, std::greater(), &Head::sequence);
	for (const auto &head : heads) {
		const auto after = std::ranges::upper_bound(segments, head.sequence, {}, &Segment::first);
		if (after == segments.begin())
			continue;
		Begin begin{static_cast<std::size_t>(after - segments.begin()) - 1, 0};
		bool found = false;
		const auto wanted = fmt::format("\"journal\":{{\"sequence\":{},", head.sequence);
		(void)read_lines(segments[begin.segment], [&](std::string_view line, bool has_end) {
			begin.line++;
			if (!has_end || !may_be_checkpoint(line) || !line.contains(wanted))
				return true;
			const auto link = link_of(line);
			const auto time = time_of(timestamp_of(line));
			found = link && link->is_checkpoint && link->sequence == head.sequence &&
				hash_of(line) == head.hash && time && *time <= *question.since;
			if (found)
				walk.begin_at(line, *link);
			return false;
		});
		if (found)
			return begin;
	}
	return {};
}

void read_retired(Walk &walk, const Question &question, const std::vector<Segment> &segments)
{
	const Segment retired{question.directory + "/retired.jsonl", 0, false, 0};
	std::error_code ignored;
	if (!std::filesystem::exists(retired.path, ignored))
		return;
	walk.enter(retired.path);
	const auto before = segments.empty() ? UINT64_MAX : segments.front().first;
	if (const auto read = read_lines(retired, [&](auto line, bool) { return walk.retired(line, before); }); !read)
		walk.find(Fault::damaged, 0, read.error().message);
}

/// Follows the keys of the checkpoints to the last one that is not after `since`. No line: there is none in a segment.
Begin pass(Walk &walk, std::int64_t since, const std::vector<Segment> &segments, const Progress &progress,
	   std::uint64_t all)
{
	Begin begin;
	std::uint64_t done = 0;
	for (std::size_t i = 0; i < segments.size(); i++) {
		walk.enter(segments[i].path, segments[i].first);
		bool before = true;
		const auto read = read_lines(segments[i], [&](std::string_view line, bool has_end) {
			const auto checkpoint = walk.verdict.rest->checkpoint;
			before = walk.passed(line, has_end, since);
			if (walk.verdict.rest->checkpoint != checkpoint)
				begin = {i, walk.line()};
			return before;
		});
		if (!read)
			walk.find(Fault::damaged, 0, read.error().message);
		if (!before)
			break;
		if (progress)
			progress(done += segments[i].size, all);
	}
	return begin;
}

} // namespace

const char *name_of(Fault fault)
{
	return fault_names.at(static_cast<std::size_t>(fault));
}

Result<Head> parse_head(std::string_view text)
{
	constexpr std::string_view begin = "weir-journal-head:1:";
	const auto wrong = [&] {
		return fail(Exit::usage,
			    fmt::format("\"{}\" is no head of a journal: give a line as weir journal head prints it",
					text.substr(0, 120)));
	};
	if (!text.starts_with(begin))
		return wrong();
	auto rest = text.substr(begin.size());
	Head head;
	const auto key = rest.find(':');
	const auto last = rest.rfind(':');
	if (key != 16 || last <= key)
		return wrong();
	head.key = rest.substr(0, key);
	const auto number = rest.substr(key + 1, last - key - 1);
	const auto read = std::from_chars(number.data(), number.data() + number.size(), head.sequence);
	if (read.ec != std::errc() || read.ptr != number.data() + number.size() ||
	    !from_hex(rest.substr(last + 1), head.hash.data(), head.hash.size()))
		return wrong();
	return head;
}

Result<Verdict> verify(const Question &question, const Progress &progress)
{
	use_sodium();
	const auto own = read_first_key(question.directory);
	if (!own && (own.error().code == Exit::absent ? !question.key : true))
		return std::unexpected(own.error());
	const auto segments = segments_of(question.directory);
	if (!segments)
		return std::unexpected(segments.error());

	Walk walk(question, question.key.value_or(own.value_or(PublicKey{})));
	walk.enter("first-key");
	if (question.key && own && *own != *question.key)
		walk.find(Fault::other_key, 0, "first-key is not the key that was given");
	std::uint64_t all = 0;
	for (const auto &each : *segments)
		all += each.size;

	auto begin = Begin{};
	if (question.since) {
		walk.verdict.rest.emplace();
		begin = begin_at_head(walk, question, *segments);
	}
	if (begin.line == 0)
		read_retired(walk, question, *segments);
	if (begin.line == 0 && question.since)
		begin = pass(walk, *question.since, *segments, progress, all);
	std::uint64_t done = 0;
	for (std::size_t i = 0; i < segments->size(); done += (*segments)[i++].size) {
		if (i < begin.segment)
			continue;
		const auto &each = (*segments)[i];
		walk.enter(each.path, each.first);
		std::uint64_t bytes = 0, skip = i == begin.segment ? begin.line : 0;
		walk.go_on_behind(skip);
		const auto read = read_lines(each, [&](std::string_view line, bool has_end) {
			bytes += line.size() + 1;
			if (skip != 0) {
				skip--;
				return true;
			}
			if (progress && walk.verdict.records % 8192 == 0)
				progress(done + std::min(bytes, each.size), all);
			return walk.record(line, has_end);
		});
		if (!read)
			walk.find(Fault::damaged, 0, read.error().message);
	}
	walk.finish();
	if (progress)
		progress(all, all);
	return std::move(walk.verdict);
}

} // namespace weir::journal
