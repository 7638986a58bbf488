// SPDX-License-Identifier: Apache-2.0
// From a host's name to its addresses, by DNS and nothing else: no /etc/hosts, no search list, no mDNS, no cache. What is
// followed has to have a lifetime, and has to be what the site's own resolvers say.
#pragma once

#include "base/result.h"
#include "names/resolvers.h"
#include "policy/model.h"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::names {

inline constexpr std::size_t most_addresses = 64; ///< of one answer

struct Query {
	std::string host; ///< whole, whether it ends in a point or not
	/// Families that are wanted: each one is asked for, and has to be answered, be it by "there is none".
	bool v4 = true;
	bool v6 = true;
	std::vector<Resolver> resolvers; ///< one after the other, until one answers
	std::int64_t timeout_ms = 6000; ///< for all of it
};

/// For the families that `within` has: an answer of another one could not be taken.
Query query_of(const HostName &, std::vector<Resolver>);

struct Answer {
	std::vector<Address> addresses; ///< as they came; sorted, none twice, 1 to most_addresses
	std::uint32_t ttl = 0; ///< seconds; the shortest of the addresses and of the aliases that led to them
	Resolver from;
};

enum class Problem : std::uint8_t {
	no_such_name, ///< NXDOMAIN
	no_address, ///< there is the name, and it has none of the wanted families
	server_failed, ///< SERVFAIL and its like
	server_refused, ///< REFUSED
	no_answer, ///< in time, or none that fits the question
	unreachable, ///< nothing listens there, or no packet leaves
	nonsense, ///< an answer that can't be read
	too_many, ///< more than most_addresses
	machine, ///< it can't be asked at all
};
const char *name_of(Problem); ///< "no_such_name": stable, for machines

struct Failure {
	Problem problem = Problem::machine;
	std::string text; ///< what each resolver said, and in further lines what to do
};
/// As an error: Exit::policy where the name itself is wrong, else Exit::failure.
Error as_error(const Failure &, const std::string &host);

using Outcome = std::expected<Answer, Failure>;

/// One look-up, for a loop that must not wait.
class Lookup {
public:
	explicit Lookup(Query);
	Lookup(Lookup &&) noexcept;
	Lookup &operator=(Lookup &&) noexcept;
	~Lookup();

	/// Becomes readable when step() has something to do. Besides, step() wants to be called by deadline().
	[[nodiscard]] int fd() const;
	[[nodiscard]] std::int64_t deadline() const; ///< CLOCK_MONOTONIC, ns
	/// Never waits. The outcome, once it is there.
	std::optional<Outcome> step();

private:
	class Impl;
	std::unique_ptr<Impl> impl_;
};

/// Waits for the outcomes, in the order of the queries, for as long as the one with the most time may take.
std::vector<Outcome> resolve(const std::vector<Query> &);
Outcome resolve(const Query &);

} // namespace weir::names
