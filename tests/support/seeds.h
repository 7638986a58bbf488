// SPDX-License-Identifier: Apache-2.0
// One packet of each form: what fuzzing begins with.
#pragma once

#include "tests/support/packets.h"

namespace weir::test {

std::vector<Bytes> seed_packets(const Path &);
std::vector<Bytes> seed_frames(const Path &); ///< those, bare and in one tag and two, and what is not IP

} // namespace weir::test
