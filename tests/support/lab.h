// SPDX-License-Identifier: Apache-2.0
// The laboratory: four hosts on one switch, each a network namespace, and cgroups to hold to a policy.
//
//   node 192.0.2.2, 2001:db8:0:1::2          researcher 192.0.2.10, ::10 and, as resolver, 192.0.2.53, ::53
//   intruder 192.0.2.66, ::66                internet 192.0.2.1, ::1 and, behind it, 203.0.113.7, 2001:db8:ffff::7
//
// Namespaces have no names and bpffs is mounted in a mount namespace of the test's own, so a test that is killed
// leaves nothing but empty cgroups, which the next lab removes.
#pragma once

#include "base/fd.h"
#include "tests/support/process.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weir::test {

inline constexpr const char *node4 = "192.0.2.2";
inline constexpr const char *node6 = "2001:db8:0:1::2";
inline constexpr const char *researcher4 = "192.0.2.10";
inline constexpr const char *researcher6 = "2001:db8:0:1::10";
inline constexpr const char *resolver4 = "192.0.2.53";
inline constexpr const char *resolver6 = "2001:db8:0:1::53";
inline constexpr const char *intruder4 = "192.0.2.66";
inline constexpr const char *intruder6 = "2001:db8:0:1::66";
inline constexpr const char *internet4 = "203.0.113.7";
inline constexpr const char *internet6 = "2001:db8:ffff::7";

/// A site file, as text.
struct SiteFile {
	std::string scenario = "node-native";
	std::vector<std::string> optional;
	std::string loopback; ///< "": not said
	std::map<std::string, std::vector<std::string>> names;
	std::map<std::string, std::string> cgroups; ///< component -> absolute directory
	std::map<std::string, std::string> units{};
	std::map<std::string, std::string> containers{};
	[[nodiscard]] std::string text() const;
};

/// One row of a matrix file that a test writes itself.
struct MatrixRow {
	std::string id;
	std::string dir = "out";
	std::string source = "node";
	std::string destination = "researcher";
	std::string port = "TCP/50051";
	std::string type = "backend";
	std::string status = "mandatory";
	std::string zone{}; ///< "tunnel", or "": not said
};
std::string matrix_text(const std::string &scenario, const std::vector<MatrixRow> &rows);

/// One more network namespace, with the lab's settings and nothing in it but a loopback that is down.
Fd new_netns();

/// Run `body` with the calling thread inside a network namespace; sockets that it opens stay there.
void in_netns(int netns, const std::function<void()> &body);

class Lab {
public:
	Lab();
	Lab(const Lab &) = delete;
	Lab &operator=(const Lab &) = delete;
	~Lab();

	/// Descriptors of the hosts' namespaces.
	[[nodiscard]] int node() const { return hosts_[0].get(); }
	[[nodiscard]] int researcher() const { return hosts_[1].get(); }
	[[nodiscard]] int intruder() const { return hosts_[2].get(); }
	[[nodiscard]] int internet() const { return hosts_[3].get(); }

	/// A cgroup of the lab: absolute directory, made when it isn't there. "node" and "outside" always are.
	std::string cgroup(const std::string &name);
	/// The node's host, in its cgroup; and the same host outside of it.
	Spot in_node() { return {node(), cgroup("node")}; }
	Spot beside_node() { return {node(), cgroup("outside")}; }

	/// Write a file beside the site files; gives its path.
	std::string write(const std::string &name, const std::string &text) const;
	[[nodiscard]] const std::string &directory() const { return directory_; }
	[[nodiscard]] std::string bpffs() const { return directory_ + "/bpf"; }

	/// node-native as shipped, with the researcher's addresses and the node's cgroup.
	SiteFile native_site();
	/// The arguments of weir for this lab, `words` at the end.
	[[nodiscard]] std::vector<std::string> command(const std::vector<std::string> &words) const;
	[[nodiscard]] Finished weir(const std::vector<std::string> &words) const;
	/// Apply a site; throws when it fails.
	void apply(const SiteFile &site, const std::vector<std::string> &options = {});
	void apply_native() { apply(native_site()); }
	[[nodiscard]] nlohmann::json status() const;
	void remove() const; ///< no error when nothing is loaded

	std::string instance = "lab";

private:
	void build_hosts();
	void tear_down() noexcept;
	std::string directory_;
	std::string cgroups_; ///< absolute directory of the lab's cgroups
	std::vector<Fd> hosts_;
	Fd switch_;
};

/// Where cgroup2 is mounted, read from /proc/mounts.
std::string cgroup2_mount();

} // namespace weir::test
