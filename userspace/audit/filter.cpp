// SPDX-License-Identifier: Apache-2.0
#include "audit/filter.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace weir::audit {
namespace {

using Json = nlohmann::json;

constexpr std::string_view prefix = "weir.";

/// null when it is not there.
const Json &at(const Json &record, std::initializer_list<const char *> path)
{
	static const Json none;
	const Json *here = &record;
	for (const char *key : path) {
		if (!here->is_object())
			return none;
		const auto found = here->find(key);
		if (found == here->end())
			return none;
		here = &*found;
	}
	return *here;
}

bool is(const Json &value, std::string_view wanted)
{
	return value.is_string() && value.get_ref<const std::string &>() == wanted;
}

std::optional<Prefix> prefix_of(const Json &value)
{
	return value.is_string() ? Prefix::parse(value.get_ref<const std::string &>()) : std::nullopt;
}

/// "out node to 192.0.2.10 TCP/443, row more": the row's id, as policy::difference() writes it.
bool is_of_row(const std::string &line, const std::string &row)
{
	return line.ends_with(", row " + row);
}

/// The same line's peer.
std::optional<Prefix> peer_of(std::string_view line)
{
	for (const std::string_view word : {" to ", " from "})
		if (const auto begin = line.find(word); begin != std::string_view::npos) {
			const auto rest = line.substr(begin + word.size());
			return Prefix::parse(rest.substr(0, rest.find(' ')));
		}
	return std::nullopt;
}

} // namespace

bool is_kind(std::string_view dataset)
{
	return dataset.starts_with(prefix) &&
	       std::ranges::find(kinds, dataset.substr(prefix.size())) != std::end(kinds);
}

bool Chooser::is_peer(const Prefix &address) const
{
	const auto meets = [&](const Prefix &each) { return each.contains(address) || address.contains(each); };
	return std::ranges::any_of(filter_.peers, meets) || std::ranges::any_of(learned_, meets);
}

void Chooser::learn(const Json &record)
{
	if (filter_.peer_name.empty() || (!is(at(record, {"weir", "name", "name"}), filter_.peer_name) &&
					  !is(at(record, {"dns", "question", "name"}), filter_.peer_name)))
		return;
	for (const char *when : {"before", "after"})
		for (const auto &each : at(record, {"weir", "name", when}))
			if (const auto address = prefix_of(each))
				learned_.insert(*address);
}

bool Chooser::admits_attempt(const Json &record, bool strict) const
{
	const auto fits = [&](const std::string &wanted, std::initializer_list<const char *> path) {
		return wanted.empty() || is(at(record, path), wanted);
	};
	if (!fits(filter_.reason, {"weir", "reason"}) || !fits(filter_.gate, {"weir", "gate"}) ||
	    !fits(filter_.direction, {"network", "direction"}) || !fits(filter_.row, {"rule", "id"}))
		return false;
	// Of a sum nobody knows the ends: people see it, as what they look for may be in it.
	if (at(record, {"weir", "count_total"}).is_number_unsigned())
		return !strict || (!filter_.pid && filter_.process.empty() && !filter_.to && !filter_.has_peer());
	if (!fits(filter_.process, {"process", "name"}) && !fits(filter_.process, {"process", "executable"}))
		return false;
	if (filter_.pid && at(record, {"process", "pid"}) != *filter_.pid)
		return false;
	if (filter_.to) {
		const auto address = prefix_of(at(record, {"destination", "ip"}));
		if (!address || !filter_.to->contains(*address))
			return false;
	}
	if (!filter_.has_peer())
		return true;
	const bool in = is(at(record, {"network", "direction"}), "ingress");
	const auto peer = prefix_of(at(record, {in ? "source" : "destination", "ip"}));
	return peer && is_peer(*peer);
}

bool Chooser::admits_change(const Json &record) const
{
	for (const char *what : {"opened", "closed"})
		for (const auto &each : at(record, {"weir", "policy", what})) {
			if (!each.is_string())
				continue;
			const auto &line = each.get_ref<const std::string &>();
			const auto peer = peer_of(line);
			if ((filter_.row.empty() || is_of_row(line, filter_.row)) &&
			    (!filter_.has_peer() || (peer && is_peer(*peer))))
				return true;
		}
	return false;
}

bool Chooser::admits_name(const Json &record) const
{
	if (is(at(record, {"weir", "name", "name"}), filter_.peer_name) ||
	    is(at(record, {"dns", "question", "name"}), filter_.peer_name))
		return true;
	for (const char *when : {"before", "after", "refused"})
		for (const auto &each : at(record, {"weir", "name", when}))
			if (const auto address = prefix_of(each); address && is_peer(*address))
				return true;
	return false;
}

bool Chooser::admits(const Json &record, std::string_view dataset, std::int64_t time, bool strict)
{
	if (dataset == "weir.name")
		learn(record); // whatever time is chosen: what the name was before it still tells
	if ((filter_.since && time < *filter_.since) || (filter_.until && time >= *filter_.until))
		return false;
	if (!filter_.kinds.empty() && std::ranges::none_of(filter_.kinds, [&](const std::string &each) {
		    return dataset.substr(prefix.size()) == each || is(at(record, {"event", "action"}), each);
	    }))
		return false;
	if (dataset == "weir.violation" || dataset == "weir.admission")
		return admits_attempt(record, strict);
	if (!filter_.chooses())
		return true;
	if (dataset == "weir.loss" && !strict)
		return true;
	Filter rest = filter_;
	rest.row.clear();
	rest.peers.clear();
	rest.peer_name.clear();
	if (rest.chooses()) // by what only attempts have
		return false;
	if (dataset == "weir.policy")
		return admits_change(record);
	return dataset == "weir.name" && filter_.row.empty() && admits_name(record);
}

} // namespace weir::audit
