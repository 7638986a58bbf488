// SPDX-License-Identifier: Apache-2.0
#include "policy/row_rules.h"

#include "policy/text.h"

#include <algorithm>

namespace weir::policy {

std::string_view text_of(Direction dir)
{
	return dir == Direction::out ? "out" : "in";
}

std::string_view text_of(Status status)
{
	return status == Status::mandatory ? "mandatory" : "optional";
}

std::optional<Direction> direction_from(std::string_view text)
{
	if (text == "out") {
		return Direction::out;
	}
	return text == "in" ? std::optional(Direction::in) : std::nullopt;
}

std::optional<Status> status_from(std::string_view text)
{
	if (text == "mandatory") {
		return Status::mandatory;
	}
	return text == "optional" ? std::optional(Status::optional) : std::nullopt;
}

const std::vector<std::string> &types()
{
	static const std::vector<std::string> all = {"backend", "user", "host"};
	return all;
}

bool is_type(std::string_view text)
{
	return std::ranges::find(types(), text) != types().end();
}

Result<> check_sides(const Row &row)
{
	const bool out = row.dir == Direction::out;
	const std::string side = out ? "the source of an \"out\" row" : "the destination of an \"in\" row";
	if (is_builtin_name(row.component())) {
		const bool swapped = !is_builtin_name(row.peer());
		return fail(Exit::policy,
			    side + " is a component of this host, which " + in_quotes(row.component()) + " is not\n" +
				    "name the component" +
				    (swapped ? std::string(", or is dir = \"") + (out ? "in" : "out") + "\" meant?"
					     : std::string()));
	}
	if (row.source == row.destination) {
		return fail(Exit::policy, "source and destination are both " + in_quotes(row.source) +
						  "\nname the peer, or \"localhost\" for the host itself");
	}
	return {};
}

std::vector<std::string> columns_of(const Row &row)
{
	return {std::string(text_of(row.dir)),    row.source, row.destination, row.port.text(), row.service, row.type,
		std::string(text_of(row.status)), row.comment};
}

} // namespace weir::policy
