// SPDX-License-Identifier: Apache-2.0
#include "policy/toml_file.h"

#include "policy/text.h"

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

std::string_view type_name(const toml::node &node)
{
	switch (node.type()) {
	case toml::node_type::table:
		return "a table";
	case toml::node_type::array:
		return "an array";
	case toml::node_type::string:
		return "a string";
	case toml::node_type::integer:
		return "an integer";
	case toml::node_type::floating_point:
		return "a number with a point";
	case toml::node_type::boolean:
		return "a boolean";
	case toml::node_type::date:
		return "a date";
	case toml::node_type::time:
		return "a time";
	case toml::node_type::date_time:
		return "a date and time";
	case toml::node_type::none:
		break;
	}
	return "nothing";
}

std::vector<std::string> strings(std::span<const std::string_view> views)
{
	return {views.begin(), views.end()};
}

std::string joined(const std::vector<std::string> &words, const char *last)
{
	std::string out;
	for (std::size_t index = 0; index < words.size(); index++) {
		out += (index == 0 ? "" : index + 1 == words.size() ? last : ", ") + in_quotes(words[index]);
	}
	return out;
}

// What toml++ says is for those who know the grammar. The mistakes that an admin makes are said plainly, and with
// what to do.
std::pair<std::string, std::string> plainly(std::string_view description)
{
	struct Known {
		std::string_view part;
		const char *what;
		const char *hint;
	};
	static constexpr std::array<Known, 7> known = {{
		{"unescaped control characters", "the string does not end on its line", "close it with a quote"},
		{"key-value pair: expected value", "the key has no value", "give it one, such as: title = \"...\""},
		{"key-value pair: expected '='", "this is not KEY = VALUE",
		 "a key with a space, or with a sign of its own, stands in quotes"},
		{"table header: expected ']'", "the header does not end on its line", "close it with ]"},
		{"array: encountered end-of-file", "the list does not end", "close it with ]"},
		{"array: expected", "the list does not go on here",
		 "between two values stands a comma; close the list with ]"},
		{"could not determine value type", "this is neither text in quotes nor a number",
		 "put text in quotes, such as \"192.0.2.10\""},
	}};
	constexpr std::string_view redefine = "cannot redefine existing ";
	if (const std::size_t at = description.find(redefine); at != std::string_view::npos) {
		const std::size_t quote = std::min(description.find('\'', at), description.size() - 1);
		const std::string_view rest = description.substr(quote + 1);
		return {in_quotes(rest.substr(0, rest.find('\''))) + " is given twice", "keep one of the two"};
	}
	for (const Known &each : known) {
		if (description.contains(each.part)) {
			return {each.what, each.hint};
		}
	}
	constexpr std::string_view opening = "Error while parsing ";
	if (description.starts_with(opening)) {
		description.remove_prefix(opening.size());
	}
	// 192.0.2.10 begins like a number, 2001:db8::1 like a time, fe80::1 and "true" like a boolean.
	constexpr std::array<std::string_view, 6> bare = {
		"boolean:", "integer:", "floating-point:", "date:", "time:", "date-time:"};
	if (std::ranges::any_of(bare, [&](std::string_view kind) { return description.starts_with(kind); })) {
		return {"this is not a " + std::string(description), "put text in quotes, such as \"192.0.2.10\""};
	}
	return {"this is not TOML: " + std::string(description), "the language is told at https://toml.io/en/v1.0.0"};
}

constexpr std::size_t most_parts = 64; ///< of a dotted key

/// Where the string ends that begins at `at`: past its last quote.
std::size_t end_of_string(std::string_view text, std::size_t at)
{
	const char quote = text[at];
	const std::string three(3, quote);
	const bool many_lines = text.substr(at).starts_with(three);
	for (at += many_lines ? 3 : 1; at < text.size(); at++) {
		if (quote == '"' && text[at] == '\\') {
			at++;
		} else if (many_lines ? text.substr(at).starts_with(three) : text[at] == quote || text[at] == '\n') {
			return at + (many_lines ? 3 : 1);
		}
	}
	return text.size();
}

/// Where a key has more parts than any that means something; npos: nowhere. toml++ makes a table of each part, and
/// takes the tables away by a call inside of a call: of tens of thousands its stack ends.
std::size_t endless_key(std::string_view text)
{
	std::size_t points = 0;
	for (std::size_t at = 0; at < text.size();) {
		const char c = text[at];
		if (c == '"' || c == '\'') {
			at = end_of_string(text, at);
			continue;
		}
		if (c == '#') {
			at = std::min(text.find('\n', at), text.size());
			continue;
		}
		points = c == '.' ? points + 1 : std::string_view("\n=[]{},").contains(c) ? 0 : points;
		if (points >= most_parts) {
			return at;
		}
		at++;
	}
	return std::string_view::npos;
}

} // namespace

Result<TomlFile> TomlFile::parse(std::string_view text, const std::string &file, std::string_view what)
{
	const Result<std::string_view> checked = checked_text(text, file, what);
	if (!checked) {
		return std::unexpected(checked.error());
	}
	TomlFile result(*checked, file);
	if (const std::size_t at = endless_key(*checked); at != std::string_view::npos) {
		return error_at(*checked, place_in(*checked, at, file),
				"the key has more than " + std::to_string(most_parts) + " parts",
				"a key has one or two");
	}
	try {
		result.root_ = toml::parse(*checked, file);
	} catch (const toml::parse_error &problem) {
		const auto [description, hint] = plainly(problem.description());
		return result.error(problem.source(), description, hint);
	}
	if (const Result<> good = result.check_format(what); !good) {
		return std::unexpected(good.error());
	}
	return result;
}

// Before anything else: a newer file may well have keys that this weir doesn't know.
Result<> TomlFile::check_format(std::string_view what) const
{
	const auto node = need(root_, "format", what, "begin the file with: format = 1");
	if (!node) {
		return std::unexpected(node.error());
	}
	const toml::value<std::int64_t> *value = (*node)->as_integer();
	if (value == nullptr) {
		return wrong_type(**node, "format", "an integer", "use: format = 1");
	}
	if (value->get() > 1) {
		return error(value->source(), "format " + std::to_string(value->get()) + " is newer than this weir",
			     "this weir reads format 1");
	}
	if (value->get() < 1) {
		return error(value->source(), "there is no format " + std::to_string(value->get()), "use: format = 1");
	}
	return {};
}

Place TomlFile::place(const toml::source_region &region) const
{
	// The root, and tables that only dotted keys made, have no place: they begin where the file does.
	return {file_, std::max(region.begin.line, toml::source_index{1}),
		std::max(region.begin.column, toml::source_index{1})};
}

std::unexpected<Error> TomlFile::error(const toml::source_region &region, std::string_view what,
				       std::string_view hint) const
{
	return error_at(text_, place(region), what, hint);
}

std::unexpected<Error> TomlFile::error(const toml::source_region &region, const Error &phrase) const
{
	return error_at(text_, place(region), phrase);
}

Result<> TomlFile::only(const toml::table &table, std::span<const std::string_view> keys, std::string_view where) const
{
	for (const auto &[key, value] : table) {
		if (std::ranges::find(keys, key.str()) != keys.end()) {
			continue;
		}
		std::string hint = did_you_mean(key.str(), strings(keys));
		if (hint.empty()) {
			hint = std::string(where) + " has " + joined(strings(keys), " and ");
		}
		return error(key.source(), "unknown key " + in_quotes(key.str()), hint);
	}
	return {};
}

Result<const toml::node *> TomlFile::need(const toml::table &table, std::string_view key, std::string_view where,
					  std::string_view hint) const
{
	const toml::node *node = table.get(key);
	if (node != nullptr) {
		return node;
	}
	return error(table.source(), std::string(where) + " without " + in_quotes(key), hint);
}

Result<std::string> TomlFile::string(const toml::node &node, std::string_view key) const
{
	if (const toml::value<std::string> *value = node.as_string(); value != nullptr) {
		return value->get();
	}
	return wrong_type(node, key, "a string",
			  node.is_value() ? "put the value in quotes"
					  : "give one value, in quotes and without brackets");
}

Result<std::string> TomlFile::words(const toml::node &node, std::string_view key) const
{
	Result<std::string> value = string(node, key);
	if (!value) {
		return value;
	}
	if (const std::string complaint = text_complaint(*value, false); !complaint.empty()) {
		return error(node.source(), {Exit::policy, in_quotes(key) + ' ' + complaint});
	}
	return value;
}

Result<std::string> TomlFile::id(const toml::node &node, std::string_view key) const
{
	Result<std::string> value = string(node, key);
	if (!value) {
		return value;
	}
	if (const std::string complaint = id_complaint(*value); !complaint.empty()) {
		return error(node.source(), {Exit::policy, in_quotes(key) + ' ' + complaint});
	}
	return value;
}

std::unexpected<Error> TomlFile::wrong_type(const toml::node &node, std::string_view key, std::string_view wanted,
					    std::string_view hint) const
{
	return error(node.source(),
		     in_quotes(key) + " is " + std::string(type_name(node)) + ", not " + std::string(wanted), hint);
}

std::unexpected<Error> TomlFile::wrong_choice(const toml::node &node, std::string_view value, std::string_view key,
					      const std::vector<std::string> &choices) const
{
	return error(node.source(), in_quotes(value) + " is not a " + std::string(key),
		     "use " + joined(choices, " or "));
}

namespace {

/// The root of a text that was parsed before; an empty table when there is none.
toml::table parsed_again(const std::string &text)
{
	try {
		return toml::parse(std::string_view(text));
	} catch (const toml::parse_error &) {
		return {}; // a Matrix that was put together by hand
	}
}

Place at_node(const Place &otherwise, const toml::node *node)
{
	if (node == nullptr || node->source().begin.line == 0) {
		return otherwise;
	}
	return {otherwise.file, node->source().begin.line, node->source().begin.column};
}

} // namespace

Place place_of_row_key(const Matrix &matrix, const Row &row, std::string_view key)
{
	const toml::table root = parsed_again(matrix.text);
	if (const toml::array *rows = root.get_as<toml::array>("row"); rows != nullptr) {
		for (const toml::node &node : *rows) {
			const toml::table *table = node.as_table();
			if (table != nullptr && node.source().begin.line == row.place.line &&
			    node.source().begin.column == row.place.column) {
				return at_node(row.place, table->get(key));
			}
		}
	}
	return row.place;
}

Place place_of_site_key(const Site &site, std::string_view table, std::string_view key)
{
	const toml::table root = parsed_again(site.text);
	if (table.empty()) {
		return at_node(site.place, root.get(key));
	}
	const toml::table *names = root.get_as<toml::table>(table);
	if (names != nullptr) {
		for (const auto &[name, value] : *names) {
			if (name.str() == key) {
				return {site.place.file, name.source().begin.line, name.source().begin.column};
			}
		}
	}
	return site.place;
}

Place place_of_element(const Site &site, std::string_view name, std::size_t index)
{
	const toml::table root = parsed_again(site.text);
	const toml::array *list = root.get_as<toml::array>(name);
	return at_node(site.place, list == nullptr ? nullptr : list->get(index));
}

Place place_of_scenario(const Site &site, std::size_t index)
{
	const toml::table root = parsed_again(site.text);
	const toml::array *list = root.get_as<toml::array>("scenarios");
	return at_node(site.place, list == nullptr ? root.get("scenario") : list->get(index));
}

Place place_of_service(const Site &site, std::string_view component, std::size_t index)
{
	const toml::table root = parsed_again(site.text);
	const toml::table *services = root.get_as<toml::table>("services");
	const toml::array *list = services == nullptr ? nullptr : services->get_as<toml::array>(component);
	return at_node(site.place, list == nullptr ? nullptr : list->get(index));
}

Place place_of_window(const Site &site, std::string_view name, std::string_view key)
{
	if (key.empty()) {
		return place_of_site_key(site, "windows", name);
	}
	const toml::table root = parsed_again(site.text);
	return at_node(site.place, root["windows"][name][key].node());
}

Place place_of_window(const Site &site, std::string_view name, std::string_view key, std::size_t index)
{
	const toml::table root = parsed_again(site.text);
	return at_node(site.place, root["windows"][name][key][index].node());
}

} // namespace weir::policy
