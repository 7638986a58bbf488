// SPDX-License-Identifier: Apache-2.0
// `weir matrix`: from the published page to files, and the proof that a file is the page's table.
#include "cli/cli.h"
#include "cli/write_file.h"
#include "policy/diagnostic.h"
#include "policy/page.h"
#include "policy/policy.h"
#include "policy/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

namespace weir::cli {
namespace {

struct ImportOptions {
	std::string page;
	std::string out = ".";
	std::string scenario;
	bool force = false;
};

struct VerifyOptions {
	std::string policy;
	std::string page;
};

Result<std::vector<Matrix>> read_page(const std::string &file)
{
	const Result<std::string> text = policy::read_file(file);
	if (!text) {
		return std::unexpected(text.error());
	}
	return policy::import_page(*text, file);
}

std::unexpected<Error> no_table(const std::string &page, const std::string &scenario,
				const std::vector<Matrix> &matrices)
{
	std::vector<std::string> names;
	std::string list;
	for (const Matrix &matrix : matrices) {
		names.push_back(matrix.scenario);
		list += (list.empty() ? "it has " : ", ") + matrix.scenario;
	}
	const std::string near = policy::did_you_mean(scenario, names);
	return policy::error_at({}, {page, 0, 0}, "the page has no table for scenario " + policy::in_quotes(scenario),
				near.empty() ? list : near);
}

std::string rows_text(std::size_t count)
{
	return std::to_string(count) + (count == 1 ? " row" : " rows");
}

Result<Exit> import(const ImportOptions &options, const Context &context)
{
	Result<std::vector<Matrix>> matrices = read_page(options.page);
	if (!matrices) {
		return std::unexpected(matrices.error());
	}
	if (!options.scenario.empty()) {
		const auto wanted = std::ranges::find(*matrices, options.scenario, &Matrix::scenario);
		if (wanted == matrices->end()) {
			return no_table(options.page, options.scenario, *matrices);
		}
		matrices = std::vector<Matrix>{*wanted};
	}
	const auto path_of = [&](const Matrix &matrix) {
		return (std::filesystem::path(options.out) / (matrix.scenario + ".toml")).string();
	};
	// Before the first file is written; write_file() sees to those that appear in between.
	for (const Matrix &matrix : *matrices) {
		std::error_code error;
		if (!options.force &&
		    std::filesystem::symlink_status(path_of(matrix), error).type() !=
			    std::filesystem::file_type::not_found &&
		    !error) {
			return fail(path_of(matrix) + ": is there already: --force replaces it. Nothing was written.");
		}
	}
	auto files = nlohmann::ordered_json::array();
	for (const Matrix &matrix : *matrices) {
		const std::string path = path_of(matrix);
		if (const Result<> written = write_file(path, policy::to_toml(matrix), options.force); !written) {
			return std::unexpected(written.error());
		}
		files.push_back({{"file", path}, {"scenario", matrix.scenario}, {"rows", matrix.rows.size()}});
		if (!context.json) {
			std::cout << path << ": " << rows_text(matrix.rows.size()) << '\n';
		}
	}
	if (context.json) {
		std::cout << nlohmann::ordered_json{{"files", files}}.dump() << '\n';
	}
	return Exit::ok;
}

void print_apart(const std::vector<std::string> &lines, std::string_view what)
{
	if (lines.empty()) {
		return;
	}
	std::cout << what << '\n';
	for (const std::string &line : lines) {
		std::cout << "  " << line << '\n';
	}
}

Result<Exit> verify(const VerifyOptions &options, const Context &context)
{
	const Result<std::string> text = policy::read_file(options.policy);
	if (!text) {
		return std::unexpected(text.error());
	}
	const Result<Matrix> matrix = policy::parse_matrix(*text, options.policy);
	if (!matrix) {
		return std::unexpected(matrix.error());
	}
	const Result<std::vector<Matrix>> page = read_page(options.page);
	if (!page) {
		return std::unexpected(page.error());
	}
	const auto table = std::ranges::find(*page, matrix->scenario, &Matrix::scenario);
	if (table == page->end() && !std::ranges::none_of(matrix->rows, &Row::on_page)) {
		return no_table(options.page, matrix->scenario, *page);
	}
	const bool on_page = table != page->end();
	const std::string difference = on_page ? policy::difference(*matrix, *table) : "";
	const bool equal = on_page && difference.empty();
	const std::vector<std::string> beyond = policy::beyond_page(*matrix);
	const std::vector<std::string> narrower = policy::narrower_than_page(*matrix);
	if (context.json) {
		const nlohmann::ordered_json facts = {{"equal", equal},
						      {"on_page", on_page},
						      {"scenario", matrix->scenario},
						      {"policy", options.policy},
						      {"page", options.page},
						      {"rows", matrix->rows.size() - beyond.size()},
						      {"difference", difference},
						      {"narrower", narrower},
						      {"beyond", beyond}};
		std::cout << facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
		return equal ? Exit::ok : Exit::differs;
	}
	if (equal) {
		std::cout << "equal: " << matrix->scenario << ", " << rows_text(matrix->rows.size() - beyond.size())
			  << ", column for column\n";
	} else if (on_page) {
		std::cout << difference;
	} else {
		std::cout << "not on the page: it has no table for " << matrix->scenario
			  << ", so there is nothing to compare with\n";
	}
	print_apart(narrower, "narrower than on the page, by a user of whom it says nothing:");
	print_apart(beyond, "not of the page, and marked so (page = false):");
	return equal ? Exit::ok : Exit::differs;
}

} // namespace

void add_matrix(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("matrix", "Import the published page, or prove a matrix file equal to it");
	verb->require_subcommand(1);
	verb->footer("Examples:\n  weir matrix import page.md --out /etc/weir --scenario node-vpn\n"
		     "  weir matrix verify node-native.toml --against page.md");

	auto *import_verb = verb->add_subcommand("import", "Write the tables of the page as matrix files");
	auto import_options = std::make_shared<ImportOptions>();
	import_verb->add_option("page", import_options->page, "The page: Markdown, or its text")
		->required()
		->type_name("FILE");
	import_verb->add_option("--out", import_options->out, "Where to write them")
		->type_name("DIR")
		->capture_default_str();
	import_verb->add_option("--scenario", import_options->scenario, "Only this one, such as node-native")
		->type_name("NAME");
	import_verb->add_flag("--force", import_options->force, "Replace files that are there");
	import_verb->footer("Example:\n  weir matrix import page.md --out /etc/weir");
	import_verb->callback([&context, import_options] {
		context.run = [&context, import_options] { return import(*import_options, context); };
	});

	auto *verify_verb =
		verb->add_subcommand("verify", "Compare a matrix file with the page's table, column for column");
	auto verify_options = std::make_shared<VerifyOptions>();
	verify_verb->add_option("policy", verify_options->policy, "Matrix file")->required()->type_name("FILE");
	verify_verb->add_option("--against", verify_options->page, "The page: Markdown, or its text")
		->required()
		->type_name("FILE");
	verify_verb->footer(
		"Exit status 0 when equal, 5 when they differ, or when the page has no such table and the file\n"
		"says so of each row (page = false). Rows that are marked so are listed apart. The order of rows is "
		"not\n"
		"compared.\n\n"
		"Example:\n  weir matrix verify /usr/share/weir/policies/node-native.toml --against page.md");
	verify_verb->callback([&context, verify_options] {
		context.run = [&context, verify_options] { return verify(*verify_options, context); };
	});
}

} // namespace weir::cli
