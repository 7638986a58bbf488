// SPDX-License-Identifier: Apache-2.0
// A proxy in the environment against rows: as gRPC reads it, and as others do.
#include "policy/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

BoundRow row(const std::string &id, const std::string &peer, const std::vector<std::string> &addresses, Service service,
	     const std::string &type = "backend")
{
	BoundRow bound;
	bound.row = {.id = id,
		     .source = "node",
		     .destination = peer,
		     .port = service,
		     .service = {},
		     .type = type,
		     .comment = {}};
	for (const auto &address : addresses)
		bound.peers.push_back(Prefix::parse(address).value());
	return bound;
}

BoundPolicy policy()
{
	BoundPolicy bound;
	bound.scopes = {{"container:node", {"node"}}, {"unit:gui.service", {"gui"}}};
	bound.rows = {row("node-researcher", "researcher", {"192.0.2.10", "2001:db8::10"}, {6, 50051, 50051})};
	return bound;
}

std::vector<ProxyWarning> warnings(const Environment &environment, const BoundPolicy &bound = policy())
{
	return proxies_in_the_way(bound, 0, environment);
}

TEST(Proxy, NoVariableNoWarning)
{
	EXPECT_THAT(warnings({}), IsEmpty());
	EXPECT_THAT(warnings({{"no_proxy", "192.0.2.10"}}), IsEmpty());
}

TEST(Proxy, GrpcTakesTheFirstOfThreeInLowerCase)
{
	const auto found = warnings({{"http_proxy", "http://192.0.2.3:1"},
				     {"https_proxy", "http://192.0.2.2:2"},
				     {"grpc_proxy", "http://192.0.2.1:3128/"}});
	ASSERT_EQ(found.size(), 1u);
	EXPECT_EQ(found[0].variable, "grpc_proxy");
	EXPECT_TRUE(found[0].grpc);
	EXPECT_EQ(found[0].proxy, "192.0.2.1:3128");
	EXPECT_EQ(found[0].row, "node-researcher");
	EXPECT_THAT(found[0].peers, ElementsAre("192.0.2.10", "2001:db8::10"));
	EXPECT_EQ(found[0].admitted_by, "");
	EXPECT_EQ(warnings({{"http_proxy", "http://192.0.2.3:1"}, {"https_proxy", "http://192.0.2.2:2"}})[0].variable,
		  "https_proxy");
}

TEST(Proxy, SetToNothingMeansNone)
{
	EXPECT_THAT(warnings({{"grpc_proxy", ""}, {"http_proxy", ""}, {"https_proxy", ""}}), IsEmpty());
	const auto found = warnings({{"grpc_proxy", ""}, {"https_proxy", "http://192.0.2.2:2"}});
	ASSERT_EQ(found.size(), 1u);
	EXPECT_FALSE(found[0].grpc) << "gRPC has none by the first, others do not read that";
}

TEST(Proxy, UpperCaseAndAllProxyAreOfOthers)
{
	for (const char *name : {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "all_proxy"}) {
		const auto found = warnings({{name, "http://192.0.2.3:3128"}});
		ASSERT_EQ(found.size(), 1u) << name;
		EXPECT_FALSE(found[0].grpc) << name;
		EXPECT_EQ(found[0].variable, name);
		EXPECT_THAT(found[0].text(), HasSubstr("gRPC does not read it"));
	}
	EXPECT_THAT(warnings({{"GRPC_PROXY", "http://192.0.2.3:3128"}}), IsEmpty()) << "nobody reads that";
}

TEST(Proxy, GrpcTakesOnlyHttp)
{
	for (const char *url : {"https://192.0.2.3:3128", "socks5://192.0.2.3", "192.0.2.3:3128"}) {
		const auto found = warnings({{"https_proxy", url}});
		ASSERT_EQ(found.size(), 1u) << url;
		EXPECT_FALSE(found[0].grpc) << url;
	}
	EXPECT_EQ(warnings({{"all_proxy", "socks5://192.0.2.3"}})[0].proxy, "192.0.2.3:1080");
	EXPECT_EQ(warnings({{"https_proxy", "http://192.0.2.3"}})[0].proxy, "192.0.2.3:443");
}

TEST(Proxy, CredentialsAreNeverShown)
{
	for (const char *url :
	     {"http://alice:secret@proxy.example.org:3128", "http://alice:sec@ret@proxy.example.org:3128",
	      "http://secret:proxy@proxy.example.org:3128/secret?secret", "secret@proxy.example.org:3128"}) {
		const auto found = warnings({{"https_proxy", url}});
		ASSERT_EQ(found.size(), 1u) << url;
		EXPECT_EQ(found[0].proxy, "proxy.example.org:3128") << url;
		EXPECT_THAT(found[0].text(), Not(HasSubstr("secret")));
	}
	EXPECT_THAT(warnings({{"https_proxy", "http://secret@"}})[0].text(), Not(HasSubstr("secret")));
}

TEST(Proxy, NoProxySparesByTheEndOfTheName)
{
	auto bound = policy();
	bound.hosts["researcher"] = {.host = "researcher.example.org", .within = {}};
	const auto spared = [&](const std::string &list) {
		return warnings({{"grpc_proxy", "http://192.0.2.3:3128"}, {"no_proxy", list}}, bound).empty();
	};
	EXPECT_TRUE(spared("researcher.example.org"));
	EXPECT_TRUE(spared("other, .example.org"));
	EXPECT_TRUE(spared("EXAMPLE.ORG"));
	EXPECT_TRUE(spared("cher.example.org")) << "gRPC looks for no point before it";
	EXPECT_FALSE(spared("researcher"));
	EXPECT_FALSE(spared("researcher.example.org:50051"));
	EXPECT_FALSE(spared("*")) << "no sign of gRPC's";
	EXPECT_FALSE(spared(",, ,"));
	EXPECT_FALSE(spared("192.0.2.10")) << "the name is asked, and what it stands for is not known by then";
}

TEST(Proxy, NoProxySparesByAddressAndNetwork)
{
	const auto left = [&](const std::string &list) {
		const auto found = warnings({{"grpc_proxy", "http://192.0.2.3:3128"}, {"no_proxy", list}});
		return found.empty() ? std::vector<std::string>{} : found[0].peers;
	};
	EXPECT_THAT(left("192.0.2.10"), ElementsAre("2001:db8::10"));
	EXPECT_THAT(left("192.0.2.10,2001:db8::10"), IsEmpty());
	EXPECT_THAT(left("192.0.2.0/24 , 2001:db8::/32"), IsEmpty());
	EXPECT_THAT(left("192.0.2.77/24,2001:db8::1/64"), IsEmpty()) << "gRPC drops the host's bits";
	EXPECT_THAT(left("192.0.2.0/29,::/0"), ElementsAre("192.0.2.10"));
	EXPECT_THAT(left("0.0.0.0/0"), ElementsAre("2001:db8::10")) << "of one family only";
	EXPECT_THAT(left("192.0.2.0/33,192.0.2.0/-1,192.0.2.0/,/24,x/8"), ElementsAre("192.0.2.10", "2001:db8::10"));
	EXPECT_THAT(left("::ffff:192.0.2.0/120"), ElementsAre("192.0.2.10", "2001:db8::10"));
}

TEST(Proxy, WholeNetworkOfARowHasToBeSpared)
{
	auto bound = policy();
	bound.rows = {row("web", "web", {"198.51.100.0/24"}, {6, 443, 443})};
	EXPECT_THAT(warnings({{"https_proxy", "http://192.0.2.3:3128"}, {"no_proxy", "198.51.100.0/24"}}, bound),
		    IsEmpty());
	EXPECT_EQ(warnings({{"https_proxy", "http://192.0.2.3:3128"}, {"no_proxy", "198.51.100.0/25"}}, bound).size(),
		  1u);
}

TEST(Proxy, NoGrpcProxyGoesBeforeNoProxy)
{
	const Environment both{{"grpc_proxy", "http://192.0.2.3:3128"},
			       {"no_grpc_proxy", "elsewhere"},
			       {"no_proxy", "192.0.2.10,2001:db8::10"}};
	const auto found = warnings(both);
	ASSERT_EQ(found.size(), 1u);
	EXPECT_EQ(found[0].no_proxy, "no_grpc_proxy");
	EXPECT_THAT(warnings({{"grpc_proxy", "http://192.0.2.3:3128"}, {"NO_PROXY", "192.0.2.10,2001:db8::10"}}),
		    Not(IsEmpty()))
		<< "gRPC does not read it in capitals";
	EXPECT_THAT(warnings({{"HTTPS_PROXY", "http://192.0.2.3:3128"}, {"NO_PROXY", "*"}}), IsEmpty()) << "others do";
}

TEST(Proxy, SaysWhichRowAdmitsTheProxy)
{
	auto bound = policy();
	bound.rows.push_back(row("http-proxy", "http-proxies", {"192.0.2.3"}, {6, 3128, 3128}, "host"));
	const auto found = warnings({{"https_proxy", "http://192.0.2.3:3128"}}, bound);
	ASSERT_EQ(found.size(), 1u) << "the proxy's own row is of a host service";
	EXPECT_EQ(found[0].admitted_by, "http-proxy");
	EXPECT_THAT(found[0].text(), HasSubstr("which row http-proxy admits"));
	EXPECT_EQ(warnings({{"https_proxy", "http://192.0.2.3:8080"}}, bound)[0].admitted_by, "");
	EXPECT_EQ(warnings({{"https_proxy", "http://192.0.2.4:3128"}}, bound)[0].admitted_by, "");
	EXPECT_EQ(warnings({{"https_proxy", "http://127.0.0.1:3128"}}, bound)[0].admitted_by, "loopback");
	bound.scopes[0].open_loopback = false;
	EXPECT_EQ(warnings({{"https_proxy", "http://localhost:3128"}}, bound)[0].admitted_by, "");
	EXPECT_EQ(warnings({{"https_proxy", "http://proxy.example.org:3128"}}, bound)[0].admitted_by, "");
	bound.hosts["http-proxies"] = {.host = "proxy.example.org", .within = {}};
	EXPECT_EQ(warnings({{"https_proxy", "http://Proxy.Example.org:3128"}}, bound)[0].admitted_by, "http-proxy");
}

TEST(Proxy, OnlyTcpRowsThatGoOutOfThisScope)
{
	auto bound = policy();
	bound.rows = {row("udp", "vpnserver", {"192.0.2.20"}, {17, 51820, 51820}),
		      row("dns", "resolver", {"192.0.2.53"}, {6, 53, 53}, "host"),
		      row("local", "researcher", {"127.0.0.1"}, {6, 50051, 50051})};
	bound.rows.push_back(row("in", "admins", {"192.0.2.0/24"}, {6, 22, 22}, "user"));
	bound.rows.back().row.dir = Direction::in;
	bound.rows.push_back(row("of-gui", "web", {"192.0.2.30"}, {6, 443, 443}));
	bound.rows.back().scope = 1;
	EXPECT_THAT(warnings({{"https_proxy", "http://192.0.2.3:3128"}}, bound), IsEmpty());
}

TEST(Proxy, WarningSaysWhatToDo)
{
	const auto text = warnings({{"https_proxy", "http://192.0.2.3:3128"}, {"no_proxy", "192.0.2.10"}})[0].text();
	EXPECT_EQ(text,
		  "https_proxy is set: gRPC would speak to the proxy 192.0.2.3:3128 instead of 2001:db8::10 (row "
		  "node-researcher), which no row admits: it is refused\n  add 2001:db8::10 to no_proxy of that "
		  "process, to speak to the row's peer; or make the proxy a row: service http-proxy, with [names] "
		  "http-proxies");
}

TEST(Proxy, VariablesThatAreRead)
{
	for (const char *name : {"http_proxy", "HTTPS_PROXY", "grpc_proxy", "no_grpc_proxy", "No_Proxy", "ALL_PROXY"})
		EXPECT_TRUE(is_proxy_variable(name)) << name;
	for (const char *name : {"PATH", "ftp_proxy", "xhttp_proxy", ""})
		EXPECT_FALSE(is_proxy_variable(name)) << name;
}

} // namespace
} // namespace weir::policy
