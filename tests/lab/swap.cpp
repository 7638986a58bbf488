// SPDX-License-Identifier: Apache-2.0
// Thousands of swaps between two policies that differ in one row, under traffic: not one wrong verdict.
#include "tests/lab/lab_test.h"

#include "kernel/instance.h"
#include "policy/policy.h"

#include <fstream>
#include <netinet/tcp.h>
#include <poll.h>
#include <sstream>

namespace weir::test {
namespace {

class Swap : public LabTest {};

struct Tally {
	int rounds = 0;
	int wrongly_refused = 0;
	int wrongly_admitted = 0;
	unsigned retransmitted = 0;
	std::string first; ///< what went wrong first
	void wrong(int &which, const std::string &what)
	{
		which++;
		if (first.empty())
			first = what;
	}
};

/// One round of everything that both policies judge alike.
void round(Tally &tally, int lasting, int dns)
{
	tally.rounds++;
	if (!echoes(lasting, 2000))
		tally.wrong(tally.wrongly_refused, "the lasting connection");
	if (::send(dns, "ask?", 4, 0) != 4)
		tally.wrong(tally.wrongly_refused, "DNS of a connected socket");
	else if (await_answer(dns, {Reach::sent, 0, ""}, 2000).reach != Reach::answered)
		tally.wrong(tally.wrongly_refused, "the answer of DNS");
	for (const auto &address : {std::string(researcher4), "::ffff:" + std::string(researcher4)}) {
		const Fd fd(::socket(Endpoint(address, 0).family(), SOCK_STREAM, 0));
		// A busy machine is given time, but less than the second after which a lost SYN is sent again.
		const Outcome outcome = connect_stream(fd.get(), {address, 50051}, 950);
		if (outcome.reach != Reach::connected)
			tally.wrong(tally.wrongly_refused, address + ": " + outcome.text());
	}
	for (const char *name :
	     {"tcp4", "udp4-sendto", "udp4-connect", "raw4-protocol", "udplite4-sendto", "raw4-udp"}) {
		const Outcome outcome = find_attempt(name)->run({internet4, 80});
		if (outcome.reach != Reach::refused && outcome.reach != Reach::skipped)
			tally.wrong(tally.wrongly_admitted, std::string(name) + " to the Internet: " + outcome.text());
	}
}

/// Traffic until told to stop; then the tally as text.
Child traffic(const Spot &spot)
{
	Child child(spot, [](Channel &channel) {
		const Fd lasting(::socket(AF_INET, SOCK_STREAM, 0));
		if (connect_stream(lasting.get(), {researcher4, 50051}).reach != Reach::connected)
			raise("the lasting connection");
		const Fd dns(::socket(AF_INET, SOCK_DGRAM, 0));
		const Endpoint resolver(resolver4, 53);
		if (::connect(dns.get(), resolver.get(), resolver.size) != 0)
			raise("connect to the resolver");
		channel.send("ready");
		Tally tally;
		while (!channel.receive(Millis(0)))
			round(tally, lasting.get(), dns.get());
		tcp_info info{};
		socklen_t size = sizeof(info);
		::getsockopt(lasting.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
		std::ostringstream text;
		text << tally.rounds << ' ' << tally.wrongly_refused << ' ' << tally.wrongly_admitted << ' '
		     << info.tcpi_total_retrans << ' ' << tally.first;
		channel.send(text.str());
	});
	(void)child.answer();
	return child;
}

TEST_F(Swap, ThousandsUnderTrafficNotOneWrongVerdict)
{
	SiteFile wide = lab_site(lab(), {{.id = "web", .destination = "web", .port = "TCP/443"}}, "wide");
	wide.names["web"] = {internet4};
	const std::string none = lab().directory();
	const auto a = policy::load(lab().write("a.toml", lab_site(lab()).text()), none);
	ASSERT_TRUE(a.has_value()) << a.error().message;
	const auto b = policy::load(lab().write("b.toml", wide.text()), none);
	ASSERT_TRUE(b.has_value()) << b.error().message;
	const kernel::Where where{lab().bpffs(), lab().instance};
	ASSERT_TRUE(kernel::apply(where, *a, false).has_value());
	witnesses().quiet();
	// Connections by the ten thousand: none is to wait in TIME_WAIT for its port.
	(void)run_at(lab().beside_node(), [] {
		std::ofstream("/proc/sys/net/ipv4/tcp_max_tw_buckets") << 16;
		return std::string();
	});

	std::vector<Child> children;
	children.push_back(traffic(lab().in_node()));
	children.push_back(traffic({lab().node(), lab().cgroup("node/worker")}));
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(75);
	int swaps = 0;
	for (; swaps < rounds(2000) && std::chrono::steady_clock::now() < end; ++swaps) {
		const auto applied = kernel::apply(where, swaps % 2 == 0 ? *b : *a, false);
		ASSERT_TRUE(applied.has_value()) << applied.error().message;
	}
	for (const Child &child : children) {
		std::istringstream text(child.ask("stop", Millis(10000)));
		Tally tally;
		text >> tally.rounds >> tally.wrongly_refused >> tally.wrongly_admitted >> tally.retransmitted;
		std::getline(text, tally.first);
		EXPECT_EQ(tally.wrongly_refused, 0) << tally.first;
		EXPECT_EQ(tally.wrongly_admitted, 0) << tally.first;
		EXPECT_EQ(tally.retransmitted, 0U) << "a segment was dropped on the way";
		EXPECT_GT(tally.rounds, 20);
		RecordProperty("rounds", tally.rounds);
	}
	EXPECT_GE(swaps, rounds(400));
	RecordProperty("swaps", swaps);
	for (const auto &seen : witnesses().arrived())
		EXPECT_NE(seen.destination, internet4) << seen.text();
}

TEST_F(Swap, TheRowThatDiffersFollowsAtOnce)
{
	SiteFile wide = lab_site(lab(), {{.id = "web", .destination = "web", .port = "TCP/443"}}, "wide");
	wide.names["web"] = {internet4};
	const std::string none = lab().directory();
	const auto a = policy::load(lab().write("a.toml", lab_site(lab()).text()), none);
	const auto b = policy::load(lab().write("b.toml", wide.text()), none);
	ASSERT_TRUE(a.has_value() && b.has_value());
	const kernel::Where where{lab().bpffs(), lab().instance};
	for (int i = 0; i < rounds(100); ++i) {
		ASSERT_TRUE(kernel::apply(where, *b, false).has_value());
		ASSERT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::connected)) << "swap " << i;
		ASSERT_TRUE(kernel::apply(where, *a, false).has_value());
		ASSERT_TRUE(is(tcp(lab().in_node(), internet4, 443), Reach::refused)) << "swap " << i;
	}
}

} // namespace
} // namespace weir::test
