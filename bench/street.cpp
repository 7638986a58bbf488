// SPDX-License-Identifier: Apache-2.0
#include "bench/street.h"

#include "bench/edge_programs.h"
#include "bench/world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <empty.skel.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace weir::bench {

namespace {

using namespace test;

constexpr const char *ipset_program = "/usr/sbin/ipset";
constexpr const char *iptables_program = "/usr/sbin/iptables-legacy-restore";
constexpr auto tcx_in = static_cast<bpf_attach_type>(46); // BPF_TCX_INGRESS, from Linux 6.6 on
constexpr auto tcx_out = static_cast<bpf_attach_type>(47);

void check(bool good, const std::string &what)
{
	if (!good)
		throw std::runtime_error(what);
}

void run(int netns, const std::vector<std::string> &argv, const std::string &input = "")
{
	const auto done = execute(argv, input, {netns, ""}, Millis(60'000));
	check(done.status == 0, argv.front() + ": " + done.err);
}

Fd new_netns()
{
	const Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	check(::unshare(CLONE_NEWNET) == 0, "unshare");
	Fd made(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	check(::setns(home.get(), CLONE_NEWNET) == 0, "setns");
	return made;
}

Fd attach_xdp(const bpf_program *program, std::uint32_t ifindex)
{
	bpf_link_create_opts options{};
	options.sz = sizeof(options);
	options.flags = XDP_FLAGS_DRV_MODE;
	Fd link(bpf_link_create(bpf_program__fd(program), static_cast<int>(ifindex), BPF_XDP, &options));
	check(static_cast<bool>(link), "an empty program does not attach to XDP");
	return link;
}

/// By tcx, or on older kernels as a filter, which goes with the interface.
Fd attach_tc(const bpf_program *program, std::uint32_t ifindex, bool in)
{
	Fd link(bpf_link_create(bpf_program__fd(program), static_cast<int>(ifindex), in ? tcx_in : tcx_out, nullptr));
	if (link)
		return link;
	bpf_tc_hook hook{};
	hook.sz = sizeof(hook);
	hook.ifindex = static_cast<int>(ifindex);
	hook.attach_point = in ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	bpf_tc_hook_create(&hook); // there already, after the first
	bpf_tc_opts options{};
	options.sz = sizeof(options);
	options.prog_fd = bpf_program__fd(program);
	check(bpf_tc_attach(&hook, &options) == 0, "an empty program does not attach to tc");
	return {};
}

/// Receives by NAPI, as a network card does, and NAPI in a thread; gives its pid.
std::string receive_by_thread(int netns, const std::string &name)
{
	in_netns(netns, [&] {
		const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		ethtool_value on{ETHTOOL_SGRO, 1};
		ifreq request{};
		name.copy(request.ifr_name, IFNAMSIZ - 1);
		request.ifr_data = reinterpret_cast<char *>(&on);
		check(::ioctl(socket.get(), SIOCETHTOOL, &request) == 0, "GRO");
	});
	const auto done = run_at({netns, ""}, [&]() -> std::string {
		check(::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
			      ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0,
		      "sysfs of a namespace");
		std::ofstream threaded("/sys/class/net/" + name + "/threaded");
		threaded << 1 << std::flush;
		return threaded ? "threaded" : "not";
	});
	check(done == "threaded", "NAPI does not become a thread");
	for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
		std::string comm;
		std::getline(std::ifstream(entry.path() / "comm"), comm);
		if (comm.starts_with("napi/" + name + "-"))
			return entry.path().filename();
	}
	throw std::runtime_error("the thread of NAPI is not to be seen");
}

std::string read_again(const Fd &file)
{
	std::string text(1u << 16, '\0');
	const auto size = ::pread(file.get(), text.data(), text.size(), 0);
	text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
	return text;
}

/// Number `index` of the words behind `head`.
std::uint64_t word_behind(const std::string &text, const std::string &head, unsigned index)
{
	const auto at = text.find(head);
	if (at == std::string::npos)
		return 0;
	const char *begin = text.data() + at + head.size();
	const char *const end = text.data() + text.size();
	std::int64_t value = 0; // one of "Tcp:" is -1
	for (unsigned i = 0; i <= index; ++i) {
		while (begin != end && *begin == ' ')
			++begin;
		begin = std::from_chars(begin, end, value).ptr;
	}
	return static_cast<std::uint64_t>(value);
}

/// Of "Tcp:" and the like in /proc/net/snmp: by the name in the first line, the number in the second.
std::uint64_t snmp(const std::string &text, const std::string &protocol, const std::string &field)
{
	const auto names = text.find(protocol + ": ");
	const auto values = text.find(protocol + ": ", names + 1);
	const auto at = text.find(" " + field, names);
	if (at == std::string::npos || at > values)
		return 0;
	const auto index = std::count(text.begin() + static_cast<std::ptrdiff_t>(names),
				      text.begin() + static_cast<std::ptrdiff_t>(at), ' ');
	return word_behind(text.substr(values), protocol + ":", static_cast<unsigned>(index));
}

unsigned rows_of(const std::string &what)
{
	return static_cast<unsigned>(std::stoul(what.substr(what.rfind('-') + 1)));
}

/// As policy_of(), which every row of a set.
void each_filler(unsigned rows, const std::function<void(const std::string &, std::uint16_t)> &add)
{
	for (const auto &row : policy_of(rows).rows)
		if (row.row.id.starts_with("filler-"))
			add(row.peers[0].address.text(), row.row.port.first);
}

/// As a careful admin would write it: connection tracking, one set, whatever the number of rows; both ways, and of what
/// is forwarded.
void hold_by_nftables(int host, unsigned rows, const std::string &peer)
{
	std::string script = "table inet held {\n set peers { type ipv4_addr . inet_service\n elements = { ";
	each_filler(rows, [&](const std::string &address, std::uint16_t port) {
		script += address + " . " + std::to_string(port) + ", ";
	});
	script += fmt::format("{} . {} }}\n }}\n", peer, served_port);
	for (const auto *chain : {"input", "output", "forward"})
		script += fmt::format(" chain {0} {{ type filter hook {0} priority 0; policy drop;\n"
				      "  meta {1} lo accept\n  ct state established,related accept\n"
				      "  ip {2} . tcp {3} @peers accept\n }}\n",
				      chain, chain == std::string("input") ? "iif" : "oif",
				      chain == std::string("input") ? "saddr" : "daddr", "dport");
	run(host, {"/usr/sbin/nft", "-f", "-"}, script + "}\n");
}

void hold_by_iptables(int host, unsigned rows, const std::string &peer)
{
	std::string set = "create peers hash:ip,port maxelem 200000\n";
	each_filler(rows, [&](const std::string &address, std::uint16_t port) {
		set += "add peers " + address + ",tcp:" + std::to_string(port) + "\n";
	});
	run(host, {ipset_program, "restore"}, set + fmt::format("add peers {},tcp:{}\n", peer, served_port));
	std::string rules = "*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"
			    "-A INPUT -i lo -j ACCEPT\n-A OUTPUT -o lo -j ACCEPT\n";
	for (const auto *chain : {"INPUT", "OUTPUT", "FORWARD"})
		rules += fmt::format("-A {0} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"
				     "-A {0} -m set --match-set peers {1},dst -j ACCEPT\n",
				     chain, chain == std::string("INPUT") ? "src" : "dst");
	run(host, {iptables_program}, rules + "COMMIT\n");
}

} // namespace

std::vector<std::string> houses_here(std::vector<std::string> houses)
{
	const bool iptables = std::filesystem::exists(ipset_program) && std::filesystem::exists(iptables_program);
	std::erase_if(houses, [&](const auto &what) { return what.starts_with("iptables-") && !iptables; });
	return houses;
}

House::House(int street, std::string what, unsigned number, bool flooded, const std::string &bpffs)
	: what_(std::move(what)), number_(number), host_(new_netns()), container_(new_netns()),
	  where_{bpffs, "house" + std::to_string(number)}
{
	wire(street, flooded);
	hold(bpffs, flooded);
}

House::~House()
{
	if (what_.starts_with("weir-"))
		in_netns(host_.get(), [&] { static_cast<void>(kernel::remove(where_)); });
}

std::string House::address() const
{
	return fmt::format("198.18.{}.2", number_);
}

std::string House::peer_address() const
{
	return fmt::format("198.18.{}.1", number_);
}

void House::wire(int street, bool flooded)
{
	const std::string outside = "wire" + std::to_string(number_), own = "house" + std::to_string(number_);
	const std::string self = "/proc/" + std::to_string(::getpid()) + "/fd/";
	const std::string street_mac = fmt::format("02:00:00:00:{:02x}:01", number_);
	const std::string mac = fmt::format("02:00:00:00:{:02x}:02", number_);
	run(street, {"ip", "-batch", "-"},
	    fmt::format("link add {0} address {1} numrxqueues 1 numtxqueues 1 type veth "
			"peer name {2} address {3} numrxqueues 1 numtxqueues 1 netns {4}\n"
			"link set {0} up\naddress add {5}/24 dev {0}\nroute add 198.19.{6}.0/24 via {7}\n",
			outside, street_mac, own, mac, self + std::to_string(host_.get()), peer_address(), number_,
			address()));
	run(host_.get(), {"ip", "-batch", "-"},
	    fmt::format("link set lo up\nlink set {0} up\naddress add {1}/24 dev {0}\nroute add default via {2}\n"
			"neighbour replace {2} lladdr {3} dev {0} nud permanent\n"
			"link add inner type veth peer name eth0 netns {4}\nlink set inner up\n"
			"address add 198.19.{5}.1/24 dev inner\n",
			own, address(), peer_address(), street_mac, self + std::to_string(container_.get()), number_));
	run(street, {"ip", "-batch", "-"},
	    fmt::format("neighbour replace {} lladdr {} dev {} nud permanent\n", address(), mac, outside));
	run(container_.get(), {"ip", "-batch", "-"},
	    fmt::format("link set eth0 up\naddress add 198.19.{0}.2/24 dev eth0\nroute add default via 198.19.{0}.1\n",
			number_));
	in_netns(street, [&] { street_ifindex_ = ::if_nametoindex(outside.c_str()); });
	in_netns(host_.get(), [&] {
		ifindex_ = ::if_nametoindex(own.c_str());
		std::ofstream("/proc/sys/net/ipv4/ip_forward") << 1;
		devices_ = Fd(::open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC));
		protocols_ = Fd(::open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC));
	});
	if (!flooded)
		return;
	const auto thread = receive_by_thread(host_.get(), own);
	schedule_ = Fd(::open(("/proc/" + thread + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC));
	check(static_cast<bool>(schedule_), "schedstat");
	// The sender has the first processor for itself, and this thread another one whenever it has anything to do.
	const sched_param priority{.sched_priority = 1};
	::sched_setscheduler(std::stoi(thread), SCHED_FIFO, &priority);
	cpu_set_t others;
	CPU_ZERO(&others);
	for (int i = 1; i < static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)); ++i)
		CPU_SET(i, &others);
	if (CPU_COUNT(&others) > 0)
		::sched_setaffinity(std::stoi(thread), sizeof(others), &others);
}

void House::hold(const std::string &bpffs, bool flooded)
{
	const auto &empty = empty_programs().progs;
	if (what_ == "none")
		return;
	if (what_.starts_with("nftables-")) {
		hold_by_nftables(host_.get(), rows_of(what_), peer_address());
	} else if (what_.starts_with("iptables-")) {
		hold_by_iptables(host_.get(), rows_of(what_), peer_address());
	} else if (what_.starts_with("weir-")) {
		auto policy = edge_policy_of(rows_of(what_), peer_address());
		policy.edge.interfaces = {"house" + std::to_string(number_)};
		policy.edge.ingress = what_.starts_with("weir-tc-") ? "tc" : "auto";
		in_netns(host_.get(), [&] {
			const auto applied = kernel::apply({bpffs, where_.instance}, policy, false);
			check(applied.has_value(), applied ? "" : applied.error().message);
			const auto state = kernel::inspect(where_).value();
			for (const auto &each : state.interfaces)
				check(each.ifindex != ifindex_ ||
					      each.ingress.starts_with("xdp") == (policy.edge.ingress != "tc"),
				      "weir holds it by " + each.ingress);
		});
	} else {
		in_netns(host_.get(), [&] {
			const bool tc = what_ == "empty-tc";
			if (tc)
				links_.push_back(
					attach_tc(flooded ? empty.empty_shot : empty.empty_next, ifindex_, true));
			else
				links_.push_back(attach_xdp(flooded ? empty.empty_drop : empty.empty_pass, ifindex_));
			links_.push_back(attach_tc(empty.empty_next, ifindex_, false));
		});
	}
}

House::Counters House::counters() const
{
	Counters counters;
	counters.received = word_behind(read_again(devices_), "house" + std::to_string(number_) + ":", 1);
	const auto text = read_again(protocols_);
	counters.reached = snmp(text, "Tcp", "InSegs") + snmp(text, "Udp", "InDatagrams") +
			   snmp(text, "Udp", "NoPorts");
	if (schedule_)
		counters.cpu_ns = word_behind(read_again(schedule_), "", 0);
	return counters;
}

Street::Street(const std::vector<std::string> &houses, bool flooded) : street_(new_netns())
{
	run(street_.get(), {"ip", "link", "set", "lo", "up"});
	for (const auto &what : houses)
		houses_.push_back(std::make_unique<House>(
			street_.get(), what, static_cast<unsigned>(houses_.size()) + 1, flooded, lab_.bpffs()));
	if (!flooded)
		return;
	// What the hosts answer to forged senders ends here.
	in_netns(street_.get(), [&] {
		for (const auto &house : houses_)
			links_.push_back(attach_xdp(empty_programs().progs.empty_drop, house->street_ifindex()));
	});
}

const House &Street::house(const std::string &what) const
{
	for (const auto &house : houses_)
		if (house->what() == what)
			return *house;
	throw std::runtime_error("no house is held by " + what);
}

} // namespace weir::bench
