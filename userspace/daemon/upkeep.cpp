// SPDX-License-Identifier: Apache-2.0
#include "daemon/upkeep.h"

#include "daemon/child.h"
#include "daemon/clock.h"
#include "kernel/identity.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

namespace weir::daemon {
namespace {

/*
 * The lines between the two processes. To the one that writes: records, which begin with '{', and
 *   published JSON   Records::published()
 *   edge             the edge is of this network namespace, and was looked at
 *   mark NUMBER      say this number when all before it is written
 * To the one that changes the kernel: numbers of marks, and
 *   end              it shall end, when all is written
 */
constexpr std::string_view edge_line = "edge";
constexpr std::string_view end_line = "end\n";
constexpr std::string_view mark_word = "mark ";
constexpr std::string_view published_word = "published ";

constexpr std::int64_t pause = second;

/// The process.
class Works {
public:
	Works(const kernel::Where &where, const std::string &journal, std::int64_t keep_ns, int socket)
		: where_(where), socket_(socket), records_(Records::relay(Fd(::dup(socket)))),
		  upkeep_(where, journal, keep_ns), identity_(kernel::identity_of(where))
	{}

	void run()
	{
		while (hear() && !is_to_end_) {
			if (clock_ns(CLOCK_MONOTONIC) >= next_tick_)
				tick();
			if (identity_ != 0)
				upkeep_.look(records_);
			tell();
			wait();
		}
		finish();
	}

private:
	void tick()
	{
		next_tick_ = clock_ns(CLOCK_MONOTONIC) + pause;
		const auto now = kernel::identity_of(where_);
		if (now != 0 && identity_ != now)
			upkeep_.look_again();
		identity_ = now;
		if (identity_ != 0)
			upkeep_.tick(records_);
		else
			upkeep_.end(records_);
	}
	/// For the last time: until all is written, or that takes too long.
	void finish()
	{
		upkeep_.end(records_);
		for (const auto deadline = clock_ns(CLOCK_MONOTONIC) + closing_time;
		     hear() && clock_ns(CLOCK_MONOTONIC) < deadline;) {
			tell();
			if (is_told() && heard_ == mark_ && records_.puts() == marked_)
				return;
			std::array poll{pollfd{socket_,
					       static_cast<short>(records_.is_empty() ? POLLIN : POLLIN | POLLOUT), 0}};
			::poll(poll.data(), poll.size(), 100);
		}
	}
	/// False: the other end is gone.
	bool hear()
	{
		char text[64];
		const auto size = ::recv(socket_, text, sizeof(text), MSG_DONTWAIT);
		if (size <= 0)
			return size < 0 && (errno == EAGAIN || errno == EINTR);
		// One number at a time, as the next mark is set when this one was heard; and at last the end.
		const std::string_view words(text, static_cast<std::size_t>(size));
		is_to_end_ |= words.ends_with(end_line);
		std::from_chars(text, text + size, heard_);
		return true;
	}
	void tell()
	{
		if (upkeep_.take_edge_is_here() && !records_.is_jammed())
			records_.line().append(edge_line).push_back('\n');
		if (heard_ == mark_ && heard_ != settled_) {
			settled_ = heard_;
			if (records_.puts() == marked_)
				upkeep_.written();
		}
		if (!is_told() || heard_ != mark_ || records_.puts() == marked_)
			return;
		marked_ = records_.puts();
		records_.line().append(fmt::format("{}{}\n", mark_word, ++mark_));
		(void)records_.write_out();
	}
	/// All is with the other end, or there is none any more.
	bool is_told()
	{
		const auto done = records_.write_out();
		return !done || records_.is_empty();
	}
	void wait()
	{
		std::vector<pollfd> watched{
			{socket_, static_cast<short>(records_.is_empty() ? POLLIN : POLLIN | POLLOUT), 0}};
		upkeep_.add_to(watched);
		const auto left = std::max<std::int64_t>(next_tick_ - clock_ns(CLOCK_MONOTONIC), 0);
		::poll(watched.data(), watched.size(), static_cast<int>((left + ms - 1) / ms));
	}

	kernel::Where where_;
	int socket_;
	Records records_;
	Upkeep upkeep_;
	std::uint64_t identity_;
	std::int64_t next_tick_ = 0;
	bool is_to_end_ = false;
	std::uint64_t mark_ = 0;    ///< the last that was set
	std::uint64_t heard_ = 0;   ///< and heard
	std::uint64_t settled_ = 0; ///< and acted upon
	std::uint64_t marked_ = 0;  ///< Records::puts() when it was set
};

} // namespace

Upkeep::Upkeep(const kernel::Where &where, const std::string &journal, std::int64_t keep_ns)
	: interfaces_(where), components_(where), hosts_(where, {.keep = keep_ns}), windows_(where),
	  read_back_(where, journal)
{}

void Upkeep::add_to(std::vector<pollfd> &watched) const
{
	for (const int fd : {interfaces_.fd(), components_.fd(), hosts_.fd(), windows_.fd()})
		watched.push_back({fd, POLLIN, 0});
}

void Upkeep::written()
{
	components_.written();
	windows_.written();
}

void Upkeep::look(Records &records)
{
	components_.look(records); // first: a component that starts is unheld until then
	edge_is_here_ |= interfaces_.look(records);
	hosts_.look(records);
	windows_.look(records);
}

void Upkeep::tick(Records &records)
{
	components_.tick(records);
	edge_is_here_ |= interfaces_.tick(records);
	hosts_.tick(records);
	windows_.tick(records);
	read_back_.tick(records);
}

void Upkeep::look_again()
{
	interfaces_.look_again();
	hosts_.look_again();
	windows_.look_again();
}

Result<UpkeepProcess> UpkeepProcess::start(const kernel::Where &where, const std::string &journal, std::int64_t keep_ns)
{
	auto socket = start_child("weir-upkeep", SOCK_STREAM,
				  [&](int other) { Works(where, journal, keep_ns, other).run(); });
	if (!socket)
		return std::unexpected(std::move(socket).error());
	return UpkeepProcess(std::move(*socket));
}

bool UpkeepProcess::take(Records &records)
{
	bool edge_is_here = false;
	while (!gone_ && !records.is_jammed()) {
		char part[16u << 10];
		const auto size = ::recv(socket_.get(), part, sizeof(part), MSG_DONTWAIT);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (size <= 0) {
			gone_ = true;
			break;
		}
		rest_.append(part, static_cast<std::size_t>(size));
		std::string_view lines = rest_;
		for (auto end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
			const auto line = lines.substr(0, end);
			lines.remove_prefix(end + 1);
			if (line.starts_with('{')) {
				records.line().append(line).push_back('\n');
				records.put();
			} else if (line == edge_line) {
				edge_is_here = true;
			} else if (line.starts_with(mark_word)) {
				mark_ = line.substr(mark_word.size());
			} else if (line.starts_with(published_word)) {
				records.published(std::string(line.substr(published_word.size())));
			}
		}
		rest_.erase(0, rest_.size() - lines.size());
	}
	return edge_is_here;
}

void UpkeepProcess::written()
{
	if (mark_.empty())
		return;
	mark_.push_back('\n');
	(void)::send(socket_.get(), mark_.data(), mark_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
	mark_.clear();
}

void UpkeepProcess::end()
{
	(void)::send(socket_.get(), end_line.data(), end_line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

} // namespace weir::daemon
