// SPDX-License-Identifier: Apache-2.0
// The policy that an image carries, and its digest.
#include "compile/image.h"

#include <fmt/format.h>
#include <sodium/crypto_hash_sha256.h>

#include <cstring>

namespace weir {

Result<std::string> text_of(const Image &image)
{
	if (image.lines.size() < 2 || image.header().magic != WEIR_MAGIC)
		return fail("this is not an image of weir");
	if (image.header().format != WEIR_FORMAT)
		return fail(fmt::format("the image has format {}, this weir reads {}: use the weir that applied it",
					image.header().format, WEIR_FORMAT));
	const auto &trailer = image.trailer();
	const auto begin = std::uint64_t{trailer.text} * WEIR_LINE;
	if (trailer.lines != image.lines.size() || begin + trailer.text_size > image.lines.size() * WEIR_LINE)
		return fail("the image is damaged: its parts do not fit its size");
	return std::string(reinterpret_cast<const char *>(image.lines.data()) + begin, trailer.text_size);
}

std::vector<std::uint64_t> tallies_of(const Image &image)
{
	if (!text_of(image))
		return {};
	const auto &header = image.header();
	const auto begin = std::uint64_t{header.tallies} * WEIR_LINE;
	std::vector<std::uint64_t> tallies(header.row_count);
	if (begin + tallies.size() * sizeof(std::uint64_t) > image.lines.size() * WEIR_LINE)
		return {};
	std::memcpy(tallies.data(), reinterpret_cast<const char *>(image.lines.data()) + begin,
		    tallies.size() * sizeof(std::uint64_t));
	return tallies;
}

std::array<std::uint8_t, WEIR_DIGEST_SIZE> digest_of(std::string_view text)
{
	std::array<std::uint8_t, WEIR_DIGEST_SIZE> digest{};
	static_assert(WEIR_DIGEST_SIZE == crypto_hash_sha256_BYTES);
	crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char *>(text.data()), text.size());
	return digest;
}

std::string hex(std::span<const std::uint8_t> bytes)
{
	return fmt::format("{:02x}", fmt::join(bytes, ""));
}

} // namespace weir
