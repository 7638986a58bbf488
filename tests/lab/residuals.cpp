// SPDX-License-Identifier: Apache-2.0
// What is open at these gates, because no hook of a cgroup sees it: shown, so that nobody believes otherwise. A test
// that fails here says that the documentation is out of date.
#include "tests/lab/lab_test.h"
#include "tests/lab/quoted_error.h"

#include "tests/support/packets.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

#include <algorithm>

namespace weir::test {
namespace {

class Residuals : public LabTest {
protected:
	void SetUp() override { lab().apply_native(); }
	static std::uint64_t refused() { return field(lab().status(), "events.refused").get<std::uint64_t>(); }
};

TEST_F(Residuals, AnIgmpReportCarriesWhatAProcessPutsIntoIt)
{
	// The kernel tells the link which groups, and which sources of them, its processes want. It has no socket for it.
	Fd link;
	in_netns(lab().researcher(), [&] { link = Fd(::socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))); });
	ASSERT_TRUE(link);
	(void)run_at(lab().in_node(), [] {
		ip_mreq_source wanted{};
		::inet_pton(AF_INET, "232.1.2.3", &wanted.imr_multiaddr);
		::inet_pton(AF_INET, node4, &wanted.imr_interface);
		::inet_pton(AF_INET, "119.101.105.114", &wanted.imr_sourceaddr); // "weir"
		const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
		if (::setsockopt(fd.get(), IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &wanted, sizeof(wanted)) != 0)
			raise("joining a group");
		return std::string();
	});
	EXPECT_TRUE(eventually([&] {
		std::array<char, 2048> data{};
		const ssize_t size = ::recv(link.get(), data.data(), data.size(), MSG_DONTWAIT);
		return size > 0 && std::string(data.data(), static_cast<std::size_t>(size)).ends_with("weir");
	})) << "refused now? then the documentation is out of date";
	EXPECT_EQ(refused(), 0U);
}

TEST_F(Residuals, AnIcmpErrorBringsItsQuoteToASocketThatAsksForErrors)
{
	EXPECT_EQ(quoted_to(lab().in_node(), intruder(), {intruder4, node4}, internet4), "weir")
		<< "refused now? then the documentation is out of date";
	EXPECT_EQ(quoted_to(lab().in_node(), intruder(), {intruder6, node6}, internet6), "weir")
		<< "refused now? then the documentation is out of date";
	EXPECT_EQ(refused(), 0U);
}

TEST_F(Residuals, ARawHeaderNamesOneHostAndThePacketGoesToAnother)
{
	// The kernel finds the way by the address of the call, not by that of the header, which is what is judged.
	Fd link;
	in_netns(lab().intruder(), [&] { link = Fd(::socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))); });
	ASSERT_TRUE(link);
	(void)run_at(lab().in_node(), [] {
		const Path admitted{node4, researcher4};
		const Bytes packet =
			ipv4(admitted, {}, tcp_segment(admitted, 40123, 50051, tcp_syn, Bytes{'w', 'e', 'i', 'r'}));
		const Endpoint to(intruder4, 0);
		const Fd fd(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
		if (::sendto(fd.get(), packet.data(), packet.size(), 0, to.get(), to.size) < 0)
			raise("sending");
		return std::string();
	});
	EXPECT_TRUE(eventually([&] {
		std::array<char, 2048> data{};
		const ssize_t size = ::recv(link.get(), data.data(), data.size(), MSG_DONTWAIT);
		return size > 0 && std::string(data.data(), static_cast<std::size_t>(size)).ends_with("weir");
	})) << "refused now? then the documentation is out of date";
	EXPECT_EQ(refused(), 0U);
}

} // namespace
} // namespace weir::test
