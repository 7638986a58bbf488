// SPDX-License-Identifier: Apache-2.0
#include "formats/record.h"

#include "audit/events_view.h"

namespace weir::formats {
namespace {

std::string plain(const Json &value)
{
	if (value.is_string())
		return value.get<std::string>();
	return value.is_null() ? "" : value.dump();
}

void walk(const Json &object, const std::string &prefix, const TakeField &take)
{
	for (const auto &[key, value] : object.items()) {
		std::string name = prefix;
		if (!name.empty())
			name += '.';
		name += key;
		if (value.is_object()) {
			walk(value, name, take);
		} else if (value.is_array()) {
			std::string all;
			for (const auto &each : value)
				all += (all.empty() ? "" : ",") + plain(each);
			take(name, all);
		} else if (!value.is_null()) {
			take(name, plain(value));
		}
	}
}

} // namespace

Result<Json> parse_record(std::string_view line)
{
	auto record = Json::parse(line, nullptr, false);
	if (!record.is_object())
		return fail("not a JSON object");
	if (!text(record, "event.dataset").starts_with("weir."))
		return fail("not a record of weir: event.dataset is none that it writes");
	return record;
}

const Json &at(const Json &record, std::string_view dotted)
{
	static const Json none;
	const Json *here = &record;
	while (!dotted.empty()) {
		const auto dot = dotted.find('.');
		if (!here->is_object())
			return none;
		const auto found = here->find(dotted.substr(0, dot));
		if (found == here->end())
			return none;
		here = &*found;
		dotted = dot == std::string_view::npos ? "" : dotted.substr(dot + 1);
	}
	return *here;
}

std::string text(const Json &record, std::string_view dotted)
{
	const Json &value = at(record, dotted);
	return value.is_string() || value.is_number_integer() ? plain(value) : "";
}

std::uint64_t number(const Json &record, std::string_view dotted)
{
	const Json &value = at(record, dotted);
	return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::int64_t time_of(const Json &record, std::string_view dotted)
{
	const Json &value = at(record, dotted);
	return value.is_string() ? audit::parse_time(value.get_ref<const std::string &>()).value_or(0) : 0;
}

void for_each_field(const Json &record, const TakeField &take)
{
	walk(record, "", take);
}

} // namespace weir::formats
