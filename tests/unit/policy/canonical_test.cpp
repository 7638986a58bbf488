// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"
#include "policy/render.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace weir::policy {
namespace {

class RandomPolicy {
public:
	explicit RandomPolicy(std::uint64_t seed) : random_(seed) {}

	BoundPolicy policy()
	{
		BoundPolicy out;
		out.scenario = text();
		out.title = text();
		for (std::size_t count = 1 + below(8); count > 0; count--)
			out.scopes.push_back({'/' + text(), texts(), below(2) == 0});
		if (out.scopes.size() < 8 && below(2) == 0) {
			out.edge = edge();
			out.scopes.push_back({"", texts(), false});
		}
		for (std::size_t count = below(20); count > 0; count--) {
			BoundRow bound;
			bound.row = row();
			bound.scope = static_cast<std::uint8_t>(below(out.scopes.size()));
			bound.zones = static_cast<std::uint8_t>(1 + below(7));
			bound.kernel_only = below(2) == 0;
			for (std::size_t peers = 1 + below(4); peers > 0; peers--)
				bound.peers.push_back(prefix());
			std::ranges::sort(bound.peers);
			out.rows.push_back(bound);
		}
		for (std::size_t count = below(4); count > 0; count--)
			out.off.push_back(row());
		return out;
	}

private:
	std::size_t below(std::size_t bound) { return random_() % bound; }
	std::string text()
	{
		const char *const pieces[] = {"a", "\"", "\\", "\n", "\x01", "\x1f", "\x7f",
					      "é", "日", "😀", "/",  " ",    "}"};
		std::string out;
		for (std::size_t count = below(10); count > 0; count--)
			out += pieces[below(std::size(pieces))];
		return out;
	}
	std::vector<std::string> texts()
	{
		std::vector<std::string> out;
		for (std::size_t count = below(3); count > 0; count--)
			out.push_back(text());
		return out;
	}
	Edge edge()
	{
		Edge out{true, texts(), texts(), below(2) == 0 ? "auto" : "xdp-generic", {}, 65536};
		for (std::size_t count = below(5); count > 0; count--)
			out.ethertypes.push_back(static_cast<std::uint16_t>(0xffff - count * (1 + below(2))));
		std::ranges::sort(out.ethertypes);
		out.ethertypes.erase(std::ranges::unique(out.ethertypes).begin(), out.ethertypes.end());
		out.flows = static_cast<std::uint32_t>(1024 + below(100000));
		return out;
	}
	Row row()
	{
		Row out;
		out.zone = below(4) == 0 ? "tunnel" : "";
		for (std::string *column :
		     {&out.id, &out.source, &out.destination, &out.service, &out.type, &out.comment})
			*column = text();
		out.dir = below(2) == 0 ? Direction::out : Direction::in;
		out.status = below(2) == 0 ? Status::mandatory : Status::optional;
		out.port = {static_cast<std::uint8_t>(below(256)), static_cast<std::uint16_t>(below(65536)),
			    static_cast<std::uint16_t>(below(65536))};
		return out;
	}
	Prefix prefix()
	{
		Prefix out;
		const bool v4 = below(2) == 0;
		out.length = static_cast<std::uint8_t>(v4 ? 96 + below(33) : below(129));
		out.address = v4 ? Address::v4(static_cast<std::uint32_t>(random_())) : Address{};
		if (!v4)
			for (auto &byte : out.address.bytes)
				byte = below(3) == 0 ? 0 : static_cast<std::uint8_t>(random_());
		for (unsigned bit = out.length; bit < 128; bit++)
			out.address.bytes[bit / 8] =
				static_cast<std::uint8_t>(out.address.bytes[bit / 8] & ~(0x80u >> bit % 8));
		return out;
	}

	std::mt19937_64 random_;
};

bool same(const Row &a, const Row &b)
{
	return a.id == b.id && a.dir == b.dir && a.source == b.source && a.destination == b.destination &&
	       a.port == b.port && a.service == b.service && a.type == b.type && a.status == b.status &&
	       a.comment == b.comment && a.zone == b.zone;
}

void expect_same(const BoundPolicy &a, const BoundPolicy &b)
{
	EXPECT_EQ(a.scenario, b.scenario);
	EXPECT_EQ(a.title, b.title);
	EXPECT_EQ(a.edge, b.edge);
	EXPECT_EQ(a.cgroups(), b.cgroups());
	ASSERT_EQ(a.scopes.size(), b.scopes.size());
	for (std::size_t index = 0; index < a.scopes.size(); index++) {
		EXPECT_EQ(a.scopes[index].cgroup, b.scopes[index].cgroup);
		EXPECT_EQ(a.scopes[index].components, b.scopes[index].components);
		EXPECT_EQ(a.scopes[index].open_loopback, b.scopes[index].open_loopback);
	}
	ASSERT_EQ(a.rows.size(), b.rows.size());
	for (std::size_t index = 0; index < a.rows.size(); index++) {
		EXPECT_TRUE(same(a.rows[index].row, b.rows[index].row));
		EXPECT_EQ(a.rows[index].scope, b.rows[index].scope);
		EXPECT_EQ(a.rows[index].zones, b.rows[index].zones);
		EXPECT_EQ(a.rows[index].kernel_only, b.rows[index].kernel_only);
		EXPECT_EQ(a.rows[index].peers, b.rows[index].peers);
	}
	ASSERT_EQ(a.off.size(), b.off.size());
	for (std::size_t index = 0; index < a.off.size(); index++)
		EXPECT_TRUE(same(a.off[index], b.off[index]));
}

TEST(Canonical, ThereAndBack)
{
	for (std::uint64_t seed = 0; seed < 500; seed++) {
		const BoundPolicy policy = RandomPolicy(seed).policy();
		const std::string text = canonical(policy);
		const auto back = from_canonical(text);
		ASSERT_TRUE(back) << seed << ": " << back.error().message << '\n' << text;
		expect_same(policy, *back);
		EXPECT_EQ(canonical(*back), text);
		EXPECT_FALSE(as_table(policy).empty());
		EXPECT_FALSE(as_markdown(policy).empty());
		EXPECT_FALSE(as_json(policy).empty());
	}
}

TEST(Canonical, ToTheLetter)
{
	BoundPolicy policy{"s", "T \"1\"", {{"/c", {"node"}, true}}, {}, {}};
	BoundRow row;
	row.row = {"a", Direction::out, "node",          "r", {6, 80, 81}, "x", "host", Status::mandatory, "é\n", "",
		   "",  true,           {"m.toml", 3, 1}};
	row.peers = {*Prefix::parse("192.0.2.0/24")};
	policy.rows = {row, row};
	EXPECT_EQ(
		canonical(policy),
		R"({"format":1,"scenario":"s","title":"T \"1\"","scopes":[{"cgroup":"/c","components":["node"],"open_loopback":true}],)"
		R"("peers":[["192.0.2.0/24"]],"rows":[)"
		R"({"id":"a","dir":"out","source":"node","destination":"r","protocol":6,"first":80,"last":81,"service":"x","type":"host","status":"mandatory","comment":"é\u000a","scope":0,"zones":2,"kernel_only":false,"peers":0},)"
		R"({"id":"a","dir":"out","source":"node","destination":"r","protocol":6,"first":80,"last":81,"service":"x","type":"host","status":"mandatory","comment":"é\u000a","scope":0,"zones":2,"kernel_only":false,"peers":0}],)"
		R"("off":[]})");
}

TEST(Canonical, TheEdgeToTheLetter)
{
	BoundPolicy policy{"s", "T", {{"/c", {"node"}, true}, {"", {"host", "node"}, false}}, {}, {}};
	policy.edge = {true, {"eth0"}, {"tun5"}, "tc", {0x88cc, 0x88f7}, 1024};
	BoundRow row;
	row.row = {"a", Direction::out, "node", "r", {6, 80, 80}, "x", "host", Status::mandatory, "", "tunnel"};
	row.scope = 1;
	row.zones = zone_tunnel;
	row.peers = {*Prefix::parse("192.0.2.0/24")};
	policy.rows = {row};
	EXPECT_EQ(
		canonical(policy),
		R"({"format":1,"scenario":"s","title":"T","scopes":[{"cgroup":"/c","components":["node"],"open_loopback":true},)"
		R"({"cgroup":"","components":["host","node"],"open_loopback":false}],"peers":[["192.0.2.0/24"]],"rows":[)"
		R"({"id":"a","dir":"out","source":"node","destination":"r","protocol":6,"first":80,"last":80,"service":"x","type":"host","status":"mandatory","comment":"","zone":"tunnel","scope":1,"zones":4,"kernel_only":false,"peers":0}],)"
		R"("off":[],"edge":{"ingress":"tc","interfaces":["eth0"],"tunnels":["tun5"],"ethertypes":[35020,35063],"flows":1024}})");
}

TEST(Canonical, AnEdgeThatNoSiteCanHave)
{
	const std::string good =
		R"({"format":1,"scenario":"s","title":"T","scopes":[{"cgroup":"/c","components":[],"open_loopback":true},)"
		R"({"cgroup":"","components":[],"open_loopback":false}],"peers":[],"rows":[],"off":[],)"
		R"("edge":{"ingress":"tc","interfaces":[],"tunnels":[],"ethertypes":[35020,35063],"flows":1024}})";
	ASSERT_TRUE(from_canonical(good)) << from_canonical(good).error().message;
	const auto bad = [&](std::string_view from, std::string_view to) {
		std::string text = good;
		EXPECT_FALSE(from_canonical(text.replace(text.find(from), from.size(), to))) << text;
	};
	bad("\"tc\"", "\"all\"");
	bad("35020,35063", "35063,35020");
	bad("35020,35063", "1,2,3,4,5");
	bad("35020,35063", "1,65536");
	bad("1024", "1023");
	bad("\"/c\"", "\"\""); // two edges
	bad("{\"cgroup\":\"\"", "{\"cgroup\":\"/d\""); // none
	std::string text = good;
	text.resize(text.find(",\"edge\""));
	EXPECT_FALSE(from_canonical(text + '}')); // the scope of none
}

TEST(Canonical, WhereTheRowStoodDoesntMatter)
{
	BoundPolicy policy = RandomPolicy(7).policy();
	const std::string before = canonical(policy);
	for (BoundRow &row : policy.rows)
		row.row.place = {"elsewhere.toml", 99, 9};
	EXPECT_EQ(canonical(policy), before);
}

TEST(Canonical, EveryFieldMatters)
{
	BoundPolicy policy = RandomPolicy(3).policy();
	ASSERT_FALSE(policy.rows.empty());
	const std::string before = canonical(policy);
	const auto differs = [&](auto change) {
		BoundPolicy copy = policy;
		change(copy);
		EXPECT_NE(canonical(copy), before);
	};
	differs([](BoundPolicy &p) { p.scenario += 'x'; });
	differs([](BoundPolicy &p) { p.title += 'x'; });
	differs([](BoundPolicy &p) { p.scopes[0].cgroup += 'x'; });
	differs([](BoundPolicy &p) { p.scopes[0].components.emplace_back("x"); });
	differs([](BoundPolicy &p) { p.scopes[0].open_loopback ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].scope ^= 1; });
	differs([](BoundPolicy &p) { p.rows[0].zones ^= 3; });
	differs([](BoundPolicy &p) { p.rows[0].row.zone = p.rows[0].row.zone.empty() ? "tunnel" : ""; });
	differs([](BoundPolicy &p) { p.edge.present ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].kernel_only ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].peers.pop_back(); });
	differs([](BoundPolicy &p) { p.rows[0].row.port.first ^= 1; });
	differs([](BoundPolicy &p) { p.rows[0].row.comment += 'x'; });
	differs([](BoundPolicy &p) { p.off.emplace_back(); });
}

TEST(Canonical, EveryFieldOfTheEdgeMatters)
{
	BoundPolicy policy{"s", "T", {{"", {"host"}, false}}, {}, {}};
	policy.edge.present = true;
	const std::string before = canonical(policy);
	const auto differs = [&](auto change) {
		BoundPolicy copy = policy;
		change(copy.edge);
		EXPECT_NE(canonical(copy), before);
	};
	differs([](Edge &e) { e.interfaces.emplace_back("eth0"); });
	differs([](Edge &e) { e.tunnels.emplace_back("tun5"); });
	differs([](Edge &e) { e.ingress = "tc"; });
	differs([](Edge &e) { e.ethertypes.push_back(0x88cc); });
	differs([](Edge &e) { e.flows++; });
}

TEST(Canonical, WhatIsNotAPolicy)
{
	const std::string good = canonical(RandomPolicy(3).policy());
	for (const std::string &text :
	     {std::string(), std::string("null"), std::string("{}"), std::string("[]"), good + "x",
	      good.substr(0, good.size() - 1), std::string(100000, '['), std::string("\xff")})
		EXPECT_FALSE(from_canonical(text));
	const auto newer = from_canonical(R"({"format":2})");
	ASSERT_FALSE(newer);
	EXPECT_EQ(newer.error().message,
		  "this is not the canonical text of a policy: format 2 is not the one that this weir knows");
	EXPECT_FALSE(from_canonical(
		R"({"format":1,"scenario":"s","title":"T","scopes":[],"peers":[],"rows":[],"off":[{"id":1}]})"));
	EXPECT_FALSE(from_canonical(
		R"({"format":1,"scenario":"s","title":"T","scopes":[],"peers":[["x"]],"rows":[],"off":[]})"));
}

TEST(Canonical, DamageNeverCrashes)
{
	std::mt19937_64 random(11);
	const std::string good = canonical(RandomPolicy(5).policy());
	for (int round = 0; round < 5000; round++) {
		std::string text = good;
		for (std::size_t count = 1 + random() % 3; count > 0; count--)
			text[random() % text.size()] = static_cast<char>(random());
		if (const auto back = from_canonical(text); back) {
			for (const BoundRow &row : back->rows) {
				ASSERT_LT(row.scope, back->scopes.size());
			}
		}
	}
}

TEST(Canonical, AHundredThousandRows)
{
	BoundPolicy policy{"s", "T", {{"/c", {"node"}, true}}, {}, {}};
	for (std::uint32_t index = 0; index < 100000; index++) {
		BoundRow row;
		row.row = {"row-" + std::to_string(index),
			   Direction::out,
			   "node",
			   "r",
			   {6, 80, 80},
			   "x",
			   "host",
			   Status::mandatory,
			   "",
			   {}};
		row.peers = {Prefix{Address::v4(0x0a000000 + index), 128}};
		policy.rows.push_back(std::move(row));
	}
	const auto start = std::chrono::steady_clock::now();
	const std::string text = canonical(policy);
	const auto back = from_canonical(text);
	const auto took = std::chrono::steady_clock::now() - start;
	ASSERT_TRUE(back);
	EXPECT_EQ(back->rows.size(), 100000u);
	EXPECT_LT(took, std::chrono::seconds(60)); // a second without sanitizers; this is to notice squares
}

} // namespace
} // namespace weir::policy
