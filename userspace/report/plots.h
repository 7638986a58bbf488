// SPDX-License-Identifier: Apache-2.0
// The page's plots, as SVG: over the time of the report, with labelled axes and the same in words.
#pragma once

#include "report/report.h"

#include <string>

namespace weir::report {

/// Refusals of what goes out, or of what comes in: each has its own scale.
std::string refusals_plot(const Report &, bool out);
/// What was in force, which windows were open, and where there are gaps: a lane each.
std::string coverage_plot(const Report &);

} // namespace weir::report
