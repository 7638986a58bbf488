// SPDX-License-Identifier: Apache-2.0
// The words of the design: row, matrix, site, policy.
#pragma once

#include "policy/address.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// Where something stands in a file, for messages; line 0 = not from a file.
struct Place {
	std::string file;
	unsigned line = 0;
	unsigned column = 0;
};

enum class Direction : std::uint8_t { out = 0, in = 1 };
enum class Status : std::uint8_t { mandatory, optional };

/// Protocol and ports of a row: "TCP/50051", "UDP/14000-14999", "ICMP/8", "ICMPv6/128", "IP/47".
struct Service {
	std::uint8_t protocol = 0; ///< IANA protocol number
	/// Inclusive. Of ICMP and ICMPv6: the message type. Unused for protocols without ports.
	std::uint16_t first = 0;
	std::uint16_t last = 0;
	[[nodiscard]] bool has_ports() const; ///< TCP, UDP, SCTP, DCCP, UDP-Lite; ICMP and ICMPv6 by type
	[[nodiscard]] std::string text() const; ///< as on the page
	auto operator<=>(const Service &) const = default;
};

/// One line of a matrix: the columns of the published page, plus an id.
struct Row {
	std::string id;
	Direction dir = Direction::out;
	std::string source;
	std::string destination;
	Service port;
	std::string service;
	std::string type; ///< backend, user, host
	Status status = Status::mandatory;
	std::string comment;
	std::string zone{}; ///< "tunnel": the row belongs inside a tunnel; "": it doesn't. No column of the page
	/// Who the socket's owner has to be: a number, or a name that the site binds in [users]; "": anyone. No column of
	/// the page.
	std::string user{};
	/// It holds only while the journal is written: `journal = "required"`. No column of the page.
	bool needs_journal = false;
	bool on_page = true; ///< false: the published page does not have it, and its author says so
	Place place{};

	/// The component whose traffic it is: source of an `out` row, destination of an `in` row.
	[[nodiscard]] const std::string &component() const { return dir == Direction::out ? source : destination; }
	[[nodiscard]] const std::string &peer() const { return dir == Direction::out ? destination : source; }
};

/// The rows of one scenario for one component's host.
struct Matrix {
	std::string scenario; ///< "node-native"
	std::string title;
	std::string component; ///< "node": whose host this is
	std::vector<Row> rows;
	Place place;
	std::string text{}; ///< of the file: bind() shows the line that is wrong; empty when there is no file
};

/// The host's boundary: which interfaces are held, and how.
struct Edge {
	bool present = false; ///< the policy has an edge
	std::vector<std::string> interfaces; ///< names; empty: "auto", every interface that leads off the host
	std::vector<std::string> tunnels; ///< names of interfaces that are tunnels, besides those whose kind says so
	std::string ingress = "auto"; ///< "auto": native XDP where the driver has it, else tc; "tc"; "xdp-generic"
	std::vector<std::uint16_t> ethertypes; ///< that pass besides IPv4, IPv6, ARP; sorted, up to WEIR_ETHERTYPES
	std::uint32_t flows = 65536; ///< bound of each table of flows
	bool operator==(const Edge &) const = default;
};

/// A peer that the site names by DNS name, and the addresses that its rows have at present.
struct HostName {
	std::string host; ///< "researcher.example.org", lower case, without the last point
	std::vector<Prefix> within; ///< what an answer may be; sorted, none empty
	std::vector<Prefix> addresses{}; ///< sorted; of a site file: none
	bool later = false; ///< of a site: may do without an address until one is found out
	bool operator==(const HostName &) const = default;
};

/// [windows.NAME] of a site file.
struct WindowRule {
	std::string name; ///< scenario of the matrix that has its rows
	std::vector<std::string> components; ///< who gets the rows; empty: all of the host
	std::vector<std::string> peers; ///< of key-negotiation: names from [names], instead of the matrix's own
	std::string through; ///< id of a host service: its rows, instead of the matrix's own; or ""
	std::uint32_t longest = 0; ///< seconds
};

/// What the names mean here.
struct Site {
	std::string scenario;
	std::vector<std::string> more_scenarios{}; ///< of a host that several components share
	std::map<std::string, std::vector<Prefix>> names; ///< researcher -> its addresses
	std::map<std::string, HostName> hosts{}; ///< names that are bound to a DNS name instead
	std::vector<std::string>
		resolvers{}; ///< "192.0.2.53", "[2001:db8::53]:5353": who is asked; empty: resolv.conf's
	std::map<std::string, std::uint32_t> users{}; ///< name in a row's `user` -> uid
	/// component -> where it runs: directory in cgroup2; "unit:NAME" (systemd service, scope or slice);
	/// "container:PATTERN" (name of a container, with * and ?)
	std::map<std::string, std::string> cgroups;
	std::vector<WindowRule> windows{};
	std::vector<std::string> optional; ///< ids of the optional rows that are on
	bool open_loopback = true; ///< false: loopback, too, keeps to the rows
	bool needs_journal = false; ///< so does every row of its scenarios and windows
	Edge edge{};
	/// component -> ids of rows of host services that it uses itself
	std::map<std::string, std::vector<std::string>> services{};
	Place place;
	std::string text{}; ///< of the file, as Matrix::text
};

constexpr std::uint8_t zone_loopback = 1; ///< as enum weir_zone
constexpr std::uint8_t zone_network = 2;
constexpr std::uint8_t zone_tunnel = 4;

/// A row whose names have become addresses.
struct BoundRow {
	Row row;
	std::uint8_t scope = 0; ///< index into BoundPolicy::scopes
	std::uint8_t zones = zone_network;
	bool kernel_only = false; ///< only packets that the kernel itself makes (neighbour discovery)
	std::vector<Prefix> peers; ///< sorted, none empty; none at all of a DNS name that has no address yet
	/// Only of sockets that this user (uid in the initial user namespace) made; nullopt: anyone's. Not at the edge.
	std::optional<std::uint32_t> user{};
	/// CLOCK_BOOTTIME, ns: the row holds until then, by the kernel's own clock; 0: for good.
	std::uint64_t deadline = 0;
	std::string window{}; ///< name of the open window that the row belongs to; "": none
};

/// An exception that the site allows: rows that nobody has until it is opened.
struct Window {
	std::string name; ///< of the scenario that its rows are of: "installation", "key-negotiation"
	std::uint32_t longest = 0; ///< seconds that it may be open at a time
	std::vector<BoundRow> rows{}; ///< bound, with no deadline
};

/// A window that is open, or was.
struct Opening {
	std::string window;
	std::int64_t opened = 0; ///< UNIX time, ns
	std::int64_t ends = 0; ///< UNIX time, ns, as it was reckoned then; for people
	std::uint64_t deadline = 0; ///< CLOCK_BOOTTIME, ns: what the kernel goes by
	std::string by; ///< who opened it, as text for people: "alice (uid 1000) from 192.0.2.7"
	std::string reason; ///< why, in their words
	std::int64_t closed = 0; ///< UNIX time, ns; 0: it is open, or it expired
	std::string closed_by{};
	std::string closed_reason{};
};

/// What is held to the policy: a cgroup, or the host's edge.
struct Scope {
	std::string cgroup; ///< as in Site::cgroups: a directory in cgroup2, or "unit:…", "container:…"; "" of the edge
	std::vector<std::string> components; ///< that run there, sorted; of the edge: all of the host
	bool open_loopback = true;
	[[nodiscard]] bool is_edge() const { return cgroup.empty(); }
};

/// Complete, and free of names: what is compiled, hashed and published.
struct BoundPolicy {
	std::string scenario;
	std::string title;
	std::vector<Scope> scopes; ///< 1 to WEIR_SCOPES: cgroups; if there is an edge it is the last
	std::vector<BoundRow> rows; ///< in the order in which they decide; the index is the row's number
	/// Rows of the matrix that the site leaves off, for `show`.
	std::vector<Row> off;
	Edge edge{};
	std::vector<Window> windows{}; ///< that may be opened
	std::vector<Opening> openings{}; ///< that are open, or were; oldest first, the last few
	std::map<std::string, HostName> hosts{}; ///< by the peer's name in the rows
	std::vector<std::string> resolvers{};

	/// How many of the scopes are cgroups: they come first.
	[[nodiscard]] std::size_t cgroups() const { return scopes.size() - (edge.present ? 1 : 0); }
};

} // namespace weir
