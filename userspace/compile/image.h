// SPDX-License-Identifier: Apache-2.0
// From a bound policy to the bytes that the kernel judges by. A pure function.
#pragma once

#include "base/result.h"
#include "compile/packet.h"

#include <array>
#include <span>
#include <string_view>
#include <cstdint>
#include <string>
#include <vector>

namespace weir {

struct Image {
	std::vector<weir_line> lines;
	[[nodiscard]] const weir_header &header() const { return *reinterpret_cast<const weir_header *>(lines.data()); }
	[[nodiscard]] const weir_trailer &trailer() const { return *reinterpret_cast<const weir_trailer *>(&lines[1]); }
};

struct CompileOptions {
	std::uint32_t generation = 1;
	bool observe = false;
};

/// Errors (Exit::policy): a row that can never match, more than WEIR_CELL_ROWS rows with different conditions
/// for the same packets, a policy whose classes explode; each names the rows.
Result<Image> compile(const BoundPolicy &, const CompileOptions & = {});

/// Ask the image itself, by the very function that the kernel runs (bpf/verdict.bpf.h).
Answer ask(const Image &, const Question &);

/// The policy that an image carries. Error: not an image, or of another format.
Result<std::string> text_of(const Image &);

/// By row: how often it decided, since the image was published. None: it is no image that text_of() reads.
std::vector<std::uint64_t> tallies_of(const Image &);

/// SHA-256 of the canonical text.
std::array<std::uint8_t, WEIR_DIGEST_SIZE> digest_of(std::string_view text);
std::string hex(std::span<const std::uint8_t>);

} // namespace weir
