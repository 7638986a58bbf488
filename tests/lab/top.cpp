// SPDX-License-Identifier: Apache-2.0
// The live view, in a terminal: what is refused is there, and the terminal is as it was when it has ended.
#include "tests/lab/lab_test.h"

#include "kernel/instance.h"
#include "tests/support/terminal.h"

#include <csignal>
#include <filesystem>

namespace weir::test {
namespace {

using nlohmann::json;

constexpr const char *alternate_screen = "\x1b[?1049h", *own_screen = "\x1b[?1049l",
		     *show_cursor = "\x1b[?12l\x1b[?25h";

class Top : public LabTest {
protected:
	void SetUp() override
	{
		file_ = lab().directory() + "/top.jsonl";
		std::filesystem::remove(file_);
		lab().apply_native();
	}
	[[nodiscard]] std::vector<std::string> command(std::vector<std::string> more = {}) const
	{
		std::vector<std::string> words{"top", file_, "--interval", "0.3"};
		words.insert(words.end(), more.begin(), more.end());
		return lab().command(words);
	}
	[[nodiscard]] Program recorder() const
	{
		Program run(lab().command({"run", "--output", file_}));
		EXPECT_TRUE(eventually([] { return kernel::has_reader({lab().bpffs(), lab().instance}); }));
		return run;
	}
	/// Somebody of the node who tries what no row admits and what one does, and never gives up.
	static Child trying()
	{
		return {lab().in_node(), [](Channel &channel) {
				while (!channel.receive(Millis(10))) {
					for (const char *peer : {internet4, intruder4})
						(void)find_attempt("tcp4")->run({peer, 443});
					(void)find_attempt("tcp4")->run({researcher4, 50051});
				}
			}};
	}
	static void expect_restored(Terminal &terminal)
	{
		EXPECT_TRUE(terminal.is_as_it_was());
		EXPECT_TRUE(terminal.output().contains(alternate_screen));
		EXPECT_GT(terminal.output().rfind(own_screen), terminal.output().rfind(alternate_screen));
		EXPECT_TRUE(terminal.output().contains(show_cursor));
	}

	std::string file_;
};

/// The figure behind a name: "researcher-grpc   12   345" -> 12, 345.
std::pair<std::string, std::string> figures(const std::string &screen, const std::string &name)
{
	std::istringstream lines(screen);
	for (std::string line; std::getline(lines, line);)
		if (line.starts_with(name + ' ')) {
			std::istringstream words(line.substr(name.size()));
			std::pair<std::string, std::string> both;
			words >> both.first >> both.second;
			return both;
		}
	return {};
}

TEST_F(Top, RowsPeersAndProcessesHaveTheirRates)
{
	const auto run = recorder();
	const auto someone = trying();
	Terminal terminal(command(), 24, 80);
	std::string screen;
	const auto counts = [&](const std::string &name) {
		const auto [rate, total] = figures(screen, name);
		return !rate.empty() && rate != "0" && rate != "-" && !total.empty() && total != "0";
	};
	EXPECT_TRUE(eventually(
		[&] {
			screen = terminal.screen();
			return counts("researcher-grpc") && counts(internet4) && counts(intruder4) &&
			       counts("lab_tests") && counts("socket of node");
		},
		Millis(15000)))
		<< screen;
	EXPECT_TRUE(screen.starts_with("ENFORCING  weir top: lab  node-native, generation 1")) << screen;
	EXPECT_TRUE(screen.contains("5 of 5")) << screen;
	terminal.type("/" + std::string(intruder4) + "\r3");
	EXPECT_TRUE(terminal.shows("/ filter: " + std::string(intruder4)));
	EXPECT_TRUE(terminal.shows("[peers]"));
	screen = terminal.screen();
	EXPECT_TRUE(screen.contains(std::string(intruder4) + ' ')) << screen;
	EXPECT_FALSE(screen.contains(std::string(internet4) + ' ')) << screen;
	terminal.type("q");
	EXPECT_EQ(terminal.wait(), 0);
	expect_restored(terminal);
}

TEST_F(Top, AWindowCountsDownInAnySize)
{
	SiteFile site = lab().native_site();
	const auto applied = lab().weir(
		{"apply", lab().write("top-site.toml", site.text() + "[windows.installation]\nlongest = \"4h\"\n")});
	ASSERT_EQ(applied.status, 0) << applied.err;
	const auto opened = lab().weir({"window", "open", "installation", "--for", "50s", "--reason", "a test"});
	ASSERT_EQ(opened.status, 0) << opened.err;
	Terminal terminal(command(), 24, 80);
	ASSERT_TRUE(terminal.shows("installation")) << terminal.screen();
	const auto left = [&] { return figures(terminal.screen(), "installation").first; };
	const auto first = left();
	EXPECT_TRUE(first.ends_with("s") && first.size() == 3) << first;
	EXPECT_TRUE(eventually([&] { return left() < first && left().size() == 3; }, Millis(5000))) << left();
	terminal.resize(10, 40);
	EXPECT_TRUE(terminal.shows("WINDOW")) << terminal.screen();
	EXPECT_TRUE(terminal.shows("q quit   ? help")) << terminal.screen();
	terminal.resize(24, 80);
	EXPECT_TRUE(terminal.shows("p pause   / filter")) << terminal.screen();
	EXPECT_TRUE(terminal.shows("peers and processes: there is no ")) << "nobody has recorded anything";
	terminal.kill(SIGTERM);
	EXPECT_EQ(terminal.wait(), 0);
	expect_restored(terminal);
}

TEST_F(Top, NotEnforcingIsSeenFirst)
{
	Terminal terminal(command(), 10, 40);
	ASSERT_TRUE(terminal.shows("ENFORCING  weir top: lab")) << terminal.screen();
	ASSERT_TRUE(std::filesystem::remove(lab().bpffs() + "/weir/lab/links/0_connect4"));
	EXPECT_TRUE(terminal.shows(" NOT ENFORCING as published: 1 problem", Millis(15000))) << terminal.screen();
	EXPECT_TRUE(terminal.screen().starts_with(" NOT ENFORCING")) << terminal.screen();
	lab().remove();
	EXPECT_TRUE(terminal.shows(" NOT LOADED: nothing is enforced")) << terminal.screen();
	lab().apply_native();
	EXPECT_TRUE(terminal.shows("ENFORCING  weir top: lab")) << terminal.screen();
	terminal.type("\x1b");
	EXPECT_EQ(terminal.wait(), 0) << "Esc quits";
	expect_restored(terminal);
}

TEST_F(Top, EndsByCtrlCAndWithItsTerminal)
{
	{
		Terminal terminal(command(), 24, 80);
		ASSERT_TRUE(terminal.shows("ENFORCING"));
		terminal.type("\x03");
		EXPECT_EQ(terminal.wait(), 0);
		expect_restored(terminal);
	}
	{
		Terminal terminal(command(), 24, 80);
		ASSERT_TRUE(terminal.shows("ENFORCING"));
		terminal.kill(SIGHUP);
		EXPECT_EQ(terminal.wait(), 1);
		expect_restored(terminal);
	}
	Terminal terminal(command(), 24, 80);
	ASSERT_TRUE(terminal.shows("ENFORCING"));
	terminal.hang_up();
	EXPECT_EQ(terminal.wait(), 1);
}

TEST_F(Top, EndsWhenItsTerminalTakesNothing)
{
	Terminal terminal(command(), 60, 200);
	ASSERT_TRUE(terminal.shows("ENFORCING"));
	bool narrow = true;
	ASSERT_TRUE(eventually(
		[&] { // each size is drawn anew, and nobody reads it
			if (!terminal.is_stuck())
				terminal.set_size(60, (narrow = !narrow) ? 199 : 200);
			return terminal.is_stuck();
		},
		Millis(15000)));
	terminal.kill(SIGTERM);
	EXPECT_EQ(terminal.wait(Millis(5000), false), 0);
	EXPECT_TRUE(terminal.is_as_it_was());
	EXPECT_TRUE(terminal.output().ends_with(show_cursor));
	EXPECT_TRUE(terminal.output().contains(own_screen));
}

TEST_F(Top, WithoutATerminalItSaysWhatToDo)
{
	Terminal dumb(command(), 24, 80, "dumb");
	EXPECT_EQ(dumb.wait(), 2);
	EXPECT_TRUE(dumb.output().contains("TERM=dumb")) << dumb.output();
	EXPECT_TRUE(dumb.is_as_it_was());
	const Finished piped = execute(command());
	EXPECT_EQ(piped.status, 2);
	EXPECT_TRUE(piped.err.contains("--once")) << piped.err;

	const Finished once = execute(command({"--once"}));
	EXPECT_EQ(once.status, 0) << once.err;
	EXPECT_TRUE(once.out.starts_with("weir top: lab  node-native, generation 1: ENFORCING\n")) << once.out;
	EXPECT_FALSE(once.out.contains('\x1b'));
	lab().remove();
	EXPECT_EQ(execute(command({"--once"})).status, 7) << "as status";
}

TEST_F(Top, JsonIsAnObjectForEachInterval)
{
	const auto run = recorder();
	const auto someone = trying();
	Program top(command({"--json"}));
	EXPECT_TRUE(eventually(
		[&] {
			const auto text = top.out_so_far();
			return std::ranges::count(text, '\n') >= 3 && text.contains(internet4);
		},
		Millis(10000)));
	top.kill(SIGTERM);
	const Finished done = top.wait();
	EXPECT_EQ(done.status, 0);
	std::istringstream lines(done.out);
	json last;
	for (std::string line; std::getline(lines, line);)
		last = json::parse(line);
	EXPECT_EQ(last["state"], "enforcing");
	EXPECT_GT(last["refused"]["total"], 0);
	EXPECT_EQ(last["processes"]["busiest"][0]["name"], "lab_tests") << last["processes"];
	EXPECT_GT(last["seconds"], 0);
}

} // namespace
} // namespace weir::test
