// SPDX-License-Identifier: Apache-2.0
// `weir window`: exceptions that end by themselves. Everything is taken from the policy in the kernel: no file is read.
#include "cli/cli.h"
#include "cli/evidence.h"
#include "cli/person.h"
#include "cli/windows_view.h"
#include "audit/events_view.h"
#include "policy/duration.h"
#include "policy/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

struct OpenOptions {
	std::string name;
	std::string length;
	std::string reason;
	bool extend = false;
};

struct CloseOptions {
	std::string name;
	std::string reason;
};

/// The policy before a change and after it, and what was published.
struct Changed {
	BoundPolicy before;
	BoundPolicy after;
	kernel::Applied applied;
	kernel::Cut cut; ///< what lived by rows that went with it
};

Result<Changed> publish(const Context &context, const std::string &verb,
			const std::function<Result<BoundPolicy>(const BoundPolicy &)> &how)
{
	const auto &where = context.where;
	Evidence evidence(context, verb);
	Changed changed;
	const auto applied =
		kernel::change(where, [&](const BoundPolicy &policy) -> Result<std::optional<BoundPolicy>> {
			changed.before = policy;
			auto next = how(policy);
			if (!next)
				return std::unexpected(std::move(next).error());
			changed.after = *next;
			return std::move(*next);
		});
	if (!applied) {
		evidence.drop();
		return std::unexpected(applied.error());
	}
	changed.applied = **applied; // `how` always changes something, or fails
	evidence.done(&changed.before, changed.applied.used, &changed.after);
	auto cut = kernel::cut_ended(where, changed.before);
	if (!cut)
		changed.cut.problems.push_back(std::move(cut).error().message);
	else
		changed.cut = std::move(*cut);
	for (const auto &problem : changed.cut.problems)
		std::cerr << "weir: connections could not be cut, but nothing of them passes any more: " << problem
			  << '\n';
	return changed;
}

Opening opening_of(const BoundPolicy &policy, const std::string &window)
{
	const auto last = std::find_if(policy.openings.rbegin(), policy.openings.rend(),
				       [&](const Opening &each) { return each.window == window; });
	return last == policy.openings.rend() ? Opening{} : *last;
}

std::string cut_text(const kernel::Cut &cut)
{
	std::string text;
	if (!cut.connections.empty())
		text = fmt::format("cut {} connection{}:\n", cut.connections.size(),
				   cut.connections.size() == 1 ? "" : "s");
	for (const auto &each : cut.connections)
		text += "  " + each + '\n';
	return text;
}

Result<Exit> open(const OpenOptions &options, const Context &context)
{
	const auto now = Moment::now();
	const auto request = window_request(options.name, options.length, options.reason, options.extend,
					    text_of(this_person()), now);
	if (!request)
		return std::unexpected(request.error());
	const auto changed = publish(context, "window open", [&](const BoundPolicy &policy) {
		auto punctual = *request;
		const auto moment = Moment::now(); // the lock may have been waited for
		punctual.unix_ns = moment.unix_ns;
		punctual.boot_ns = moment.boot_ns;
		return policy::open_window(policy, punctual);
	});
	if (!changed)
		return std::unexpected(changed.error());
	const auto opening = opening_of(changed->after, options.name);
	const auto until = now.wall(opening.deadline);
	const bool is_followed = kernel::has_reader(context.where);
	if (context.json) {
		const ordered_json facts = {{"instance", context.where.instance},
					    {"window", opening.window},
					    {"extended", options.extend},
					    {"opened", utc(opening.opened)},
					    {"until", utc(until)},
					    {"seconds", request->seconds},
					    {"by", opening.by},
					    {"reason", opening.reason},
					    {"generation", changed->applied.generation},
					    {"digest", changed->applied.digest},
					    {"rows", rows_json(changed->after.rows, options.name)},
					    {"connections_cut", changed->cut.connections},
					    {"daemon", is_followed}};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << fmt::format("{} {} until {}, for {}\n  by {}: {}\nrows that hold until then:\n{}{}",
					 options.extend ? "extended" : "open", opening.window, audit::local_time(until),
					 policy::duration_text(request->seconds), opening.by, opening.reason,
					 rows_text(changed->after.rows, options.name), cut_text(changed->cut));
	}
	if (!is_followed)
		std::cerr << "weir: no weir run follows instance " << context.where.instance
			  << ": the kernel closes the window on time, but nobody will cut its connections then (they "
			     "will hang) or record it until one is started\n";
	return Exit::ok;
}

Result<Exit> close(const CloseOptions &options, const Context &context)
{
	if (!options.reason.empty())
		if (auto good = check_reason(options.reason); !good)
			return std::unexpected(std::move(good).error());
	const auto by = text_of(this_person());
	const auto changed = publish(context, "window close", [&](const BoundPolicy &policy) {
		return policy::close_window(policy, options.name, by, options.reason, Moment::now().unix_ns);
	});
	if (!changed)
		return std::unexpected(changed.error());
	const auto opening = opening_of(changed->after, options.name);
	if (context.json) {
		const ordered_json facts = {{"instance", context.where.instance},
					    {"window", opening.window},
					    {"opened", utc(opening.opened)},
					    {"closed", utc(opening.closed)},
					    {"closed_by", opening.closed_by},
					    {"closed_reason", opening.closed_reason},
					    {"generation", changed->applied.generation},
					    {"digest", changed->applied.digest},
					    {"connections_cut", changed->cut.connections}};
		std::cout << facts.dump() << '\n';
	} else {
		std::cout << fmt::format("closed {}, that {} opened {}\n{}", opening.window, opening.by,
					 audit::local_time(opening.opened), cut_text(changed->cut));
	}
	return Exit::ok;
}

Result<Exit> list(const Context &context)
{
	const auto image = kernel::read_image(context.where);
	if (!image)
		return std::unexpected(image.error());
	const auto text = text_of(*image);
	const auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	if (!policy)
		return std::unexpected(policy.error());
	const auto now = Moment::now();
	if (context.json) {
		auto facts = windows_json(*policy, now);
		facts["instance"] = context.where.instance;
		std::cout << facts.dump() << '\n';
		return Exit::ok;
	}
	const auto none = [](const std::string &windows, const char *words) {
		return windows.empty() ? std::string("  ") + words + '\n' : windows;
	};
	std::cout << "open:\n" << none(open_windows_text(*policy, now), "none");
	if (const auto ended = ended_windows_text(*policy, now); !ended.empty())
		std::cout << "ended:\n" << ended;
	std::cout << "may be opened:\n" << none(allowed_windows_text(*policy), "none: the site has no [windows.NAME]");
	return Exit::ok;
}

void add_open(CLI::App &window, Context &context)
{
	auto *verb = window.add_subcommand("open", "Add a window's rows to the policy in force, with an end");
	auto options = std::make_shared<OpenOptions>();
	verb->add_option("name", options->name, "Which: [windows.NAME] of the site")->required()->type_name("NAME");
	verb->add_option("--for", options->length, "How long from now: 2h, 90m, 45s, 1h30m")
		->required()
		->type_name("TIME");
	verb->add_option("--reason", options->reason, "Why, for the record: at most 200 bytes")
		->required()
		->type_name("TEXT");
	verb->add_flag("--extend", options->extend, "It is open: from now on it ends --for from now, sooner or later");
	verb->footer(
		"Examples:\n  weir window open installation --for 2h --reason \"upgrade to 6.3.3, change 4711\"\n"
		"  weir window open key-negotiation --for 5m --reason \"keys with site B\"\n"
		"  weir window open installation --for 30m --reason \"the mirror is slow\" --extend\n\n"
		"The kernel ends it by its own clock, to the packet, whatever becomes of weir's processes; a reboot\n"
		"ends it, too. A window that is open is not extended by opening it again, only by --extend, which\n"
		"sets a new end and adds nothing to the old one. How long it may be, the site says (`longest`).");
	verb->callback([&context, options] { context.run = [&context, options] { return open(*options, context); }; });
}

void add_close(CLI::App &window, Context &context)
{
	auto *verb = window.add_subcommand("close", "End a window now, and cut what was opened under it");
	auto options = std::make_shared<CloseOptions>();
	verb->add_option("name", options->name, "Which one")->required()->type_name("NAME");
	verb->add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
	verb->footer("Example:\n  weir window close installation --reason done\n\n"
		     "Connections that no other row admits are cut: their owners get an error.");
	verb->callback([&context, options] { context.run = [&context, options] { return close(*options, context); }; });
}

} // namespace

void add_window(CLI::App &app, Context &context)
{
	auto *verb = app.add_subcommand("window", "Open an exception that ends by itself, close it, list them");
	verb->require_subcommand(1);
	verb->footer("Examples:\n  weir window list\n"
		     "  weir window open installation --for 2h --reason \"upgrade to 6.3.3, change 4711\"\n"
		     "  weir window close installation\n\n"
		     "Which windows there are, and for how long at most, the site says: [windows.NAME].");
	add_open(*verb, context);
	add_close(*verb, context);
	auto *list_verb = verb->add_subcommand("list", "Which are open, until when, by whom and why; which may be");
	list_verb->footer("It is read from the kernel. The last 16 that were opened since the boot are kept.");
	list_verb->callback([&context] { context.run = [&context] { return list(context); }; });
}

} // namespace weir::cli
