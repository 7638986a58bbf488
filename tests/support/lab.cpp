// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lab.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <unistd.h>

#ifndef WEIR_BINARY
#define WEIR_BINARY "weir"
#endif
#ifndef WEIR_SOURCE_DIR
#define WEIR_SOURCE_DIR "."
#endif

namespace weir::test {
namespace fs = std::filesystem;
namespace {

struct Host {
	const char *v4;
	const char *v6;
	bool ask_resolver; ///< has the resolver's addresses, too
	bool router;       ///< has the addresses behind the router
};
constexpr std::array<Host, 4> hosts{{
	{node4, node6, false, false},
	{researcher4, researcher6, true, false},
	{intruder4, intruder6, false, false},
	{"192.0.2.1", "2001:db8:0:1::1", false, true},
}};

Fd own_netns()
{
	Fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	if (!fd)
		raise("/proc/thread-self/ns/net");
	return fd;
}

void set(const std::string &key, const std::string &value)
{
	std::ofstream("/proc/sys/net/" + key) << value; // one that this kernel lacks is no matter
}

void ip_batch(int netns, const std::string &lines)
{
	const Finished done = execute({"ip", "-batch", "-"}, lines, {netns, ""});
	if (done.status != 0)
		throw std::runtime_error("ip -batch: " + done.err + "\nof\n" + lines);
}

std::string quoted_list(const std::vector<std::string> &words)
{
	std::string text = "[";
	for (const auto &word : words)
		text += (text.size() > 1 ? ", \"" : "\"") + word + "\"";
	return text + "]";
}

void own_mounts()
{
	static bool done = false;
	if (done)
		return;
	if (::unshare(CLONE_NEWNS) != 0)
		raise("unshare(CLONE_NEWNS)");
	if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
		raise("making mounts private");
	done = true;
}

void remove_cgroups(const std::string &directory)
{
	std::vector<std::string> found{directory};
	std::error_code ignored;
	for (const auto &entry : fs::recursive_directory_iterator(directory, ignored))
		if (entry.is_directory(ignored))
			found.push_back(entry.path());
	std::ranges::sort(found, std::greater{}); // children before their parents
	for (const auto &each : found)
		eventually([&] { return ::rmdir(each.c_str()) == 0 || errno != EBUSY; }, Millis(500));
}

/// What tests that were killed left behind: cgroups of processes that are gone.
void remove_stale_cgroups(const std::string &mount)
{
	std::error_code ignored;
	for (const auto &entry : fs::directory_iterator(mount, ignored)) {
		const std::string name = entry.path().filename();
		const std::string prefix = "weir-test-";
		if (!name.starts_with(prefix))
			continue;
		const int pid = std::atoi(name.c_str() + prefix.size());
		if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH)
			remove_cgroups(entry.path());
	}
}

} // namespace

Fd new_netns()
{
	const Fd home = own_netns();
	if (::unshare(CLONE_NEWNET) != 0)
		raise("unshare(CLONE_NEWNET)");
	for (const char *which : {"all", "default"}) {
		const std::string conf = std::string("conf/") + which;
		set("ipv6/" + conf + "/accept_dad", "0");
		set("ipv6/" + conf + "/accept_ra", "0");
		set("ipv6/" + conf + "/disable_ipv6", "0");
		set("ipv4/" + conf + "/rp_filter", "0");
	}
	set("ipv4/ping_group_range", "0 2147483647");
	Fd made = own_netns();
	if (::setns(home.get(), CLONE_NEWNET) != 0)
		raise("setns");
	return made;
}

std::string cgroup2_mount()
{
	std::ifstream mounts("/proc/mounts");
	std::string device;
	std::string directory;
	std::string type;
	std::string rest;
	while (mounts >> device >> directory >> type && std::getline(mounts, rest))
		if (type == "cgroup2")
			return directory;
	throw std::runtime_error("cgroup2 isn't mounted");
}

std::string SiteFile::text() const
{
	std::string text = "format = 1\nscenario = \"" + scenario + "\"\n";
	if (!optional.empty())
		text += "optional = " + quoted_list(optional) + "\n";
	if (!loopback.empty())
		text += "loopback = \"" + loopback + "\"\n";
	text += "[names]\n";
	for (const auto &[name, addresses] : names)
		text += name + " = " + quoted_list(addresses) + "\n";
	const auto table = [&](const char *name, const std::map<std::string, std::string> &places) {
		text += places.empty() ? "" : std::string("[") + name + "]\n";
		for (const auto &[component, place] : places)
			text += component + " = \"" + place + "\"\n";
	};
	table("cgroups", cgroups);
	table("units", units);
	table("containers", containers);
	return text;
}

std::string matrix_text(const std::string &scenario, const std::vector<MatrixRow> &rows)
{
	std::string text = "format = 1\nscenario = \"" + scenario +
			   "\"\ntitle = \"Rows of a test\"\ncomponent = \"node\"\n";
	for (const auto &row : rows)
		text += "[[row]]\nid = \"" + row.id + "\"\ndir = \"" + row.dir + "\"\nsource = \"" + row.source +
			"\"\ndestination = \"" + row.destination + "\"\nport = \"" + row.port +
			"\"\nservice = \"test\"\ntype = \"" + row.type + "\"\nstatus = \"" + row.status +
			"\"\ncomment = \"\"\n" + (row.zone.empty() ? "" : "zone = \"" + row.zone + "\"\n");
	return text;
}

void in_netns(int netns, const std::function<void()> &body)
{
	const Fd home = own_netns();
	if (::setns(netns, CLONE_NEWNET) != 0)
		raise("setns");
	try {
		body();
	} catch (...) {
		::setns(home.get(), CLONE_NEWNET);
		throw;
	}
	if (::setns(home.get(), CLONE_NEWNET) != 0)
		raise("setns");
}

Lab::Lab()
{
	try {
		own_mounts();
		char pattern[] = "/tmp/weir-test-XXXXXX";
		if (::mkdtemp(pattern) == nullptr)
			raise("mkdtemp");
		directory_ = pattern;
		fs::create_directory(bpffs());
		if (::mount("bpf", bpffs().c_str(), "bpf", 0, "mode=0700") != 0)
			raise("mounting bpffs");
		const std::string mount = cgroup2_mount();
		remove_stale_cgroups(mount);
		static int count = 0;
		cgroups_ = mount + "/weir-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
		fs::create_directory(cgroups_);
		cgroup("node");
		cgroup("outside");
		build_hosts();
	} catch (...) {
		tear_down();
		throw;
	}
}

Lab::~Lab()
{
	tear_down();
}

void Lab::tear_down() noexcept
{
	try {
		if (!directory_.empty()) {
			// Unpinned with the mount: what weir attached goes with the last link.
			::umount2(bpffs().c_str(), MNT_DETACH);
			fs::remove_all(directory_);
		}
		if (!cgroups_.empty())
			remove_cgroups(cgroups_);
	} catch (const std::exception &) {
		return; // nothing that a destructor could do about it
	}
}

void Lab::build_hosts()
{
	switch_ = new_netns();
	std::string fabric = "link add br0 type bridge\nlink set br0 up\n";
	const std::string self = "/proc/" + std::to_string(::getpid()) + "/fd/";
	for (std::size_t i = 0; i < hosts.size(); ++i) {
		hosts_.push_back(new_netns());
		const std::string port = "port" + std::to_string(i);
		fabric += "link add " + port + " type veth peer name eth0 netns " + self +
			  std::to_string(hosts_.back().get()) + "\nlink set " + port + " master br0 up\n";
	}
	ip_batch(switch_.get(), fabric);
	in_netns(switch_.get(), [] { // a switch reads no IP header, and drops nothing for what stands there
		set("bridge/bridge-nf-call-iptables", "0");
		set("bridge/bridge-nf-call-ip6tables", "0");
	});
	for (std::size_t i = 0; i < hosts.size(); ++i) {
		const Host &host = hosts[i];
		const auto address = [](const std::string &text, const std::string &device) {
			return "address add " + text + " dev " + device +
			       (text.find(':') == std::string::npos ? "\n" : " nodad\n");
		};
		std::string lines = "link set lo up\nlink set eth0 up\n" +
				    address(std::string(host.v4) + "/24", "eth0") +
				    address(std::string(host.v6) + "/64", "eth0");
		if (host.ask_resolver)
			lines += address(std::string(resolver4) + "/24", "eth0") +
				 address(std::string(resolver6) + "/64", "eth0");
		if (host.router) {
			lines += address(std::string(internet4) + "/32", "lo") +
				 address(std::string(internet6) + "/128", "lo");
			// Addresses that embed 203.0.113.7: NAT64, 6to4, Teredo, v4-compatible. They answer here.
			for (const char *prefix :
			     {"64:ff9b::/96", "2002:cb00:7107::/48", "2001::/32", "::203.0.113.7/128"})
				lines += std::string("route add local ") + prefix + " dev lo\n";
		} else {
			lines += "route add default via 192.0.2.1\nroute add ::/0 via 2001:db8:0:1::1\n";
			lines += "route add ::203.0.113.7/128 via 2001:db8:0:1::1\n";
		}
		ip_batch(hosts_[i].get(), lines);
	}
}

std::string Lab::cgroup(const std::string &name)
{
	const std::string directory = cgroups_ + "/" + name;
	std::error_code ignored;
	fs::create_directories(directory, ignored);
	if (!fs::is_directory(directory))
		throw std::runtime_error("can't make the cgroup " + directory);
	return directory;
}

std::string Lab::write(const std::string &name, const std::string &text) const
{
	const std::string path = directory_ + "/" + name;
	std::ofstream(path) << text;
	return path;
}

SiteFile Lab::native_site()
{
	SiteFile site;
	site.names["researcher"] = {researcher4, researcher6};
	site.cgroups["node"] = cgroup("node");
	return site;
}

std::vector<std::string> Lab::command(const std::vector<std::string> &words) const
{
	const char *chosen = std::getenv("WEIR_BINARY");
	std::vector<std::string> all{
		chosen != nullptr ? chosen : WEIR_BINARY,  "--instance", instance, "--bpffs", bpffs(), "--policies",
		std::string(WEIR_SOURCE_DIR) + "/policies"};
	all.insert(all.end(), words.begin(), words.end());
	return all;
}

Finished Lab::weir(const std::vector<std::string> &words) const
{
	return execute(command(words), "", {}, Millis(60000)); // the verifier takes long on an emulated processor
}

void Lab::apply(const SiteFile &site, const std::vector<std::string> &options)
{
	std::vector<std::string> words{"apply", write("site.toml", site.text())};
	words.insert(words.end(), options.begin(), options.end());
	const Finished done = weir(words);
	if (done.status != 0)
		throw std::runtime_error("weir apply: exit " + std::to_string(done.status) + "\n" + done.err +
					 done.out);
}

nlohmann::json Lab::status() const
{
	const Finished done = weir({"--json", "status"});
	if (done.out.empty())
		throw std::runtime_error("weir status --json says nothing: exit " + std::to_string(done.status) + " " +
					 done.err);
	return nlohmann::json::parse(done.out);
}

void Lab::remove() const
{
	const Finished done = weir({"remove"});
	if (done.status != 0 && done.status != 7)
		throw std::runtime_error("weir remove: exit " + std::to_string(done.status) + "\n" + done.err +
					 done.out);
}

} // namespace weir::test
