// SPDX-License-Identifier: Apache-2.0
// The queue and its thread, against a peer that does what the test says.
#include "sinks/fan.h"

#include "support.h"

#include <nlohmann/json.hpp>

#include <future>

namespace weir::sinks {
namespace {

/// What the far side of a scripted carrier does, and has seen.
struct Far {
	std::mutex mutex;
	bool is_up = true;   ///< open() succeeds
	bool takes = true;   ///< send() comes back
	int breaks_after = -1; ///< so many more messages, then it breaks; -1: never
	std::vector<std::string> got;
	int opened = 0;
	std::size_t unconfirmed = 0; ///< so many of the last are not confirmed when it breaks

	std::vector<std::string> seen()
	{
		const std::scoped_lock lock(mutex);
		return got;
	}
	template <typename Change>
	void set(Change change)
	{
		const std::scoped_lock lock(mutex);
		change(*this);
	}
};

class Scripted : public Carrier {
public:
	explicit Scripted(std::shared_ptr<Far> far) : far_(std::move(far)) {}
	Result<> open(const Patience &) override
	{
		const std::scoped_lock lock(far_->mutex);
		if (!far_->is_up)
			return fail("it is down");
		far_->opened++;
		return {};
	}
	Result<bool> send(const std::string &message, const Patience &patience) override
	{
		for (;;) {
			{
				const std::scoped_lock lock(far_->mutex);
				if (far_->breaks_after == 0) {
					far_->breaks_after = -1;
					return fail("it broke");
				}
				if (far_->takes) {
					far_->breaks_after -= far_->breaks_after > 0 ? 1 : 0;
					far_->got.push_back(message);
					last_.push_back(message);
					return true;
				}
			}
			if (patience.is_over())
				return fail("the time is over");
			patience.pause(5ms);
		}
	}
	std::deque<std::string> take_unconfirmed() override
	{
		const std::scoped_lock lock(far_->mutex);
		while (last_.size() > far_->unconfirmed)
			last_.pop_front();
		return std::exchange(last_, {});
	}

private:
	std::shared_ptr<Far> far_;
	std::deque<std::string> last_;
};

class SinkSender : public testing::Test {
protected:
	std::unique_ptr<Sender> make(const std::string &address = "file:/scripted")
	{
		return std::make_unique<Sender>(address_of(address), std::make_unique<Scripted>(far_));
	}
	std::shared_ptr<Far> far_ = std::make_shared<Far>();
};

auto in(std::chrono::milliseconds time)
{
	return std::chrono::steady_clock::now() + time;
}

TEST_F(SinkSender, BringsAllInOrderAndEndsWell)
{
	auto sender = make();
	for (std::uint32_t pid = 1; pid <= 100; pid++)
		sender->offer(numbered(pid) + numbered(pid + 1000));
	sender->close(in(30s));
	const auto got = far_->seen();
	ASSERT_EQ(got.size(), 200u);
	for (std::uint32_t pid = 1; pid <= 100; pid++)
		EXPECT_EQ(got[2 * (pid - 1)] + "\n", numbered(pid));
	EXPECT_EQ(sender->figures().sent, 200u);
	EXPECT_EQ(sender->figures().dropped, 0u);
	EXPECT_EQ(sender->figures().waiting, 0u);
}

/// The proof that nothing waits is that all of this comes back while the other side takes nothing at all.
TEST_F(SinkSender, PeerThatTakesNothingHoldsNobodyUpAndTheLossIsCounted)
{
	far_->takes = false;
	auto sender = make("file:/scripted?queue=64K");
	const auto line = numbered(1);
	const std::uint64_t offered = 10'000;
	for (std::uint64_t i = 0; i < offered; i++)
		sender->offer(line);
	const auto figures = sender->figures();
	EXPECT_EQ(figures.waiting + figures.dropped, offered);
	EXPECT_GT(figures.dropped, 9'000u);
	EXPECT_LE(figures.waiting * (line.size() - 1), 64u << 10);
	far_->set([](Far &far) { far.takes = true; });
	sender->close(in(30s));
	EXPECT_EQ(far_->seen().size(), figures.waiting);
	EXPECT_EQ(sender->figures().sent + sender->figures().dropped, offered);
}

TEST_F(SinkSender, PeerThatIsDownAndComesGetsWhatWaited)
{
	far_->is_up = false;
	auto sender = make();
	sender->offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return sender->figures().failures >= 2; }));
	EXPECT_EQ(sender->figures().problem, "it is down");
	EXPECT_EQ(sender->figures().waiting, 1u);
	far_->set([](Far &far) { far.is_up = true; });
	ASSERT_TRUE(eventually([&] { return far_->seen().size() == 1; }));
	ASSERT_TRUE(eventually([&] { return sender->figures().problem.empty(); }));
}

TEST_F(SinkSender, WhatWasNotConfirmedIsSentAgain)
{
	far_->breaks_after = 5;
	far_->unconfirmed = 2;
	auto sender = make();
	for (std::uint32_t pid = 1; pid <= 8; pid++)
		sender->offer(numbered(pid));
	ASSERT_TRUE(eventually([&] { return far_->seen().size() == 10; })) << far_->seen().size();
	far_->set([](Far &far) { far.unconfirmed = 0; });
	std::vector<int> pids;
	for (const auto &message : far_->seen())
		pids.push_back(nlohmann::json::parse(message)["process"]["pid"]);
	EXPECT_EQ(pids, (std::vector{1, 2, 3, 4, 5, 4, 5, 6, 7, 8}));
	sender->close(in(30s));
	EXPECT_EQ(sender->figures().sent, 8u);
	EXPECT_EQ(sender->figures().failures, 1u);
	EXPECT_EQ(far_->opened, 2);
}

TEST_F(SinkSender, EndDoesNotWaitLongerThanItIsTold)
{
	far_->takes = false;
	auto sender = make();
	sender->offer(numbered(1) + numbered(2));
	auto ended = std::async(std::launch::async, [&] { sender->close(in(100ms)); });
	ASSERT_EQ(ended.wait_for(30s), std::future_status::ready);
	EXPECT_EQ(sender->figures().dropped, 2u);
	EXPECT_EQ(sender->figures().waiting, 0u);
}

TEST_F(SinkSender, WhatIsNoRecordIsDroppedAndCounted)
{
	auto sender = make("file:/scripted?format=cef");
	sender->offer("nonsense\n" + numbered(1));
	sender->close(in(30s));
	EXPECT_EQ(sender->figures().dropped, 1u);
	EXPECT_EQ(sender->figures().sent, 1u);
}

TEST_F(SinkSender, NewsOfAFailureOfALossAndOfTheEnd)
{
	far_->is_up = false;
	Fan fan;
	fan.add(make("file:/scripted?queue=64K"));
	for (int i = 0; i < 200; i++)
		fan.offer(numbered(1));
	ASSERT_TRUE(eventually([&] { return !fan.figures()[0].second.problem.empty(); }));
	const auto begin = Fan::Clock::now();
	auto news = fan.news(begin);
	ASSERT_EQ(news.size(), 2u);
	EXPECT_EQ(news[0].action, "sink_failed");
	EXPECT_EQ(news[1].action, "sink_dropped");
	EXPECT_GT(news[1].dropped_since, 0u);
	EXPECT_EQ(news[1].dropped_since, news[1].dropped);
	const auto first = news[1].dropped;

	EXPECT_TRUE(fan.news(begin).empty()) << "it is no news";
	fan.offer(numbered(1));
	EXPECT_TRUE(fan.news(begin + 9s).empty()) << "ten seconds apart";
	news = fan.news(begin + 10s);
	ASSERT_EQ(news.size(), 1u);
	EXPECT_EQ(news[0].dropped_since, 1u);

	// What the sinks say of themselves does not make the next thing to be said.
	std::string line;
	audit::append_sink_json(line, news[0], "default", 1);
	fan.offer(line);
	EXPECT_TRUE(fan.news(begin + 30s).empty());

	far_->set([](Far &far) { far.is_up = true; });
	ASSERT_TRUE(eventually([&] { return fan.figures()[0].second.waiting == 0; }));
	news = fan.news(begin + 30s);
	ASSERT_EQ(news.size(), 1u);
	EXPECT_EQ(news[0].action, "sink_recovered");
	EXPECT_EQ(news[0].dropped, first + 1);
}

} // namespace
} // namespace weir::sinks
