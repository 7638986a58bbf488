// SPDX-License-Identifier: Apache-2.0
#include "journal/chain.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace weir::journal {
namespace {

constexpr std::string_view begin_link = ",\"journal\":{\"sequence\":";
constexpr std::string_view begin_previous = ",\"previous\":\"";
constexpr std::string_view begin_key = "\",\"next_key\":\"";
constexpr std::string_view begin_signature = "\",\"signature\":\"";
constexpr std::string_view end_line = "\"}}";

void append_link(std::string &out, std::string_view object, std::uint64_t sequence, const Hash &previous)
{
	out.append(object.substr(0, object.size() - 1)); // without its last brace
	out.append(begin_link);
	out.append(std::to_string(sequence));
	out.append(begin_previous);
	const auto at = out.size();
	out.resize(at + 2 * previous.size() + 1);
	sodium_bin2hex(out.data() + at, 2 * previous.size() + 1, previous.data(), previous.size());
	out.pop_back(); // the zero byte that it ends in
}

std::string signed_text(std::string_view text)
{
	return std::string(signed_prefix).append(text);
}

/// Takes `part` off the end of the text, if that is how it ends.
bool chop(std::string_view &text, std::string_view part)
{
	if (!text.ends_with(part))
		return false;
	text.remove_suffix(part.size());
	return true;
}

bool chop_hex(std::string_view &text, std::uint8_t *bytes, std::size_t size)
{
	if (text.size() < 2 * size || !from_hex(text.substr(text.size() - 2 * size), bytes, size))
		return false;
	text.remove_suffix(2 * size);
	return true;
}

} // namespace

void use_sodium()
{
	if (sodium_init() < 0)
		std::abort(); // the kernel gives no random numbers: nothing can be signed
}

KeyPair make_keys()
{
	KeyPair keys;
	crypto_sign_keypair(keys.open.data(), keys.secret.data());
	return keys;
}

Hash hash_of(std::string_view line)
{
	Hash hash;
	crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char *>(line.data()), line.size(),
			   nullptr, 0);
	return hash;
}

std::string hex(const std::uint8_t *bytes, std::size_t size)
{
	std::string text(2 * size + 1, '\0');
	sodium_bin2hex(text.data(), text.size(), bytes, size);
	text.pop_back();
	return text;
}

bool from_hex(std::string_view text, std::uint8_t *bytes, std::size_t size)
{
	const auto digit = [](char c) {
		return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
	};
	if (text.size() != 2 * size)
		return false;
	for (std::size_t i = 0; i < size; ++i) {
		const int high = digit(text[2 * i]);
		const int low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
	}
	return true;
}

Hash append_record(std::string &out, std::string_view object, std::uint64_t sequence, const Hash &previous)
{
	const auto at = out.size();
	append_link(out, object, sequence, previous);
	out.append(end_line);
	const auto hash = hash_of(std::string_view(out).substr(at));
	out.push_back('\n');
	return hash;
}

Hash append_checkpoint(std::string &out, std::string_view object, std::uint64_t sequence, const Hash &previous,
		       const PublicKey &next, const SecretKey &secret)
{
	const auto at = out.size();
	append_link(out, object, sequence, previous);
	out.append(begin_key).append(hex(next));
	Signature signature;
	const auto text = signed_text(std::string_view(out).substr(at));
	crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char *>(text.data()),
			     text.size(), secret.data());
	out.append(begin_signature).append(hex(signature)).append(end_line);
	const auto hash = hash_of(std::string_view(out).substr(at));
	out.push_back('\n');
	return hash;
}

std::optional<Link> link_of(std::string_view line)
{
	Link link;
	if (line.empty() || line.front() != '{' || !chop(line, end_line))
		return std::nullopt;
	std::string_view rest = line;
	// Of the two forms the longer one first: a record's hash is no signature, by its length.
	if (chop_hex(rest, link.signature.data(), link.signature.size()) && chop(rest, begin_signature)) {
		link.is_checkpoint = true;
		link.signed_size = rest.size();
		if (!chop_hex(rest, link.next.data(), link.next.size()) || !chop(rest, begin_key))
			return std::nullopt;
		line = rest;
	}
	if (!chop_hex(line, link.previous.data(), link.previous.size()) || !chop(line, begin_previous))
		return std::nullopt;
	const auto digits = line.find_last_not_of("0123456789") + 1;
	const auto number = line.substr(digits);
	const auto read = std::from_chars(number.data(), number.data() + number.size(), link.sequence);
	if (number.empty() || read.ec != std::errc() || (number.size() > 1 && number.front() == '0'))
		return std::nullopt;
	line = line.substr(0, digits);
	return chop(line, begin_link) ? std::optional(link) : std::nullopt;
}

bool is_signed_by(const PublicKey &key, std::string_view line, const Link &link)
{
	const auto text = signed_text(line.substr(0, link.signed_size));
	return crypto_sign_verify_detached(link.signature.data(), reinterpret_cast<const unsigned char *>(text.data()),
					   text.size(), key.data()) == 0;
}

} // namespace weir::journal
