// SPDX-License-Identifier: Apache-2.0
// One file for each verb; main.cpp parses and dispatches.
#pragma once

#include "base/result.h"
#include "kernel/instance.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace weir::cli {

/// Options of every verb.
struct Context {
	kernel::Where where;       ///< --instance, --bpffs
	std::string policies_dir;  ///< --policies
	std::string journal;       ///< --journal; "": not given
	bool json = false;         ///< --json
	/// Set by the verb that was given; main() runs it and turns the result into the exit status.
	std::function<Result<Exit>()> run;

	/// The site file that was named, else the instance's own: the one that weir-policy@INSTANCE.service applies.
	[[nodiscard]] std::string site(const std::string &named) const
	{
		return named.empty() ? "/etc/weir/" + where.instance + ".toml" : named;
	}
	/// The journal that was named, else the instance's own: the one that weir-events@INSTANCE.service writes.
	[[nodiscard]] std::string journal_directory() const
	{
		return journal.empty() ? "/var/log/weir/" + where.instance : journal;
	}
};

// Each adds its verb to the application.
void add_check(CLI::App &, Context &);
void add_show(CLI::App &, Context &);
void add_explain(CLI::App &, Context &);
void add_matrix(CLI::App &, Context &);
void add_apply(CLI::App &, Context &);
void add_status(CLI::App &, Context &);
void add_remove(CLI::App &, Context &);
void add_run(CLI::App &, Context &);
void add_events(CLI::App &, Context &);
void add_journal(CLI::App &, Context &);
void add_window(CLI::App &, Context &);
void add_top(CLI::App &, Context &);
void add_metrics(CLI::App &, Context &);
void add_report(CLI::App &, Context &);

} // namespace weir::cli
