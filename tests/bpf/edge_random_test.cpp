// SPDX-License-Identifier: Apache-2.0
// The edge gate against the model: random policies, random conversations, packet by packet, XDP and tc alike.
#include "tests/bpf/edge_model.h"
#include "tests/bpf/edge_test.h"
#include "tests/unit/compile/random_policy.h"

#include <chrono>
#include <cstring>

namespace weir::test {
namespace {

using Kind = EdgeModel::Kind;
using Echo = EdgeModel::Echo;

bool is_icmp(std::uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/// Whose packets come by turns: one peer, one service, in either role.
struct Conversation {
	std::uint8_t protocol = 0;
	Address here, there;
	std::uint16_t service = 0, other = 0;
	bool we_open = true;
	std::uint16_t type = 0; ///< of an ICMP message that is no echo
};

weir_edge_key key_of(const EdgeModel::Flow &flow)
{
	weir_edge_key key{};
	std::memcpy(key.local, flow.local.bytes.data(), 16);
	std::memcpy(key.remote, flow.remote.bytes.data(), 16);
	key.local_port = flow.local_port;
	key.remote_port = flow.remote_port;
	key.protocol = flow.protocol;
	key.zone = WEIR_ZONE_NETWORK;
	if (is_icmp(flow.protocol))
		key.asks = flow.we_ask ? WEIR_ROLE_OPENER : WEIR_ROLE_ACCEPTER;
	return key;
}

class Talk {
public:
	explicit Talk(unsigned seed) : maker_(seed) {}

	BoundPolicy policy()
	{
		auto policy = maker_.policy(20);
		policy.scopes = {{"", {"host"}, false}};
		policy.edge.present = true;
		for (auto &row : policy.rows) {
			row.scope = 0;
			row.zones = row.zones & zone_network ? zone_network : zone_tunnel;
			row.kernel_only &= row.row.port.protocol == IPPROTO_ICMPV6 && row.row.port.first != 128;
			if (maker_.one_in(3))
				row.deadline = maker_.one_in(4) ? EdgeModel::long_ago : EdgeModel::far_ahead;
			row.row.needs_journal = maker_.one_in(4);
		}
		return policy;
	}
	/// The next moment: the same policy, some rows of which have ended meanwhile; false: none has.
	bool end_some(BoundPolicy &policy)
	{
		bool any = false;
		for (auto &row : policy.rows)
			if (row.deadline == EdgeModel::far_ahead && maker_.one_in(2)) {
				row.deadline = EdgeModel::long_ago;
				any = true;
			}
		return any;
	}

	Conversation conversation(const BoundPolicy &policy)
	{
		Question q = maker_.question(policy);
		while (!q.remote.is_v4() && !refused_form(q.remote).empty()) // tests of form look after those
			q = maker_.question(policy);
		const bool v4 = q.remote.is_v4();
		if (is_icmp(q.protocol))
			q.protocol = v4 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6};
		Conversation c;
		c.protocol = q.protocol;
		c.there = q.remote;
		c.here = *Address::parse(v4 ? "198.51.100.7" : "2001:db8:ffff::7");
		c.service = q.port;
		c.other = static_cast<std::uint16_t>(maker_.one_in(6) ? q.port : 40000 + maker_.below(3));
		c.we_open = (q.dir == Direction::out) != maker_.one_in(5);
		c.type = q.port & 255;
		return c;
	}

	EdgeModel::Packet packet(const Conversation &c)
	{
		EdgeModel::Packet p;
		p.dir = maker_.one_in(2) ? Direction::out : Direction::in;
		p.flow = {c.here, c.there, c.protocol, 0, 0, false};
		const bool from_opener = (p.dir == Direction::out) == c.we_open;
		p.id = maker_.below(3);
		p.own_limit = maker_.one_in(4);
		p.data = maker_.one_in(2);
		if (has_ports(c.protocol)) {
			p.flow.local_port = c.we_open ? c.other : c.service;
			p.flow.remote_port = c.we_open ? c.service : c.other;
		}
		if (c.protocol == IPPROTO_TCP) {
			static constexpr std::uint8_t sane[] = {2, 0x12, 0x10, 0x10, 0x10, 0x11, 4, 0x14};
			p.flags = maker_.one_in(3) ? std::uint8_t(from_opener ? 2 : 0x12) : sane[maker_.below(8)];
		}
		if (is_icmp(c.protocol))
			make_icmp(p, c, from_opener);
		else if (maker_.one_in(12))
			p.kind = Kind::error;
		else if (maker_.one_in(12))
			p.kind = Kind::first_part;
		if (maker_.one_in(12))
			p.kind = Kind::later_part;
		p.end = 64;
		p.part_at = 8 * (1 + maker_.below(15));
		if (p.kind == Kind::first_part)
			p.data = true;
		return p;
	}

	Bytes frame(const EdgeModel::Packet &p)
	{
		const Flow &f = p.flow;
		const bool out = p.dir == Direction::out;
		const Path path{(out ? f.local : f.remote).text(), (out ? f.remote : f.local).text()};
		const bool v6 = path.is_v6();
		Bytes packet;
		if (p.kind == Kind::later_part) {
			packet = part(path, f.protocol, p.id, p.part_at / 8, true, Bytes(16));
		} else if (p.kind == Kind::error) { // about what goes the other way
			const Path back{path.destination, path.source};
			EdgeModel::Packet about = p;
			about.dir = out ? Direction::in : Direction::out;
			const auto quoted = ip(back, f.protocol, upper(back, about));
			packet = ip(path, icmp_of(path), icmp_unreachable(path, quoted));
		} else if (p.kind == Kind::first_part) {
			auto payload = upper(path, p);
			payload.resize(p.end);
			packet = part(path, f.protocol, p.id, 0, true, payload);
		} else {
			packet = ip(path, f.protocol, upper(path, p));
		}
		const bool listener =
			(p.message && ((f.remote_port >= 130 && f.remote_port <= 132) || f.remote_port == 143));
		if (p.own_limit)
			packet[v6 ? 7 : 8] = listener ? 1 : 255;
		return ethernet(packet);
	}

	Maker &maker() { return maker_; }

private:
	using Flow = EdgeModel::Flow;

	static bool has_ports(std::uint8_t protocol)
	{
		return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
	}

	void make_icmp(EdgeModel::Packet &p, const Conversation &c, bool from_opener)
	{
		const bool v6 = c.protocol == IPPROTO_ICMPV6;
		const std::uint16_t request = v6 ? 128 : 8, reply = v6 ? 129 : 0;
		const bool an_error = v6 ? c.type < 128 : c.type == 3 || c.type == 4 || c.type == 11 || c.type == 12;
		if (c.type != request && c.type != reply && !an_error && !maker_.one_in(3)) {
			p.message = true;
			p.flow.local_port = p.flow.remote_port = c.type;
			return;
		}
		const auto id = maker_.one_in(5) ? request : c.other;
		p.echo = from_opener ? Echo::request : Echo::reply;
		p.flow.we_ask = c.we_open;
		p.flow.local_port = c.we_open ? id : request;
		p.flow.remote_port = c.we_open ? request : id;
		if (from_opener && maker_.one_in(8)) { // an error about the question goes the other way
			p.kind = Kind::error;
			p.dir = p.dir == Direction::out ? Direction::in : Direction::out;
		}
	}

	static Bytes upper(const Path &path, const EdgeModel::Packet &p)
	{
		const bool out = p.dir == Direction::out;
		const Flow &f = p.flow;
		const auto from = out ? f.local_port : f.remote_port, to = out ? f.remote_port : f.local_port;
		switch (f.protocol) {
		case IPPROTO_TCP:
			return tcp_segment(path, from, to, p.flags, Bytes(p.data ? 20 : 0));
		case IPPROTO_UDP:
			return udp_datagram(path, from, to, Bytes(4));
		case IPPROTO_SCTP:
			return Bytes{static_cast<std::uint8_t>(from >> 8), static_cast<std::uint8_t>(from),
				     static_cast<std::uint8_t>(to >> 8), static_cast<std::uint8_t>(to)} +
			       Bytes(8);
		case IPPROTO_ICMP:
		case IPPROTO_ICMPV6: {
			auto message = icmp_echo(path, f.we_ask ? f.local_port : f.remote_port, p.echo == Echo::reply);
			if (p.message)
				message[0] = static_cast<std::uint8_t>(f.remote_port);
			return message;
		}
		default:
			return Bytes(16);
		}
	}

	static Bytes part(const Path &path, std::uint8_t protocol, std::uint32_t id, unsigned units, bool more,
			  const Bytes &payload)
	{
		if (path.is_v6()) {
			auto header = fragment_header(protocol, static_cast<std::uint16_t>(units), more);
			header[7] = static_cast<std::uint8_t>(id);
			return ipv6(path, IPPROTO_FRAGMENT, header + payload);
		}
		auto packet = ipv4(
			path,
			{.protocol = protocol, .fragment = static_cast<std::uint16_t>(units | (more ? 0x2000U : 0U))},
			payload);
		packet[5] = static_cast<std::uint8_t>(id);
		return packet;
	}

	Maker maker_;
};

class EdgeAgainstModel : public ::testing::TestWithParam<unsigned> {
protected:
	using Table = EdgeGate::Table;

	/// Of both gates and the model: a flow that has been silent for a while. Ages are far from where lifetimes end.
	void age_something(Talk &talk)
	{
		const bool ours = talk.maker().one_in(2);
		auto &table = ours ? model_.opened : model_.accepted;
		if (table.empty())
			return;
		auto entry = std::next(table.begin(), talk.maker().below(static_cast<unsigned>(table.size())));
		static constexpr unsigned ages[] = {20, 45, 150, 1000, 90000};
		const auto age = ages[talk.maker().below(5)];
		const std::chrono::seconds since_boot(age);
		if (std::chrono::steady_clock::now().time_since_epoch() < since_boot)
			return; // no flow is older than the kernel
		entry->second.age = age;
		for (auto *gate : {&xdp_, &tc_})
			ASSERT_TRUE(gate->age(ours ? Table::opened : Table::accepted, key_of(entry->first),
					      entry->second.age));
	}

	void write_journal(bool written)
	{
		model_.journal = written;
		xdp_.write_journal(written), tc_.write_journal(written);
	}
	void expect_same_tables()
	{
		for (auto *gate : {&xdp_, &tc_})
			for (const auto table : {Table::opened, Table::accepted}) {
				const auto &meant = table == Table::opened ? model_.opened : model_.accepted;
				const auto there = gate->flows(table);
				ASSERT_EQ(there.size(), meant.size());
				std::vector<std::string> keys, said;
				for (const auto &[key, flow] : there)
					said.emplace_back(reinterpret_cast<const char *>(&key), sizeof(key));
				for (const auto &[flow, entry] : meant) {
					const auto key = key_of(flow);
					keys.emplace_back(reinterpret_cast<const char *>(&key), sizeof(key));
				}
				std::ranges::sort(keys);
				std::ranges::sort(said);
				ASSERT_EQ(keys, said);
			}
	}

	EdgeModel model_;
	EdgeGate xdp_{{}}, tc_{{}};
};

TEST_P(EdgeAgainstModel, SaysTheSameOfEveryPacket)
{
	Talk talk(GetParam());
	unsigned generation = 0, admitted = 0, by_window = 0, refused = 0, answers = 0, ended = 0, closed = 0;
	unsigned unwritten = 0;
	write_journal(true);
	for (int round = 0; round < many(60, 6); ++round) {
		model_.forget(), xdp_.forget(), tc_.forget();
		BoundPolicy policy = talk.policy();
		std::vector<Conversation> conversations;
		for (int i = 0; i < 12; ++i)
			conversations.push_back(talk.conversation(policy));
		for (int phase = 0; phase < 4; ++phase) { // the next generations have fewer rows
			// What was admitted for good stays so: it is of this generation.
			const bool later = phase != 0 && talk.maker().one_in(2) && talk.end_some(policy);
			ended += later ? 1 : 0;
			if (phase != 0 && !later && policy.rows.size() > 1 && talk.maker().one_in(2))
				policy.rows.erase(policy.rows.begin() +
						  talk.maker().below(static_cast<unsigned>(policy.rows.size())));
			generation += later ? 0 : 1;
			auto image = compile(policy, {.generation = generation});
			while (!image) { // a row that can never match
				policy.rows.pop_back();
				image = compile(policy, {.generation = generation});
			}
			model_.publish(policy, generation), xdp_.publish(*image), tc_.publish(*image);
			for (int i = 0; i < 120; ++i) {
				if (talk.maker().one_in(10))
					age_something(talk);
				if (talk.maker().one_in(30))
					write_journal(!model_.journal);
				const auto p = talk.packet(conversations[talk.maker().below(12)]);
				const auto frame = talk.frame(p);
				const bool out = p.dir == Direction::out;
				const auto meant = model_.judge(p);
				const std::string said = text_of(frame) + " " + std::to_string(meant) + " round " +
							 std::to_string(round) + (out ? " out" : " in");
				for (auto *gate : {&xdp_, &tc_}) {
					const auto hook = out ? Hook::tc_out : gate == &xdp_ ? Hook::xdp : Hook::tc_in;
					const auto before = gate->counter(p.dir, meant).refused;
					ASSERT_EQ(gate->run(hook, frame), meant == WEIR_REASON_NONE)
						<< text_of(hook) << " " << said;
					if (meant != WEIR_REASON_NONE) {
						ASSERT_EQ(gate->counter(p.dir, meant).refused, before + 1)
							<< text_of(hook) << " " << said;
					}
				}
				const auto row = meant == WEIR_REASON_NONE ? model_.window() : std::nullopt;
				by_window += row ? 1 : 0;
				for (auto *gate : {&xdp_, &tc_}) {
					const auto counted = gate->take_admitted();
					ASSERT_EQ(counted.size(), row ? 1U : 0U) << said;
					if (row) {
						ASSERT_EQ(counted[0].second.row, *row) << said;
						ASSERT_EQ(counted[0].second.count, 1U) << said;
						ASSERT_EQ(counted[0].first.generation, generation) << said;
					}
				}
				(meant == WEIR_REASON_NONE ? admitted : refused) += 1;
				closed += meant == WEIR_REASON_CLOSED ? 1 : 0;
				unwritten += meant == WEIR_REASON_JOURNAL ? 1 : 0;
				answers += meant == WEIR_REASON_NONE && !out ? 1 : 0;
			}
			expect_same_tables();
		}
	}
	EXPECT_GT(admitted, static_cast<unsigned>(many(2000, 100)));
	EXPECT_GT(refused, static_cast<unsigned>(many(2000, 100)));
	EXPECT_GT(answers, static_cast<unsigned>(many(800, 30)));
	EXPECT_GT(by_window, static_cast<unsigned>(many(200, 0)));
	EXPECT_GT(ended, static_cast<unsigned>(many(15, 0)));
	EXPECT_GE(closed, static_cast<unsigned>(many(200, 0)));
	EXPECT_GE(unwritten, static_cast<unsigned>(many(200, 0)));
	for (auto *gate : {&xdp_, &tc_}) {
		const auto sum = gate->counters();
		EXPECT_EQ(sum.refused, refused);
		EXPECT_EQ(sum.observed, by_window);
		EXPECT_EQ(sum.reported + sum.merged + sum.summed + sum.lost, refused + by_window);
	}
}

INSTANTIATE_TEST_SUITE_P(Seeds, EdgeAgainstModel, ::testing::Range(1U, 5U));

} // namespace
} // namespace weir::test
