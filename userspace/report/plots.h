// SPDX-License-Identifier: Apache-2.0
// The page's plots, as SVG: over the time of the report, with labelled axes and the same in words.
#pragma once

#include "report/report.h"

#include <string>

namespace weir::report {

/// Refusals: bars, out on top of in.
std::string refusals_plot(const Report &);
/// What was in force, which windows were open, and where there are gaps: a lane each.
std::string coverage_plot(const Report &);

} // namespace weir::report
