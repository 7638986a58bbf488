// SPDX-License-Identifier: Apache-2.0
// Peers by DNS name, with dnsmasq as resolver: looked up at apply, followed by `weir run`, and never outside of what the
// site allows.
#include "tests/lab/edge_test.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace weir::test {
namespace {

using nlohmann::json;

/// dnsmasq on the researcher's host, at the resolver's address; other servers of the lab have its usual port.
class Dns {
public:
	explicit Dns(Lab &lab) : lab_(lab), hosts_(lab.directory() + "/hosts") {}
	/// "researcher.lab" has these addresses from now on.
	void set(const std::vector<std::string> &addresses)
	{
		std::string text;
		for (const auto &each : addresses)
			text += each + " researcher.lab\n";
		lab_.write("hosts", text);
		if (server_)
			server_->kill(SIGHUP);
	}
	void start()
	{
		server_ = std::make_unique<Program>(
			std::vector<std::string>{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
						 "--port=5353", "--listen-address=192.0.2.53", "--bind-interfaces",
						 "--no-resolv", "--no-hosts", "--local=/lab/", "--local-ttl=1",
						 "--user=root", "--group=root", "--log-facility=-", "--pid-file",
						 "--addn-hosts=" + hosts_},
			"", Spot{lab_.researcher(), ""});
		const auto listens = [&] {
			return execute({"sh", "-c", "ss -lnu | grep -q 192.0.2.53:5353"}, "", {lab_.researcher(), ""})
				       .status == 0;
		};
		if (!eventually(listens, Millis(10000)))
			throw std::runtime_error("dnsmasq does not start");
	}
	/// Stopped: it is there, and says nothing.
	void pause() const { server_->kill(SIGSTOP); }
	void go_on() const { server_->kill(SIGCONT); }
	void stop() { server_.reset(); }

private:
	Lab &lab_;
	std::string hosts_;
	std::unique_ptr<Program> server_;
};

class LabTestWithNames : public LabTestWithEdge {
protected:
	void SetUp() override
	{
		if (!have("dnsmasq"))
			GTEST_SKIP() << "there is no dnsmasq";
		std::filesystem::remove(record());
		dns_ = std::make_unique<Dns>(lab());
		dns_->set({researcher4});
		dns_->start();
	}
	void TearDown() override
	{
		run_.reset();
		dns_.reset();
		LabTestWithEdge::TearDown();
	}

	static std::string record() { return lab().directory() + "/names.jsonl"; }
	/// A site whose researcher is a DNS name.
	static std::string site(const std::string &host = "researcher.lab", const std::string &within = "192.0.2.0/24",
				const std::string &resolver = "192.0.2.53:5353", const std::string &more = "")
	{
		SiteFile file = lab_site(lab());
		file.names.erase("researcher");
		auto text = file.text();
		text.insert(text.find("[names]\n"), "resolvers = [\"" + resolver + "\"]\n");
		text.insert(text.find("[cgroups]\n"),
			    "researcher = { host = \"" + host + "\", within = [\"" + within + "\"] }\n");
		return lab().write("names.toml", text + more);
	}
	static void apply(const std::string &file)
	{
		const Finished done = at_node({"apply", file});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	void follow(const std::string &keep = "10m")
	{
		run_ = std::make_unique<Program>(lab().command({"run", "--output", record(), "--keep-addresses", keep}),
						 "", Spot{lab().node(), ""});
	}
	static std::vector<json> records(const std::string &action)
	{
		std::vector<json> all;
		std::ifstream in(record());
		for (std::string line; std::getline(in, line) && !in.eof();)
			if (auto each = json::parse(line); field(each, "event.action") == action)
				all.push_back(std::move(each));
		return all;
	}
	static bool recorded(const std::string &action, std::size_t count = 1, Millis longest = Millis(30000))
	{
		return eventually([&] { return records(action).size() >= count; }, longest);
	}
	static std::uint64_t generation() { return field(status(), "generation").get<std::uint64_t>(); }
	static std::string digest() { return field(status(), "digest").get<std::string>(); }
	static bool connects(const std::string &address)
	{
		return tcp(lab().in_node(), address, 50051).reach == Reach::connected;
	}

	std::unique_ptr<Dns> dns_;
	std::unique_ptr<Program> run_;
};

class Names : public LabTestWithNames {};

TEST_F(Names, NameIsLookedUpAtApply)
{
	apply(site());
	EXPECT_TRUE(connects(researcher4));
	EXPECT_TRUE(is(tcp(lab().in_node(), intruder4, 50051), Reach::refused));
	EXPECT_EQ(at_node({"status"}).status, 0) << at_node({"status"}).err;
	const Finished shown = at_node({"show", lab().directory() + "/names.toml"});
	EXPECT_NE(shown.out.find(researcher4), std::string::npos) << shown.out << shown.err;
}

TEST_F(Names, BothFamiliesAreLookedUpWhereBothAreAllowed)
{
	dns_->set({researcher4, researcher6});
	apply(site("researcher.lab", "192.0.2.0/24\", \"2001:db8:0:1::/64"));
	EXPECT_TRUE(connects(researcher4));
	EXPECT_TRUE(connects(researcher6));
	EXPECT_TRUE(is(tcp(lab().in_node(), intruder6, 50051), Reach::refused));
}

TEST_F(Names, WhatCannotBeLookedUpIsAnErrorAndThePolicyStays)
{
	apply(site());
	const auto before = digest();
	const auto bad = [&](const std::string &host, const std::string &within, const std::string &resolver, int code,
			     const std::vector<std::string> &words) {
		const auto file = site(host, within, resolver);
		for (const char *verb : {"apply", "check"}) {
			const auto begin = std::chrono::steady_clock::now();
			const Finished done = at_node({verb, file});
			EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
			EXPECT_EQ(done.status, code) << verb << ": " << done.err;
			for (const auto &word : words)
				EXPECT_NE(done.err.find(word), std::string::npos) << word << " in: " << done.err;
			EXPECT_NE(done.err.find("names.toml:"), std::string::npos) << "where: " << done.err;
		}
		EXPECT_EQ(digest(), before);
	};
	bad("nobody.lab", "192.0.2.0/24", "192.0.2.53:5353", 3, {"nobody.lab", "NXDOMAIN"});
	bad("researcher.lab", "198.51.100.0/24", "192.0.2.53:5353", 3, {"researcher.lab", researcher4, "is outside"});
	bad("researcher.lab", "2001:db8::/32", "192.0.2.53:5353", 3, {"has no address"});
	bad("researcher.lab", "192.0.2.0/24", "192.0.2.53:5354", 1, {"192.0.2.53:5354 can't be reached"});
	bad("researcher.lab", "192.0.2.0/24", "192.0.2.10:443", 1, {"192.0.2.10:443", "sends the question back"});
	dns_->pause();
	bad("researcher.lab", "192.0.2.0/24", "192.0.2.53:5353", 1, {"192.0.2.53:5353", "no answer in time"});
	dns_->go_on();
	EXPECT_TRUE(connects(researcher4));
}

TEST_F(Names, WhatLiesOutsideIsLeftOutWithAWarning)
{
	dns_->set({researcher4, internet4});
	const Finished done = at_node({"apply", site()});
	EXPECT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.err.find("warning"), std::string::npos) << done.err;
	EXPECT_NE(done.err.find(internet4), std::string::npos) << done.err;
	EXPECT_TRUE(connects(researcher4));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 50051), Reach::refused));
}

TEST_F(Names, OfflineAsksNobody)
{
	dns_->stop();
	const auto file = site();
	EXPECT_EQ(at_node({"check", file}).status, 1);
	const Finished checked = at_node({"check", "--offline", file});
	EXPECT_EQ(checked.status, 0) << checked.err;
	EXPECT_NE(checked.out.find("not looked up"), std::string::npos) << checked.out;
	const Finished shown = at_node({"show", "--offline", file});
	EXPECT_NE(shown.out.find("192.0.2.0/24"), std::string::npos) << shown.out << shown.err;
}

class NamesFollowed : public LabTestWithNames {};

TEST_F(NamesFollowed, NewAddressAtOnceAndTheOldOneUntilItsTimeIsOver)
{
	apply(site());
	follow("1s");
	const Child stream(lab().in_node(), [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(fd.get(), {researcher4, 50051}).text());
		char byte = 0;
		channel.send(::recv(fd.get(), &byte, 1, 0) < 0 ? ::strerrorname_np(errno) : "no error");
	});
	ASSERT_EQ(stream.answer(), "connected");
	const auto before = generation();
	dns_->set({intruder4});
	ASSERT_TRUE(recorded("name_changed"));
	EXPECT_TRUE(connects(intruder4));
	EXPECT_TRUE(connects(researcher4)) << "it may have been a rotation";
	EXPECT_EQ(generation(), before + 1);
	ASSERT_TRUE(recorded("name_changed", 2)) << "three answers lacked it";
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::refused));
	EXPECT_EQ(stream.answer(), "ECONNABORTED") << "it would hang";
	EXPECT_TRUE(connects(intruder4));
	EXPECT_EQ(generation(), before + 2) << "one for each change";
	EXPECT_EQ(at_node({"status"}).status, 0) << at_node({"status"}).err;
	const auto last = records("name_changed").back();
	EXPECT_EQ(field(last, "weir.name.before"), json({researcher4, intruder4}));
	EXPECT_EQ(field(last, "weir.name.after"), json({intruder4}));
	EXPECT_EQ(field(last, "dns.question.name"), "researcher.lab");
	const Finished seen = execute(lab().command({"events", record()}));
	EXPECT_NE(seen.out.find("researcher.lab (researcher) has other addresses: 192.0.2.66"), std::string::npos)
		<< seen.out;
}

TEST_F(NamesFollowed, StreamGoesOnThroughRoundRobin)
{
	apply(site());
	follow();
	Child stream(lab().in_node(), [](Channel &channel) {
		const Fd lasting(::socket(AF_INET, SOCK_STREAM, 0));
		if (connect_stream(lasting.get(), {researcher4, 50051}).reach != Reach::connected)
			raise("the lasting connection");
		channel.send("ready");
		while (!channel.receive(Millis(20)))
			if (!echoes(lasting.get(), 2000))
				raise("the connection was cut");
		channel.send("lasted");
	});
	(void)stream.answer();
	const auto before = generation();
	for (int turn = 0; turn < 3; ++turn) {
		dns_->set({intruder4});
		std::this_thread::sleep_for(Millis(6500));
		dns_->set({researcher4});
		std::this_thread::sleep_for(Millis(6500));
	}
	EXPECT_EQ(stream.ask("stop", Millis(10000)), "lasted");
	EXPECT_EQ(generation(), before + 1);
	EXPECT_TRUE(connects(intruder4));
	EXPECT_TRUE(connects(researcher4));
}

class NamesGoneWrong : public LabTestWithNames {};

TEST_F(NamesGoneWrong, LyingAnswerIsRefusedAndReported)
{
	apply(site());
	follow("1s");
	const auto before = digest();
	dns_->set({internet4});
	ASSERT_TRUE(recorded("name_refused"));
	std::this_thread::sleep_for(Millis(16000)); // three more
	EXPECT_EQ(digest(), before);
	EXPECT_TRUE(connects(researcher4));
	EXPECT_TRUE(is(tcp(lab().in_node(), internet4, 50051), Reach::refused));
	EXPECT_EQ(records("name_refused").size(), 1u) << "once, not with every answer";
	EXPECT_EQ(field(records("name_refused")[0], "weir.name.refused"), json({internet4}));
}

TEST_F(NamesGoneWrong, ResolverThatIsMuteOrGoneLeavesThePolicyInForce)
{
	apply(site());
	follow("1s");
	const auto before = digest();
	dns_->pause();
	ASSERT_TRUE(recorded("name_failed"));
	EXPECT_EQ(field(records("name_failed")[0], "weir.name.problem"), "no_answer");
	EXPECT_TRUE(connects(researcher4));
	dns_->stop();
	ASSERT_TRUE(recorded("name_failed", 2)) << "another problem";
	EXPECT_EQ(field(records("name_failed")[1], "weir.name.problem"), "unreachable");
	EXPECT_TRUE(connects(researcher4));
	EXPECT_EQ(digest(), before);
	dns_->start();
	ASSERT_TRUE(recorded("name_answered", 1, Millis(45000)));
	EXPECT_EQ(digest(), before);
}

/// Host services with the port that dnsmasq has here.
std::string dns_service()
{
	auto text = matrix_text("host-services", {{.id = "dns-udp",
						   .source = "host",
						   .destination = "dns-servers",
						   .port = "UDP/5353",
						   .type = "host",
						   .status = "optional"}});
	return text.replace(text.find("component = \"node\""), 18, "component = \"host\"");
}

class NamesAtTheEdge : public LabTestWithNames {
protected:
	void SetUp() override
	{
		LabTestWithNames::SetUp();
		lab().write("host-services.toml", dns_service());
	}
	void TearDown() override
	{
		std::filesystem::remove(lab().directory() + "/host-services.toml");
		LabTestWithNames::TearDown();
	}
	static std::string site_with_edge(bool has_dns)
	{
		auto file = site("researcher.lab", "192.0.2.0/24", "192.0.2.53:5353", "[edge]\n");
		if (!has_dns)
			return file;
		std::ifstream in(file);
		std::string text{std::istreambuf_iterator<char>(in), {}};
		text.insert(text.find("[cgroups]\n"), "dns-servers = \"192.0.2.53\"\n");
		return lab().write("names.toml", text);
	}
};

TEST_F(NamesAtTheEdge, OwnLookUpsNeedTheirRow)
{
	const Finished done = at_node({"apply", site_with_edge(false)});
	EXPECT_EQ(done.status, 3) << done.err;
	EXPECT_NE(done.err.find("dns-servers"), std::string::npos) << "what to do: " << done.err;
}

TEST_F(NamesAtTheEdge, WhatTheEdgeRefusesIsAnErrorThatSaysSo)
{
	apply(site_with_edge(true));
	const auto before = digest();
	const Finished done = at_node({"apply", site("researcher.lab", "192.0.2.0/24", "203.0.113.7:443")});
	EXPECT_EQ(done.status, 1) << done.err;
	EXPECT_NE(done.err.find("dns-udp"), std::string::npos) << "what to do: " << done.err;
	EXPECT_EQ(digest(), before);
}

TEST_F(NamesAtTheEdge, AtBootTheAddressComesLater)
{
	dns_->stop();
	const auto file = site_with_edge(true);
	EXPECT_EQ(at_node({"apply", file}).status, 1);
	const Finished done = at_node({"apply", "--names-later", file});
	ASSERT_EQ(done.status, 0) << done.err;
	EXPECT_NE(done.err.find("warning"), std::string::npos) << done.err;
	EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::refused));
	EXPECT_EQ(at_node({"status"}).status, 0) << at_node({"status"}).err;
	follow();
	ASSERT_TRUE(recorded("name_failed"));
	dns_->start();
	ASSERT_TRUE(recorded("name_changed", 1, Millis(45000)));
	EXPECT_TRUE(connects(researcher4));
}

TEST_F(NamesAtTheEdge, IsFollowedInTheCgroupAndAtTheEdge)
{
	apply(site_with_edge(true));
	EXPECT_TRUE(connects(researcher4));
	EXPECT_TRUE(is_stopped(tcp(lab().beside_node(), intruder4, 50051)));
	follow("1s");
	dns_->set({intruder4});
	ASSERT_TRUE(recorded("name_changed"));
	EXPECT_TRUE(connects(intruder4));
	EXPECT_EQ(at_node({"status"}).status, 0) << at_node({"status"}).err;
}

} // namespace
} // namespace weir::test
