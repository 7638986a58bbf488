// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch.h"

#include "audit/note.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace weir::daemon {
namespace {

using Json = nlohmann::ordered_json;

std::string policy_text(std::uint32_t generation, const std::string &digest)
{
	return generation == 0 ? "" : fmt::format("{}:{}", generation, digest);
}

std::string policy_text(const Json &json)
{
	return policy_text(json.value("generation", 0U), json.value("digest", std::string()));
}

Json policy_json(const std::string &policy)
{
	const auto colon = policy.find(':');
	if (colon == std::string::npos)
		return {{"generation", 0}, {"digest", ""}};
	return {{"generation", std::stoul(policy.substr(0, colon))}, {"digest", policy.substr(colon + 1)}};
}

std::string for_people(const std::string &policy)
{
	const auto colon = policy.find(':');
	return policy.empty()
		       ? "no policy"
		       : fmt::format("generation {}, digest {}", policy.substr(0, colon), policy.substr(colon + 1));
}

std::string dump(const Json &json)
{
	return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace

void Watch::note(Records &records, const std::string &dataset, const std::string &action, const std::string &text,
		 const std::string &facts, const char *outcome)
{
	audit::append_note_json(
		records.line(),
		{.dataset = dataset, .action = action, .text = text, .outcome = outcome, .facts = facts},
		broker_.instance(), clock_ns(CLOCK_REALTIME));
	records.put();
}

void Watch::begin(Records &records)
{
	begun_ = true;
	known_ = records.balance().policy();
	if (records.balance().was_rebooted() && !known_.empty()) {
		note(records, "weir.policy", "policy_ended",
		     "the host was booted, and what was in force went with it: " + for_people(known_),
		     dump({{"before", policy_json(known_)}, {"after", policy_json("")}}), "success");
		known_.clear();
	}
	explain(known_);
	for (const auto &line : records.past().policies) {
		const auto record = Json::parse(line, nullptr, false);
		if (const auto after = record.find("weir"); after != record.end())
			explain(policy_text(after->value("policy", Json::object()).value("after", Json::object())));
	}
}

/// False: a command is changing something just now, or it can't be known.
bool Watch::take(Records &records)
{
	const auto spool = journal::spool_of(journal_);
	if (!spool) {
		if (complaint_.is_due())
			say("changes of the policy cannot be taken into the journal: " + spool.error().message);
		return false;
	}
	for (const auto &each : spool->changes)
		if (!records.is_jammed() &&
		    std::ranges::find(taken_, each.path, &journal::Waiting::path) == taken_.end())
			take(records, each);
	return !spool->at_work;
}

void Watch::take(Records &records, const journal::Waiting &waiting)
{
	const auto record = Json::parse(waiting.record, nullptr, false);
	if (!record.is_object() || waiting.record.find('\n') + 1 != waiting.record.size()) {
		note(records, "weir.integrity", "change_unreadable",
		     "the record of a change can't be read: somebody has written to " + waiting.path,
		     dump({{"path", waiting.path}}), "failure");
	} else {
		records.line().append(dump(record)).push_back('\n');
		records.put();
		const auto policy = record.value("weir", Json::object()).value("policy", Json::object());
		// What is known already is told twice: by a run that was killed, too.
		if (policy.contains("after") && !explained_.contains(policy_text(policy["after"])))
			claims_.emplace_back(policy_text(policy.value("before", Json::object())),
					     policy_text(policy["after"]));
	}
	taken_.push_back(waiting);
	taken_at_ = records.signatures();
}

/// What this process published, by names that changed or windows that ended: their own records say why.
void Watch::own_changes(Records &records)
{
	for (const auto &text : records.take_published()) {
		const auto facts = Json::parse(text, nullptr, false);
		if (!facts.is_object())
			continue; // the other process is not what it was: compare() finds what it did
		const auto policy = policy_text(facts.value("after", Json::object()));
		explain(policy);
		note(records, "weir.policy", "policy_followed",
		     fmt::format(
			     "weir run published {}: {} became reachable, {} ceased to be; the record beside this one "
			     "says why",
			     for_people(policy), facts.value("opened", Json::array()).size(),
			     facts.value("closed", Json::array()).size()),
		     text, "success");
	}
}

/// The policy in force; "": none is. The whole of it is read only when there is another one.
std::optional<std::string> Watch::read()
{
	const auto identity = broker_.identity();
	const auto generation = broker_.read_generation();
	if (!generation)
		return generation.error().code == Exit::absent ? std::optional<std::string>("") : std::nullopt;
	if (identity == read_.identity && *generation == read_.generation)
		return read_.policy;
	const auto image = broker_.read_image();
	if (!image)
		return image.error().code == Exit::absent ? std::optional<std::string>("") : std::nullopt;
	read_ = {identity, image->header().generation,
		 policy_text(image->header().generation, hex(image->trailer().digest))};
	return read_.policy;
}

/// Another process may have published it, and not said so yet.
bool Watch::is_strange_enough()
{
	const auto now = clock_ns(CLOCK_MONOTONIC);
	if (strange_since_ == 0)
		strange_since_ = now;
	if (now - strange_since_ < patience_)
		return false;
	strange_since_ = 0;
	return true;
}

void Watch::compare(Records &records)
{
	const auto in_force = read();
	if (!in_force)
		return; // the read-back says what is wrong
	const auto &now = *in_force;
	for (const auto &[before, after] : claims_)
		explain(after);
	const auto unexplained = [&](const std::string &before, const std::string &after) {
		note(records, "weir.policy", "policy_unexplained",
		     fmt::format("{} was in force, and then {}: no record explains it", for_people(before),
				 for_people(after)),
		     dump({{"before", policy_json(before)}, {"after", policy_json(after)}}), "unknown");
		explain(after);
	};
	for (const auto &[before, after] : claims_) {
		if (!explained_.contains(before))
			unexplained(known_, before);
		known_ = after;
	}
	claims_.clear();
	if (explained_.contains(now)) {
		strange_since_ = 0;
	} else if (!is_strange_enough()) {
		return;
	} else {
		unexplained(known_, now);
	}
	known_ = now;
	records.balance().in_force(now);
	constexpr std::size_t many = 1000;
	if (explained_.size() > many)
		explained_ = {known_};
}

void Watch::tick(Records &records)
{
	if (journal_.empty() || records.is_jammed())
		return;
	if (!begun_)
		begin(records);
	if (records.signatures() > taken_at_)
		signed_off();
	const bool still = take(records);
	own_changes(records);
	if (still)
		compare(records);
}

void Watch::signed_off()
{
	for (const auto &each : taken_)
		journal::forget(each);
	taken_.clear();
}

} // namespace weir::daemon
