// SPDX-License-Identifier: Apache-2.0
// The independent evaluator: written from the rows, row by row, with no thought of speed and nothing of the
// compiler's. What it says is what the policy means; the compiled image is tested against it.
#pragma once

#include "compile/packet.h"

namespace weir {

Answer evaluate(const BoundPolicy &, const Question &);

} // namespace weir
