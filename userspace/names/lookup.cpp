// SPDX-License-Identifier: Apache-2.0
#include "names/lookup.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <ares.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <utility>

namespace weir::names {
namespace {

constexpr std::int64_t ms = 1'000'000;

std::int64_t now_ns()
{
	timespec time{};
	::clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

/// What came of one question (host, family) to one resolver.
struct Reply {
	std::optional<Problem> problem; ///< none: there are addresses
	std::string text;               ///< of a problem, for people
	std::vector<Address> addresses;
	std::uint32_t ttl = std::numeric_limits<std::uint32_t>::max();
};

Reply trouble(Problem problem, std::string text)
{
	return {problem, std::move(text), {}};
}

void add(Reply &reply, const Address &address, int ttl)
{
	reply.addresses.push_back(address);
	// RFC 2181 section 8: what would be negative is zero.
	reply.ttl = std::min(reply.ttl, static_cast<std::uint32_t>(std::max(ttl, 0)));
}

/// The addresses of one family, with the shortest lifetime of the chain of aliases in each.
int read_addresses(Reply &reply, int family, const unsigned char *bytes, int size)
{
	constexpr int room = static_cast<int>(most_addresses) + 1;
	int count = room;
	if (family == AF_INET) {
		std::array<ares_addrttl, room> found{};
		const int status = ares_parse_a_reply(bytes, size, nullptr, found.data(), &count);
		for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
			const auto &each = found.at(static_cast<std::size_t>(i));
			add(reply, Address::v4(ntohl(each.ipaddr.s_addr)), each.ttl);
		}
		return status;
	}
	std::array<ares_addr6ttl, room> found{};
	const int status = ares_parse_aaaa_reply(bytes, size, nullptr, found.data(), &count);
	for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
		const auto &each = found.at(static_cast<std::size_t>(i));
		Address address;
		std::memcpy(address.bytes.data(), &each.ip6addr, address.bytes.size());
		add(reply, address, each.ttl);
	}
	return status;
}

Reply reply_of(int family, const unsigned char *bytes, int size)
{
	constexpr int flags = 3; // RFC 1035 section 4.1.1: where RCODE is
	if (size > flags && (bytes[flags] & 0xf) != 0) // c-ares knows those up to 5
		return trouble(Problem::server_failed, fmt::format("answers with code {}", bytes[flags] & 0xf));
	Reply reply;
	const int status = read_addresses(reply, family, bytes, size);
	if (status == ARES_ENODATA || (status == ARES_SUCCESS && reply.addresses.empty()))
		return trouble(Problem::no_address, "has no address for it");
	if (status != ARES_SUCCESS)
		return trouble(Problem::nonsense, "its answer can't be read");
	if (reply.addresses.size() > most_addresses)
		return trouble(Problem::too_many, fmt::format("gives more than {} addresses", most_addresses));
	return reply;
}

/// RFC 1035 section 4.1.1, QR: what merely echoes has answered nothing. c-ares doesn't look.
bool is_question(const unsigned char *bytes, int size)
{
	return bytes != nullptr && size > 2 && (bytes[2] & 0x80) == 0;
}

Reply reply_of(int family, int status, const unsigned char *bytes, int size)
{
	if (is_question(bytes, size))
		return trouble(Problem::nonsense, "sends the question back: that is no resolver");
	switch (status) {
	case ARES_SUCCESS:
		return reply_of(family, bytes, size);
	case ARES_ENODATA:
		return trouble(Problem::no_address, "has no address for it");
	case ARES_ENOTFOUND:
		return trouble(Problem::no_such_name, "says that there is no such name (NXDOMAIN)");
	case ARES_ESERVFAIL:
		return trouble(Problem::server_failed, "could not find out (SERVFAIL)");
	case ARES_EFORMERR:
	case ARES_ENOTIMP:
		return trouble(Problem::server_failed, "does not understand the question (FORMERR or NOTIMP)");
	case ARES_EREFUSED:
		return trouble(Problem::server_refused, "refuses to answer (REFUSED)");
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED:
		return trouble(Problem::no_answer, "gave no answer in time, or none that fits the question");
	case ARES_ECONNREFUSED:
		return trouble(Problem::unreachable, "can't be reached");
	case ARES_EBADRESP:
		return trouble(Problem::nonsense, "its answer can't be read");
	case ARES_EBADNAME:
		return trouble(Problem::no_such_name, "was not asked: that is no name of a host");
	default:
		return trouble(Problem::machine, ares_strerror(status));
	}
}

/// Another resolver may know better. Of a name that isn't there, all of them say the same.
bool is_final(const Reply &reply)
{
	return !reply.problem || *reply.problem == Problem::no_such_name || *reply.problem == Problem::no_address ||
	       *reply.problem == Problem::too_many || *reply.problem == Problem::machine;
}

std::string what_to_do(Problem problem)
{
	switch (problem) {
	case Problem::no_such_name:
	case Problem::no_address:
		return "\n  correct the name in [names], or have it entered in the DNS";
	case Problem::no_answer:
	case Problem::unreachable:
		return "\n  is the resolver up, and does the policy in force let this host ask it? Where there is an "
		       "edge, that\n  takes the host services dns-udp and dns-tcp: bind dns-servers in [names]";
	case Problem::server_failed:
	case Problem::server_refused:
	case Problem::nonsense:
		return "\n  see to the resolver, or name another one: resolvers = [\"ADDRESS\"]";
	case Problem::too_many:
		return "\n  give the addresses themselves, or a prefix, in [names]";
	case Problem::machine:
		break;
	}
	return "";
}

} // namespace

Query query_of(const HostName &host, std::vector<Resolver> resolvers)
{
	const auto wants = [&](bool v4) {
		return std::ranges::any_of(host.within, [v4](const Prefix &prefix) { return prefix.is_v4() == v4; });
	};
	return {.host = host.host, .v4 = wants(true), .v6 = wants(false), .resolvers = std::move(resolvers)};
}

const char *name_of(Problem problem)
{
	constexpr std::array<const char *, 9> names{"no_such_name",   "no_address", "server_failed",
						    "server_refused", "no_answer",  "unreachable",
						    "nonsense",       "too_many",   "machine"};
	return names.at(static_cast<std::size_t>(problem));
}

Error as_error(const Failure &failure, const std::string &host)
{
	const bool is_policy = failure.problem == Problem::no_such_name || failure.problem == Problem::no_address ||
			       failure.problem == Problem::too_many;
	return {is_policy ? Exit::policy : Exit::failure,
		fmt::format("the addresses of {} can't be found out: {}", host, failure.text)};
}

class Lookup::Impl {
public:
	explicit Impl(Query query)
		: query_(std::move(query)), epoll_(::epoll_create1(EPOLL_CLOEXEC)),
		  end_(now_ns() + query_.timeout_ms * ms)
	{
		static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
		if (!epoll_ || ready != ARES_SUCCESS)
			outcome_ = std::unexpected(Failure{Problem::machine, "this machine has no means left to ask"});
		else
			ask();
	}
	Impl(const Impl &) = delete;
	Impl &operator=(const Impl &) = delete;
	~Impl() { ares_destroy(channel_); }

	[[nodiscard]] int fd() const { return epoll_.get(); }
	[[nodiscard]] std::int64_t deadline() const
	{
		timeval most{1, 0};
		const timeval *const next = channel_ == nullptr ? nullptr : ares_timeout(channel_, &most, &most);
		const auto wanted = next == nullptr ? 0 : next->tv_sec * 1000 * ms + next->tv_usec * 1000;
		return std::min(until_, now_ns() + wanted);
	}
	std::optional<Outcome> step();

private:
	struct Question {
		Impl *lookup;
		int family;
		std::optional<Reply> reply;
	};

	static void on_reply(void *argument, int status, int, unsigned char *bytes, int size)
	{
		auto &question = *static_cast<Question *>(argument);
		question.reply = reply_of(question.family, status, bytes, size);
	}
	static void on_socket(void *argument, ares_socket_t socket, int readable, int writable);

	[[nodiscard]] bool is_waiting() const
	{
		return std::ranges::any_of(questions_, [](const auto &each) { return !each->reply; });
	}
	void ask();
	bool open(const Resolver &);
	void conclude();
	void fail(Problem, const std::string &text);

	Query query_;
	Fd epoll_;
	std::int64_t end_;         ///< of all, monotonic
	std::int64_t until_ = 0;   ///< of this resolver
	std::size_t resolver_ = 0; ///< index of the one that is asked
	ares_channel channel_ = nullptr;
	std::vector<std::unique_ptr<Question>> questions_; ///< to this resolver
	std::string said_;                ///< by those before
	std::optional<Problem> problem_; ///< of the first of them
	std::optional<Outcome> outcome_;
};

void Lookup::Impl::on_socket(void *argument, ares_socket_t socket, int readable, int writable)
{
	const int epoll = static_cast<Impl *>(argument)->epoll_.get();
	epoll_event wanted{};
	wanted.events = (readable != 0 ? EPOLLIN : 0u) | (writable != 0 ? EPOLLOUT : 0u);
	wanted.data.fd = socket;
	if (readable == 0 && writable == 0)
		::epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
	else if (::epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &wanted) != 0)
		::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &wanted);
}

/// A channel of its own for each resolver: who says what can be told apart, and each question has a new port.
bool Lookup::Impl::open(const Resolver &resolver)
{
	ares_destroy(std::exchange(channel_, nullptr));
	const auto left = std::max<std::int64_t>(end_ - now_ns(), 0);
	const auto share = left / static_cast<std::int64_t>(query_.resolvers.size() - resolver_);
	until_ = now_ns() + share;

	std::string no_file = "/dev/null";
	std::string by_dns = "b";
	ares_options options{};
	options.flags = ARES_FLAG_NOCHECKRESP; // what it answers is told; the next resolver is asked by ask()
	options.tries = 2;
	options.timeout = static_cast<int>(std::max<std::int64_t>(share / ms / 3, 1)); // the second waits twice as long
	options.lookups = by_dns.data();
	options.resolvconf_path = no_file.data();
	options.sock_state_cb = on_socket;
	options.sock_state_cb_data = this;
	constexpr int mask = ARES_OPT_FLAGS | ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS | ARES_OPT_LOOKUPS |
			     ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
	if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS)
		return false;
	ares_addr_port_node server{};
	server.family = resolver.address.is_v4() ? AF_INET : AF_INET6;
	if (resolver.address.is_v4())
		std::memcpy(&server.addr.addr4, resolver.address.bytes.data() + 12, 4);
	else
		std::memcpy(&server.addr.addr6, resolver.address.bytes.data(), 16);
	server.udp_port = server.tcp_port = resolver.port;
	return ares_set_servers_ports(channel_, &server) == ARES_SUCCESS;
}

void Lookup::Impl::ask()
{
	if (resolver_ == query_.resolvers.size()) {
		fail(problem_.value_or(Problem::machine), said_.empty() ? "there is no resolver to ask" : said_);
		return;
	}
	if (!open(query_.resolvers[resolver_])) {
		fail(Problem::machine, "there is no memory to ask");
		return;
	}
	questions_.clear();
	if (query_.v4)
		questions_.push_back(std::make_unique<Question>(this, AF_INET, std::nullopt));
	if (query_.v6)
		questions_.push_back(std::make_unique<Question>(this, AF_INET6, std::nullopt));
	if (questions_.empty())
		fail(Problem::machine, "no family of addresses is wanted");
	for (const auto &question : questions_)
		ares_query(channel_, query_.host.c_str(), ns_c_in, question->family == AF_INET ? ns_t_a : ns_t_aaaa,
			   on_reply, question.get());
}

void Lookup::Impl::fail(Problem problem, const std::string &text)
{
	outcome_ = std::unexpected(Failure{problem, text + what_to_do(problem)});
}

/// All replies of a resolver are there. Half an answer is none: rows for one family only would be a guess.
void Lookup::Impl::conclude()
{
	const auto &resolver = query_.resolvers[resolver_];
	Answer answer{{}, std::numeric_limits<std::uint32_t>::max(), resolver};
	const Question *worst = nullptr;
	for (const auto &question : questions_) {
		const auto &reply = *question->reply;
		answer.addresses.insert(answer.addresses.end(), reply.addresses.begin(), reply.addresses.end());
		answer.ttl = std::min(answer.ttl, reply.ttl);
		const bool is_worse = reply.problem &&
				      (worst == nullptr || (is_final(*worst->reply) && !is_final(reply)));
		if (is_worse || (reply.problem == Problem::too_many))
			worst = question.get();
	}
	std::ranges::sort(answer.addresses);
	const auto same = std::ranges::unique(answer.addresses);
	answer.addresses.erase(same.begin(), same.end());
	const bool is_missing_only = worst == nullptr || worst->reply->problem == Problem::no_address ||
				     worst->reply->problem == Problem::no_such_name;
	if (is_missing_only && !answer.addresses.empty()) {
		if (answer.addresses.size() > most_addresses)
			fail(Problem::too_many,
			     fmt::format("{} gives more than {} addresses", resolver.text(), most_addresses));
		else
			outcome_ = std::move(answer);
		return;
	}
	const auto &reply = *worst->reply;
	said_ += fmt::format("{}{} {}", said_.empty() ? "" : "; ", resolver.text(), reply.text);
	if (!is_missing_only && questions_.size() > 1)
		said_ += worst->family == AF_INET ? " (IPv4)" : " (IPv6)";
	if (!problem_)
		problem_ = reply.problem;
	if (is_final(reply)) {
		fail(*reply.problem, said_);
		return;
	}
	resolver_++;
	ask();
}

std::optional<Outcome> Lookup::Impl::step()
{
	if (!outcome_) {
		std::array<epoll_event, 8> events{};
		const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
		for (int i = 0; i < ready; i++) {
			const auto &event = events.at(static_cast<std::size_t>(i));
			const bool readable = (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
			const bool writable = (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
			ares_process_fd(channel_, readable ? event.data.fd : ARES_SOCKET_BAD,
					writable ? event.data.fd : ARES_SOCKET_BAD);
		}
		ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD); // what takes too long
		if (is_waiting() && now_ns() >= until_)
			ares_cancel(channel_);
		// One after the other may say at once that it can't be reached.
		while (!outcome_ && !is_waiting())
			conclude();
	}
	return outcome_;
}

Lookup::Lookup(Query query) : impl_(std::make_unique<Impl>(std::move(query))) {}
Lookup::Lookup(Lookup &&) noexcept = default;
Lookup &Lookup::operator=(Lookup &&) noexcept = default;
Lookup::~Lookup() = default;

int Lookup::fd() const
{
	return impl_->fd();
}

std::int64_t Lookup::deadline() const
{
	return impl_->deadline();
}

std::optional<Outcome> Lookup::step()
{
	return impl_->step();
}

std::vector<Outcome> resolve(const std::vector<Query> &queries)
{
	std::vector<Lookup> lookups(queries.begin(), queries.end());
	for (;;) {
		std::vector<Outcome> outcomes;
		std::vector<pollfd> watched;
		auto deadline = std::numeric_limits<std::int64_t>::max();
		for (auto &lookup : lookups) {
			if (auto outcome = lookup.step()) {
				outcomes.push_back(std::move(*outcome));
				continue;
			}
			watched.push_back({lookup.fd(), POLLIN, 0});
			deadline = std::min(deadline, lookup.deadline());
		}
		if (watched.empty())
			return outcomes;
		const auto left = std::max<std::int64_t>(deadline - now_ns(), 0);
		::poll(watched.data(), watched.size(), static_cast<int>((left + ms - 1) / ms));
	}
}

Outcome resolve(const Query &query)
{
	return resolve(std::vector{query}).front();
}

} // namespace weir::names
