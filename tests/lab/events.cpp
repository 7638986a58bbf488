// SPDX-License-Identifier: Apache-2.0
// Each refusal is told, with its process, and counted: reported + merged + summed + lost = refused.
#include "tests/lab/lab_test.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <sys/wait.h>

namespace weir::test {
namespace {

using nlohmann::json;

/// `weir run`, writing to a file.
class Recorder {
public:
	explicit Recorder(const Lab &lab)
		: file_(lab.directory() + "/events.jsonl"), run_(lab.command({"run", "--output", file_}))
	{}
	[[nodiscard]] std::vector<json> records() const
	{
		std::vector<json> all;
		std::ifstream in(file_);
		for (std::string line; std::getline(in, line) && !in.eof();)
			all.push_back(json::parse(line));
		return all;
	}
	/// The first refusal that fits, waiting for it.
	[[nodiscard]] json find(const std::function<bool(const json &)> &fits) const
	{
		json found;
		eventually(
			[&] {
				for (const auto &record : records())
					if (field(record, "event.dataset") == "weir.violation" && fits(record)) {
						found = record;
						return true;
					}
				return false;
			},
			Millis(2000));
		return found;
	}
	Program &program() { return run_; }

private:
	std::string file_;
	Program run_;
};

bool goes_to(const json &record, const std::string &address, int port)
{
	return field(record, "destination.ip") == address && field(record, "destination.port") == port;
}

class Events : public LabTest {
protected:
	void SetUp() override { std::remove((lab().directory() + "/events.jsonl").c_str()); }

	struct Sums {
		std::uint64_t refused = 0, observed = 0, reported = 0, merged = 0, summed = 0, lost = 0;
		[[nodiscard]] std::uint64_t to_be_told() const { return reported + merged + summed; }
	};
	static Sums sums()
	{
		const json facts = lab().status();
		const auto number = [&](const char *name) {
			const json value = field(facts, std::string("events.") + name);
			return value.is_number() ? value.get<std::uint64_t>() : 0;
		};
		return {number("refused"), number("observed"), number("reported"),
			number("merged"),  number("summed"),   number("lost")};
	}
	/// Send as many refused datagrams as told, from one socket; gives how many were refused.
	static int flood(int count)
	{
		return std::stoi(run_at(lab().in_node(), [&] {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const Endpoint to(internet4, 443);
			int refused = 0;
			for (int i = 0; i < count; ++i)
				refused += ::sendto(fd.get(), "x", 1, 0, to.get(), to.size) < 0 && errno == EPERM ? 1
														  : 0;
			return std::to_string(refused);
		}));
	}
	static std::uint64_t told(const std::vector<json> &records)
	{
		std::uint64_t sum = 0;
		for (const auto &record : records)
			if (field(record, "event.dataset") == "weir.violation") {
				const json count = field(record, "weir.count");
				sum += count.is_number() ? count.get<std::uint64_t>() : 1;
			}
		return sum;
	}
};

/// What all kinds of records look like is tested without a kernel (tests/unit/formats); this one has been one's.
TEST_F(Events, RealRecordsAreAsTheSchemaSays)
{
	lab().apply_native();
	const Recorder recorder(lab());
	for (const char *name : {"tcp4", "udp4-sendto", "tcp6"})
		run_at(lab().in_node(), [name] {
			(void)find_attempt(name)->run({std::string_view(name) == "tcp6" ? internet6 : internet4, 443});
			return std::string("done");
		});
	ASSERT_FALSE(recorder.find([](const json &each) { return goes_to(each, internet6, 443); }).is_null());
	const std::string command = "/usr/bin/python3 " WEIR_SOURCE_DIR "/schemas/validate --want weir.violation " +
				    lab().directory() + "/events.jsonl";
	EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(Events, RefusedConnectNamesItsProcess)
{
	lab().apply_native();
	const Recorder recorder(lab());
	const std::string pid = run_at(lab().in_node(), [] {
		(void)find_attempt("tcp4")->run({internet4, 443});
		return std::to_string(::getpid());
	});
	const json record = recorder.find([](const json &each) { return goes_to(each, internet4, 443); });
	ASSERT_FALSE(record.is_null());
	EXPECT_EQ(field(record, "process.pid"), std::stoi(pid)) << record;
	EXPECT_FALSE(field(record, "process.name").is_null()) << record;
	EXPECT_EQ(field(record, "user.id"), "0") << record;
	EXPECT_EQ(field(record, "weir.gate"), "socket") << record;
	EXPECT_EQ(field(record, "weir.operation"), "connect") << record;
	EXPECT_EQ(field(record, "weir.reason"), "no_row") << record;
	EXPECT_EQ(field(record, "weir.verdict"), "refused") << record;
	EXPECT_EQ(field(record, "weir.instance"), "lab") << record;
	EXPECT_EQ(field(record, "network.transport"), "tcp") << record;
	EXPECT_EQ(field(record, "network.direction"), "egress") << record;
	const std::string cgroup = lab().cgroup("node");
	EXPECT_TRUE(cgroup.ends_with(field(record, "weir.cgroup.path").get<std::string>())) << record;
}

TEST_F(Events, RefusedPacketNamesItsProcess)
{
	lab().apply_native();
	const Recorder recorder(lab());
	const std::string pid = run_at(lab().in_node(), [] {
		(void)find_attempt("raw4-protocol")->run({internet4, 0});
		return std::to_string(::getpid());
	});
	const json record = recorder.find([](const json &each) { return field(each, "weir.gate") == "packet"; });
	ASSERT_FALSE(record.is_null());
	EXPECT_EQ(field(record, "process.pid"), std::stoi(pid)) << record;
	EXPECT_EQ(field(record, "destination.ip"), internet4) << record;
	EXPECT_EQ(field(record, "network.iana_number"), "253") << record;
	EXPECT_EQ(field(record, "weir.operation"), "packet") << record;
}

TEST_F(Events, RefusedInboundNamesTheIntruderAndTheListener)
{
	const Server server(lab().in_node(), {9000}, {});
	lab().apply_native();
	const Recorder recorder(lab());
	(void)tcp(intruder(), node4, 9000);
	const json record = recorder.find([](const json &each) { return field(each, "source.ip") == intruder4; });
	ASSERT_FALSE(record.is_null());
	EXPECT_EQ(field(record, "network.direction"), "ingress") << record;
	EXPECT_EQ(field(record, "destination.port"), 9000) << record;
	EXPECT_EQ(field(record, "weir.gate"), "packet") << record;
}

TEST_F(Events, GrpcsSortingOfAddressesIsMarked)
{
	// connect() of a datagram socket sends no byte: refusing it is right, calling it an attempt to send is not.
	lab().apply_native();
	const Recorder recorder(lab());
	(void)attempt(lab().in_node(), "udp4-connect", internet4, 443);
	const json record = recorder.find([](const json &each) { return goes_to(each, internet4, 443); });
	ASSERT_FALSE(record.is_null());
	EXPECT_EQ(field(record, "weir.operation"), "udp_connect") << record;
}

TEST_F(Events, EveryAttemptIsToldAndCounted)
{
	lab().apply_native();
	const Recorder recorder(lab());
	std::uint64_t before = sums().refused;
	for (const auto some : {socket_attempts(), raw_attempts(), other_attempts()}) {
		for (const Attempt &each : some) {
			if (each.is_residual)
				continue;
			const Target target{each.family == 4 ? internet4 : internet6, 443};
			if (attempt(lab().in_node(), each, target).reach == Reach::skipped)
				continue;
			const auto now = sums();
			EXPECT_GT(now.refused, before) << each.name << " was not counted";
			EXPECT_EQ(now.refused + now.observed, now.to_be_told() + now.lost) << each.name;
			before = now.refused;
		}
	}
	const auto end = sums();
	EXPECT_EQ(end.lost, 0U);
	EXPECT_TRUE(eventually([&] { return told(recorder.records()) == end.to_be_told(); }))
		<< told(recorder.records()) << " told of " << end.to_be_told();
}

TEST_F(Events, LikeRefusalsAreCountedWithNobodyListening)
{
	lab().apply_native();
	EXPECT_EQ(flood(40000), 40000);
	const auto now = sums();
	EXPECT_EQ(now.refused, 40000U);
	EXPECT_EQ(now.reported, 1U);
	EXPECT_EQ(now.merged, 39999U);
	EXPECT_EQ(now.summed + now.lost, 0U);
	const Recorder recorder(lab());
	EXPECT_TRUE(eventually([&] { return told(recorder.records()) == 40000U; })) << told(recorder.records());
}

TEST_F(Events, RefusedIsReportedAndLostWithNobodyListening)
{
	// More than the ring buffer holds: the rest is counted as lost, and nothing is refused without being counted.
	lab().apply_native();
	take_tables(lab());
	const int refused = flood(40000);
	EXPECT_EQ(refused, 40000);
	const auto now = sums();
	EXPECT_EQ(now.refused, 40000U);
	EXPECT_EQ(now.refused, now.reported + now.lost);
	EXPECT_GT(now.lost, 0U) << "the flood was too small to prove anything";
	EXPECT_GT(now.reported, 10000U);
}

TEST_F(Events, LossIsTold)
{
	lab().apply_native();
	take_tables(lab());
	(void)flood(40000);
	const auto lost = sums().lost;
	ASSERT_GT(lost, 0U);
	const Recorder recorder(lab());
	EXPECT_TRUE(eventually(
		[&] {
			for (const auto &record : recorder.records())
				if (field(record, "event.dataset") == "weir.loss" &&
				    field(record, "weir.events.lost") == lost)
					return true;
			return false;
		},
		Millis(8000)));
}

TEST_F(Events, SigtermLosesNothing)
{
	lab().apply_native();
	Recorder recorder(lab());
	(void)flood(1);
	ASSERT_FALSE(recorder.find([](const json &) { return true; }).is_null()) << "it runs";
	(void)flood(5000);
	recorder.program().kill(SIGTERM);
	const Finished done = recorder.program().wait();
	EXPECT_EQ(done.status, 0) << done.err;
	const auto now = sums();
	EXPECT_EQ(now.lost, 0U);
	EXPECT_EQ(told(recorder.records()), now.to_be_told());
}

/// A hundred processes, each with a peer of its own, among one that floods and one that tries every port: all of them are
/// named, and nobody is counted twice.
TEST_F(Events, WhoTriedWhatSurvivesAFlood)
{
	lab().apply_native();
	Recorder recorder(lab());
	constexpr int processes = 120;
	const std::string text = run_at(
		lab().in_node(),
		[] {
			const auto send = [](int fd, int last, int port) {
				const Endpoint to("198.18.0." + std::to_string(last), static_cast<std::uint16_t>(port));
				return ::sendto(fd, "x", 1, 0, to.get(), to.size) < 0 && errno == EPERM ? 1 : 0;
			};
			std::vector<pid_t> floods;
			for (const bool scans : {false, true}) {
				floods.push_back(::fork());
				if (floods.back() == 0) {
					const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
					(void)::nice(10);
					for (int i = 0; i < (scans ? 20000 : 100000); ++i)
						(void)send(fd.get(), 250, scans ? 1 + i : 9);
					::_exit(0);
				}
			}
			std::string pids;
			for (int i = 0; i < processes; ++i) {
				const pid_t pid = ::fork();
				if (pid == 0) {
					const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
					int refused = 0;
					for (int time = 0; time < 10; ++time)
						refused += send(fd.get(), 1 + i, 53);
					::_exit(refused == 10 ? 0 : 1);
				}
				int status = 0;
				::waitpid(pid, &status, 0);
				pids += std::to_string(status == 0 ? pid : -1) + " ";
			}
			for (const pid_t pid : floods) {
				::kill(pid, SIGKILL);
				::waitpid(pid, nullptr, 0);
			}
			return pids;
		},
		Millis(60000));
	recorder.program().kill(SIGTERM);
	EXPECT_EQ(recorder.program().wait(Millis(30000)).status, 0);
	const auto now = sums();
	EXPECT_EQ(now.refused, now.to_be_told() + now.lost);
	EXPECT_EQ(now.lost + now.summed, 0U) << "the ring does not decide, nor who came first";
	std::map<int, std::uint64_t> by_process;
	std::uint64_t told = 0;
	for (const auto &record : recorder.records()) {
		if (field(record, "event.dataset") != "weir.violation")
			continue;
		const json count = field(record, "weir.count");
		told += count.is_number() ? count.get<std::uint64_t>() : 1;
		by_process[field(record, "process.pid").get<int>()] += count.is_number() ? count.get<std::uint64_t>()
											 : 1;
	}
	EXPECT_EQ(told, now.refused);
	std::istringstream pids(text);
	int named = 0;
	for (int pid = 0; pids >> pid; ++named)
		EXPECT_EQ(by_process[pid], 10U) << "process " << pid << ", the " << named << "th";
	EXPECT_EQ(named, processes);
}

TEST_F(Events, KilledReaderIsFollowedByAnother)
{
	lab().apply_native();
	{
		Recorder first(lab());
		(void)flood(1);
		ASSERT_FALSE(first.find([](const json &each) { return goes_to(each, internet4, 443); }).is_null());
		first.program().kill(SIGKILL);
		first.program().wait();
	}
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 80), Reach::refused)) << "the policy holds";
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
	EXPECT_EQ(lab().weir({"status"}).status, 0);
	const Recorder second(lab());
	EXPECT_FALSE(second.find([](const json &each) { return goes_to(each, internet4, 80); }).is_null())
		<< "what was refused in between is told, too";
}

TEST_F(Events, ClosedStandardDescriptorsAreNotTheFileOfTheEvents)
{
	lab().apply_native();
	const std::string file = lab().directory() + "/closed.jsonl";
	std::vector<std::string> words{"sh", "-c", R"(exec "$@" <&- >&- 2>&-)", "sh"};
	for (const auto &word : lab().command({"run", "--output", file}))
		words.push_back(word);
	Program run(words);
	(void)flood(1);
	EXPECT_TRUE(eventually([&] { return std::filesystem::exists(file) && std::filesystem::file_size(file) > 0; }));
	run.kill(SIGTERM);
	run.wait();
	std::ifstream in(file);
	for (std::string line; std::getline(in, line);)
		EXPECT_TRUE(json::accept(line)) << line;
}

TEST_F(Events, OnlyOneReaderAtATime)
{
	lab().apply_native();
	const Recorder recorder(lab());
	(void)flood(1);
	ASSERT_FALSE(recorder.find([](const json &) { return true; }).is_null());
	Program second(lab().command({"run", "--output", lab().directory() + "/second.jsonl"}));
	const Finished done = second.wait(Millis(3000));
	EXPECT_EQ(done.status, 1) << done.err;
	EXPECT_FALSE(done.err.empty());
}

TEST_F(Events, ForPeople)
{
	lab().apply_native();
	Recorder recorder(lab());
	(void)flood(1);
	ASSERT_FALSE(recorder.find([](const json &) { return true; }).is_null());
	const Finished shown = lab().weir({"events", lab().directory() + "/events.jsonl"});
	EXPECT_EQ(shown.status, 0) << shown.err;
	EXPECT_NE(shown.out.find(internet4), std::string::npos) << shown.out;
	EXPECT_EQ(shown.out.find("\033["), std::string::npos) << "no colour in a file";
}

} // namespace
} // namespace weir::test
