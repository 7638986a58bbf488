// SPDX-License-Identifier: Apache-2.0
#include "journal/verify.h"

#include "journal/files.h"
#include "journal/sums.h"
#include "journal/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

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

Result<Verdict> verify(const Question &question, const std::function<void(std::uint64_t, std::uint64_t)> &progress)
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

	const Segment retired{question.directory + "/retired.jsonl", 0, false, 0};
	std::error_code ignored;
	if (std::filesystem::exists(retired.path, ignored)) {
		walk.enter(retired.path);
		const auto before = segments->empty() ? UINT64_MAX : segments->front().first;
		if (const auto read = read_lines(retired, [&](auto line, bool) { return walk.retired(line, before); });
		    !read)
			walk.find(Fault::damaged, 0, read.error().message);
	}
	std::uint64_t done = 0;
	for (const auto &each : *segments) {
		walk.enter(each.path, each.first);
		std::uint64_t bytes = 0;
		const auto read = read_lines(each, [&](std::string_view line, bool has_end) {
			bytes += line.size() + 1;
			if (progress && walk.verdict.records % 8192 == 0)
				progress(done + std::min(bytes, each.size), all);
			return walk.record(line, has_end);
		});
		if (!read)
			walk.find(Fault::damaged, 0, read.error().message);
		done += each.size;
	}
	walk.finish();
	if (progress)
		progress(all, all);
	return std::move(walk.verdict);
}

} // namespace weir::journal
