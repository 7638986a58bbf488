// SPDX-License-Identifier: Apache-2.0
#include "policy/journal_key.h"

#include "policy/row_rules.h"
#include "policy/text.h"

namespace weir::policy {

Result<bool> read_journal(const TomlFile &file, const toml::table &table)
{
	const toml::node *node = table.get("journal");
	if (node == nullptr) {
		return false;
	}
	const Result<std::string> value = file.string(*node, "journal");
	if (!value) {
		return std::unexpected(value.error());
	}
	if (*value != required) {
		return file.error(node->source(), in_quotes(*value) + " is not what a row can ask of the journal",
				  "use \"required\"; a row that holds without the journal has no such key");
	}
	return true;
}

} // namespace weir::policy
