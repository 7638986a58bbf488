// SPDX-License-Identifier: Apache-2.0
// Which records somebody wants to see.
#pragma once

#include "policy/address.h"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::audit {

/// The last part of event.dataset: "weir.violation", ...
inline constexpr std::array<const char *, 12> kinds{"violation",  "admission", "policy",    "window",
						    "name",       "interface", "component", "journal",
						    "checkpoint", "integrity", "loss",      "sink"};
/// "weir.policy", of those.
bool is_kind(std::string_view dataset);

/// What is not set admits all.
struct Filter {
	std::optional<std::int64_t> since{}; ///< UNIX time, ns; that very moment included
	std::optional<std::int64_t> until{}; ///< not included
	std::vector<std::string> kinds{};    ///< of `kinds`, or an event.action; any of them
	std::string reason{};                ///< weir.reason
	std::string gate{};                  ///< weir.gate
	std::string direction{};             ///< "egress" or "ingress"
	std::optional<std::uint32_t> pid{};
	std::string process{};               ///< process.name, or all of process.executable
	std::string row{};                   ///< rule.id; of a change: the row of a line of what it opened or closed
	std::optional<Prefix> to{};          ///< holds destination.ip
	/// The other end is in one of these: destination.ip of what goes out, source.ip of what comes in; of a change: a
	/// line of what it opened or closed names a part of it.
	std::vector<Prefix> peers{};
	std::string peer_name{}; ///< in the rows, or in DNS; has the addresses that records of names have said, besides

	/// True when it chooses among refusals and admissions, not only by time and kind.
	[[nodiscard]] bool chooses() const
	{
		return !reason.empty() || !gate.empty() || !direction.empty() || pid || !process.empty() || to ||
		       !row.empty() || has_peer();
	}
	[[nodiscard]] bool has_peer() const { return !peers.empty() || !peer_name.empty(); }
};

/// A filter, and what it learns while records go by.
class Chooser {
public:
	explicit Chooser(Filter filter) : filter_(std::move(filter)) {}

	/// A record of weir, its dataset and time. `strict`: for machines, which get what is known to fit. People see
	/// every loss besides, unless they chose kinds: what they look for may be among what was lost.
	bool admits(const nlohmann::json &record, std::string_view dataset, std::int64_t time, bool strict);

private:
	bool admits_attempt(const nlohmann::json &record, bool strict) const;
	bool admits_change(const nlohmann::json &record) const;
	bool admits_name(const nlohmann::json &record) const;
	void learn(const nlohmann::json &record);
	[[nodiscard]] bool is_peer(const Prefix &) const;

	Filter filter_;
	std::set<Prefix> learned_; ///< addresses of peer_name
};

} // namespace weir::audit
