// SPDX-License-Identifier: Apache-2.0
// A matrix as a file, and two matrices compared.
#include "policy/page.h"
#include "policy/json_text.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/users.h"

#include <algorithm>
#include <map>
#include <ranges>

namespace weir::policy {
namespace {

// TOML's basic strings have the escapes of JSON's, which suffice for what text_complaint() lets through.
void append_key(std::string &out, std::string_view key, std::string_view value)
{
	out += key;
	out += " = ";
	append_json(out, value);
	out += '\n';
}

// The zone is no column: but a row that belongs inside a tunnel is not the page's. A user is none, either, nor a need
// of the journal: both only make the row narrower.
std::string compared(const Row &row)
{
	std::string out;
	for (const std::string &column : columns_of(row)) {
		out += "| " + squeezed(column) + ' ';
	}
	return out + '|' + (row.zone.empty() ? "" : " zone " + row.zone + " |");
}

std::string whole(const Row &row)
{
	return compared(row) + (row.user.empty() ? "" : " user " + row.user + " |") +
	       (row.needs_journal ? " journal required |" : "");
}

std::string heading_of(const Matrix &matrix)
{
	return matrix.scenario + (matrix.place.file.empty() ? "" : " (" + matrix.place.file + ')');
}

} // namespace

std::string to_toml(const Matrix &matrix)
{
	std::string out = "format = 1\n";
	append_key(out, "scenario", matrix.scenario);
	append_key(out, "title", matrix.title);
	append_key(out, "component", matrix.component);
	for (const Row &row : matrix.rows) {
		out += "\n[[row]]\n";
		append_key(out, "id", row.id);
		append_key(out, "dir", text_of(row.dir));
		append_key(out, "source", row.source);
		append_key(out, "destination", row.destination);
		append_key(out, "port", row.port.text());
		append_key(out, "service", row.service);
		append_key(out, "type", row.type);
		append_key(out, "status", text_of(row.status));
		if (!row.comment.empty()) {
			append_key(out, "comment", row.comment);
		}
		if (!row.zone.empty()) {
			append_key(out, "zone", row.zone);
		}
		if (is_number(row.user)) {
			out += "user = " + row.user + '\n';
		} else if (!row.user.empty()) {
			append_key(out, "user", row.user);
		}
		if (row.needs_journal) {
			append_key(out, "journal", required);
		}
		if (!row.on_page) {
			out += "page = false\n";
		}
	}
	return out;
}

std::string difference(const Matrix &policy, const Matrix &page)
{
	std::map<std::string, std::size_t> left; // rows of the page that no row of the policy has matched yet
	for (const Row &row : page.rows) {
		left[compared(row)]++;
	}
	std::string body;
	bool same = policy.component == page.component;
	if (!same) {
		body += "-component " + policy.component + "\n+component " + page.component + '\n';
	}
	for (const Row &row : policy.rows) {
		if (!row.on_page) {
			continue;
		}
		const std::string line = compared(row);
		const auto found = left.find(line);
		const bool both = found != left.end() && found->second > 0;
		if (both) {
			found->second--;
		}
		same = same && both;
		body += (both ? ' ' : '-') + line + '\n';
	}
	// In the page's order, the last ones of equals: the first ones were matched.
	std::vector<std::string> missing;
	for (const Row &row : page.rows | std::views::reverse) {
		const std::string line = compared(row);
		if (std::size_t &count = left[line]; count > 0) {
			count--;
			missing.push_back('+' + line + '\n');
		}
	}
	for (const std::string &line : missing | std::views::reverse) {
		body += line;
	}
	if (same && missing.empty()) {
		return "";
	}
	return "--- policy " + heading_of(policy) + "\n+++ page " + heading_of(page) + '\n' + body;
}

std::vector<std::string> beyond_page(const Matrix &policy)
{
	std::vector<std::string> lines;
	for (const Row &row : policy.rows) {
		if (!row.on_page) {
			lines.push_back(whole(row));
		}
	}
	return lines;
}

std::vector<std::string> narrower_than_page(const Matrix &policy)
{
	std::vector<std::string> lines;
	for (const Row &row : policy.rows) {
		if (row.on_page && (!row.user.empty() || row.needs_journal)) {
			lines.push_back(whole(row));
		}
	}
	return lines;
}

} // namespace weir::policy
