// SPDX-License-Identifier: Apache-2.0
// The daemon as a whole, killed at random moments, its start among them, while refusals go on and its disk is full or
// read-only now and then: what it acknowledged stays, and every refusal that the kernel counted is accounted for.
#include "tests/lab/journal_test.h"
#include "tests/support/disk.h"

#include <cmath>
#include <fcntl.h>
#include <poll.h>
#include <random>
#include <set>
#include <sys/file.h>
#include <sys/syscall.h>

namespace weir::test {
namespace {

namespace fs = std::filesystem;

class Crash : public Journal {
protected:
	void SetUp() override
	{
		const auto at = lab().directory() + "/disk";
		fs::create_directory(at);
		disk_.emplace();
		if (!Disk::make_ext4(*disk_, at, size)) {
			disk_.emplace();
			const auto made = Disk::make_tmpfs(*disk_, at, size);
			ASSERT_TRUE(made) << made.message();
		}
		output_ = lab().directory() + "/recorder";
		fs::remove_all(output_);
		fs::create_directory(output_);
		if (::chown(output_.c_str(), recorder, recorder) != 0)
			raise("chown");
		in_place(at);
		output_ += "/passed-on.jsonl";
	}
	void TearDown() override
	{
		disk_.reset();
		Journal::TearDown();
	}

	void round(int number);
	void spell(bool is_running);
	void end_spell();
	void kill_one_of(Program &daemon, bool has_helpers);
	void expect_mended() const;
	void expect_what_was_acknowledged() const;

	static constexpr unsigned size = 24; ///< MiB
	std::optional<Disk> disk_;
	std::string output_;
	std::mt19937 random_{20261128};
	bool is_full_ = false;
	bool is_forbidden_ = false;
	bool has_failed_ = false;
	std::map<std::string, int> happened_;
};

/// Refused datagrams, some thousands a second, to many ports in turn, until it is asked how many.
Child sender(const Spot &spot)
{
	return {spot, [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			std::uint64_t refused = 0;
			while (!channel.receive(Millis(1)))
				for (int each = 0; each < 10; ++each) {
					const Endpoint to(internet4, static_cast<std::uint16_t>(443 + refused % 40));
					refused += ::sendto(fd.get(), "x", 1, 0, to.get(), to.size) < 0 ? 1U : 0U;
				}
			channel.send(std::to_string(refused));
		}};
}

/// The children of a process, each as what becomes readable when it ends.
std::vector<std::pair<pid_t, Fd>> children_of(pid_t parent)
{
	std::vector<std::pair<pid_t, Fd>> found;
	for (const auto &each : fs::directory_iterator("/proc")) {
		std::ifstream status(each.path() / "stat");
		std::string pid, name, state;
		pid_t its_parent = 0;
		if (status >> pid >> name >> state >> its_parent && its_parent == parent)
			found.emplace_back(std::stoi(pid),
					   Fd(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(pid), 0))));
	}
	return found;
}

void Crash::spell(bool is_running)
{
	switch (random_() % 8) {
	case 0:
		disk_->fill();
		is_full_ = true;
		happened_[is_running ? "disk full" : "disk full before the start"]++;
		break;
	case 1:
		ASSERT_TRUE(disk_->forbid_paths());
		is_forbidden_ = true;
		happened_[is_running ? "paths read-only" : "read-only before the start"]++;
		break;
	case 2:
		if (is_running && disk_->can_fail()) {
			ASSERT_TRUE(disk_->fail_to_read_only());
			has_failed_ = true;
			happened_["disk failed to read-only"]++;
		}
		break;
	default:
		break;
	}
}

void Crash::end_spell()
{
	if (std::exchange(is_forbidden_, false)) {
		ASSERT_TRUE(disk_->allow_paths());
	}
	if (std::exchange(has_failed_, false)) {
		ASSERT_TRUE(disk_->start_again());
	}
	if (std::exchange(is_full_, false))
		disk_->make_room();
}

/// With --user it is three processes: one of them. The others end by themselves.
void Crash::kill_one_of(Program &daemon, bool has_helpers)
{
	const auto helpers = children_of(daemon.pid());
	happened_["helpers at that moment"] += static_cast<int>(helpers.size());
	const auto which = has_helpers ? random_() % 3 : 0;
	if (which == 0 || which > helpers.size()) {
		daemon.kill(SIGKILL);
		happened_["weir"]++;
	} else {
		::kill(helpers[which - 1].first, SIGKILL);
		happened_["a helper"]++;
	}
	const Finished done = daemon.wait(Millis(15000));
	EXPECT_TRUE(done.signal == SIGKILL || done.status == 1) << done.status << ' ' << done.err;
	for (const auto &[pid, fd] : helpers) {
		pollfd ended{fd.get(), POLLIN, 0};
		EXPECT_TRUE(fd.get() < 0 || ::poll(&ended, 1, 15000) == 1) << "process " << pid << " is left behind";
	}
	// Nor is one that was being made just then.
	const auto lock = kernel::note_path({lab().bpffs(), lab().instance}, "events").value();
	const Fd events(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
	EXPECT_TRUE(!events || eventually([&] { return ::flock(events.get(), LOCK_EX | LOCK_NB) == 0; }, Millis(15000)))
		<< "another process is left behind";
}

void Crash::round(int number)
{
	const bool has_helpers = number % 2 == 0;
	spell(false);
	std::vector<std::string> words{"--journal", directory_, "run", "--output", output_};
	if (has_helpers)
		words.insert(words.end(), {"--user", "nobody"});
	Program daemon(lab().command(words));
	// From before it has done anything to when it has taken away the first tables.
	const auto most = (random_() % 10 == 0 ? 1500.0 : 150.0) * (is_emulated() ? 10 : 1);
	const auto pause = [&] {
		const auto ms = std::exp(std::uniform_real_distribution(std::log(0.1), std::log(most))(random_));
		std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));
	};
	pause();
	if (!is_full_ && !is_forbidden_)
		spell(true);
	pause();
	kill_one_of(daemon, has_helpers);
	end_spell();
}

/// A run that ends by itself: what it found is mended, and proved.
void Crash::expect_mended() const
{
	const auto before = with("recording_began").size();
	auto daemon = run();
	EXPECT_TRUE(eventually([&] { return with("recording_began").size() > before; }, Millis(10000)));
	const Finished done = end(daemon);
	EXPECT_EQ(done.status, 0) << done.err;
	expect_whole();
}

/// The output gets a checkpoint when it is on the disk: whoever has it holds the journal to it.
void Crash::expect_what_was_acknowledged() const
{
	std::set<std::string, std::less<>> there;
	each_line([&](std::string_view line) {
		if (line.contains(R"("signature":)"))
			there.emplace(line);
	});
	std::ifstream in(output_);
	std::size_t acknowledged = 0;
	for (std::string line; std::getline(in, line);) {
		if (!line.contains(R"("signature":)") || in.eof()) // a line that was cut off
			continue;
		acknowledged++;
		EXPECT_TRUE(there.contains(line)) << line;
	}
	EXPECT_GT(acknowledged, 3U);
}

TEST_F(Crash, KilledAHundredTimesItAccountsForEveryRefusal)
{
	lab().apply_native();
	{ // its files are the recorder's
		auto daemon = run();
		ASSERT_TRUE(comes("journal_checkpoint"));
		EXPECT_EQ(end(daemon).status, 0);
	}
	const auto refusals = sender(lab().in_node());
	const int times = rounds(104);
	for (int i = 0; i < times && !HasFailure(); ++i) {
		round(i);
		if (i % 26 == 25)
			expect_mended();
	}
	const auto sent = std::stoull(refusals.ask("how many?"));
	auto daemon = run();
	// When all is quiet, what has no record is known.
	EXPECT_TRUE(eventually(
		[&] { return told() + stated("missing") == counted().reported + counted().merged + counted().summed; },
		Millis(20000)));
	EXPECT_EQ(end(daemon).status, 0);
	EXPECT_EQ(counted().refused, sent);
	EXPECT_EQ(waiting(), 0);
	expect_the_kernels_numbers(*this);
	expect_what_was_acknowledged();
	for (const auto &[what, count] : happened_)
		RecordProperty(what, count);
	EXPECT_GT(happened_["weir"], times / 3);
	EXPECT_TRUE(is_emulated() || happened_["a helper"] > times / 20);
}

/// It does not answer, but what waits in the kernel is there all the same.
TEST_F(Journal, WithoutTheProcessThatAsksTheKernelNothingIsGone)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	daemon.kill(SIGSTOP);
	const auto sent = flood(Millis(0), 2000);
	for (const auto &[pid, fd] : children_of(daemon.pid())) {
		std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
		std::string name;
		if (comm >> name && name == "weir-broker")
			::kill(pid, SIGKILL);
	}
	daemon.kill(SIGCONT);
	const Finished done = daemon.wait(Millis(10000));
	EXPECT_EQ(done.status, 1);
	EXPECT_NE(done.err.find("the process of weir run that asks the kernel has ended"), std::string::npos)
		<< done.err;
	EXPECT_EQ(stated("missing"), 0U);
	expect_whole();
	auto next = run();
	EXPECT_TRUE(eventually([&] { return told() == sent; }, Millis(10000)));
	EXPECT_EQ(end(next).status, 0);
	expect_the_kernels_numbers(*this);
}

/// The process that holds it has done so, and the one that writes the record of it never did.
TEST_F(Journal, WhatAKilledRunHeldIsRecordedByTheNext)
{
	lab().apply_native();
	auto daemon = run();
	ASSERT_TRUE(comes("journal_checkpoint"));
	daemon.kill(SIGSTOP);
	const auto link = fs::directory_iterator(lab().bpffs() + "/weir/" + lab().instance + "/links")->path();
	ASSERT_TRUE(fs::remove(link));
	ASSERT_TRUE(eventually([&] { return fs::exists(link); }, Millis(10000)));
	std::this_thread::sleep_for(Millis(is_emulated() ? 2000 : 200));
	daemon.kill(SIGKILL);
	daemon.wait();
	EXPECT_TRUE(with("component_held").empty());
	auto next = run();
	EXPECT_TRUE(comes("component_held"));
	EXPECT_EQ(end(next).status, 0);
	auto third = run();
	ASSERT_TRUE(eventually([&] { return with("recording_began").size() == 3; }));
	EXPECT_EQ(end(third).status, 0);
	const auto held = with("component_held");
	ASSERT_EQ(held.size(), 1U) << "once";
	EXPECT_NE(field(held[0], "event.reason").get<std::string>().find("is attached again"), std::string::npos);
	expect_whole();
	expect_as_the_schema_says({"component"});
}

TEST_F(Journal, AWindowEndsWithThePolicyThatIsRemoved)
{
	lab().write("web.toml", matrix_text("web", {{.id = "web-tcp", .destination = "web", .port = "TCP/443"}}));
	SiteFile site = lab().native_site();
	site.names["web"] = {internet4};
	const auto file = lab().write("site.toml", site.text() + "[windows.web]\nlongest = \"30m\"\n");
	const auto command = [&](std::vector<std::string> words) {
		words.insert(words.begin(), {"--journal", directory_});
		const Finished done = lab().weir(words);
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	};
	const std::vector<std::string> open{"window", "open", "web", "--for", "10m", "--reason", "a test"};
	command({"apply", file});
	auto daemon = run();
	ASSERT_TRUE(comes("policy_apply"));
	command(open);
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected));
	ASSERT_TRUE(comes("window_opened"));
	command({"remove"});
	EXPECT_EQ(daemon.wait(Millis(10000)).status, 0);
	ASSERT_EQ(with("window_closed").size(), 1U);
	EXPECT_EQ(field(with("window_closed")[0], "weir.window.opened_reason"), "a test");
	const auto used = field(with("policy_remove")[0], "weir.policy.used");
	ASSERT_EQ(used.size(), 1U) << used;
	EXPECT_EQ(used[0]["window"], "web");

	// Opened while a daemon ran, removed while none did.
	command({"apply", file});
	auto another = run();
	ASSERT_TRUE(eventually([&] { return with("policy_apply").size() == 2; }));
	command(open);
	ASSERT_TRUE(eventually([&] { return with("window_opened").size() == 2; }));
	EXPECT_EQ(end(another).status, 0);
	command({"remove"});
	command({"apply", file});
	auto last = run();
	EXPECT_TRUE(eventually([&] { return with("window_closed").size() == 2; }));
	EXPECT_EQ(end(last).status, 0);
	EXPECT_EQ(with("window_closed").size(), 2U);
	expect_whole();
	expect_as_the_schema_says({"window", "policy"});
}

} // namespace
} // namespace weir::test
