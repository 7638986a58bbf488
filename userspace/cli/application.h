// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weir::cli {

/// Parses the command line, runs the verb, prints its error. Gives the exit status (enum Exit).
int run(int argc, char **argv);

} // namespace weir::cli
