// SPDX-License-Identifier: Apache-2.0
#include "policy/users.h"

#include "policy/text.h"

#include <algorithm>
#include <charconv>

namespace weir::policy {

namespace {

constexpr std::int64_t most_uid = 4294967294;

} // namespace

bool is_number(std::string_view text)
{
	return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::uint32_t> uid_from(std::string_view text)
{
	std::uint32_t uid = 0;
	const char *const end = text.data() + text.size();
	const auto [stopped, problem] = std::from_chars(text.data(), end, uid);
	if (problem != std::errc{} || stopped != end || uid > most_uid) {
		return std::nullopt;
	}
	return uid;
}

Result<std::uint32_t> read_uid(const TomlFile &file, const toml::node &node, std::string_view key)
{
	const toml::value<std::int64_t> *value = node.as_integer();
	if (value == nullptr) {
		return file.wrong_type(node, key, "a number of a user", "id -u NAME tells it");
	}
	if (value->get() < 0 || value->get() > most_uid) {
		return file.error(node.source(), std::to_string(value->get()) + " is not the number of a user",
				  "use 0 to " + std::to_string(most_uid));
	}
	return static_cast<std::uint32_t>(value->get());
}

} // namespace weir::policy
