// SPDX-License-Identifier: Apache-2.0
#include "daemon/hosts.h"

#include "compile/image.h"
#include "policy/hosts.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

namespace weir::daemon {
namespace {

constexpr std::size_t most_at_a_time = 8; ///< look-ups under way
constexpr unsigned most_tries = 30;       ///< to publish, one a second

std::int64_t now_ns()
{
	return clock_ns(CLOCK_BOOTTIME); // a lifetime goes on while the host sleeps
}

/// A resolver can't be reached by a host that has just been started, or whose network was down for a moment: soon again.
std::int64_t pause(const Pace &pace, unsigned failures)
{
	return std::min(pace.longest_retry, pace.retry << std::min(failures - 1, 10u));
}

template <typename List>
std::vector<std::string> texts(const List &list)
{
	std::vector<std::string> all;
	all.reserve(list.size());
	for (const auto &each : list)
		all.push_back(each.text());
	return all;
}

std::string in_force(const std::vector<Prefix> &addresses)
{
	return addresses.empty() ? "no address" : fmt::format("{}", fmt::join(texts(addresses), ", "));
}

bool is_same(const HostName &a, const HostName &b)
{
	return a.host == b.host && a.within == b.within;
}

} // namespace

Hosts::Followed::Followed(HostName name, std::int64_t keep) : host(std::move(name)), kept(keep) {}

Hosts::Hosts(kernel::Where where, Pace pace)
	: where_(std::move(where)), pace_(pace), epoll_(::epoll_create1(EPOLL_CLOEXEC))
{}

void Hosts::read_policy()
{
	const auto generation = kernel::read_generation(where_);
	if (!generation || *generation == generation_)
		return;
	const auto image = kernel::read_image(where_);
	const auto text = image ? text_of(*image) : Result<std::string>(std::unexpected(image.error()));
	const auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	if (!policy)
		return;
	generation_ = *generation;
	resolvers_ = policy->resolvers;
	std::erase_if(followed_, [&](const Each &each) {
		const auto host = policy->hosts.find(each.first);
		return host == policy->hosts.end() || !is_same(host->second, each.second.host);
	});
	const auto now = now_ns();
	for (const auto &[name, host] : policy->hosts) {
		const auto [at, is_new] = followed_.try_emplace(name, host, pace_.keep);
		auto &followed = at->second;
		followed.host.addresses = host.addresses;
		followed.kept.adopt(host.addresses, now);
		if (is_new && !host.addresses.empty()) // it was looked up just now, if this is not a restart
			followed.due = now + pace_.least;
	}
}

void Hosts::look(Records &records)
{
	epoll_event event{};
	if (::epoll_wait(epoll_.get(), &event, 1, 0) <= 0)
		return;
	for (auto &each : followed_)
		step(records, each);
}

void Hosts::tick(Records &records)
{
	read_policy();
	for (auto &each : followed_) {
		step(records, each);
		publish(records, each);
	}
	for (auto &each : followed_)
		if (!each.second.lookup && each.second.wanted.empty() && now_ns() >= each.second.due)
			start(records, each);
}

void Hosts::start(Records &records, Each &each)
{
	auto &[name, followed] = each;
	if (std::ranges::count_if(followed_, [](const Each &one) { return one.second.lookup.has_value(); }) >=
	    static_cast<std::ptrdiff_t>(most_at_a_time))
		return;
	auto resolvers = names::resolvers(resolvers_);
	if (!resolvers) {
		fail(records, each, {names::Problem::machine, resolvers.error().message});
		return;
	}
	auto query = names::query_of(followed.host, std::move(*resolvers));
	query.timeout_ms = pace_.look_up / ms;
	followed.lookup.emplace(std::move(query));
	epoll_event wanted{};
	wanted.events = EPOLLIN;
	::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, followed.lookup->fd(), &wanted);
	step(records, each);
}

void Hosts::step(Records &records, Each &each)
{
	auto &[name, followed] = each;
	if (!followed.lookup)
		return;
	const auto outcome = followed.lookup->step();
	if (!outcome)
		return;
	followed.lookup.reset();
	if (*outcome)
		take(records, each, **outcome);
	else
		fail(records, each, outcome->error());
}

void Hosts::take(Records &records, Each &each, const names::Answer &answer)
{
	auto &[name, followed] = each;
	const auto now = now_ns();
	followed.due = now + std::clamp(answer.ttl * second, pace_.least, pace_.most);
	if (followed.failures != 0) {
		followed.failures = 0;
		tell(records, {.action = "name_answered",
			       .name = name,
			       .host = followed.host.host,
			       .text = fmt::format("{} ({}) has an answer again", followed.host.host, name),
			       .resolver = answer.from.text(),
			       .answer = texts(answer.addresses)});
	}
	std::vector<Prefix> good;
	std::vector<std::pair<Address, std::string>> refused;
	for (const auto &address : answer.addresses) {
		auto complaint = policy::answer_complaint(followed.host, address);
		if (complaint.empty())
			good.push_back({address, 128});
		else
			refused.emplace_back(address, std::move(complaint));
	}
	followed.answer = answer;
	if (!refused.empty())
		tell_refused(records, each, refused, good.empty());
	if (good.empty())
		return; // whoever lies does not say, either, which addresses are gone
	followed.wanted = followed.kept.after(good, now);
	followed.tries = 0;
	publish(records, each);
}

/// Each address once in a while: a resolver that lies does so again and again.
void Hosts::tell_refused(Records &records, Each &each, const std::vector<std::pair<Address, std::string>> &refused,
			 bool all)
{
	auto &[name, followed] = each;
	const auto now = now_ns();
	if (now - followed.refused_said >= pace_.say_again || followed.refused.size() > KeptAddresses::most)
		followed.refused.clear();
	bool is_news = false;
	std::string reasons;
	std::vector<std::string> addresses;
	for (const auto &[address, complaint] : refused) {
		is_news = followed.refused.insert(address).second || is_news;
		reasons += fmt::format("{}{} {}", reasons.empty() ? "" : "; ", address.text(), complaint);
		addresses.push_back(address.text());
	}
	if (!is_news)
		return;
	followed.refused_said = now;
	tell(records,
	     {.action = "name_refused",
	      .name = name,
	      .host = followed.host.host,
	      .text = fmt::format(
		      "{} ({}): refused what {} says: {}{}", followed.host.host, name, followed.answer.from.text(),
		      reasons, all ? fmt::format(". It stays as it was: {}", in_force(followed.host.addresses)) : ""),
	      .failed = true,
	      .resolver = followed.answer.from.text(),
	      .answer = texts(followed.answer.addresses),
	      .refused = std::move(addresses)});
}

void Hosts::fail(Records &records, Each &each, const names::Failure &failure)
{
	auto &[name, followed] = each;
	const auto now = now_ns();
	const bool is_news = followed.failures == 0 || followed.problem != failure.problem ||
			     now - followed.said >= pace_.say_again;
	followed.failures++;
	followed.problem = failure.problem;
	followed.due = now + pause(pace_, followed.failures);
	if (!is_news)
		return;
	followed.said = now;
	tell(records,
	     {.action = "name_failed",
	      .name = name,
	      .host = followed.host.host,
	      .text = fmt::format("{} ({}) can't be looked up: {}. It stays as it was: {}", followed.host.host, name,
				  failure.text.substr(0, failure.text.find('\n')), in_force(followed.host.addresses)),
	      .failed = true,
	      .problem = names::name_of(failure.problem)});
}

/// Connections to addresses that went are refused, and would hang. "; cut TCP ...", or ""
std::string Hosts::cut(const BoundPolicy &before) const
{
	const auto cut = kernel::cut_ended(where_, before);
	const auto problem = !cut ? cut.error().message : cut->problems.empty() ? "" : cut->problems.front();
	if (!problem.empty())
		say("connections could not be cut, but nothing of them passes any more: " + problem);
	return !cut || cut->connections.empty() ? "" : fmt::format("; cut {}", fmt::join(cut->connections, ", "));
}

void Hosts::publish(Records &records, Each &each)
{
	auto &[name, followed] = each;
	if (followed.wanted.empty())
		return;
	std::optional<BoundPolicy> old;
	const auto how = [&](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
		const auto host = policy.hosts.find(name);
		// Another policy than the one that asked has come: it is read with the next tick.
		if (host == policy.hosts.end() || !is_same(host->second, followed.host))
			return std::nullopt;
		followed.host.addresses = host->second.addresses;
		if (host->second.addresses == followed.wanted)
			return std::nullopt;
		auto changed = policy::with_addresses(policy, name, followed.wanted);
		if (!changed)
			return std::unexpected(std::move(changed).error());
		old = policy;
		return std::move(*changed);
	};
	const auto done = kernel::change(where_, how, 0);
	if (!done) {
		if (done.error().code == Exit::absent) {
			followed.wanted.clear();
		} else if (++followed.tries >= most_tries) {
			followed.wanted.clear();
			fail(records, each, {names::Problem::machine, done.error().message});
		} else if (complaint_.is_due()) {
			say(fmt::format("{}: new addresses can't be published, trying on: {}", name,
					done.error().message));
		}
		return;
	}
	const auto wanted = std::exchange(followed.wanted, {});
	if (!*done)
		return;
	records.published(**done);
	const auto before = std::exchange(followed.host.addresses, wanted);
	const bool lost = std::ranges::any_of(
		before, [&](const Prefix &address) { return std::ranges::find(wanted, address) == wanted.end(); });
	const auto ended = lost && old ? cut(*old) : "";
	tell(records, {.action = "name_changed",
		       .name = name,
		       .host = followed.host.host,
		       .text = fmt::format("{} ({}) has other addresses: {}; until now {}{}", followed.host.host, name,
					   fmt::join(texts(wanted), ", "), in_force(before), ended),
		       .resolver = followed.answer.from.text(),
		       .answer = texts(followed.answer.addresses),
		       .before = texts(before),
		       .after = texts(wanted),
		       .generation = (*done)->generation});
}

void Hosts::tell(Records &records, const audit::NameChange &change)
{
	say("name: " + change.text);
	if (records.is_jammed())
		return;
	audit::append_name_json(records.line(), change, where_.instance, clock_ns(CLOCK_REALTIME));
	records.put();
}

} // namespace weir::daemon
