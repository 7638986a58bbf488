// SPDX-License-Identifier: Apache-2.0
#include "cli/journal_key.h"

#include "audit/events_view.h"
#include "journal/files.h"

#include <fmt/format.h>

namespace weir::cli {

Result<journal::PublicKey> journal_key(const std::string &text)
{
	journal::PublicKey key;
	if (journal::from_hex(text, key.data(), key.size()))
		return key;
	const auto content = journal::read_small_file(text);
	if (!content && content.error().code != Exit::absent)
		return std::unexpected(content.error());
	auto line = content ? std::string_view(*content) : std::string_view();
	line = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
	if (journal::from_hex(line, key.data(), key.size()))
		return key;
	return fail(Exit::usage,
		    fmt::format("--key: \"{}\" is neither a key of 64 hexadecimal digits nor a file with one",
				audit::printable(text)));
}

Result<journal::Question> journal_question(const std::string &directory, const std::string &key,
					   const std::vector<std::string> &heads)
{
	journal::Question question{directory};
	if (!key.empty()) {
		const auto first = journal_key(key);
		if (!first)
			return std::unexpected(first.error());
		question.key = *first;
	}
	for (const auto &text : heads) {
		auto head = journal::parse_head(text);
		if (!head)
			return std::unexpected(std::move(head).error());
		question.heads.push_back(std::move(*head));
	}
	return question;
}

} // namespace weir::cli
