// SPDX-License-Identifier: Apache-2.0
// Files and sockets, against peers of this process. A real rsyslog is in rsyslog_test.cpp.
#include "support.h"

#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>

namespace weir::sinks {
namespace {

auto soon()
{
	return std::chrono::steady_clock::now() + 30s;
}

TEST(SinkFile, AppendsLinesAndFollowsARotation)
{
	const Directory directory;
	const auto path = directory.file("events.cef");
	std::ofstream(path) << "torn";
	Sender sender(address_of("file:" + path + "?format=cef"));
	sender.offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return sender.figures().sent == 1; }));
	EXPECT_TRUE(read_file(path).starts_with("torn\nCEF:0|")) << read_file(path);
	fs::rename(path, path + ".1");
	sender.offer(numbered(2));
	sender.close(soon());
	EXPECT_TRUE(read_file(path).starts_with("CEF:0|"));
	EXPECT_NE(read_file(path).find("spid=2"), std::string::npos);
	EXPECT_EQ(read_file(path + ".1").find("spid=2"), std::string::npos);
	struct stat status{};
	::stat(path.c_str(), &status);
	EXPECT_EQ(status.st_mode & 0007, 0u);
}

TEST(SinkFile, DirectoryThatIsMissingIsWaitedFor)
{
	const Directory directory;
	const auto path = directory.file("later/events.jsonl");
	Sender sender(address_of("file:" + path));
	sender.offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return !sender.figures().problem.empty(); }));
	EXPECT_NE(sender.figures().problem.find("No such file"), std::string::npos);
	fs::create_directory(directory.file("later"));
	EXPECT_TRUE(eventually([&] { return sender.figures().sent == 1; }));
	sender.close(soon());
	EXPECT_EQ(read_file(path), numbered(1));
}

TEST(SinkDatagrams, UnixSocketThatGoesAndComesBack)
{
	const Directory directory;
	const auto path = directory.file("log");
	Fd peer = datagrams_at(path);
	Sender sender(address_of("syslog+unix:" + path + "?header=rfc5424"));
	sender.offer(numbered(1));
	EXPECT_NE(receive(peer).find("process.pid=\"1\""), std::string::npos);
	peer = Fd();
	fs::remove(path);
	sender.offer(numbered(2));
	ASSERT_TRUE(eventually([&] { return !sender.figures().problem.empty(); }));
	peer = datagrams_at(path);
	EXPECT_NE(receive(peer).find("process.pid=\"2\""), std::string::npos);
	sender.close(soon());
	EXPECT_EQ(sender.figures().sent, 2u);
	EXPECT_EQ(sender.figures().dropped, 0u);
}

TEST(SinkDatagrams, UdpThatNobodyTakesIsNoticedAndWhatWasRefusedIsSentAgain)
{
	std::uint16_t port = 0;
	listen_at(SOCK_DGRAM, port); // closed again: nobody listens there
	Sender sender(address_of("syslog+udp://127.0.0.1:" + std::to_string(port)));
	sender.offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return sender.figures().failures > 0; }));
	EXPECT_NE(sender.figures().problem.find("refused"), std::string::npos) << sender.figures().problem;
	const Fd peer = listen_at(SOCK_DGRAM, port);
	EXPECT_NE(receive(peer).find("process.pid=\"1\""), std::string::npos);
	sender.close(soon());
	EXPECT_EQ(sender.figures().sent, 1u);
}

/// All that a connection brings until it ends.
std::string read_all(const Fd &connection)
{
	std::string all;
	for (std::string part = receive(connection); !part.empty(); part = receive(connection))
		all += part;
	return all;
}

Fd accept_at(const Fd &listener)
{
	pollfd watched{listener.get(), POLLIN, 0};
	return Fd(::poll(&watched, 1, 30'000) == 1 ? ::accept(listener.get(), nullptr, nullptr) : -1);
}

TEST(SinkTcp, CountsOctets)
{
	std::uint16_t port = 0;
	const Fd listener = listen_at(SOCK_STREAM, port);
	Sender sender(address_of("syslog+tcp://127.0.0.1:" + std::to_string(port)));
	sender.offer(numbered(1) + numbered(2) + numbered(3));
	const Fd connection = accept_at(listener);
	ASSERT_TRUE(eventually([&] { return sender.figures().sent == 3; }));
	sender.close(soon());
	const auto frames = frames_of(read_all(connection));
	ASSERT_EQ(frames.size(), 3u);
	for (int i = 0; i < 3; i++)
		EXPECT_NE(frames[static_cast<std::size_t>(i)].find("process.pid=\"" + std::to_string(i + 1)),
			  std::string::npos);
}

/// The first peer reads nothing and resets the connection: what its kernel has not acknowledged comes again.
TEST(SinkTcp, PeerThatIsSlowThenGoneThenBackGetsAll)
{
	std::uint16_t port = 0;
	const std::uint32_t total = 3000;
	Fd listener = listen_at(SOCK_STREAM, port);
	const int small = 4096; // of connections that are accepted, too
	::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	Sender sender(address_of("syslog+tcp://127.0.0.1:" + std::to_string(port) + "?queue=64M"));
	Fd slow;
	std::string first;
	for (std::uint32_t pid = 1; pid <= total; pid++)
		sender.offer(numbered(pid));
	slow = accept_at(listener);
	// It is stuck: nothing moves for a while, though more waits.
	std::uint64_t before = 1;
	ASSERT_TRUE(eventually([&] {
		const auto sent = sender.figures().sent;
		std::this_thread::sleep_for(100ms);
		return sent != 0 && sent == std::exchange(before, sent);
	}));
	ASSERT_LT(sender.figures().sent, total);
	while (first.size() < 20'000)
		first += receive(slow);
	listener = Fd();
	const linger reset{.l_onoff = 1, .l_linger = 0};
	::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	slow = Fd();
	ASSERT_TRUE(eventually([&] { return sender.figures().failures >= 1; }));

	listener = listen_at(SOCK_STREAM, port);
	const Fd good = accept_at(listener);
	std::string second;
	std::thread reader([&] { second = read_all(good); });
	EXPECT_TRUE(eventually([&] { return sender.figures().waiting == 0; })) << sender.figures().problem;
	sender.close(soon());
	reader.join();

	std::set<std::uint32_t> seen;
	const auto note = [&seen](const std::vector<std::string> &frames) {
		for (const auto &frame : frames)
			if (const auto at = frame.find("process.pid=\""); at != std::string::npos)
				seen.insert(static_cast<std::uint32_t>(std::stoul(frame.substr(at + 13))));
	};
	note(frames_of(first));
	note(frames_of(second));
	const auto figures = sender.figures();
	EXPECT_EQ(figures.sent + figures.dropped, total);
	// What the first peer's kernel took in its last moment nobody read.
	EXPECT_GE(seen.size() + 64, total) << figures.failures;
	EXPECT_TRUE(seen.contains(total));
	EXPECT_TRUE(frames_of(second).back() != "");
}

TEST(SinkJournald, EntryAndLargeEntry)
{
	const Directory directory;
	const auto path = directory.file("journal");
	const Fd peer = datagrams_at(path);
	Sender sender(address_of("journald:" + path));
	sender.offer(numbered(1));
	const auto entry = receive(peer);
	EXPECT_NE(entry.find("\nWEIR_PROCESS_PID=1\n"), std::string::npos) << entry;
	EXPECT_TRUE(entry.starts_with("MESSAGE=refused"));

	// Larger than a datagram can be: a file of memory, sealed, as systemd asks for.
	auto large = formats::bare(formats::bare(numbered(2)));
	large += ",\"more\":\"" + std::string(1u << 20, 'x') + "\"}\n";
	sender.offer(large);
	pollfd watched{peer.get(), POLLIN, 0};
	ASSERT_EQ(::poll(&watched, 1, 30'000), 1);
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	msghdr header{};
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	ASSERT_EQ(::recvmsg(peer.get(), &header, 0), 0);
	const cmsghdr *rights = CMSG_FIRSTHDR(&header);
	ASSERT_NE(rights, nullptr);
	int number = -1;
	std::memcpy(&number, CMSG_DATA(rights), sizeof(number));
	const Fd file(number);
	EXPECT_EQ(::fcntl(file.get(), F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	struct stat status{};
	::fstat(file.get(), &status);
	EXPECT_GT(status.st_size, 1 << 20);
	sender.close(soon());
	EXPECT_EQ(sender.figures().sent, 2u);
}

} // namespace
} // namespace weir::sinks
