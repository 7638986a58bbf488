// SPDX-License-Identifier: Apache-2.0
#include "cli/application.h"

#include "cli/cli.h"
#include "policy/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>

namespace weir::cli {
namespace {

constexpr const char *footer = R"(Examples:
  weir check site.toml        is this site file right?
  weir show site.toml         the rows that would be in force, names resolved
  weir explain site.toml --out tcp 192.0.2.10:50051
                              would it go out, and by which row?
  weir apply site.toml        put it in force, in one step or not at all
  weir status                 what the kernel holds the host to, read back from it
  weir top                    the same, live, and who is refused
  weir window open installation --for 2h --reason "…"
                              an exception that ends by itself
  weir VERB --help            more about one verb

Exit status:
  0 done          1 the machine could not do it    2 the command line is wrong
  3 a policy file or page is wrong                 4 explain: refused
  5 matrix verify: they differ                     6 status: not everything that the policy needs is in force
  7 the instance is not loaded                     8 apply: it would cut the SSH session it was typed in)";

// It becomes a directory in bpffs, which has no room for much else.
std::string instance_complaint(const std::string &name)
{
	const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
	const bool good = !name.empty() && name.size() <= 32 && alphanumeric(name.front()) &&
			  std::ranges::all_of(name, [&](char c) { return alphanumeric(c) || c == '_' || c == '-'; });
	return good ? "" : "up to 32 of a-z, 0-9, \"_\" and \"-\", the first one a letter or a digit";
}

std::string directory_complaint(const std::string &path)
{
	return path.starts_with('/') ? "" : "an absolute directory is wanted";
}

void add_options(CLI::App &app, Context &context)
{
	context.policies_dir = WEIR_POLICIES_DIR;
	app.set_version_flag("--version", "weir " WEIR_VERSION, "Print the version");
	app.add_option("--instance", context.where.instance, "Which policy of this host, when there are several")
		->check(CLI::Validator(instance_complaint, ""))
		->type_name("NAME")
		->capture_default_str();
	app.add_option("--bpffs", context.where.bpffs, "Where the BPF file system is mounted")
		->check(CLI::Validator(directory_complaint, ""))
		->type_name("DIR")
		->capture_default_str();
	app.add_option("--policies", context.policies_dir,
		       "Where matrices are looked for that are not beside the site file")
		->type_name("DIR")
		->capture_default_str();
	app.add_option(
		   "--journal", context.journal,
		   "The journal: what weir run writes to, if it is given, and where changes of the policy are recorded "
		   "[/var/log/weir/INSTANCE]")
		->type_name("DIR");
	app.add_flag("--json", context.json, "Print facts as JSON");
}

void add_verbs(CLI::App &app, Context &context)
{
	add_check(app, context);
	add_show(app, context);
	add_explain(app, context);
	add_apply(app, context);
	add_status(app, context);
	add_top(app, context);
	add_window(app, context);
	add_run(app, context);
	add_events(app, context);
	add_journal(app, context);
	add_metrics(app, context);
	add_report(app, context);
	add_remove(app, context);
	add_matrix(app, context);
	for (CLI::App *verb : app.get_subcommands([](CLI::App *) { return true; })) {
		verb->footer(verb->get_footer() + "\n\nOptions of every verb, such as --json: weir --help");
	}
}

int print_error(const Error &error)
{
	if (!error.message.empty()) {
		std::cerr << "weir: " << error.message << '\n';
	}
	return static_cast<int>(error.code);
}

// What was printed may still be in a buffer: a full disk shows only now.
Result<> flush_output()
{
	errno = 0;
	std::cout.flush();
	const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
	if (!failed) {
		return {};
	}
	if (errno == EPIPE) {
		return fail(""); // `weir show | head` is nothing to complain of
	}
	return fail(std::string("cannot write to the standard output") +
		    (errno != 0 ? std::string(": ") + std::strerror(errno) : std::string()));
}

int dispatch(Context &context)
{
	const Result<Exit> result = context.run();
	const Result<> flushed = flush_output();
	if (!result) {
		return print_error(result.error());
	}
	if (!flushed) {
		return print_error(flushed.error());
	}
	return static_cast<int>(*result);
}

// The verb that was given, and its own one if there is one: "matrix", "verify".
std::vector<const CLI::App *> given_verbs(const CLI::App &app)
{
	std::vector<const CLI::App *> verbs = {&app};
	while (!verbs.back()->get_subcommands().empty()) {
		verbs.push_back(verbs.back()->get_subcommands().front());
	}
	return verbs;
}

std::vector<std::string> known_words(const std::vector<const CLI::App *> &verbs, bool options)
{
	std::vector<std::string> known;
	if (!options) {
		for (const CLI::App *each : verbs.back()->get_subcommands([](const CLI::App *) { return true; })) {
			known.push_back(each->get_name());
		}
		return known;
	}
	for (const CLI::App *verb : verbs) {
		for (const CLI::Option *option : verb->get_options()) {
			for (const std::string &name : option->get_lnames()) {
				known.push_back("--" + name);
			}
		}
	}
	return known;
}

int usage_error(const CLI::App &app, const CLI::ParseError &problem)
{
	const std::vector<const CLI::App *> verbs = given_verbs(app);
	std::string command = "weir ";
	for (const CLI::App *verb : verbs) {
		command += verb == &app ? "" : verb->get_name() + ' ';
	}
	std::string what = problem.what();
	std::string hint = command + "--help says more";
	const std::vector<std::string> words = app.remaining(true);
	const bool wants_verb = !known_words(verbs, false).empty();
	if (!words.empty()) {
		const bool option = words.front().starts_with('-');
		what = (option       ? "there is no option "
			: wants_verb ? "there is no verb "
				     : "one argument too many: ") +
		       policy::in_quotes(words.front());
		const std::string near = policy::did_you_mean(words.front().substr(0, words.front().find('=')),
							      known_words(verbs, option));
		hint = near.empty() ? hint : near;
	} else if (wants_verb) {
		what = "a verb is missing";
	}
	return print_error({Exit::usage, what + "\n  " + hint});
}

int parse_and_dispatch(int argc, char **argv)
{
	CLI::App app("Holds this host to its written network matrix: what a row lists goes out, nothing else moves.",
		     "weir");
	app.fallthrough(); // the options of every verb stand before the verb or after it
	app.require_subcommand(1);
	app.footer(footer);
	Context context;
	add_options(app, context);
	add_verbs(app, context);
	try {
		app.parse(argc, argv);
	} catch (const CLI::Success &help) {
		app.exit(help);
		const Result<> flushed = flush_output();
		return flushed ? static_cast<int>(Exit::ok) : print_error(flushed.error());
	} catch (const CLI::ParseError &problem) {
		return usage_error(app, problem);
	}
	return dispatch(context);
}

// One of the three that is closed would be the number of the next thing that is opened, a lock or the file of the
// events, and what is said would be written there. Not for writing: what can't be said is still an error.
void occupy_standard_descriptors()
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
		if (::fcntl(fd, F_GETFD) < 0) {
			(void)::open("/dev/null", O_RDONLY);
		}
	}
}

} // namespace

int run(int argc, char **argv)
{
	occupy_standard_descriptors();
	// A reader that went away is an error of write() like any other: a verb that changes the host must not be
	// killed in the middle because nobody reads what it says.
	std::signal(SIGPIPE, SIG_IGN);
	std::signal(SIGXFSZ, SIG_IGN); // a limit of the size of files, the same
	try {
		return parse_and_dispatch(argc, argv);
	} catch (const std::exception &problem) { // no memory, or a fault of ours; never with a stack trace
		return print_error({Exit::failure, problem.what()});
	}
}

} // namespace weir::cli
