// SPDX-License-Identifier: Apache-2.0
// The chain: each line of the journal has its number and the hash of the line before it; checkpoints are signed.
//
// A record is a JSON object in one line, whose last member is
//   "journal":{"sequence":N,"previous":"HASH"}
// and of a checkpoint
//   "journal":{"sequence":N,"previous":"HASH","next_key":"KEY","signature":"SIGNATURE"}
// HASH is BLAKE2b-256 (RFC 7693) of the line before, without its newline; of the first line it is all zeros. KEY is
// the Ed25519 public key (RFC 8032) that signs the next checkpoint, SIGNATURE is that of `signed_prefix` and the line up
// to the member "signature", by the key that the checkpoint before announced. All in lower-case hexadecimal.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::journal {

using Hash = std::array<std::uint8_t, 32>;
using PublicKey = std::array<std::uint8_t, 32>;
using SecretKey = std::array<std::uint8_t, 64>; ///< libsodium's form: seed and public key
using Signature = std::array<std::uint8_t, 64>;

/// Before what is signed, so that a signature of the journal can never be taken for one of something else.
constexpr std::string_view signed_prefix = "weir journal checkpoint 1\n";

/// Lines that are longer are no records of weir's.
constexpr std::size_t longest_line = 1u << 20;

struct KeyPair {
	PublicKey open{};
	SecretKey secret{};
};

/// To be called before anything else of libsodium.
void use_sodium();

KeyPair make_keys();
Hash hash_of(std::string_view line);
std::string hex(const std::uint8_t *bytes, std::size_t size);
/// False when it isn't `size` bytes in lower-case hexadecimal.
bool from_hex(std::string_view text, std::uint8_t *bytes, std::size_t size);

template <std::size_t Size>
std::string hex(const std::array<std::uint8_t, Size> &bytes)
{
	return hex(bytes.data(), Size);
}

/// Appends `object`, a JSON object, as the next line of the chain, newline included; gives the line's hash.
Hash append_record(std::string &out, std::string_view object, std::uint64_t sequence, const Hash &previous);

/// The same of a checkpoint.
Hash append_checkpoint(std::string &out, std::string_view object, std::uint64_t sequence, const Hash &previous,
		       const PublicKey &next, const SecretKey &secret);

/// What a line says of its place.
struct Link {
	std::uint64_t sequence = 0;
	Hash previous{};
	bool is_checkpoint = false;
	PublicKey next{};
	Signature signature{};
	std::size_t signed_size = 0; ///< bytes of the line that the signature is of
};

/// Of a line without its newline; nullopt: it is no line of a journal. Looks at the end of the line only.
std::optional<Link> link_of(std::string_view line);

bool is_signed_by(const PublicKey &, std::string_view line, const Link &);

} // namespace weir::journal
