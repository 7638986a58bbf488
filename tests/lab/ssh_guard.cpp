// SPDX-License-Identifier: Apache-2.0
// `weir apply` through OpenSSH: it does not cut the branch that it sits on, unless it is told to.
#include "tests/lab/lab_test.h"

#include <csignal>
#include <filesystem>
#include <fstream>

namespace weir::test {
namespace {

namespace fs = std::filesystem;

constexpr const char *sshd_program = "/usr/sbin/sshd";
constexpr const char *privilege_separation = "/run/sshd"; // where Debian's sshd wants it: empty, and root's
constexpr std::uint16_t ssh_port = 2222;

/// Debian's sshd on the node, with keys and a configuration of its own.
class SshServer {
public:
	SshServer(Lab &lab, const Spot &spot) : directory_(lab.directory() + "/ssh")
	{
		made_run_ = fs::create_directory(privilege_separation);
		fs::create_directory(directory_);
		for (const char *key : {"host", "user"})
			if (!fs::exists(path(key)) &&
			    execute({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key)}).status != 0)
				throw std::runtime_error("ssh-keygen");
		std::ofstream(path("config")) << "Port " << ssh_port << "\nHostKey " << path("host")
					      << "\nAuthorizedKeysFile " << path("user.pub")
					      << "\nPidFile none\nUsePAM no\nStrictModes no\nUseDNS no\n"
						 "PermitRootLogin prohibit-password\nPasswordAuthentication no\n";
		server_ = std::make_unique<Program>(
			std::vector<std::string>{sshd_program, "-D", "-e", "-f", path("config")}, "", spot);
		const Spot there{lab.researcher(), ""};
		if (!eventually([&] { return command(there, node4, "true").status == 0; }, Millis(8000)))
			throw std::runtime_error("sshd: " + command(there, node4, "true").err);
	}
	~SshServer()
	{
		server_->kill(SIGTERM);
		server_->wait();
		if (made_run_)
			fs::remove(privilege_separation);
	}
	SshServer(const SshServer &) = delete;
	SshServer &operator=(const SshServer &) = delete;

	/// Run a command on the node, from another host; the status is that of the command, 255 of ssh itself.
	[[nodiscard]] Finished command(const Spot &from, const std::string &to, const std::string &what) const
	{
		return execute({"ssh",
				"-F",
				"none",
				"-i",
				path("user"),
				"-p",
				std::to_string(ssh_port),
				"-o",
				"BatchMode=yes",
				"-o",
				"StrictHostKeyChecking=no",
				"-o",
				"UserKnownHostsFile=/dev/null",
				"-o",
				"LogLevel=ERROR",
				"-o",
				"ConnectTimeout=2",
				"-o",
				"ServerAliveInterval=1",
				"-o",
				"ServerAliveCountMax=2",
				"root@" + to,
				what},
			       "", from, Millis(30000));
	}

private:
	[[nodiscard]] std::string path(const char *name) const { return directory_ + "/" + name; }
	std::string directory_;
	bool made_run_ = false;
	std::unique_ptr<Program> server_;
};

class SshGuard : public LabTest {
protected:
	void SetUp() override
	{
		if (!fs::exists(sshd_program))
			GTEST_SKIP() << "there is no " << sshd_program << ": apt-get install openssh-server";
	}
	/// The node's rows, and where `admin` is not "", its SSH.
	static std::string site(const std::string &admin = "")
	{
		if (admin.empty())
			return lab().write("no-ssh-site.toml", lab_site(lab()).text());
		SiteFile with = lab_site(lab(),
					 {{.id = "ssh",
					   .dir = "in",
					   .source = "admins",
					   .destination = "node",
					   .port = "TCP/" + std::to_string(ssh_port),
					   .type = "host"}},
					 "ssh");
		with.names["admins"] = {admin};
		return lab().write("ssh-site.toml", with.text());
	}
	/// The words of a command line on the node.
	static std::string weir(const std::vector<std::string> &words)
	{
		std::string line;
		for (const auto &word : lab().command(words))
			line += "'" + word + "' ";
		return line;
	}
	static bool is_loaded() { return lab().weir({"status"}).status != 7; }

	static void expect_refused(const Finished &done)
	{
		EXPECT_EQ(done.status, 8) << done.out << done.err;
		EXPECT_NE(done.err.find(std::string(intruder4) + ":"), std::string::npos) << done.err;
		EXPECT_NE(done.err.find("-> 192.0.2.2:2222"), std::string::npos) << done.err;
		EXPECT_NE(done.err.find(lab().cgroup("node")), std::string::npos) << done.err;
		EXPECT_NE(done.err.find("--cut-ssh"), std::string::npos) << done.err;
		EXPECT_FALSE(is_loaded());
	}
};

TEST_F(SshGuard, PolicyWithoutTheSessionsRowIsNotApplied)
{
	const SshServer server(lab(), lab().in_node());
	expect_refused(server.command(intruder(), node4, weir({"apply", site()})));
	expect_refused(server.command(intruder(), node4, weir({"apply", site(researcher4)})));
}

TEST_F(SshGuard, SessionIsRecognisedWithoutTheVariableToo)
{
	const SshServer server(lab(), lab().in_node());
	expect_refused(server.command(intruder(), node4, "env -i /bin/sh -c \"" + weir({"apply", site()}) + "\""));
}

TEST_F(SshGuard, SessionOverIpv6)
{
	const SshServer server(lab(), lab().in_node());
	const Finished done = server.command(intruder(), node6, weir({"apply", site()}));
	EXPECT_EQ(done.status, 8) << done.err;
	EXPECT_NE(done.err.find(std::string("[") + intruder6 + "]:"), std::string::npos) << done.err;
}

TEST_F(SshGuard, ObservingCutsNothing)
{
	const SshServer server(lab(), lab().in_node());
	const Finished done = server.command(intruder(), node4, weir({"apply", "--observe", site()}));
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.out.find("observing"), std::string::npos) << done.out;
}

TEST_F(SshGuard, WithItsRowTheSessionGoesOn)
{
	const SshServer server(lab(), lab().in_node());
	const Finished done =
		server.command(intruder(), node4, weir({"apply", site(intruder4)}) + "&& sleep 1 && echo still here");
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.out.find("enforcing"), std::string::npos) << done.out;
	EXPECT_NE(done.out.find("still here"), std::string::npos) << done.out;
}

TEST_F(SshGuard, CutWhenToldTo)
{
	const SshServer server(lab(), lab().in_node());
	const Finished done = server.command(intruder(), node4, weir({"apply", "--cut-ssh", site()}) + "; sleep 60");
	EXPECT_EQ(done.status, 255) << "the guard's claim is true: the session is gone. " << done.out;
	EXPECT_TRUE(is_loaded());
}

TEST_F(SshGuard, ServerOutsideOfTheCgroupIsNoReasonToRefuse)
{
	const SshServer server(lab(), lab().beside_node());
	const Finished done =
		server.command(intruder(), node4, weir({"apply", site()}) + "&& sleep 1 && echo still here");
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.out.find("still here"), std::string::npos) << done.out;
}

// A socket stays in the cgroup where its listening socket was made, wherever the session's processes are moved, as
// systemd-logind does.
TEST_F(SshGuard, CgroupOfTheSocketCountsAndNotThatOfTheSession)
{
	const auto moved_to = [](const std::string &cgroup) {
		return "echo $PPID > " + cgroup + "/cgroup.procs && echo $$ > " + cgroup + "/cgroup.procs && ";
	};
	{
		const SshServer server(lab(), lab().beside_node());
		const Finished done = server.command(intruder(), node4,
						     moved_to(lab().cgroup("node")) + weir({"apply", site()}) +
							     "&& sleep 1 && echo still here");
		EXPECT_EQ(done.status, 0) << done.err;
		EXPECT_NE(done.out.find("still here"), std::string::npos) << done.out;
	}
	lab().remove();
	const SshServer server(lab(), lab().in_node());
	expect_refused(server.command(intruder(), node4, moved_to(lab().cgroup("outside")) + weir({"apply", site()})));
}

} // namespace
} // namespace weir::test
