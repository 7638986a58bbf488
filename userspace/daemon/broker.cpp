// SPDX-License-Identifier: Apache-2.0
#include "daemon/broker.h"

#include "daemon/child.h"
#include "daemon/clock.h"
#include "daemon/message.h"
#include "kernel/identity.h"
#include "metrics/metrics.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <type_traits>

namespace weir::daemon {
namespace {

enum class Question : std::uint8_t {
	ring,
	identity,
	image,
	generation,
	merges,
	flags,
	lease,
	new_lease,
	metrics,
	process,
	cgroup
};

/// Numbers and bytes one after the other, as both ends are the same program.
class Bytes {
public:
	Bytes() = default;
	explicit Bytes(std::string_view bytes) : rest_(bytes) {}

	template <typename T>
	void put(const T &value)
	{
		static_assert(std::is_trivially_copyable_v<T>);
		all.append(reinterpret_cast<const char *>(&value), sizeof(value));
	}
	/// Zeros, where the bytes are at their end.
	template <typename T>
	T take()
	{
		static_assert(std::is_trivially_copyable_v<T>);
		T value{};
		if (rest_.size() >= sizeof(value)) {
			rest_.copy(reinterpret_cast<char *>(&value), sizeof(value));
			rest_.remove_prefix(sizeof(value));
		}
		return value;
	}
	[[nodiscard]] std::string_view rest() const { return rest_; }

	std::string all;

private:
	std::string_view rest_;
};

std::string question(Question kind)
{
	return {static_cast<char>(kind)};
}

/// What the kernel has, and then `own`.
Result<> write_file(const kernel::Where &where, const std::string &path, std::string_view own)
{
	metrics::Facts facts{.instance = where.instance,
			     .version = WEIR_VERSION,
			     .unix_ns = clock_ns(CLOCK_REALTIME),
			     .boot_ns = static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME))};
	if (auto state = kernel::inspect(where))
		facts.state = std::move(*state);
	return metrics::replace(path, metrics::text_of(facts).append(own));
}

/// The child: one answer to each question.
class Desk {
public:
	Desk(kernel::Where where, std::string metrics, int socket)
		: where_(std::move(where)), metrics_(std::move(metrics)), socket_(socket)
	{}
	void serve()
	{
		for (;;) {
			const auto message = receive_message(socket_);
			if (!message || !*message)
				return;
			Bytes question((*message)->bytes);
			const auto kind = question.take<Question>();
			if (kind == Question::metrics)
				metrics(question.rest());
			else if (auto sent = answer(kind, question); !sent)
				return;
		}
	}

private:
	Result<> answer(Question kind, Bytes &question)
	{
		switch (kind) {
		case Question::ring:
			return ring();
		case Question::identity:
			return number(kernel::identity_of(where_));
		case Question::generation: {
			const auto generation = kernel::read_generation(where_);
			return generation ? number(*generation) : error(generation.error());
		}
		case Question::image: {
			const auto image = kernel::read_image(where_);
			return image ? file({reinterpret_cast<const char *>(image->lines.data()),
					     image->lines.size() * sizeof(weir_line)})
				     : error(image.error());
		}
		case Question::merges:
			return merges(question.take<bool>());
		case Question::flags: {
			const auto flags = kernel::read_flags(where_);
			return flags ? number(*flags) : error(flags.error());
		}
		case Question::lease: {
			const auto lease = kernel::read_lease(where_);
			if (!lease)
				return error(lease.error());
			Bytes bytes;
			bytes.put(*lease);
			return good(bytes.all);
		}
		case Question::new_lease: {
			const auto done = kernel::write_lease(where_, question.take<weir_lease>());
			return done ? good("") : error(done.error());
		}
		case Question::process: {
			const auto pid = question.take<std::uint32_t>();
			const auto process = sight_.process(pid, question.take<std::uint64_t>());
			Bytes bytes;
			bytes.put(process.known);
			bytes.put(process.same_netns);
			bytes.put(process.started);
			return good(bytes.all + process.executable);
		}
		case Question::cgroup:
			return good(sight_.cgroup(question.take<std::uint64_t>()));
		case Question::metrics:
			break;
		}
		return fail("no such question"); // the other end is not what it was: nothing more is said to it
	}
	Result<> good(std::string_view bytes, std::span<const int> files = {})
	{
		return send_message(socket_, std::string(1, '\0').append(bytes), files);
	}
	Result<> error(const Error &error)
	{
		return send_message(socket_, std::string(1, static_cast<char>(error.code)) + error.message);
	}
	Result<> number(std::uint64_t value)
	{
		Bytes bytes;
		bytes.put(value);
		return good(bytes.all);
	}
	Result<> file(std::string_view bytes)
	{
		const auto memory = memory_file(bytes);
		if (!memory)
			return error(memory.error());
		const int files[] = {memory->get()};
		return good("", files);
	}
	Result<> ring()
	{
		const auto ring = kernel::open_ring(where_);
		if (!ring)
			return error(ring.error());
		const int files[] = {ring->lock.get(), ring->events.get(), ring->counters.get()};
		return good("", files);
	}
	Result<> merges(bool admitted)
	{
		const auto merges = kernel::take_merges(where_, admitted);
		if (!merges)
			return error(merges.error());
		Bytes bytes;
		bytes.all.reserve(merges->size() * (sizeof(weir_merge_key) + sizeof(weir_merge)));
		for (const auto &[key, merge] : *merges) {
			bytes.put(key);
			bytes.put(merge);
		}
		return bytes.all.empty() ? good("") : file(bytes.all);
	}
	void metrics(std::string_view own)
	{
		const auto done = metrics_.empty() ? Result<>() : write_file(where_, metrics_, own);
		if (done)
			complaint_.settle();
		else if (complaint_.is_due())
			say(done.error().message);
	}

	kernel::Where where_;
	std::string metrics_;
	int socket_;
	audit::Sight sight_ = audit::own_sight();
	Complaint complaint_;
};

} // namespace

struct Broker::Answer {
	std::string bytes;
	std::vector<Fd> files;
};

Result<Broker> Broker::start(kernel::Where where, std::string metrics)
{
	auto socket =
		start_child("weir-broker", SOCK_SEQPACKET, [&](int other) { Desk(where, metrics, other).serve(); });
	if (!socket)
		return std::unexpected(std::move(socket).error());
	Broker broker(std::move(where), std::move(metrics));
	broker.socket_ = std::move(*socket);
	return broker;
}

Broker::~Broker() = default;

Result<Broker::Answer> Broker::ask(std::string question)
{
	constexpr const char *ended = "the process of weir run that asks the kernel has ended";
	if (gone_)
		return fail(ended);
	auto sent = send_message(socket_.get(), question);
	auto message = sent ? receive_message(socket_.get()) : std::unexpected(std::move(sent).error());
	if (!message || !*message || (*message)->bytes.empty()) {
		gone_ = true;
		return fail(ended);
	}
	auto &[bytes, files] = **message;
	const auto code = static_cast<Exit>(bytes[0]);
	bytes.erase(0, 1);
	if (code != Exit::ok)
		return fail(code, std::move(bytes));
	return Answer{std::move(bytes), std::move(files)};
}

Result<kernel::Ring> Broker::open_ring()
{
	if (!socket_) {
		auto files = kernel::open_ring(where_);
		return files ? kernel::Ring::of(std::move(*files)) : std::unexpected(std::move(files).error());
	}
	auto answer = ask(question(Question::ring));
	if (!answer)
		return std::unexpected(std::move(answer).error());
	if (answer->files.size() != 3)
		return fail("the ring buffer's files did not come");
	auto &files = answer->files;
	return kernel::Ring::of({std::move(files[0]), std::move(files[1]), std::move(files[2])});
}

std::uint64_t Broker::identity()
{
	if (!socket_)
		return kernel::identity_of(where_);
	const auto answer = ask(question(Question::identity));
	return answer ? Bytes(answer->bytes).take<std::uint64_t>() : 0;
}

Result<std::uint32_t> Broker::read_generation()
{
	if (!socket_)
		return kernel::read_generation(where_);
	const auto answer = ask(question(Question::generation));
	if (!answer)
		return std::unexpected(answer.error());
	return static_cast<std::uint32_t>(Bytes(answer->bytes).take<std::uint64_t>());
}

Result<Image> Broker::read_image()
{
	if (!socket_)
		return kernel::read_image(where_);
	const auto answer = ask(question(Question::image));
	if (!answer)
		return std::unexpected(answer.error());
	const auto bytes = answer->files.empty() ? fail("the policy did not come") : content_of(answer->files[0]);
	if (!bytes)
		return std::unexpected(bytes.error());
	Image image;
	image.lines.resize(bytes->size() / sizeof(weir_line));
	std::memcpy(image.lines.data(), bytes->data(), image.lines.size() * sizeof(weir_line));
	if (image.lines.size() < 2)
		return fail("the policy did not come whole");
	return image;
}

Result<Broker::Merges> Broker::take_merges(bool admitted)
{
	if (!socket_)
		return kernel::take_merges(where_, admitted);
	Bytes bytes;
	bytes.put(Question::merges);
	bytes.put(admitted);
	const auto answer = ask(bytes.all);
	if (!answer)
		return std::unexpected(answer.error());
	Merges merges;
	if (answer->files.empty())
		return merges;
	const auto content = content_of(answer->files[0]);
	if (!content)
		return std::unexpected(content.error());
	Bytes entries(*content);
	while (!entries.rest().empty()) {
		const auto key = entries.take<weir_merge_key>();
		merges.emplace_back(key, entries.take<weir_merge>());
	}
	return merges;
}

Result<std::uint32_t> Broker::read_flags()
{
	if (!socket_)
		return kernel::read_flags(where_);
	const auto answer = ask(question(Question::flags));
	if (!answer)
		return std::unexpected(answer.error());
	return static_cast<std::uint32_t>(Bytes(answer->bytes).take<std::uint64_t>());
}

Result<weir_lease> Broker::read_lease()
{
	if (!socket_)
		return kernel::read_lease(where_);
	const auto answer = ask(question(Question::lease));
	if (!answer)
		return std::unexpected(answer.error());
	return Bytes(answer->bytes).take<weir_lease>();
}

Result<> Broker::write_lease(const weir_lease &lease)
{
	if (!socket_)
		return kernel::write_lease(where_, lease);
	Bytes bytes;
	bytes.put(Question::new_lease);
	bytes.put(lease);
	const auto answer = ask(std::move(bytes.all));
	return answer ? Result<>() : std::unexpected(answer.error());
}

Result<> Broker::write_metrics(std::string_view own)
{
	if (!socket_)
		return write_file(where_, metrics_, own);
	if (gone_)
		return {};
	return send_message(socket_.get(), question(Question::metrics).append(own));
}

audit::Sight Broker::sight()
{
	if (!socket_)
		return audit::own_sight();
	const auto process = [this](std::uint32_t pid, std::uint64_t event_time) {
		Bytes bytes;
		bytes.put(Question::process);
		bytes.put(pid);
		bytes.put(event_time);
		audit::Process seen;
		const auto answer = ask(std::move(bytes.all));
		if (!answer)
			return seen;
		Bytes got(answer->bytes);
		seen.known = got.take<bool>();
		seen.same_netns = got.take<bool>();
		seen.started = got.take<std::uint64_t>();
		seen.executable = got.rest();
		return seen;
	};
	const auto cgroup = [this](std::uint64_t id) {
		Bytes bytes;
		bytes.put(Question::cgroup);
		bytes.put(id);
		const auto answer = ask(std::move(bytes.all));
		return answer ? answer->bytes : std::string();
	};
	return {.process = process, .cgroup = cgroup};
}

} // namespace weir::daemon
