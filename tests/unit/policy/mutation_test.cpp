// SPDX-License-Identifier: Apache-2.0
// Damaged files: the readers answer with a policy or with an error that has a place, and never crash.
#include "policy/diagnostic.h"
#include "policy/page.h"
#include "policy/policy.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace weir::policy {
namespace {

std::string file(const std::string &name)
{
	const auto text = read_file(WEIR_SOURCE_DIR "/" + name);
	EXPECT_TRUE(text) << text.error().message;
	return text.value_or("");
}

class Mutator {
public:
	Mutator(std::uint64_t seed, std::string original) : random_(seed), original_(std::move(original)) {}

	std::string next()
	{
		std::string text = original_;
		for (std::size_t count = 1 + random_() % 4; count > 0; count--)
			change(text);
		return text;
	}

private:
	std::size_t place(const std::string &text) { return random_() % (text.size() + 1); }

	void change(std::string &text)
	{
		static const char *const pieces[] = {"[",
						     "]",
						     "[[row]]",
						     "{",
						     "}",
						     "\"",
						     "'",
						     "\"\"\"",
						     "=",
						     ".",
						     "\n",
						     "\r",
						     "\\",
						     "\\u0000",
						     "|",
						     "#",
						     "é",
						     "0",
						     "99999999999999999999",
						     "-",
						     "inf",
						     "1979-05-27",
						     "true",
						     "\t",
						     "*",
						     "`"};
		const std::size_t at = place(text);
		switch (random_() % 5) {
		case 0:
			text.insert(at, pieces[random_() % std::size(pieces)]);
			break;
		case 1:
			text.erase(at, random_() % 20);
			break;
		case 2:
			text.insert(at, 1, static_cast<char>(random_()));
			break;
		case 3:
			text.insert(at, text.substr(place(text), random_() % 60));
			break;
		default:
			text.resize(at);
			break;
		}
	}

	std::mt19937_64 random_;
	std::string original_;
};

template <typename T>
bool good_or_told(const Result<T> &result, const std::string &name)
{
	return result || (result.error().code == Exit::policy && result.error().message.starts_with(name) &&
			  result.error().message.find("error: ") != std::string::npos);
}

TEST(Mutation, MatrixFiles)
{
	for (const char *name : {"policies/researcher-native.toml", "policies/node-vpn.toml"}) {
		Mutator mutator(1, file(name));
		for (int round = 0; round < 3000; round++) {
			const std::string text = mutator.next();
			const auto matrix = parse_matrix(text, "m.toml");
			ASSERT_TRUE(good_or_told(matrix, "m.toml")) << text;
			if (matrix) {
				ASSERT_TRUE(parse_matrix(to_toml(*matrix), "again")) << text;
			}
		}
	}
}

TEST(Mutation, SiteFilesAndBinding)
{
	const std::string name = WEIR_SOURCE_DIR "/policies/node-native.toml";
	const auto matrix = parse_matrix(file("policies/node-native.toml"), name);
	ASSERT_TRUE(matrix);
	Mutator mutator(2, file("policies/site.example.toml"));
	for (int round = 0; round < 4000; round++) {
		const std::string text = mutator.next();
		const auto site = parse_site(text, "s.toml");
		ASSERT_TRUE(good_or_told(site, "s.toml")) << text;
		if (!site)
			continue;
		const auto policy = bind({{*matrix}}, *site);
		ASSERT_TRUE(policy || policy.error().code == Exit::policy);
		if (policy) {
			ASSERT_TRUE(from_canonical(canonical(*policy))) << text;
		}
	}
}

TEST(Mutation, SiteFilesWithAnEdge)
{
	const auto matrix = parse_matrix(file("policies/node-native.toml"), "m.toml");
	const auto services = parse_matrix(file("policies/host-services.toml"), "h.toml");
	ASSERT_TRUE(matrix);
	ASSERT_TRUE(services);
	Mutator mutator(5, R"(format = 1
scenario = "node-native"
optional = ["node-gui"]
[names]
researcher = "192.0.2.10"
dns-servers = ["192.0.2.53", "2001:db8::53"]
monitoring = "192.0.2.99"
[cgroups]
node = "/sys/fs/cgroup/node"
gui = "/sys/fs/cgroup/gui"
[edge]
interfaces = ["eth0", "tun5"]
tunnels = ["tun5"]
ingress = "xdp-generic"
ethertypes = ["LLDP", "0x88f7"]
flows = 4096
[services]
node = ["dns-udp", "ping"]
)");
	for (int round = 0; round < 4000; round++) {
		const std::string text = mutator.next();
		const auto site = parse_site(text, "s.toml");
		ASSERT_TRUE(good_or_told(site, "s.toml")) << text;
		if (!site)
			continue;
		const auto policy = bind({{*matrix}, {}, *services}, *site);
		ASSERT_TRUE(policy || policy.error().code == Exit::policy);
		if (policy) {
			ASSERT_TRUE(from_canonical(canonical(*policy)))
				<< from_canonical(canonical(*policy)).error().message << text;
		}
	}
}

TEST(Mutation, SiteFilesWithEverything)
{
	Matrices matrices;
	for (const char *name : {"node-vpn", "researcher-vpn"})
		matrices.scenarios.push_back(*parse_matrix(file(std::string("policies/") + name + ".toml"), name));
	for (const char *name : {"installation", "key-negotiation"})
		matrices.windows.push_back(*parse_matrix(file(std::string("policies/") + name + ".toml"), name));
	matrices.host_services = *parse_matrix(file("policies/host-services.toml"), "services");
	Mutator mutator(6, R"(format = 1
scenarios = ["node-vpn", "researcher-vpn"]
optional = ["node-gui", "jupyter"]
resolvers = ["192.0.2.53", "[2001:db8::53]:53"]
[names]
researcher = "10.222.0.2"
nodes = "10.221.0.0/16"
vpnserver = { host = "vpn.example.org", within = ["192.0.2.0/24"] }
http-proxies = "192.0.2.99"
dns-servers = ["192.0.2.53", "2001:db8::53"]
[users]
node = 1001
[cgroups]
researcher = "/sys/fs/cgroup/researcher"
[units]
gui = "fedbiomed-gui.service"
[containers]
node = "fedbiomed-vpn-node-*"
[edge]
[windows.installation]
components = ["node"]
longest = "1h30m"
through = "http-proxy"
[windows.key-negotiation]
peers = ["researcher", "vpnserver"]
longest = "10m"
)");
	int bound = 0;
	for (int round = 0; round < 20000; round++) {
		const std::string text = mutator.next();
		auto site = parse_site(text, "s.toml");
		ASSERT_TRUE(good_or_told(site, "s.toml")) << text;
		if (!site || site->windows.size() != 2 || site->more_scenarios.size() != 1)
			continue;
		for (auto &[name, host] : site->hosts)
			host.addresses = {*Prefix::parse("192.0.2.7")};
		const auto policy = bind(matrices, *site);
		ASSERT_TRUE(policy || policy.error().code == Exit::policy);
		if (policy) {
			bound++;
			const auto back = from_canonical(canonical(*policy));
			ASSERT_TRUE(back) << back.error().message << text;
			ASSERT_EQ(canonical(*back), canonical(*policy));
		}
	}
	EXPECT_GT(bound, 100); // else this tests nothing
}

TEST(Mutation, Pages)
{
	for (const char *name :
	     {"tests/data/fedbiomed-network-matrix.txt", "tests/data/fedbiomed-network-matrix-2026.md"}) {
		Mutator mutator(3, file(name));
		for (int round = 0; round < 1000; round++) {
			const std::string text = mutator.next();
			const auto matrices = import_page(text, "page");
			ASSERT_TRUE(good_or_told(matrices, "page")) << text;
			if (!matrices)
				continue;
			for (const Matrix &matrix : *matrices)
				ASSERT_TRUE(parse_matrix(to_toml(matrix), "again"))
					<< parse_matrix(to_toml(matrix), "again").error().message;
		}
	}
}

TEST(Mutation, Noise)
{
	std::mt19937_64 random(4);
	for (int round = 0; round < 3000; round++) {
		std::string text(random() % 200, '\0');
		for (char &c : text)
			c = round % 2 == 0 ? static_cast<char>(random()) : static_cast<char>(random() % 96 + 32);
		ASSERT_TRUE(good_or_told(parse_matrix(text, "x"), "x"));
		ASSERT_TRUE(good_or_told(parse_site(text, "x"), "x"));
		ASSERT_TRUE(good_or_told(import_page(text, "x"), "x"));
		(void)parse_service(text);
	}
}

} // namespace
} // namespace weir::policy
