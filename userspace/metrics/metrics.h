// SPDX-License-Identifier: Apache-2.0
// What monitoring wants to know, in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats)
// for the textfile collector of node_exporter: no socket is opened.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"
#include "sinks/sender.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::metrics {

/// Of `weir run`, since it began.
struct RunFigures {
	std::uint64_t written = 0; ///< records of refusals that went into the output
	std::uint64_t waiting = 0; ///< lines that the output has not taken
	std::uint64_t discarded = 0; ///< refusals that were read and not written
	std::vector<std::pair<std::string, sinks::Figures>> sinks; ///< by name
};

struct Facts {
	std::string instance;
	std::string version;
	std::optional<kernel::State> state{}; ///< nullopt: the instance is not loaded, or can't be read
	std::optional<RunFigures> run{}; ///< nullopt: not by `weir run`
	std::int64_t unix_ns = 0; ///< when, by both clocks
	std::uint64_t boot_ns = 0;
};

/// Pure. Each family has its help and type; series of refusals that never were are left out.
std::string text_of(const Facts &);
/// The part of `run` alone.
std::string text_of(const std::string &instance, const RunFigures &);

/// Writes beside the file and renames: a collector reads all of it or what was there before. Mode 0644.
Result<> replace(const std::string &path, std::string_view text);

} // namespace weir::metrics
