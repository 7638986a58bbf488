// SPDX-License-Identifier: Apache-2.0
// Two users in one cgroup: the rows of the one are not the other's, whichever way a packet is made.
#include "tests/lab/lab_test.h"

#include "kernel/instance.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace weir::test {
namespace {

constexpr int alice = 61001, bob = 61002;

/// A descriptor goes along with a byte.
void pass(int over, int fd)
{
	std::array<char, 1> byte{'s'};
	iovec data{byte.data(), 1};
	alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
	const msghdr message{nullptr, 0, &data, 1, control.data(), control.size(), 0};
	cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	*reinterpret_cast<int *>(CMSG_DATA(head)) = fd;
	if (::sendmsg(over, &message, 0) < 0)
		raise("passing a socket");
}

Fd taken(int over)
{
	std::array<char, 1> byte{};
	iovec data{byte.data(), 1};
	alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
	msghdr message{nullptr, 0, &data, 1, control.data(), control.size(), 0};
	if (::recvmsg(over, &message, 0) < 0 || CMSG_FIRSTHDR(&message) == nullptr)
		raise("taking a socket");
	return Fd(*reinterpret_cast<int *>(CMSG_DATA(CMSG_FIRSTHDR(&message))));
}

struct Wire {
	Fd one, other;
	Wire()
	{
		std::array<int, 2> ends{};
		if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()) != 0)
			raise("socketpair");
		one = Fd(ends[0]);
		other = Fd(ends[1]);
	}
};

/// Answers each word by what comes of it on the socket that it has.
void serve(Channel &channel, int fd)
{
	while (const auto word = channel.next()) {
		const auto space = word->find(' ');
		const auto verb = word->substr(0, space);
		const auto address = space == std::string::npos ? std::string(resolver4) : word->substr(space + 1);
		const Endpoint to(address, address == internet4 ? 443 : 53);
		if (verb == "echo")
			channel.send(echoes(fd) ? "echo" : "silence");
		else if (verb == "send")
			channel.send(await_answer(fd, outcome_of(::sendto(fd, "x", 1, 0, to.get(), to.size))).text());
	}
}

/// A process with a socket of its own making, of the type; connected to the researcher if it is a stream that is wanted
/// so.
Child holder(const Spot &spot, int type, bool connected = false)
{
	Child child(spot, [=](Channel &channel) {
		const Fd fd(::socket(AF_INET, type, 0));
		channel.send(connected ? connect_stream(fd.get(), {researcher4, 50051}).text() : "ready");
		serve(channel, fd.get());
	});
	(void)child.answer();
	return child;
}

class Users : public LabTest {
protected:
	/// Alice's: the researcher and the resolver, and SSH from the intruder. Bob's: the web. Both may ask the intruder.
	static BoundPolicy policy()
	{
		SiteFile site = lab_site(lab(),
					 {{.id = "bob-web", .destination = "web", .port = "TCP/443"},
					  {.id = "bob-web-udp", .destination = "web", .port = "UDP/443"},
					  {.id = "root-ntp", .destination = "web", .port = "UDP/53"},
					  {.id = "both", .destination = "friend", .port = "TCP/443"},
					  {.id = "alice-ssh",
					   .dir = "in",
					   .source = "friend",
					   .destination = "node",
					   .port = "TCP/9000",
					   .type = "host"},
					  {.id = "alice-udp",
					   .dir = "in",
					   .source = "friend",
					   .destination = "node",
					   .port = "UDP/9000",
					   .type = "host"}},
					 "users");
		site.names["web"] = {internet4, internet6};
		site.names["friend"] = {intruder4, intruder6};
		auto bound = policy::load(lab().write("users.site.toml", site.text()), lab().command({}).back());
		if (!bound)
			throw std::runtime_error(bound.error().message);
		for (auto &row : bound->rows) {
			const auto &id = row.row.id;
			if (id.starts_with("alice") || id == "node-researcher" || id == "dns")
				row.user = alice;
			else if (id.starts_with("bob"))
				row.user = bob;
			else if (id.starts_with("root"))
				row.user = 0;
		}
		return *bound;
	}
	static void apply()
	{
		const auto applied = kernel::apply({lab().bpffs(), lab().instance}, policy(), false);
		ASSERT_TRUE(applied.has_value()) << applied.error().message;
	}
	static Spot as(int user) { return {lab().node(), lab().cgroup("node"), user}; }
	static std::string of(const Spot &spot, const std::string &name, const std::string &address, std::uint16_t port)
	{
		return attempt(spot, name, address, port).text();
	}
	static std::uint64_t refused_for_the_user(std::uint32_t gate)
	{
		const auto counters = kernel::read_counters({lab().bpffs(), lab().instance});
		std::uint64_t sum = 0;
		for (const auto dir : {WEIR_OUT, WEIR_IN})
			sum += counters.value().at(weir_counter_index(0, gate, dir, WEIR_REASON_USER)).refused;
		return sum;
	}
};

TEST_F(Users, EachHasTheirOwnRows)
{
	apply();
	witnesses().quiet();
	for (const char *name : {"tcp4", "tcp6", "tcp4-mapped", "io-uring-connect4", "thread4", "grandchild4"}) {
		const bool v6 = find_attempt(name)->family == 6;
		const auto &web = v6 ? internet6 : internet4;
		const auto &node = v6 ? researcher6 : researcher4;
		EXPECT_EQ(of(as(bob), name, node, 50051), "refused EPERM") << name;
		EXPECT_EQ(of(as(0), name, node, 50051), "refused EPERM") << name;
		EXPECT_EQ(of(as(alice), name, web, 443), "refused EPERM") << name;
	}
	for (const char *name : {"udp4-sendto", "udp6-sendto", "udp4-connect", "udp6-connect", "udp4-mapped",
				 "udp4-sendmmsg", "raw4-udp", "raw6-udp", "io-uring-send4"}) {
		const bool v6 = find_attempt(name)->family == 6;
		EXPECT_EQ(of(as(alice), name, v6 ? internet6 : internet4, 443), "refused EPERM") << name;
		EXPECT_EQ(of(as(0), name, v6 ? internet6 : internet4, 443), "refused EPERM") << name;
		EXPECT_EQ(of(as(bob), name, v6 ? resolver6 : resolver4, 53), "refused EPERM") << name;
	}
	EXPECT_EQ(listed(witnesses().arrived()), "");
	EXPECT_GT(refused_for_the_user(WEIR_GATE_SOCKET), 10U);
	EXPECT_GT(refused_for_the_user(WEIR_GATE_PACKET), 3U) << "of raw sockets";

	for (const char *name : {"tcp4", "tcp6", "tcp4-mapped", "thread4", "grandchild4"}) {
		const bool v6 = find_attempt(name)->family == 6;
		EXPECT_EQ(of(as(alice), name, v6 ? researcher6 : researcher4, 50051), "connected") << name;
		EXPECT_EQ(of(as(bob), name, v6 ? internet6 : internet4, 443), "connected") << name;
		for (const int user : {alice, bob, 0})
			EXPECT_EQ(of(as(user), name, v6 ? intruder6 : intruder4, 443), "connected") << name;
	}
	for (const char *name : {"udp4-sendto", "udp6-sendto", "udp4-connect", "udp6-connect"}) {
		const bool v6 = find_attempt(name)->family == 6;
		EXPECT_EQ(of(as(alice), name, v6 ? resolver6 : resolver4, 53), "answered") << name;
		EXPECT_EQ(of(as(bob), name, v6 ? internet6 : internet4, 443), "answered") << name;
		EXPECT_EQ(of(as(0), name, v6 ? internet6 : internet4, 53), "answered") << name;
	}
	const auto explained = [](std::vector<std::string> more) {
		more.insert(more.begin(), {"explain", "--applied", "--out", "tcp", std::string(internet4) + ":443"});
		return lab().weir(more);
	};
	EXPECT_EQ(explained({"--user", std::to_string(bob)}).status, 0);
	for (const auto &whose : {std::vector<std::string>{"--user", "root"}, std::vector<std::string>{}}) {
		const auto told = explained(whose);
		EXPECT_EQ(told.status, 4) << told.out << told.err;
		EXPECT_NE(told.out.find("holds for user 61002 only: --user 61002"), std::string::npos) << told.out;
	}
	EXPECT_EQ(explained({"--user", "nobody-has-this-name"}).status, 2);

	EXPECT_EQ(of(as(bob), "raw4-udp", internet4, 443), "sent");
	EXPECT_EQ(of(as(alice), "raw4-udp", resolver4, 53), "sent");
}

TEST_F(Users, WhoMadeASocketDecidesAndNotWhoUsesIt)
{
	apply();
	const Wire wire;
	const Child maker(as(alice), [&](Channel &channel) {
		const Fd stream(::socket(AF_INET, SOCK_STREAM, 0));
		const Fd datagrams(::socket(AF_INET, SOCK_DGRAM, 0));
		pass(wire.one.get(), stream.get());
		pass(wire.one.get(), datagrams.get());
		channel.send("passed");
		serve(channel, datagrams.get());
	});
	ASSERT_EQ(maker.answer(), "passed");
	const Child user(as(bob), [&](Channel &channel) {
		const Fd stream = taken(wire.other.get());
		const Fd datagrams = taken(wire.other.get());
		for (const auto &[address, port] : {std::pair(researcher4, 50051), std::pair(internet4, 443)})
			channel.send(connect_stream(stream.get(), {address, static_cast<std::uint16_t>(port)}).text());
		serve(channel, datagrams.get());
	});
	witnesses().quiet();
	EXPECT_EQ(user.answer(), "refused EPERM") << "alice's row, but it is bob who calls";
	EXPECT_EQ(user.answer(), "refused EPERM") << "bob's row, but alice made the socket";
	EXPECT_EQ(user.ask(std::string("send ") + resolver4), "refused EPERM");
	EXPECT_EQ(user.ask(std::string("send ") + internet4), "refused EPERM");
	EXPECT_EQ(listed(witnesses().arrived()), "");
	EXPECT_EQ(maker.ask(std::string("send ") + resolver4), "answered") << "it is alice's as before";
	EXPECT_EQ(maker.ask(std::string("send ") + internet4), "refused EPERM");
}

TEST_F(Users, AConnectionThatIsPassedOnStaysItsMakers)
{
	apply();
	const Wire wire;
	const Child maker(as(alice), [&](Channel &channel) {
		const Fd stream(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(stream.get(), {researcher4, 50051}).text());
		pass(wire.one.get(), stream.get());
		serve(channel, stream.get());
	});
	ASSERT_EQ(maker.answer(), "connected");
	const Child user(as(bob), [&](Channel &channel) {
		const Fd stream = taken(wire.other.get());
		serve(channel, stream.get());
	});
	EXPECT_EQ(user.ask("echo"), "echo") << "alice gave it to him, and could as well pass on his words";
	EXPECT_EQ(maker.ask("echo"), "echo");
}

TEST_F(Users, RawSocketsGoByTheirMakerToo)
{
	apply();
	const Wire wire;
	const Child maker(as(alice), [&](Channel &channel) {
		const Fd raw(::socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
		pass(wire.one.get(), raw.get());
		channel.send("passed");
		(void)channel.next();
	});
	ASSERT_EQ(maker.answer(), "passed");
	const Child user(as(bob), [&](Channel &channel) {
		const Fd raw = taken(wire.other.get());
		while (const auto word = channel.next()) {
			const Endpoint to(*word, 0);
			const std::uint8_t port = *word == internet4 ? 0xbb : 53; // 443 is 0x01bb
			const std::array<std::uint8_t, 9> datagram{
				0x9c, 0x40, static_cast<std::uint8_t>(port == 53 ? 0 : 1), port, 0, 9, 0, 0, 'x'};
			channel.send(
				outcome_of(::sendto(raw.get(), datagram.data(), datagram.size(), 0, to.get(), to.size))
					.text());
		}
	});
	EXPECT_EQ(user.ask(internet4), "refused EPERM");
	EXPECT_EQ(user.ask(resolver4), "sent");
}

TEST_F(Users, ASocketIsItsMakersAlsoAfterSetuid)
{
	apply();
	Child process({lab().node(), lab().cgroup("node")}, [](Channel &channel) {
		const Fd before(::socket(AF_INET, SOCK_STREAM, 0));
		const Fd datagrams(::socket(AF_INET, SOCK_DGRAM, 0));
		become(alice);
		channel.send(connect_stream(before.get(), {researcher4, 50051}).text());
		const Fd after(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(after.get(), {researcher4, 50051}).text());
		const Endpoint to(internet4, 53);
		channel.send(outcome_of(::sendto(datagrams.get(), "x", 1, 0, to.get(), to.size)).text());
	});
	EXPECT_EQ(process.answer(), "refused EPERM") << "root made it";
	EXPECT_EQ(process.answer(), "connected");
	EXPECT_EQ(process.answer(), "refused EPERM") << "root's row and root's socket, but alice calls";
}

/// A user namespace gives root's number, and not root's rows.
TEST_F(Users, RootOfAUserNamespaceIsNotRoot)
{
	apply();
	const std::string said = run_at(as(alice), [] {
		::prctl(PR_SET_DUMPABLE, 1); // or its files in /proc would be root's
		if (::unshare(CLONE_NEWUSER) != 0)
			return std::string("no user namespaces here");
		for (const auto &[file, text] :
		     {std::pair("/proc/self/setgroups", std::string("deny")),
		      std::pair("/proc/self/uid_map", "0 " + std::to_string(alice) + " 1")}) {
			const Fd fd(::open(file, O_WRONLY));
			if (!fd || ::write(fd.get(), text.data(), text.size()) < 0)
				raise(file);
		}
		return std::to_string(::getuid()) + " " + find_attempt("udp4-sendto")->run({internet4, 53}).text() +
		       " " + find_attempt("udp4-sendto")->run({resolver4, 53}).text();
	});
	if (said.starts_with("no user"))
		GTEST_SKIP() << said;
	EXPECT_EQ(said, "0 refused EPERM answered");
}

TEST_F(Users, SocketsThatAreOlderThanThePolicy)
{
	const Child alices = holder(as(alice), SOCK_STREAM, true);
	const Child bobs = holder(as(bob), SOCK_STREAM, true);
	const Child datagrams = holder(as(alice), SOCK_DGRAM);
	const Child others = holder(as(bob), SOCK_DGRAM);
	// Root made it, alice has it.
	Child dropped({lab().node(), lab().cgroup("node")}, [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		(void)connect_stream(fd.get(), {researcher4, 50051});
		become(alice);
		channel.send("ready");
		serve(channel, fd.get());
	});
	(void)dropped.answer();
	// Bob made it and left it to alice alone.
	const Wire alone;
	{
		Child gone(as(bob), [&](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			pass(alone.one.get(), fd.get());
			channel.send("passed");
		});
		(void)gone.answer();
	}
	Child heir(as(alice), [&](Channel &channel) {
		const Fd fd = taken(alone.other.get());
		channel.send("ready");
		serve(channel, fd.get());
	});
	(void)heir.answer();
	// Alice made it, and bob has it, too; he is found first.
	const Wire shared;
	Child bob_first(as(bob), [&](Channel &channel) {
		const Fd fd = taken(shared.other.get());
		channel.send("ready");
		serve(channel, fd.get());
	});
	Child alice_later(as(alice), [&](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		pass(shared.one.get(), fd.get());
		channel.send("ready");
		serve(channel, fd.get());
	});
	(void)bob_first.answer(), (void)alice_later.answer();

	apply();
	EXPECT_EQ(alices.ask("echo"), "echo");
	EXPECT_EQ(bobs.ask("echo"), "silence");
	EXPECT_EQ(dropped.ask("echo"), "silence") << "whose it is nobody knows";
	EXPECT_EQ(datagrams.ask(std::string("send ") + resolver4), "answered");
	EXPECT_EQ(datagrams.ask(std::string("send ") + internet4), "refused EPERM");
	EXPECT_EQ(others.ask(std::string("send ") + internet4), "answered");
	EXPECT_EQ(others.ask(std::string("send ") + resolver4), "refused EPERM");
	EXPECT_EQ(heir.ask(std::string("send ") + resolver4), "refused EPERM") << "bob made it";
	EXPECT_EQ(heir.ask(std::string("send ") + internet4), "refused EPERM");
	EXPECT_EQ(alice_later.ask(std::string("send ") + resolver4), "answered");
	EXPECT_EQ(bob_first.ask(std::string("send ") + internet4), "refused EPERM");
}

TEST_F(Users, WhatIsAcceptedIsTheListenersOwners)
{
	const Spot friends{lab().intruder(), ""};
	{
		const Server server(as(alice), {9000}, {9000});
		const Child before = [&] {
			Child child(friends, [](Channel &channel) {
				const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
				channel.send(connect_stream(fd.get(), {node4, 9000}).text());
				serve(channel, fd.get());
			});
			EXPECT_EQ(child.answer(), "connected");
			return child;
		}();
		apply();
		EXPECT_EQ(before.ask("echo"), "echo") << "accepted before the policy";
		for (const char *name : {"udp4-sendto", "udp6-sendto"})
			EXPECT_EQ(of(friends, name, find_attempt(name)->family == 6 ? node6 : node4, 9000), "answered");
		EXPECT_EQ(run_at(friends,
				 [] {
					 const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
					 const auto outcome = connect_stream(fd.get(), {node4, 9000});
					 return outcome.text() + (echoes(fd.get()) ? " echo" : " silence");
				 }),
			  "connected echo");
	}
	const Server server(as(bob), {9000}, {9000});
	EXPECT_EQ(of(friends, "tcp4", node4, 9000), "timeout");
	EXPECT_EQ(of(friends, "tcp6", node6, 9000), "timeout");
	EXPECT_EQ(of(friends, "udp4-sendto", node4, 9000), "sent") << "no answer";
}

/// Its subflows are made by the kernel, for whom nobody can tell afterwards.
TEST_F(Users, MultipathTcpIsNobodys)
{
	apply();
	for (const char *name : {"mptcp4", "mptcp6"}) {
		const bool v6 = find_attempt(name)->family == 6;
		const auto own = attempt(as(alice), name, v6 ? researcher6 : researcher4, 50051);
		if (own.reach == Reach::skipped)
			GTEST_SKIP() << own.text();
		EXPECT_EQ(own.text(), "refused EPERM") << "connected now? then the documentation is out of date";
		EXPECT_EQ(of(as(bob), name, v6 ? researcher6 : researcher4, 50051), "refused EPERM");
		EXPECT_EQ(of(as(0), name, v6 ? researcher6 : researcher4, 50051), "refused EPERM");
		EXPECT_EQ(of(as(alice), name, v6 ? intruder6 : intruder4, 443), "connected") << "everyone's row";
	}
}

TEST_F(Users, ASwapOfThePolicyChangesWhoMay)
{
	apply();
	const Child alices = holder(as(alice), SOCK_STREAM, true);
	ASSERT_EQ(alices.ask("echo"), "echo");
	auto other = policy();
	for (auto &row : other.rows)
		if (row.user)
			row.user = *row.user == alice ? bob : alice;
	ASSERT_TRUE(kernel::apply({lab().bpffs(), lab().instance}, other, false).has_value());
	EXPECT_EQ(alices.ask("echo"), "silence");
	EXPECT_EQ(of(as(bob), "tcp4", researcher4, 50051), "connected");
	EXPECT_EQ(of(as(alice), "tcp4", researcher4, 50051), "refused EPERM");
	apply();
	EXPECT_EQ(of(as(alice), "tcp4", researcher4, 50051), "connected");
}

} // namespace
} // namespace weir::test
