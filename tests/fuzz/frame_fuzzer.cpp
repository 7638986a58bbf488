// SPDX-License-Identifier: Apache-2.0
// libFuzzer's harness: the first byte says the circumstances, the rest is the frame.
#include "tests/fuzz/check.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	if (size == 0)
		return 0;
	// A copy that ends where the frame ends, so that the sanitizer sees who reads past it.
	const auto frame = std::make_unique<std::uint8_t[]>(size - 1);
	std::memcpy(frame.get(), data + 1, size - 1);
	const auto what = weir::fuzz::broken({frame.get(), size - 1}, (data[0] & 1) != 0, (data[0] & 2) == 0);
	if (!what.empty()) {
		std::fprintf(stderr, "frame_fuzzer: %s\n", what.c_str());
		std::abort();
	}
	return 0;
}
