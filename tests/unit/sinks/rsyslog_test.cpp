// SPDX-License-Identifier: Apache-2.0
// A real rsyslog, with a configuration, ports and certificates of the tests' own, by every way that it listens on.
#include "support.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <set>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

namespace weir::sinks {
namespace {

std::uint16_t free_port(int type)
{
	std::uint16_t port = 0;
	listen_at(type, port);
	return port;
}

int run_command(const std::string &command)
{
	return ::system(command.c_str());
}

/// A CA and what it signs, and another CA that nobody trusts.
void make_certificates(const Directory &at)
{
	const auto path = [&](const char *name) { return at.file(name); };
	const std::string quiet = " >>" + path("openssl.log") + " 2>&1";
	const std::string new_key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 ";
	for (const std::string ca : {"ca", "other-ca"})
		ASSERT_EQ(run_command(new_key + "-subj /CN=" + ca + " -keyout " + path("") + ca + ".key -out " +
				      path("") + ca + ".pem" + quiet),
			  0);
	for (const std::string name : {"server", "client"})
		ASSERT_EQ(run_command(new_key + "-subj /CN=" + name + " -CA " + path("ca.pem") + " -CAkey " +
				      path("ca.key") + " -addext subjectAltName=DNS:" + name +
				      ".example,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout " +
				      path("") + name + ".key -out " + path("") + name + ".pem" + quiet),
			  0);
}

class Rsyslog : public testing::Test {
protected:
	static void SetUpTestSuite()
	{
		directory_.emplace();
		make_certificates(*directory_);
		udp_ = free_port(SOCK_DGRAM);
		tcp_ = free_port(SOCK_STREAM);
		tls_ = free_port(SOCK_STREAM);
		mutual_ = free_port(SOCK_STREAM);
		write_configuration();
		start();
	}
	static void TearDownTestSuite()
	{
		stop(SIGTERM);
		directory_.reset();
	}

	static void write_configuration()
	{
		const auto &at = *directory_;
		std::ofstream file(at.file("rsyslog.conf"));
		file << "global(workDirectory=\"" << at.file("") << "\" maxMessageSize=\"64k\"\n"
		     << " defaultNetstreamDriverCAFile=\"" << at.file("ca.pem") << "\"\n"
		     << " defaultNetstreamDriverCertFile=\"" << at.file("server.pem") << "\"\n"
		     << " defaultNetstreamDriverKeyFile=\"" << at.file("server.key") << "\")\n"
		     << "module(load=\"imuxsock\" "
			"SysSock.Use=\"off\")\nmodule(load=\"imudp\")\nmodule(load=\"imtcp\")\n"
		     << "template(name=\"parsed\" type=\"string\" string=\"%pri%|%timestamp:::date-rfc3339%|%hostname%"
			"|%app-name%|%procid%|%msgid%|%structured-data%|%msg%\\n\")\n";
		const auto input = [&](const std::string &name, const std::string &how) {
			file << "ruleset(name=\"" << name << "\") { action(type=\"omfile\" template=\"parsed\" file=\""
			     << at.file(name + ".out") << "\") }\ninput(ruleset=\"" << name << "\" " << how << ")\n";
		};
		const std::string tls = "StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=";
		input("log", "type=\"imuxsock\" Socket=\"" + at.file("log") + "\"");
		input("log5424", "type=\"imuxsock\" useSpecialParser=\"off\" parseHostname=\"on\" "
				 "ignoreTimestamp=\"off\" Socket=\"" +
					 at.file("log5424") + "\"");
		input("udp", "type=\"imudp\" address=\"127.0.0.1\" port=\"" + std::to_string(udp_) + "\"");
		input("tcp", "type=\"imtcp\" address=\"127.0.0.1\" port=\"" + std::to_string(tcp_) + "\"");
		input("tls",
		      "type=\"imtcp\" address=\"127.0.0.1\" port=\"" + std::to_string(tls_) + "\" " + tls + "\"anon\"");
		input("mutual", "type=\"imtcp\" address=\"127.0.0.1\" port=\"" + std::to_string(mutual_) + "\" " + tls +
					"\"x509/name\" PermittedPeer=[\"client.example\"]");
	}

	static void start()
	{
		const auto configuration = directory_->file("rsyslog.conf"), pid = directory_->file("rsyslog.pid"),
			   log = directory_->file("rsyslog.log");
		const char *arguments[] = {"rsyslogd", "-n", "-f", configuration.c_str(), "-i", pid.c_str(), nullptr};
		posix_spawn_file_actions_t actions;
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
		posix_spawn_file_actions_adddup2(&actions, 1, 2);
		// The array's cast is the interface's; nothing writes to it.
		ASSERT_EQ(::posix_spawn(&pid_, "/usr/sbin/rsyslogd", &actions, nullptr, const_cast<char **>(arguments),
					environ),
			  0)
			<< "scripts/setup test installs rsyslog";
		posix_spawn_file_actions_destroy(&actions);
		ASSERT_TRUE(eventually([] { return is_listening(mutual_) && is_listening(tcp_); })) << read_file(log);
	}
	static void stop(int signal)
	{
		if (pid_ <= 0)
			return;
		::kill(pid_, signal);
		::waitpid(pid_, nullptr, 0);
		pid_ = 0;
	}
	static bool is_listening(std::uint16_t port)
	{
		Patience patience;
		return connect_to({.name = "", .host = "127.0.0.1", .port = std::to_string(port)}, SOCK_STREAM,
				  patience)
			.has_value();
	}

	static std::string host(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
	static std::string path(const std::string &name) { return directory_->file(name); }
	static std::vector<std::string> lines(const std::string &name)
	{
		std::vector<std::string> all;
		std::ifstream file(path(name + ".out"));
		for (std::string line; std::getline(file, line);)
			all.push_back(line);
		return all;
	}
	/// Every kind of record by this way, all of them written by rsyslog; its first line.
	static std::string all_by(const std::string &address, const std::string &name)
	{
		const auto before = lines(name).size();
		Sender sender(address_of(address));
		const auto records = formats::all_records();
		for (const auto &record : records)
			sender.offer(record);
		EXPECT_TRUE(eventually([&] { return lines(name).size() >= before + records.size(); }))
			<< lines(name).size() << " of " << records.size() << "; " << sender.figures().problem << "; "
			<< read_file(path("rsyslog.log"));
		sender.close(std::chrono::steady_clock::now() + 30s);
		EXPECT_EQ(sender.figures().sent, records.size());
		EXPECT_EQ(sender.figures().failures, 0u) << sender.figures().problem;
		const auto got = lines(name);
		return got.size() > before ? got[before] : "";
	}

	static inline std::optional<Directory> directory_;
	static inline std::uint16_t udp_, tcp_, tls_, mutual_;
	static inline pid_t pid_ = 0;
};

/// What rsyslog has parsed out of the first of the records.
void is_parsed(const std::string &line)
{
	EXPECT_TRUE(line.starts_with("84|2026-11-24T12:03:04.123456Z|")) << line;
	EXPECT_NE(line.find("|weir|-|packet|[weir@32473 @timestamp=\"2026-11-24T12:03:04.123456789Z\" "),
		  std::string::npos)
		<< line;
	EXPECT_NE(line.find("]|refused  in  tcp"), std::string::npos) << line;
}

TEST_F(Rsyslog, Udp)
{
	is_parsed(all_by("syslog+udp://" + host(udp_), "udp"));
}

TEST_F(Rsyslog, Tcp)
{
	is_parsed(all_by("syslog+tcp://" + host(tcp_), "tcp"));
}

TEST_F(Rsyslog, Tls)
{
	is_parsed(all_by("syslog+tls://" + host(tls_) + "?ca=" + path("ca.pem"), "tls"));
}

TEST_F(Rsyslog, TlsByAnotherName)
{
	is_parsed(all_by("syslog+tls://" + host(tls_) + "?name=server.example&ca=" + path("ca.pem"), "tls"));
}

TEST_F(Rsyslog, TlsWithACertificateOfThisHost)
{
	is_parsed(all_by("syslog+tls://" + host(mutual_) + "?ca=" + path("ca.pem") + "&cert=" + path("client.pem") +
				 "&key=" + path("client.key"),
			 "mutual"));
}

TEST_F(Rsyslog, SocketWithRfc5424)
{
	is_parsed(all_by("syslog+unix:" + path("log5424") + "?header=rfc5424", "log5424"));
}

TEST_F(Rsyslog, SocketAsDevLog)
{
	const auto line = all_by("syslog+unix:" + path("log"), "log");
	EXPECT_TRUE(line.starts_with("84|")) << line;
	EXPECT_NE(line.find("|weir|-|-|-| [weir@32473 "), std::string::npos) << line;
}

TEST_F(Rsyslog, CefOverTls)
{
	const auto line = all_by("syslog+tls://" + host(tls_) + "?format=cef&ca=" + path("ca.pem"), "tls");
	EXPECT_NE(line.find("|weir|-|packet|-|CEF:0|weir|weir|"), std::string::npos) << line;
}

/// Nothing may reach a peer that is not proved to be the one.
void is_refused(const std::string &address, const std::string &name, const std::string &why, const Directory &at)
{
	const auto size = [&] { return read_file(at.file(name + ".out")).size(); };
	const auto before = size();
	Sender sender(address_of(address));
	sender.offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return sender.figures().failures >= 2; }));
	EXPECT_NE(sender.figures().problem.find(why), std::string::npos) << sender.figures().problem;
	sender.close(std::chrono::steady_clock::now());
	EXPECT_EQ(sender.figures().sent, 0u);
	EXPECT_EQ(sender.figures().dropped, 1u);
	EXPECT_EQ(size(), before);
}

TEST_F(Rsyslog, PeerOfAnotherCaGetsNothing)
{
	is_refused("syslog+tls://" + host(tls_) + "?ca=" + path("other-ca.pem"), "tls", "is not good for 127.0.0.1",
		   *directory_);
}

TEST_F(Rsyslog, PeerOfAnotherNameGetsNothing)
{
	is_refused("syslog+tls://" + host(tls_) + "?name=siem.example&ca=" + path("ca.pem"), "tls", "hostname mismatch",
		   *directory_);
	is_refused("syslog+tls://" + host(tls_) + "?name=192.0.2.1&ca=" + path("ca.pem"), "tls", "IP address mismatch",
		   *directory_);
}

TEST_F(Rsyslog, NothingIsSentWithoutTheFileThatProvesThePeer)
{
	is_refused("syslog+tls://" + host(tcp_) + "?ca=" + path("missing.pem"), "tcp", "cannot read certificates",
		   *directory_);
}

std::set<std::string> pids_in(const std::vector<std::string> &lines)
{
	std::set<std::string> pids;
	for (const auto &line : lines)
		if (const auto at = line.find(" process.pid=\""); at != std::string::npos)
			pids.insert(line.substr(at + 14, line.find('"', at + 14) - at - 14));
	return pids;
}

/// rsyslog ends in the middle, in good order, and starts again; nobody loses a record.
TEST_F(Rsyslog, GoneAndBackOverTls)
{
	Sender sender(address_of("syslog+tls://" + host(tls_) + "?ca=" + path("ca.pem")));
	std::uint32_t pid = 100'000;
	const auto offer = [&](int count) {
		for (int i = 0; i < count; i++)
			sender.offer(numbered(pid++));
	};
	const auto arrived = [&] {
		const auto pids = pids_in(lines("tls"));
		return static_cast<std::uint32_t>(
			std::ranges::count_if(pids, [](const auto &text) { return text.size() == 6; }));
	};
	offer(50);
	ASSERT_TRUE(eventually([&] { return arrived() == 50; }));
	stop(SIGTERM);
	offer(50);
	ASSERT_TRUE(eventually([&] { return sender.figures().failures >= 2; }));
	EXPECT_FALSE(sender.figures().problem.empty());
	start();
	offer(50);
	EXPECT_TRUE(eventually([&] { return arrived() == 150; })) << arrived() << sender.figures().problem;
	EXPECT_TRUE(sender.figures().problem.empty());
	sender.close(std::chrono::steady_clock::now() + 30s);
	EXPECT_EQ(sender.figures().dropped, 0u);
}

} // namespace
} // namespace weir::sinks
