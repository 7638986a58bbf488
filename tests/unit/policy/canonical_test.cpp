// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"
#include "policy/render.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <tuple>

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
			out.rows.push_back(bound_row(out));
			if (below(4) == 0) {
				out.rows.back().deadline = 1 + random_() % ~std::uint64_t{0};
				out.rows.back().window = 'w' + text();
			}
		}
		for (std::size_t count = below(4); count > 0; count--)
			out.off.push_back(row());
		for (std::size_t count = below(3); count > 0; count--) {
			Window &window = out.windows.emplace_back();
			window.name = text();
			window.longest = static_cast<std::uint32_t>(random_());
			for (std::size_t rows = below(4); rows > 0; rows--)
				window.rows.push_back(bound_row(out));
		}
		for (std::size_t count = below(4); count > 0; count--)
			out.openings.push_back(opening());
		for (std::size_t count = below(3); count > 0; count--)
			out.hosts[text()] = {text(), prefixes(), prefixes()};
		if (below(2) == 0)
			out.resolvers = texts();
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
	BoundRow bound_row(const BoundPolicy &policy)
	{
		BoundRow bound;
		bound.row = row();
		bound.scope = static_cast<std::uint8_t>(below(policy.scopes.size()));
		bound.zones = static_cast<std::uint8_t>(1 + below(7));
		bound.kernel_only = below(2) == 0;
		bound.peers = prefixes();
		if (below(3) == 0)
			bound.user = static_cast<std::uint32_t>(random_());
		return bound;
	}
	Opening opening()
	{
		Opening out{text(),
			    static_cast<std::int64_t>(random_()),
			    static_cast<std::int64_t>(random_()),
			    random_(),
			    text(),
			    text()};
		if (below(2) == 0) {
			out.closed = 1 + static_cast<std::int64_t>(below(1000));
			out.closed_by = text();
			out.closed_reason = text();
		}
		return out;
	}
	std::vector<Prefix> prefixes()
	{
		std::vector<Prefix> out;
		for (std::size_t count = 1 + below(4); count > 0; count--)
			out.push_back(prefix());
		std::ranges::sort(out);
		return out;
	}
	Row row()
	{
		Row out;
		out.user = below(3) == 0 ? 'u' + text() : "";
		out.on_page = below(3) != 0;
		out.needs_journal = below(3) == 0;
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
	       a.comment == b.comment && a.zone == b.zone && a.user == b.user && a.on_page == b.on_page;
}

void expect_same(const std::vector<BoundRow> &a, const std::vector<BoundRow> &b)
{
	ASSERT_EQ(a.size(), b.size());
	for (std::size_t index = 0; index < a.size(); index++) {
		EXPECT_TRUE(same(a[index].row, b[index].row));
		EXPECT_EQ(a[index].scope, b[index].scope);
		EXPECT_EQ(a[index].zones, b[index].zones);
		EXPECT_EQ(a[index].kernel_only, b[index].kernel_only);
		EXPECT_EQ(a[index].peers, b[index].peers);
		EXPECT_EQ(a[index].user, b[index].user);
		EXPECT_EQ(a[index].deadline, b[index].deadline);
		EXPECT_EQ(a[index].window, b[index].window);
	}
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
	expect_same(a.rows, b.rows);
	ASSERT_EQ(a.windows.size(), b.windows.size());
	for (std::size_t index = 0; index < a.windows.size(); index++) {
		EXPECT_EQ(a.windows[index].name, b.windows[index].name);
		EXPECT_EQ(a.windows[index].longest, b.windows[index].longest);
		expect_same(a.windows[index].rows, b.windows[index].rows);
	}
	ASSERT_EQ(a.openings.size(), b.openings.size());
	for (std::size_t index = 0; index < a.openings.size(); index++) {
		const Opening &one = a.openings[index];
		const Opening &other = b.openings[index];
		EXPECT_EQ(std::tie(one.window, one.opened, one.ends, one.deadline, one.by, one.reason, one.closed,
				   one.closed_by, one.closed_reason),
			  std::tie(other.window, other.opened, other.ends, other.deadline, other.by, other.reason,
				   other.closed, other.closed_by, other.closed_reason));
	}
	EXPECT_EQ(a.hosts, b.hosts);
	EXPECT_EQ(a.resolvers, b.resolvers);
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
	row.row = {"a",    Direction::out,    "node", "r", {6, 80, 81}, "x",
		   "host", Status::mandatory, "é\n",  "",  "",          false,
		   true,   {"m.toml", 3, 1}};
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
	differs([](BoundPolicy &p) { p.rows[0].row.needs_journal = !p.rows[0].row.needs_journal; });
	differs([](BoundPolicy &p) { p.rows[0].row.zone = p.rows[0].row.zone.empty() ? "tunnel" : ""; });
	differs([](BoundPolicy &p) { p.edge.present ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].kernel_only ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].peers.pop_back(); });
	differs([](BoundPolicy &p) { p.rows[0].row.port.first ^= 1; });
	differs([](BoundPolicy &p) { p.rows[0].row.comment += 'x'; });
	differs([](BoundPolicy &p) { p.off.emplace_back(); });
	differs([](BoundPolicy &p) { p.rows[0].row.user += 'x'; });
	differs([](BoundPolicy &p) { p.rows[0].row.on_page ^= true; });
	differs([](BoundPolicy &p) { p.rows[0].user = p.rows[0].user ? std::nullopt : std::optional(0u); });
	differs([](BoundPolicy &p) { p.rows[0].deadline++; });
	differs([](BoundPolicy &p) { p.rows[0].window += 'x'; });
	differs([](BoundPolicy &p) { p.windows.emplace_back(); });
	differs([](BoundPolicy &p) { p.openings.emplace_back(); });
	differs([](BoundPolicy &p) { p.hosts["x"] = {}; });
	differs([](BoundPolicy &p) { p.resolvers.emplace_back("192.0.2.53"); });
}

TEST(Canonical, WhatIsNewToTheLetter)
{
	BoundPolicy policy{"s", "T", {{"unit:n.service", {"node"}, true}}, {}, {}};
	BoundRow row;
	row.row = {"a", Direction::out, "node", "r",  {6, 80, 80}, "x", "host", Status::mandatory, "",
		   "",  "node",         true,   false};
	row.user = 1001;
	row.peers = {*Prefix::parse("192.0.2.1")};
	policy.windows = {{"w", 60, {row}}};
	row.window = "w";
	row.deadline = 18446744073709551615u;
	policy.rows = {row};
	policy.openings = {{"w", 1, 2, 3, "a", "b"}, {"w", 1, 2, 3, "a", "b", 4, "c", "d"}};
	policy.hosts = {{"r", {"r.example", {*Prefix::parse("192.0.2.0/24")}, {*Prefix::parse("192.0.2.1")}}}};
	policy.resolvers = {"192.0.2.53"};
	const std::string text =
		R"("dir":"out","source":"node","destination":"r","protocol":6,"first":80,"last":80,"service":"x","type":"host","status":"mandatory","comment":"","user":"node","journal":"required","page":false,"scope":0,"zones":2,"kernel_only":false,"peers":0,"uid":1001)";
	EXPECT_EQ(
		canonical(policy),
		R"({"format":1,"scenario":"s","title":"T","scopes":[{"cgroup":"unit:n.service","components":["node"],"open_loopback":true}],)"
		R"("peers":[["192.0.2.1"]],"rows":[{"id":"a",)" +
			text + R"(,"deadline":18446744073709551615,"window":"w"}],"off":[],)" +
			R"("windows":[{"name":"w","longest":60,"rows":[{"id":"a",)" + text + R"(}]}],)" +
			R"("openings":[{"window":"w","opened":1,"ends":2,"deadline":3,"by":"a","reason":"b"},)" +
			R"({"window":"w","opened":1,"ends":2,"deadline":3,"by":"a","reason":"b","closed":4,"closed_by":"c","closed_reason":"d"}],)" +
			R"("hosts":[{"name":"r","host":"r.example","within":["192.0.2.0/24"],"addresses":["192.0.2.1"]}],)" +
			R"("resolvers":["192.0.2.53"]})");
}

TEST(Canonical, WindowsThatNoPolicyCanHave)
{
	BoundPolicy policy = RandomPolicy(3).policy();
	policy.windows.clear();
	policy.openings.assign(16, Opening{"w", 1, 2, 3, "a", "b"});
	ASSERT_TRUE(from_canonical(canonical(policy)));
	BoundPolicy many = policy;
	many.openings.emplace_back();
	EXPECT_FALSE(from_canonical(canonical(many)));
	many = policy;
	many.windows.resize(17);
	EXPECT_FALSE(from_canonical(canonical(many)));
	many = policy;
	many.windows = {{"w", 60, {policy.rows[0]}}};
	many.windows[0].rows[0].deadline = 7;
	many.windows[0].rows[0].window = "w";
	EXPECT_FALSE(from_canonical(canonical(many))); // open before anyone opened it
	many = policy;
	many.rows[0].deadline = 7;
	many.rows[0].window = "";
	EXPECT_FALSE(from_canonical(canonical(many))); // an end of nothing
	many = policy;
	many.rows[0].deadline = 0;
	many.rows[0].window = "w";
	EXPECT_FALSE(from_canonical(canonical(many))); // a window without an end
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
