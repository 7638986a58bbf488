// SPDX-License-Identifier: Apache-2.0
// Reading TOML strictly: what is not understood is an error that says where and what to do. Internal.
#pragma once

#include "policy/diagnostic.h"

#include <toml++/toml.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

class TomlFile {
public:
	/// `what` is the kind of file, for messages: "a matrix file". Checks the text, parses, checks `format`.
	static Result<TomlFile> parse(std::string_view text, const std::string &file, std::string_view what);

	[[nodiscard]] const toml::table &root() const { return root_; }
	[[nodiscard]] std::string_view text() const { return text_; }
	[[nodiscard]] Place place(const toml::source_region &) const;
	[[nodiscard]] std::unexpected<Error> error(const toml::source_region &, std::string_view what,
						   std::string_view hint = {}) const;
	/// Of a phrase, "WHAT\nHINT".
	[[nodiscard]] std::unexpected<Error> error(const toml::source_region &, const Error &phrase) const;

	/// `where`: "a row", "a site file". `missing` is the hint when a key that must be there isn't.
	[[nodiscard]] Result<> only(const toml::table &, std::span<const std::string_view> keys,
				    std::string_view where) const;
	/// The value of a key that must be there.
	[[nodiscard]] Result<const toml::node *> need(const toml::table &, std::string_view key, std::string_view where,
						      std::string_view hint) const;
	[[nodiscard]] Result<std::string> string(const toml::node &, std::string_view key) const;
	/// string() that a person can read, not empty.
	[[nodiscard]] Result<std::string> words(const toml::node &, std::string_view key) const;
	/// string() that can be an id or the name of a file.
	[[nodiscard]] Result<std::string> id(const toml::node &, std::string_view key) const;
	[[nodiscard]] std::unexpected<Error> wrong_type(const toml::node &, std::string_view key,
							std::string_view wanted, std::string_view hint) const;
	/// "X is not a KEY", with the values that are.
	[[nodiscard]] std::unexpected<Error> wrong_choice(const toml::node &, std::string_view value,
							  std::string_view key,
							  const std::vector<std::string> &choices) const;

private:
	TomlFile(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}
	[[nodiscard]] Result<> check_format(std::string_view what) const;

	std::string_view text_; ///< of the caller
	std::string file_;
	toml::table root_;
};

/// Where a value of a file that was parsed before stands: path of keys; row and element counted from 0. For errors
/// that are found after parsing, which are rare: so the text is parsed again instead of keeping all places.
Place place_of_row_key(const Matrix &, const Row &, std::string_view key);
Place place_of_site_key(const Site &, std::string_view table, std::string_view key);
/// An element of a list that is no table's: "optional", "resolvers".
Place place_of_element(const Site &, std::string_view list, std::size_t index);
/// Of `scenario`, or an element of `scenarios`.
Place place_of_scenario(const Site &, std::size_t index);
/// An element of the list that [services] has for a component.
Place place_of_service(const Site &, std::string_view component, std::size_t index);
/// The header of [windows.NAME], or the value of one of its keys, or an element of that.
Place place_of_window(const Site &, std::string_view name, std::string_view key = {});
Place place_of_window(const Site &, std::string_view name, std::string_view key, std::size_t index);

} // namespace weir::policy
