// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_session.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

Connection connection(const char *peer, std::uint16_t peer_port, const char *local, std::uint16_t local_port)
{
	return {.local = *Address::parse(local),
		.peer = *Address::parse(peer),
		.local_port = local_port,
		.peer_port = peer_port};
}

TEST(ConnectionOf, TheVariable)
{
	EXPECT_EQ(connection_of("192.0.2.66 51234 192.0.2.2 22"), connection("192.0.2.66", 51234, "192.0.2.2", 22));
	EXPECT_EQ(connection_of("fe80::1%eth0 51234 fe80::2%eth0 22"), connection("fe80::1", 51234, "fe80::2", 22));
	for (const char *wrong :
	     {"", "192.0.2.66", "192.0.2.66 51234 192.0.2.2", "192.0.2.66 x 192.0.2.2 22",
	      "192.0.2.66 51234 192.0.2.2 22 more", "UNKNOWN 65535 UNKNOWN 65535", "192.0.2.66 70000 192.0.2.2 22"})
		EXPECT_FALSE(connection_of(wrong)) << wrong;
	EXPECT_EQ(connection_of("192.0.2.66 51234 192.0.2.2 22")->text(), "192.0.2.66:51234 -> 192.0.2.2:22");
	EXPECT_EQ(connection_of("fe80::1 51234 fe80::2 22")->text(), "[fe80::1]:51234 -> [fe80::2]:22");
}

constexpr const char *heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
				"timeout inode\n";
constexpr const char *table = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0       "
			      " 0 900 1 0 100 0 0 10 0\n"
			      "   1: 020200C0:0016 420200C0:C822 01 00000000:00000000 02:000A7D5B 00000000     0       "
			      " 0 901 4 0 20 4 1 10 -1\n"
			      "   2: 020200C0:A000 0A0200C0:0050 01 00000000:00000000 00:00000000 00000000  1000       "
			      " 0 902 1 0 20 4 1 10 -1\n";
constexpr const char *table6 =
	"   0: 0000000000000000FFFF0000020200C0:0016 0000000000000000FFFF0000420200C0:C823 01 00000000:00000000 "
	"00:00000000 00000000     0        0 903 1 0 20 4 1 10 -1\n"
	"   1: B80D0120000001000000000002000000:0016 B80D0120000001000000000066000000:C824 06 00000000:00000000 "
	"00:00000000 00000000     0        0 904 1 0 20 4 1 10 -1\n";

TEST(SocketsOf, BothFamilies)
{
	const auto four = sockets_of(std::string(heading) + table);
	ASSERT_EQ(four.size(), 3u);
	EXPECT_FALSE(four[0].established);
	EXPECT_EQ(four[0].inode, 900u);
	EXPECT_TRUE(four[1].established);
	EXPECT_EQ(four[1].connection, connection("192.0.2.66", 51234, "192.0.2.2", 22));
	const auto six = sockets_of(std::string(heading) + table6);
	ASSERT_EQ(six.size(), 2u);
	EXPECT_EQ(six[0].connection, connection("192.0.2.66", 51235, "192.0.2.2", 22)) << "IPv4 on an IPv6 socket";
	EXPECT_EQ(six[1].connection, connection("2001:db8:1::66", 51236, "2001:db8:1::2", 22));
	EXPECT_FALSE(six[1].established);
	EXPECT_TRUE(sockets_of("").empty());
	EXPECT_TRUE(sockets_of(std::string(heading) + "   0: garbage 00 01\n   1: 0:0 0:0 01 0 0 0 0 0 1\n").empty());
}

/// A /proc of the test's own.
class FindSshSession : public testing::Test {
protected:
	void SetUp() override
	{
		std::string name = testing::TempDir() + "weir-proc-XXXXXX";
		proc_ = ::mkdtemp(name.data());
	}
	void TearDown() override { fs::remove_all(proc_); }

	void process(pid_t pid, pid_t parent, const std::string &name, const std::vector<int> &sockets = {},
		     const std::string &netns = "net:[4026531840]") const
	{
		const fs::path directory = proc_ / std::to_string(pid);
		fs::create_directories(directory / "fd");
		fs::create_directories(directory / "net");
		fs::create_directories(directory / "ns");
		std::ofstream(directory / "stat") << pid << " (" << name << ") S " << parent << " 1 1 0 -1\n";
		std::ofstream(directory / "cgroup") << "1:name=systemd:/other\n0::/of-" << pid << "\n";
		std::ofstream(directory / "net/tcp") << heading << table;
		std::ofstream(directory / "net/tcp6") << heading << table6;
		fs::create_symlink(netns, directory / "ns/net");
		fs::create_symlink("/dev/null", directory / "fd/0");
		for (std::size_t i = 0; i < sockets.size(); i++)
			fs::create_symlink("socket:[" + std::to_string(sockets[i]) + "]",
					   directory / "fd" / std::to_string(3 + i));
	}
	/// As Debian's sshd for a user: listener, monitor, session, shell; then sudo and weir.
	void usual() const
	{
		process(1, 0, "systemd");
		process(10, 1, "sshd", {900});
		process(11, 10, "sshd", {77, 901});
		process(12, 11, "sshd", {901, 902});
		process(13, 12, "bash");
		process(14, 13, "sudo) S 1 (", {}); // a name that would mislead a careless reader
		process(15, 14, "weir");
	}
	[[nodiscard]] auto find(pid_t self, std::string_view variable = "") const
	{
		return find_ssh_session(proc_, self, variable);
	}

	fs::path proc_;
	const Connection session_ = connection("192.0.2.66", 51234, "192.0.2.2", 22);
};

TEST_F(FindSshSession, BySshdAboveThoughSudoDropsTheVariable)
{
	usual();
	const auto found = find(15);
	ASSERT_TRUE(found);
	EXPECT_EQ(found->connection, session_);
	EXPECT_EQ(found->server, 10);
	EXPECT_EQ(found->cgroup, "/of-10");
	EXPECT_TRUE(found->in_own_netns);
}

TEST_F(FindSshSession, OfRootIsOneProcessThatHoldsForwardedConnectionsToo)
{
	process(10, 1, "sshd", {900});
	process(12, 10, "sshd-session", {901, 902});
	process(13, 12, "bash");
	EXPECT_EQ(find(13)->connection, session_);
}

TEST_F(FindSshSession, VariableOfAnotherConnectionOfThatServerIsNotTheNewest)
{
	process(10, 1, "sshd", {900});
	process(12, 10, "sshd", {902, 901});
	process(13, 12, "bash");
	EXPECT_EQ(find(13, "192.0.2.66 51234 192.0.2.2 22")->connection, session_) << "it says which one";
	EXPECT_NE(find(13, "192.0.2.99 51234 192.0.2.2 22")->connection.peer.text(), "192.0.2.99") << "not held";
}

TEST_F(FindSshSession, OfAShellThatOutlivedItByTheVariableIfTheConnectionIsThere)
{
	usual();
	process(20, 1, "tmux: server");
	process(21, 20, "bash");
	const auto found = find(21, "192.0.2.66 51234 192.0.2.2 22");
	ASSERT_TRUE(found);
	EXPECT_EQ(found->connection, session_);
	EXPECT_EQ(found->server, 10);
	EXPECT_FALSE(find(21, "192.0.2.66 50000 192.0.2.2 22")) << "of a connection that is gone";
	EXPECT_FALSE(find(21, "")) << "nothing is known";
}

TEST_F(FindSshSession, NotInAConsolesShell)
{
	usual();
	process(30, 1, "login");
	process(31, 30, "bash");
	EXPECT_FALSE(find(31));
	EXPECT_FALSE(find(999)) << "gone";
}

TEST_F(FindSshSession, ConnectionThatIsBeingClosedIsNone)
{
	process(10, 1, "sshd", {904});
	process(13, 10, "bash");
	EXPECT_FALSE(find(13));
}

TEST_F(FindSshSession, FromAnotherNetworkNamespaceItIsSaid)
{
	usual();
	process(40, 13, "weir", {}, "net:[4026532000]");
	EXPECT_FALSE(find(40)->in_own_netns);
}

TEST_F(FindSshSession, ProcessesInARingEnd)
{
	process(50, 51, "bash");
	process(51, 50, "bash");
	EXPECT_FALSE(find(50));
}

} // namespace
} // namespace weir::cli
