// SPDX-License-Identifier: Apache-2.0
#include "sinks/sender.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace weir::sinks {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{200}, longest_pause{10'000}; ///< between two attempts to open
constexpr milliseconds idle_time{1000};                         ///< between two looks at an idle connection
constexpr milliseconds proving_time{5000};                      ///< without a failure: then it is over
/// A record of a sink; of those only whoever writes records makes this text.
constexpr std::string_view of_a_sink = R"("dataset":"weir.sink")";

} // namespace

Sender::Sender(Address address) : Sender(address, make_carrier(address)) {}

Sender::Sender(Address address, std::unique_ptr<Carrier> carrier)
	: address_(std::move(address)), carrier_(std::move(carrier)), backoff_(first_pause), thread_([this] { work(); })
{}

Sender::~Sender()
{
	close(std::chrono::steady_clock::now());
}

void Sender::offer(std::string_view lines)
{
	bool added = false;
	{
		const std::scoped_lock lock(mutex_);
		for (auto end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
			const auto line = lines.substr(0, end);
			lines.remove_prefix(end + 1);
			if (closing_ || bytes_ + line.size() > address_.queue) {
				if (line.find(of_a_sink) == std::string_view::npos)
					figures_.dropped++;
				continue;
			}
			bytes_ += line.size();
			queue_.push_back({.text = std::string(line), .size = line.size()});
			figures_.waiting++;
			added = true;
		}
	}
	if (added)
		changed_.notify_one();
}

void Sender::close(std::chrono::steady_clock::time_point end)
{
	{
		const std::scoped_lock lock(mutex_);
		closing_ = true;
	}
	patience_.end_at(end);
	changed_.notify_one();
	if (thread_.joinable())
		thread_.join();
}

Figures Sender::figures() const
{
	const std::scoped_lock lock(mutex_);
	return figures_;
}

/// Moves what was offered to where no lock is needed. False: there is nothing, and never will be.
bool Sender::take()
{
	std::unique_lock lock(mutex_);
	if (pending_.empty())
		changed_.wait_for(lock, idle_time, [this] { return closing_ || !queue_.empty(); });
	if (pending_.empty())
		pending_.swap(queue_);
	return !pending_.empty() || !closing_;
}

bool Sender::is_open() const
{
	const std::scoped_lock lock(mutex_);
	return figures_.is_open;
}

bool Sender::open()
{
	auto opened = carrier_->open(patience_);
	const std::scoped_lock lock(mutex_);
	figures_.is_open = opened.has_value();
	if (opened) {
		if (carrier_->open_proves())
			figures_.problem.clear();
		return true;
	}
	figures_.failures++;
	figures_.problem = opened.error().message;
	return false;
}

/// Something was sent, or looked at, and all was well.
void Sender::is_well()
{
	if (broke_at_ == std::chrono::steady_clock::time_point{} ||
	    std::chrono::steady_clock::now() < broke_at_ + proving_time)
		return;
	broke_at_ = {};
	backoff_ = first_pause;
	const std::scoped_lock lock(mutex_);
	figures_.problem.clear();
}

/// What was sent and may not have arrived comes first again.
void Sender::broke(const std::string &why)
{
	auto again = carrier_->take_unconfirmed();
	broke_at_ = std::chrono::steady_clock::now();
	const std::scoped_lock lock(mutex_);
	figures_.is_open = false;
	figures_.failures++;
	figures_.problem = why;
	figures_.sent -= std::min<std::uint64_t>(figures_.sent, again.size());
	figures_.waiting += again.size();
	for (auto &message : std::views::reverse(again)) {
		const auto size = message.size();
		bytes_ += size;
		pending_.push_front({.text = std::move(message), .size = size, .is_message = true});
	}
}

void Sender::send_first()
{
	auto &first = pending_.front();
	bool good = true;
	if (!first.is_message) {
		auto message = message_for(address_, first.text);
		good = message.has_value();
		first.text = std::move(message).value_or("");
		first.is_message = true;
	}
	if (good) {
		auto sent = carrier_->send(first.text, patience_);
		if (!sent) {
			broke(sent.error().message);
			return;
		}
		good = *sent;
	}
	is_well();
	const auto size = first.size;
	pending_.pop_front();
	const std::scoped_lock lock(mutex_);
	bytes_ -= size;
	figures_.waiting--;
	(good ? figures_.sent : figures_.dropped)++;
}

void Sender::work()
{
	const auto back_off = [this] { // also from one that takes a message and closes
		patience_.pause(backoff_);
		backoff_ = std::min(2 * backoff_, longest_pause);
	};
	while (take() && !patience_.is_over()) {
		if (is_open() && pending_.empty()) {
			if (auto well = carrier_->look(); well)
				is_well();
			else
				broke(well.error().message);
		}
		if (!is_open() && !open()) {
			back_off();
			continue;
		}
		while (is_open() && !pending_.empty() && !patience_.is_over())
			send_first();
		if (!is_open())
			back_off();
	}
	end();
}

/// What can't be known to have arrived counts as dropped.
void Sender::end()
{
	if (is_open())
		carrier_->finish(patience_);
	const auto uncertain = carrier_->take_unconfirmed().size();
	carrier_.reset(); // closes
	const std::scoped_lock lock(mutex_);
	figures_.sent -= std::min<std::uint64_t>(figures_.sent, uncertain);
	figures_.dropped += uncertain + pending_.size() + queue_.size();
	figures_.waiting = 0;
	figures_.is_open = false;
	pending_.clear();
	queue_.clear();
}

} // namespace weir::sinks
