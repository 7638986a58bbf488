// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.h"

#include <sys/resource.h>
#include <thread>

namespace weir::daemon {
namespace {

TEST_F(Run, WritesEveryEventAndEndsWellOnSigterm)
{
	poll(3);
	poll(0, [] { ::kill(::getpid(), SIGINT); });
	poll(2); // what is in the ring when the signal comes
	const auto result = run();
	ASSERT_TRUE(result.has_value()) << result.error().message;
	EXPECT_EQ(*result, Exit::ok);
	EXPECT_EQ(records(file_).size(), 5u);
	EXPECT_NE(said_.find("5 events written"), std::string::npos) << said_;
	EXPECT_EQ(fs::status(file_).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(Run, TimesAreOfTheWallClock)
{
	poll(1);
	ASSERT_TRUE(run().has_value());
	// 1.12 s after boot; the machine booted before now and after 2020.
	const auto time = records(file_).at(0)["@timestamp"].get<std::string>();
	EXPECT_GT(time, "2020");
	EXPECT_LT(time, "2200");
}

TEST_F(Run, AbsentInstance)
{
	fake().loaded = false;
	EXPECT_EQ(run().error().code, Exit::absent);
	EXPECT_FALSE(fs::exists(file_));
}

TEST_F(Run, LossStandsInTheFile)
{
	fake().counter = {.refused = 10, .observed = 0, .reported = 7, .merged = 0, .summed = 0, .lost = 3};
	poll(7);
	poll(0, [] {
		fake().counter = {.refused = 15, .observed = 0, .reported = 7, .merged = 0, .summed = 0, .lost = 8};
	});
	ASSERT_TRUE(run().has_value());
	const auto losses = records(file_, "weir.loss");
	ASSERT_EQ(losses.size(), 2u);
	EXPECT_EQ(losses[0]["weir"]["events"]["lost_since"], 3);
	EXPECT_EQ(losses[1]["weir"]["events"]["lost_since"], 5);
	EXPECT_EQ(losses[1]["weir"]["events"]["lost"], 8);
}

TEST_F(Run, SighupOpensTheFileAnew)
{
	const auto old = directory_ / "default.jsonl.1";
	poll(2);
	poll(0, [&] {
		fs::rename(file_, old);
		::kill(::getpid(), SIGHUP);
	});
	poll(3);
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(records(old).size(), 2u);
	EXPECT_EQ(records(file_).size(), 3u);
}

TEST_F(Run, TornLineOfACrashEndsBeforeTheFirst)
{
	std::ofstream(file_) << "{\"@timest";
	poll(1);
	ASSERT_TRUE(run().has_value());
	std::ifstream in(file_);
	std::string first, second;
	std::getline(in, first);
	std::getline(in, second);
	EXPECT_EQ(first, "{\"@timest");
	EXPECT_TRUE(Json::accept(second));
}

TEST_F(Run, RemovedInstanceEndsWell)
{
	poll(1, [&] {
		fs::remove_all(where_.directory());
		fake().loaded = false;
	});
	for (int i = 0; i < 40; i++)
		poll(0);
	const auto result = run();
	ASSERT_TRUE(result.has_value()) << result.error().message;
	EXPECT_EQ(records(file_).size(), 1u);
	EXPECT_NE(said_.find("was removed"), std::string::npos) << said_;
}

TEST_F(Run, InstanceLoadedAnewIsTakenOver)
{
	poll(1, [&] {
		fs::rename(where_.directory(), directory_ / "gone");
		fs::create_directories(where_.directory());
	});
	for (int i = 0; i < 3; i++)
		poll(0);
	poll(2);
	ASSERT_TRUE(run().has_value());
	EXPECT_EQ(fake().opened, 2) << said_;
	EXPECT_EQ(records(file_).size(), 3u);
}

TEST_F(Run, RowsAreNamedByTheirGenerationAndOnlyWhenAsked)
{
	auto &policy = fake().policy;
	policy.scenario = "node-native";
	policy.scopes = {{.cgroup = "/node", .components = {"node"}, .open_loopback = true}};
	for (const char *id : {"first", "second"}) {
		BoundRow row;
		row.row.id = id;
		row.row.source = "node";
		row.row.destination = "researcher";
		row.row.port = {.protocol = 6, .first = 50051, .last = 50051};
		row.row.type = "backend";
		row.peers = {*Prefix::parse("192.0.2.1")};
		policy.rows.push_back(row);
	}
	fake().generation = 3;
	poll(1);
	fake().polls.emplace_back([](const Handle &handle) {
		EXPECT_EQ(fake().images_read, 2) << "for the DNS names and the windows at the start; no event had a row";
		auto event = audit::refused_connect();
		event.row = 1;
		for (event.generation = 2; event.generation <= 3; event.generation++)
			handle(event);
		event.generation = 2;
		handle(event);
	});
	ASSERT_TRUE(run().has_value());
	const auto all = records(file_);
	ASSERT_EQ(all.size(), 4u);
	EXPECT_FALSE(all[0].contains("rule"));
	EXPECT_FALSE(all[1].contains("rule")) << "of a generation that is gone";
	EXPECT_EQ(all[2]["rule"]["id"], "second");
	EXPECT_FALSE(all[3].contains("rule"));
	EXPECT_EQ(fake().images_read, 3);
}

TEST_F(Run, FullDiskIsSaidAndCounted)
{
	poll(5);
	const auto result = run("/dev/full");
	ASSERT_FALSE(result.has_value());
	EXPECT_EQ(result.error().code, Exit::failure);
	EXPECT_NE(result.error().message.find("5 events could not be written to /dev/full: No space left"),
		  std::string::npos)
		<< result.error().message;
	EXPECT_NE(said_.find("cannot write to /dev/full: No space left"), std::string::npos) << said_;
}

TEST_F(Run, LimitOfTheFilesSizeIsSaidAndCounted)
{
	rlimit before{};
	ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
	const rlimit small{1500, before.rlim_max}; // room for what is said, which the test catches in a file
	poll(5);
	ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
	const auto result = run();
	ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
	ASSERT_FALSE(result.has_value());
	EXPECT_NE(result.error().message.find("events could not be written"), std::string::npos)
		<< result.error().message;
	EXPECT_NE(result.error().message.find("File too large"), std::string::npos) << result.error().message;
}

TEST_F(Run, FullDiskDoesNotFillTheMemory)
{
	// More than the buffer holds. The signal comes while the daemon waits for room, inside the poll.
	fake().polls.emplace_back([](const Handle &handle) {
		::kill(::getpid(), SIGTERM);
		for (int i = 0; i < 20000; i++)
			handle(audit::refused_connect());
	});
	const auto result = run("/dev/full");
	ASSERT_FALSE(result.has_value());
	EXPECT_NE(result.error().message.find("20000 events could not be written"), std::string::npos)
		<< result.error().message;
}

TEST_F(Run, EndlessFloodEndsAndAddsUp)
{
	std::size_t made = 0;
	fake().polls.emplace_back([&](const Handle &handle) {
		using clock = std::chrono::steady_clock;
		::kill(::getpid(), SIGTERM);
		// Past the daemon's two seconds. Not as fast as can be: the file has to be read again, below.
		for (const auto end = clock::now() + std::chrono::milliseconds(2300); clock::now() < end; made++) {
			handle(audit::refused_connect());
			std::this_thread::sleep_for(std::chrono::microseconds(200));
		}
	});
	const auto result = run();
	ASSERT_FALSE(result.has_value()) << "what was thrown away is not a success";
	const auto losses = records(file_, "weir.loss");
	ASSERT_FALSE(losses.empty());
	EXPECT_EQ(records(file_).size() + losses.back()["weir"]["events"]["discarded"].get<std::size_t>(), made);
}

TEST_F(Run, ReaderOfAPipeThatGoesEndsIt)
{
	int ends[2];
	ASSERT_EQ(::pipe(ends), 0);
	const auto name = "/proc/self/fd/" + std::to_string(ends[1]);
	poll(1);
	poll(0, [&] { ::close(ends[0]); });
	poll(1);
	for (int i = 0; i < 10; i++)
		poll(0);
	const auto result = run(name);
	::close(ends[1]);
	ASSERT_FALSE(result.has_value());
	EXPECT_NE(result.error().message.find("nobody reads"), std::string::npos) << result.error().message;
}

TEST_F(Run, SlowReaderOfAPipeIsWaitedFor)
{
	int ends[2];
	ASSERT_EQ(::pipe(ends), 0);
	ASSERT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0); // an empty pipe is not the end of the test
	const auto name = "/proc/self/fd/" + std::to_string(ends[1]);
	std::string got;
	const auto read = [&](std::size_t most) {
		std::string buffer(most, '\0');
		const auto size = ::read(ends[0], buffer.data(), buffer.size());
		got.append(buffer, 0, size > 0 ? static_cast<std::size_t>(size) : 0);
	};
	poll(200); // some 170 KB into a pipe that holds 64
	for (int i = 0; i < 4; i++) // a second each
		poll(0, [&] { read(1u << 20); });
	const auto result = run(name);
	::close(ends[1]);
	for (std::size_t before = 0; before != got.size();) {
		before = got.size();
		read(1u << 20);
	}
	::close(ends[0]);
	ASSERT_TRUE(result.has_value()) << result.error().message;
	EXPECT_EQ(std::count(got.begin(), got.end(), '\n'), 200);
}

} // namespace
} // namespace weir::daemon
