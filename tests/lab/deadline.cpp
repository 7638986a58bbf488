// SPDX-License-Identifier: Apache-2.0
// Rows that end: with nobody there but the kernel, what they admit passes up to the deadline and not after it.
#include "tests/lab/arrivals.h"
#include "tests/lab/edge_test.h"

#include "kernel/instance.h"
#include "policy/policy.h"

#include <poll.h>

namespace weir::test {
namespace {

/// Sends to a port by UDP, now short, now in parts, and by a stream, each millisecond, until it is told to stop. Then
/// says how often UDP was sent, how often it was refused, and when something came last.
Child sender(const Spot &spot, const std::string &address, std::uint16_t port)
{
	Child child(spot, [=](Channel &channel) {
		const Fd udp(::socket(AF_INET, SOCK_DGRAM, 0));
		const Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
		const Endpoint to(address, port);
		const int on = 1;
		if (::connect(udp.get(), to.get(), to.size) != 0 ||
		    ::setsockopt(udp.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
			raise("connect");
		channel.send(connect_stream(tcp.get(), {address, port}, 3000).text());
		unsigned sent = 0, refused = 0;
		std::uint64_t heard = 0;
		const std::string words(3000, 'w');
		while (!channel.receive(Millis(1))) {
			const auto size = sent % 4 == 0 ? words.size() : 20;
			(::send(udp.get(), words.data(), size, 0) > 0 ? sent : refused) += 1;
			(void)::send(tcp.get(), words.data(), 100, MSG_DONTWAIT | MSG_NOSIGNAL);
			std::array<char, 4096> back{};
			(void)::recv(tcp.get(), back.data(), back.size(), MSG_DONTWAIT);
			iovec data{back.data(), back.size()};
			alignas(cmsghdr) std::array<char, 256> control{};
			msghdr message{nullptr, 0, &data, 1, control.data(), control.size(), 0};
			while (::recvmsg(udp.get(), &message, MSG_DONTWAIT) >= 0)
				heard = std::max(heard, stamp_of(message));
		}
		channel.send(std::to_string(sent) + " " + std::to_string(refused) + " " + std::to_string(heard));
	});
	EXPECT_EQ(child.answer(), "connected");
	return child;
}

struct Sums {
	unsigned sent = 0, refused = 0;
	std::uint64_t heard = 0;
};

Sums sums_of(const Child &child)
{
	std::istringstream text(child.ask("stop"));
	Sums sums;
	text >> sums.sent >> sums.refused >> sums.heard;
	return sums;
}

/// Sends datagrams to who wrote first, each millisecond; the other end of a flow that goes on by itself.
Child teller(const Spot &spot, const std::string &address, std::uint16_t port)
{
	Child child(spot, [=](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint here(address, port);
		if (::bind(fd.get(), here.get(), here.size) != 0)
			raise("bind");
		channel.send("ready");
		sockaddr_storage peer{};
		socklen_t size = 0;
		while (!channel.receive(Millis(1))) {
			std::array<char, 64> data{};
			socklen_t there = sizeof(peer);
			if (::recvfrom(fd.get(), data.data(), data.size(), MSG_DONTWAIT,
				       reinterpret_cast<sockaddr *>(&peer), &there) >= 0)
				size = there;
			if (size != 0)
				(void)::sendto(fd.get(), "tell", 4, 0, reinterpret_cast<const sockaddr *>(&peer), size);
		}
	});
	EXPECT_EQ(child.answer(), "ready");
	return child;
}

/// Hears what comes by UDP, until it is told to stop; then says when the last came. Asks once for it, or is bound to the
/// address and answers each.
enum class Asks { once, never };
Child hearer(const Spot &spot, const std::string &address, std::uint16_t port, Asks asks)
{
	Child child(spot, [=](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint at(address, port);
		const int on = 1;
		if (::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
			raise("SO_TIMESTAMPNS");
		if (asks == Asks::never
			    ? ::bind(fd.get(), at.get(), at.size) != 0
			    : ::connect(fd.get(), at.get(), at.size) != 0 || ::send(fd.get(), "go", 2, 0) != 2)
			raise("hearing what comes");
		channel.send("ready");
		std::uint64_t heard = 0;
		while (!channel.receive(Millis(1))) {
			std::array<char, 64> back{};
			iovec data{back.data(), back.size()};
			alignas(cmsghdr) std::array<char, 256> control{};
			sockaddr_storage peer{};
			msghdr message{&peer, sizeof(peer), &data, 1, control.data(), control.size(), 0};
			while (::recvmsg(fd.get(), &message, MSG_DONTWAIT) >= 0) {
				heard = std::max(heard, stamp_of(message));
				if (asks == Asks::never)
					(void)::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr *>(&peer),
						       message.msg_namelen);
			}
		}
		channel.send("0 0 " + std::to_string(heard));
	});
	EXPECT_EQ(child.answer(), "ready");
	return child;
}

class Deadline : public LabTestWithEdge {
protected:
	enum class Held { in_cgroup, at_the_edge, at_both };

	/// The researcher's row, and those of a window: the web, and a service for the intruder.
	static BoundPolicy policy(Held held, std::uint64_t deadline)
	{
		SiteFile site = lab_site(lab(),
					 {{.id = "web", .destination = "web", .port = "TCP/443"},
					  {.id = "web-udp", .destination = "web", .port = "UDP/443"},
					  {.id = "web-tell", .destination = "web", .port = "UDP/4430"},
					  {.id = "web-service",
					   .dir = "in",
					   .source = "friend",
					   .destination = "node",
					   .port = "UDP/9000",
					   .type = "host"}},
					 "deadline");
		site.names["web"] = {internet4, internet6};
		site.names["friend"] = {intruder4, intruder6};
		if (held == Held::at_the_edge)
			site.cgroups.clear();
		auto bound = policy::load(
			lab().write("deadline.site.toml", site.text() + (held == Held::in_cgroup ? "" : "[edge]\n")),
			lab().command({}).back());
		if (!bound)
			throw std::runtime_error(bound.error().message);
		for (auto &row : bound->rows)
			if (row.row.id.starts_with("web")) {
				row.deadline = deadline;
				row.window = "installation";
			}
		return *bound;
	}
	static void apply(const BoundPolicy &policy)
	{
		in_netns(lab().node(), [&] {
			const auto applied = kernel::apply({lab().bpffs(), lab().instance}, policy, false);
			ASSERT_TRUE(applied.has_value()) << applied.error().message;
		});
	}
	static std::uint64_t refused_as_closed()
	{
		const auto counters = kernel::read_counters({lab().bpffs(), lab().instance});
		std::uint64_t sum = 0;
		for (__u32 scope = 0; scope < WEIR_SCOPES; ++scope)
			for (const auto gate : {WEIR_GATE_SOCKET, WEIR_GATE_PACKET, WEIR_GATE_EDGE})
				for (const auto dir : {WEIR_OUT, WEIR_IN})
					sum += counters.value()
						       .at(weir_counter_index(scope, gate, dir, WEIR_REASON_CLOSED))
						       .refused;
		return sum;
	}
	static void keeps_the_deadline(Held held);
};

void Deadline::keeps_the_deadline(Held held)
{
	// The programs are loaded and attached first: what takes a while comes before the clock runs.
	apply(policy(held, clock_of(CLOCK_BOOTTIME) + 3'600'000 * millisecond));
	const Child tells = teller(internet(), internet4, 4430);
	const Spot spot = lab().in_node();
	const Child sends = sender(spot, internet4, 443);
	const Child listens = hearer(spot, internet4, 4430, Asks::once);
	const Child lasting(spot, [](Channel &channel) {
		const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
		channel.send(connect_stream(fd.get(), {researcher4, 50051}).text());
		while (channel.next())
			channel.send(echoes(fd.get()) ? "echo" : "silence");
	});
	ASSERT_EQ(lasting.answer(), "connected");
	std::this_thread::sleep_for(Millis(100));

	Arrivals arrivals(lab().internet());
	const auto deadline = soon();
	apply(policy(held, deadline)); // one swap; from here on nobody does anything
	in_netns(lab().node(), [&] {
		const auto state = kernel::inspect({lab().bpffs(), lab().instance});
		ASSERT_TRUE(state.has_value());
		EXPECT_TRUE(state->problems.empty()) << state->problems.front();
	});
	ASSERT_LT(clock_of(CLOCK_BOOTTIME), deadline) << "applied too late";
	await(deadline + 500 * millisecond);
	const auto arrived = arrivals.take();
	const auto sent = sums_of(sends), heard = sums_of(listens);

	unsigned udp = 0, tcp = 0, parts = 0;
	std::uint64_t last = 0, last_tcp = 0;
	for (const auto &packet : arrived) {
		if (packet.at > deadline + tolerance())
			ADD_FAILURE() << "protocol " << int{packet.protocol} << " to port " << packet.port << ", "
				      << (packet.at - deadline) / 1000 << " µs late";
		last = std::max(last, packet.at);
		if (packet.protocol == IPPROTO_TCP)
			last_tcp = std::max(last_tcp, packet.at);
		(packet.protocol == IPPROTO_TCP ? tcp : packet.port == 0 ? parts : udp) += 1;
	}
	const unsigned enough = 10; // a busy machine sends less
	EXPECT_GT(udp, enough);
	EXPECT_GT(parts, enough / 4);
	EXPECT_GT(tcp, enough);
	const auto early = deadline - (is_emulated() ? 1000 : 250) * millisecond;
	EXPECT_GE(last, early) << (deadline - last) / 1000 << " µs early";
	EXPECT_GE(last_tcp, early) << "the stream ended early";
	for (const auto at : {sent.heard, heard.heard}) {
		EXPECT_LE(at, deadline + tolerance()) << "an answer came in late";
		EXPECT_GE(at, early) << "the answers ended early: " << sent.heard << ", " << heard.heard;
	}
	if (held != Held::at_the_edge) {
		EXPECT_GT(sent.refused, enough) << "UDP says EPERM";
	}
	EXPECT_GT(refused_as_closed(), enough);

	for (const char *name : {"tcp4", "tcp6", "udp4-sendto", "udp6-sendto", "udp4-connect", "raw4-udp"}) {
		const auto outcome = attempt(spot, name, find_attempt(name)->family == 6 ? internet6 : internet4, 443);
		if (held != Held::at_the_edge) {
			EXPECT_EQ(outcome.text(), "refused EPERM") << name;
		}
		EXPECT_NE(outcome.reach, Reach::connected) << name;
		EXPECT_NE(outcome.reach, Reach::answered) << name;
	}
	for (const auto &packet : arrivals.take()) // but for the host's kernel, which says that nobody listens any more
		EXPECT_TRUE(packet.protocol == IPPROTO_ICMP && held == Held::in_cgroup)
			<< "protocol " << int{packet.protocol} << " to port " << packet.port;
	EXPECT_EQ(lasting.ask("?"), "echo") << "what is admitted for good goes on";
}

TEST_F(Deadline, OfACgroupIsKept)
{
	keeps_the_deadline(Held::in_cgroup);
}

TEST_F(Deadline, AtTheEdgeIsKept)
{
	keeps_the_deadline(Held::at_the_edge);
}

TEST_F(Deadline, OfBothIsKept)
{
	keeps_the_deadline(Held::at_both);
}

/// What a peer opened by a window ends with it: its packets and the answers.
TEST_F(Deadline, OfWhatComesInIsKept)
{
	for (const auto held : {Held::in_cgroup, Held::at_both}) {
		apply(policy(held, clock_of(CLOCK_BOOTTIME) + 3'600'000 * millisecond));
		const Child hears = hearer(lab().in_node(), node4, 9000, Asks::never);
		Arrivals arrivals(lab().intruder());
		const Child peer(intruder(), [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
			const Endpoint to(node4, 9000);
			if (::connect(fd.get(), to.get(), to.size) != 0)
				raise("connect");
			channel.send("ready");
			while (!channel.receive(Millis(1)))
				(void)::send(fd.get(), "x", 1, 0);
		});
		ASSERT_EQ(peer.answer(), "ready");
		const auto deadline = soon();
		apply(policy(held, deadline));
		ASSERT_LT(clock_of(CLOCK_BOOTTIME), deadline) << "applied too late";
		await(deadline + 300 * millisecond);
		const auto answers = arrivals.take();
		ASSERT_FALSE(answers.empty());
		for (const auto at : {answers.back().at, sums_of(hears).heard}) {
			EXPECT_LE(at, deadline + tolerance());
			EXPECT_GE(at, deadline - 5 * tolerance());
		}
	}
}

/// The same row, for good or in a window that ends later, is what holds.
TEST_F(Deadline, OfAnOverlappingWindowIsItsOwn)
{
	const auto now = clock_of(CLOCK_BOOTTIME);
	auto both = policy(Held::in_cgroup, now + 1);
	for (auto row : std::vector(both.rows))
		if (row.deadline != 0 && row.row.port.protocol == IPPROTO_TCP) {
			row.deadline = now + 3'600'000 * millisecond;
			row.row.id += "@later";
			both.rows.push_back(row);
		}
	apply(both);
	EXPECT_EQ(attempt(lab().in_node(), "tcp4", internet4, 443).text(), "connected");
	EXPECT_EQ(attempt(lab().in_node(), "udp4-sendto", internet4, 443).text(), "refused EPERM");

	const auto explained = [](const std::string &protocol) {
		return lab().weir({"explain", "--applied", "--out", protocol, std::string(internet4) + ":443"});
	};
	auto told = explained("tcp");
	EXPECT_EQ(told.status, 0) << told.out << told.err;
	EXPECT_NE(told.out.find("it ends with window \"installation\" in 0 h 59 min"), std::string::npos) << told.out;
	told = explained("udp");
	EXPECT_EQ(told.status, 4) << told.out << told.err;
	EXPECT_NE(told.out.find("the window that admitted it has ended"), std::string::npos) << told.out;
	EXPECT_NE(told.out.find("its window has ended"), std::string::npos) << told.out;
}

} // namespace
} // namespace weir::test
