// SPDX-License-Identifier: Apache-2.0
// Every way round that anyone knows, by its name: first it works without a policy (or the test proves nothing),
// then under the policy the sender is stopped and nothing arrives anywhere.
#include "tests/lab/lab_test.h"

#include <algorithm>
#include <set>

namespace weir::test {
namespace {

std::vector<Attempt> every_attempt()
{
	std::vector<Attempt> all;
	for (const auto some : {socket_attempts(), raw_attempts(), other_attempts()})
		all.insert(all.end(), some.begin(), some.end());
	return all;
}

/// What the row node -> researcher TCP/50051 admits, in whatever way it is sent.
// clang-format off
const std::set<std::string> admitted_by_row{
	"tcp4", "tcp6", "tcp4-mapped", "tcp4-fastopen", "tcp6-fastopen", "tcp4-source-port", "tcp4-repair", "mptcp4",
	"mptcp6", "raw4-tcp-payload", "raw4-tcp-syn", "raw6-tcp-syn", "raw4-tcp-ack", "raw4-tcp-fin",
	"raw6-destination-options", "raw6-fragment-first", "raw6-fragment-atomic", "tcp4-nat64", "thread4", "grandchild4",
	"io-uring-connect4", "io-uring-connect6"};
// clang-format on

/// The kernel forgets to tell the sender: ping_v6_sendmsg() gives no error of icmpv6_push_pending_frames().
const std::set<std::string> never_told{"icmp6-ping"};

class Bypass : public LabTest, public ::testing::WithParamInterface<Attempt> {
protected:
	static void SetUpTestSuite()
	{
		LabTest::SetUpTestSuite();
		lab().apply(lab_site(lab()));
	}
	void TearDown() override {} // one policy for the whole suite

	/// false: this kernel hasn't got it.
	static bool works_outside(const Target &target)
	{
		witnesses().quiet();
		const Outcome outcome = attempt(lab().beside_node(), GetParam(), target);
		if (outcome.reach == Reach::skipped)
			return false;
		EXPECT_TRUE(eventually([] { return !witnesses().arrived().empty(); }, Millis(1000)))
			<< "the attempt itself doesn't work: " << outcome.text()
			<< ", so its refusal would prove nothing";
		return true;
	}
	static void expect_refused(const Target &target)
	{
		witnesses().quiet();
		const Outcome outcome = attempt(lab().in_node(), GetParam(), target);
		const auto packets = witnesses().arrived();
		EXPECT_TRUE(packets.empty()) << "this arrived:\n" << listed(packets);
		if (!never_told.contains(GetParam().name)) {
			EXPECT_TRUE(is_stopped(outcome));
		}
	}
};

// Suites of their own, so that no case has to be skipped for what it is.
class OtherPortBypass : public Bypass {};
class RowsPortBypass : public Bypass {};

TEST_P(Bypass, ToTheInternetIsRefused)
{
	const Target target{GetParam().family == 4 ? internet4 : internet6, 443};
	if (!works_outside(target))
		GTEST_SKIP() << "this kernel hasn't got it";
	if (!GetParam().is_residual) {
		expect_refused(target);
		return;
	}
	// Open at these gates, and said so in docs and status: shown, so that nobody believes otherwise.
	witnesses().quiet();
	attempt(lab().in_node(), GetParam(), target);
	EXPECT_FALSE(witnesses().arrived().empty()) << "closed now? then the documentation is out of date";
}

TEST_P(OtherPortBypass, IsRefused)
{
	const Target target{GetParam().family == 4 ? researcher4 : researcher6, 443};
	if (!works_outside(target))
		GTEST_SKIP() << "this kernel hasn't got it";
	expect_refused(target);
}

TEST_P(RowsPortBypass, IsRefusedUnlessItIsTheRow)
{
	const Target target{GetParam().family == 4 ? researcher4 : researcher6, 50051};
	if (!works_outside(target))
		GTEST_SKIP() << "this kernel hasn't got it";
	expect_refused(target);
}

std::vector<Attempt> held_attempts()
{
	auto all = every_attempt();
	std::erase_if(all, [](const Attempt &each) { return each.is_residual; });
	return all;
}

std::vector<Attempt> rowless_attempts()
{
	auto all = held_attempts();
	std::erase_if(all, [](const Attempt &each) { return admitted_by_row.contains(each.name); });
	return all;
}

std::string test_name(const ::testing::TestParamInfo<Attempt> &each)
{
	std::string name = each.param.name;
	std::ranges::replace(name, '-', '_');
	return name;
}

INSTANTIATE_TEST_SUITE_P(Every, Bypass, ::testing::ValuesIn(every_attempt()), test_name);
INSTANTIATE_TEST_SUITE_P(Every, OtherPortBypass, ::testing::ValuesIn(held_attempts()), test_name);
INSTANTIATE_TEST_SUITE_P(Every, RowsPortBypass, ::testing::ValuesIn(rowless_attempts()), test_name);

} // namespace

void PrintTo(const Attempt &attempt, std::ostream *out)
{
	*out << attempt.what;
}

} // namespace weir::test
